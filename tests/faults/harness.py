"""The harness: builds places, disturbs runs, and compares with a run that nothing disturbed.

The oracle is one equation: what a place comes to after the fault and a re-run is what it comes to
undisturbed, and all ten invariants hold.
"""

import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.faults.acting import Act, Looked, act, build, looked
from tests.faults.forking import PROCESSES
from tests.faults.outcome import Outcome
from tests.faults.place import Step, copied
from tests.faults.scenes import SCENES, Scene

LONGEST_SECONDS = 240
SIGKILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Stage:
    """A scene on the disk: where it begins, its command, and what it comes to undisturbed."""

    scene: Scene
    before: Path
    arguments: tuple[str, ...]
    undisturbed: Looked
    reached: Counter[str]

    def copy(self, to: Path) -> Path:
        """Return a copy of the place as it is before the command."""
        return copied(self.before, to)

    def act(self, folder: Path, order: str = "") -> Act:
        """Return the scene's command in a copy of its place."""
        scene = self.scene
        return Act(folder, self.arguments, order, scene.days_on, better=scene.better)


@dataclass
class Workshop:
    """Builds every stage of a place's life once, from the one before."""

    folder: Path
    _built: dict[tuple[Step, ...], Path] = field(default_factory=dict)
    _stages: dict[str, Stage] = field(default_factory=dict)

    def built(self, steps: tuple[Step, ...]) -> Path:
        """Return a place after these steps; copy it before anything is done there."""
        if steps not in self._built:
            to = self.folder / f"{len(self._built):02}-{steps[-1].__name__}"
            if len(steps) > 1:
                copied(self.built(steps[:-1]), to)
            in_a_process(build, steps[-1], to)
            self._built[steps] = to
        return self._built[steps]

    def stage(self, name: str) -> Stage:
        """Return a scene set up, after it was played once with nobody disturbing it."""
        if name not in self._stages:
            scene = SCENES[name]
            before = self.built((*scene.built, *scene.then))
            arguments = scene.arguments(before)
            stage = Stage(scene, before, arguments, _NOTHING, Counter())
            folder = stage.copy(self.folder / f"undisturbed-{name}")
            assert perform(replace(stage.act(folder), looks=True)) == scene.status
            reached = Counter(looked(folder).reached)
            seen = settle(stage, folder)
            assert seen.broken == (), f"{name}, undisturbed"
            self._stages[name] = replace(stage, undisturbed=seen, reached=reached)
        return self._stages[name]

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """Every scene that can be played to its end; a test of its own says that all can."""
        found = {}
        for name in SCENES:
            with suppress(AssertionError, OSError):
                found[name] = self.stage(name)
        return found


_NOTHING = Looked(Outcome((), "", None, False, (), 0), ())


def start(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Start a forked process, to be joined or killed."""
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    return process


def ended(process: ForkServerProcess, *, after: float | None = None) -> int:
    """Return how a process ended; it is killed after so many seconds if it is still there."""
    process.join(LONGEST_SECONDS if after is None else after)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def in_a_process(target: Callable[..., None], *arguments: object) -> None:
    """Do it in a forked process, and see it through."""
    status = ended(start(target, *arguments))
    assert status == 0, f"{target.__name__}{arguments} ended with {status}"


def perform(asked: Act, *, killed_after: float | None = None) -> int:
    """Have a command done in a process of its own, and return its status or minus a signal."""
    return ended(start(act, asked), after=killed_after)


def settle(stage: Stage, folder: Path) -> Looked:
    """Let the schedule go on if the scene wants it, and return how the place stands then."""
    if stage.scene.settled:
        perform(Act(folder, ("monitor", "docs"), days_on=stage.scene.days_on, looks=True))
    return looked(folder)


def recovered(stage: Stage, folder: Path) -> Looked:
    """Run the command again after a fault, and return how the place stands then."""
    status = perform(replace(stage.act(folder), looks=True))
    assert status in {stage.scene.status, *stage.scene.again}, said(folder)
    return settle(stage, folder)


def said(folder: Path) -> str:
    """Return the end of what the last command told people."""
    last = max((folder / "told").glob("*.err"))
    return last.read_text(encoding="utf-8", errors="replace")[-2_000:]
