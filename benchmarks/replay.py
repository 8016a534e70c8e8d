"""Would the policy have been better than a calendar, over the releases of real documentation?

`python benchmarks/replay.py` replays the default policy and two other levels over each project of
the archive. A documentation site shows the newest release, so a maintenance release of an older
line is left out. Beside the policy stand all calendars that cost as much, on average. The first
verdict is on the whole record, the second on the average over records that end earlier, one after
each release from a third of the time on: with two or three retrainings in eight years it is luck
whether the last one comes just before the record ends. The limit: in both, less mean and less
worst staleness than the calendars, in every project.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from corpora import archive_folder, unpack
from tables import add_markdown_option, show, verdict

from monitors.corpus import Corpus
from monitors.decision.policy import RetrainPolicy, Thresholds
from monitors.replaying import yardsticks
from monitors.replaying.past import Past, Schedule, Version, past_of
from monitors.replaying.replay import follow
from monitors.replaying.sketch import Piece, Sketch, Sketcher, sketch
from retrieval.folder_table import read_chunk_table
from retrieval.sources.folder import FolderSource

PROJECTS = ("django", "scrapy", "sqlalchemy")
LEVELS = (0.08, 0.055, 0.05)
# Before a third of the time there is little to retrain for.
EARLIEST_END = 1 / 3
HEADER = ("project", "level", "strategy", "retrainings", "mean", "worst", "retrained on", "verdict")


@dataclass(frozen=True, slots=True)
class Release:
    """A release and the day it came out."""

    name: str
    time: datetime

    @property
    def order(self) -> tuple[int, ...]:
        """What sorts 4.2.10 behind 4.2.9."""
        return tuple(int(part) for part in self.name.split("."))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path, help="the folder of archives")
    parser.add_argument("--unpacked", type=Path, help="a folder to unpack in, kept for next time")
    parser.add_argument("--projects", nargs="+", choices=PROJECTS, default=PROJECTS)
    parser.add_argument("--levels", nargs="+", type=float, default=LEVELS)
    add_markdown_option(parser)
    chosen = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for project in chosen.projects:
            folder = chosen.unpacked or Path(temporary)
            past = read_past(archive_folder(chosen.corpora), project, folder)
            for level in chosen.levels:
                rows += judged(past, project, RetrainPolicy(retrain=level))
    show("The policy and a calendar of equal cost", HEADER, rows, chosen.markdown)


def newest_line(releases: list[Release]) -> list[Release]:
    """Return the releases that were the newest when they came out, in that order.

    >>> day = lambda n: datetime(2024, 1, n, tzinfo=UTC)
    >>> found = newest_line([Release("5.0", day(2)), Release("4.2.9", day(3)),
    ...                      Release("4.2", day(1))])
    >>> [release.name for release in found]
    ['4.2', '5.0']
    """
    line: list[Release] = []
    for release in sorted(releases, key=lambda each: (each.time, each.order)):
        if not line or release.order > line[-1].order:
            line.append(release)
    return line


def read_past(archives: Path, project: str, folder: Path) -> Past:
    """Read the releases of a project, and compare them all."""
    listed = json.loads((archives / "manifest.json").read_text("utf-8"))
    releases = [
        Release(each["version"], datetime.fromisoformat(each["date"]).replace(tzinfo=UTC))
        for each in listed
        if each["project"] == project
    ]
    sketcher, known = Sketcher(), dict[tuple[str, str], Piece]()
    versions, sketches = [], []
    for release in newest_line(releases):
        documents = unpack(archives, project, release.name, folder)
        sketched = _sketch(sketcher, known, documents)
        versions.append(Version(release.name, release.time, sketched.chunks))
        sketches.append(sketched)
    return past_of(versions, sketches)


def judged(past: Past, project: str, policy: RetrainPolicy) -> Iterator[tuple[str, ...]]:
    """Yield a row for the policy and each yardstick: the whole record, then earlier ends."""
    level = f"{policy.retrain_level:g}"
    acting = follow(past, policy, Thresholds())
    found = yardsticks.calendars(past, acting)
    others = (
        yardsticks.fixed(past, policy.retrain_level),
        yardsticks.step_to_step(past, policy.retrain_level),
        yardsticks.least_mean(past, acting.retrainings),
        yardsticks.least_worst(past, acting.retrainings),
    )
    if found is None:
        yield project, level, *_row(past, acting), "never retrained"
        return
    better = acting.mean < found.mean and acting.worst < found.worst
    beaten = f"beats {found.beaten * 100:.0f} % of {found.schedules}"
    yield project, level, *_row(past, acting), f"{verdict(holds=better)}, {beaten}"
    on_average = f"{found.schedules} calendars, on average"
    yield project, level, on_average, str(found.retrainings), *_shares(found), "", ""
    for schedule in others:
        yield project, level, schedule.name, str(schedule.retrainings), *_shares(schedule), "", ""
    yield from _earlier_ends(past, project, policy)


def _earlier_ends(past: Past, project: str, policy: RetrainPolicy) -> Iterator[tuple[str, ...]]:
    ours, theirs = [], []
    for count in range(2, len(past) + 1):
        record = past.first(count)
        acting = follow(record, policy, Thresholds())
        found = yardsticks.calendars(record, acting)
        if found is not None and record.days[-1] >= EARLIEST_END * past.days[-1]:
            ours.append((acting.retrainings, acting.mean, acting.worst))
            theirs.append((found.retrainings, found.mean, found.worst))
    (count, mean, worst), others = np.mean(ours, axis=0), np.mean(theirs, axis=0)
    better = mean < others[1] and worst < others[2]
    level, ends = f"{policy.retrain_level:g}", f"{len(ours)} ends"
    shares = (f"{count:.1f}", f"{mean * 100:.2f} %", f"{worst * 100:.2f} %")
    yield project, level, f"policy, over {ends}", *shares, "", verdict(holds=better)
    shares = (f"{others[0]:.1f}", f"{others[1] * 100:.2f} %", f"{others[2] * 100:.2f} %")
    yield project, level, f"calendars, over {ends}", *shares, "", ""


def _row(past: Past, schedule: Schedule) -> tuple[str, ...]:
    names = " ".join(past.versions[each.version].name for each in schedule.retrained)
    return schedule.name, str(schedule.retrainings), *_shares(schedule), names


def _shares(found: Schedule | yardsticks.Calendars) -> tuple[str, str]:
    return f"{found.mean * 100:.2f} %", f"{found.worst * 100:.2f} %"


def _sketch(sketcher: Sketcher, known: dict[tuple[str, str], Piece], documents: Path) -> Sketch:
    table, _ = read_chunk_table(FolderSource(documents))
    corpus = Corpus.from_table(table)
    keys = set(zip(corpus.uris, corpus.document_digests, strict=True))
    fresh = {uri for uri, _ in keys - known.keys()}
    at = [position for position, uri in enumerate(corpus.uris) if uri in fresh]
    pieces = sketcher.pieces(corpus.take(at))
    known |= {key: pieces[key[0]] for key in keys - known.keys()}
    return sketch(known[key] for key in keys)


if __name__ == "__main__":
    main()
