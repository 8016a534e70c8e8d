"""A soak: scheduled checks one after another in one process, with edits and a clock of its own.

`make soak` runs 300 of them, `make soak CHECKS=5000` more. What a year would show is measured in
small: memory, handles, threads, children, and the disk.
"""

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import psutil

from flows.desk import open_desk
from flows.maintain import maintain
from flows.monitor import monitor
from flows.settings.settings import load_settings
from flows.steps import quietly
from tests.faults.files import folder_bytes
from tests.faults.invariants import Broken, check_invariants
from tests.faults.place import bare, stand_in

CHECKS = 300
EVERY = timedelta(hours=6)
CHECKS_BETWEEN_UPKEEP = 28  # a week
# Frameworks fill their caches on the first checks and on the first upkeep.
WARM_UP_SHARE = 0.2
MOST_GROWTH_PERCENT = 10.0
_SAMPLED_SHARE = 0.1
# Of what is held when nothing is at work. A leak of one a check is twice this in ten checks.
_MOST_GAINED = 4
# LanceDB's tokio lets a thread of its blocking pool go after ten idle seconds (tokio's
# `thread_keep_alive`); until then the pool has as many as cores and luck made it need, up to 512.
_IDLE_SECONDS = 11.0
_LOOK_SECONDS = 0.25
_FIRST_UPKEEP = 2  # early: it is warm-up, too


@dataclass(frozen=True)
class Sample:
    """What the process held after one check, in bytes and counts."""

    memory: int
    children: int
    index: int


@dataclass(frozen=True)
class Held:
    """Open handles and threads of the process while nothing is at work, as counts."""

    handles: int
    threads: int


@dataclass(frozen=True)
class Soaked:
    """How it ended: growth since the warm-up, in percent and counts, and what was broken.

    `handles_gained` and `threads_gained` are what `gained` says of them.
    """

    checks: int
    memory_growth_percent: float
    memory_megabytes: float
    handles_gained: int
    threads_gained: int
    children: int
    index_bytes: int
    journal_bytes: int
    mlflow_bytes: int
    broken: tuple[str, ...]
    seconds: float

    @property
    def faults(self) -> list[str]:
        """What is over its limit, in words."""
        over = {
            f"memory grew by {self.memory_growth_percent:.1f} %": (
                self.memory_growth_percent > MOST_GROWTH_PERCENT
            ),
            f"{self.handles_gained} handles were leaked": self.handles_gained > _MOST_GAINED,
            f"{self.threads_gained} threads were leaked": self.threads_gained > _MOST_GAINED,
            f"{self.children} children were left": self.children > 0,
        }
        return [*(what for what, is_over in over.items() if is_over), *self.broken]


def soak(folder: Path, checks: int, *, seed: int = 7) -> Soaked:
    """Run so many checks, with edits between them and upkeep every week, and say what it took."""
    stand_in()
    place = bare(folder)
    chance, start = random.Random(seed), datetime.now(UTC)  # noqa: S311 no secret
    samples: list[Sample] = []
    held: list[Held] = []
    warm = int(checks * WARM_UP_SHARE)
    looks = {warm, (warm + checks - 1) // 2, checks - 1}
    now = start
    for number in range(checks):
        now = start + number * EVERY
        edit(folder / "docs", chance)
        with open_desk(load_settings(place.settings_file), "docs", now=now) as desk:
            monitor(desk, quietly)
            if number % CHECKS_BETWEEN_UPKEEP == _FIRST_UPKEEP or number == checks - 1:
                maintain(desk, quietly)
        samples.append(_sample(folder))
        if number in looks:
            held.append(_settled(held))
        if number % 20 == 0:
            sys.stderr.write(f"{number + 1} of {checks}: {samples[-1]}\n")
    broken = check_invariants(folder, maintained=True, now=now)
    return _soaked(folder, samples, held, broken, (datetime.now(UTC) - start).total_seconds())


def gained(counts: Sequence[int]) -> int:
    """Return the least gain between neighbours of counts that were taken one after another.

    What leaks with each check gains in every interval. A pool that is filled once, by as many
    threads as there are cores, gains in one of them, whichever that is.

    >>> gained([20, 28, 36]), gained([20, 84, 84])
    (8, 0)
    """
    return min((after - before for before, after in pairwise(counts)), default=0)


def edit(docs: Path, chance: random.Random) -> None:
    """Edit some documents, add some and remove some; now and then nothing at all."""
    here = sorted(docs.iterdir())
    for path in chance.sample(here, chance.randrange(4)):
        path.write_text(f"{path.read_text()}\nThe lamp {chance.randrange(10**6)} is lit.\n")
    if chance.random() < 0.5:
        number = chance.randrange(10**6)
        (docs / f"note-{number}.md").write_text(f"# Note {number}\n\nLid {number} is open.\n")
    if len(here) > 40:
        chance.choice(here).unlink()


def _sample(folder: Path) -> Sample:
    me = psutil.Process()
    return Sample(
        memory=me.memory_info().rss,
        children=len(me.children()),
        index=folder_bytes(folder / ".driftline" / "index"),
    )


def _settled(earlier: Sequence[Held]) -> Held:
    """Return what is held once idle pools let go, or once it is no more than it was before."""
    me, until = psutil.Process(), time.monotonic() + _IDLE_SECONDS
    while True:
        held = Held(me.num_fds(), me.num_threads())
        within = earlier and (
            held.handles <= earlier[-1].handles and held.threads <= earlier[-1].threads
        )
        if within or time.monotonic() > until:
            sys.stderr.write(f"at rest: {held}\n")
            return held
        time.sleep(_LOOK_SECONDS)


def _soaked(
    folder: Path,
    samples: list[Sample],
    held: list[Held],
    broken: list[Broken],
    seconds: float,
) -> Soaked:
    warm = samples[int(len(samples) * WARM_UP_SHARE) :]
    some = max(1, int(len(samples) * _SAMPLED_SHARE))
    before, after = warm[:some], warm[-some:]
    memory = [statistics.median(each.memory for each in part) for part in (before, after)]
    home = folder / ".driftline"
    return Soaked(
        checks=len(samples),
        memory_growth_percent=round(100 * (memory[1] / memory[0] - 1), 2),
        memory_megabytes=round(memory[1] / 1e6, 1),
        handles_gained=gained([each.handles for each in held]),
        threads_gained=gained([each.threads for each in held]),
        children=samples[-1].children,
        index_bytes=samples[-1].index,
        journal_bytes=(home / "journal.db").stat().st_size,
        mlflow_bytes=(home / "mlflow.db").stat().st_size,
        broken=tuple(f"{each.invariant}: {each.what}" for each in broken),
        seconds=round(seconds, 1),
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        done = soak(Path(made) / "place", int(sys.argv[1]) if sys.argv[1:] else CHECKS)
    sys.stdout.write(json.dumps(asdict(done), indent=2) + os.linesep)
    sys.exit("; ".join(done.faults) or 0)
