"""Scenes: where a place stands, and the command that is disturbed there.

Another flow joins with a scene of its own: then a run is killed at each failpoint that it reaches.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.faults import place
from tests.faults.place import Step


@dataclass(frozen=True)
class Scene:
    """A command on a place: `built` by these steps one after another, shared between scenes.

    `then` is done to the scene's own copy. An argument that is a function is asked of the place.
    `days_on` is how much later than now the command runs; `better` has the judge say so. Run again
    after it was done, it may end with one of `again`. `settled` has a check come after it: the
    journal is the truth at once, and the alias in MLflow follows with the next check.
    """

    command: tuple[str | Step, ...]
    built: tuple[Step, ...]
    then: tuple[Step, ...] = ()
    days_on: int = 0
    better: bool = False
    status: int = 0
    again: tuple[int, ...] = ()
    settled: bool = False

    def arguments(self, folder: Path) -> tuple[str, ...]:
        """Return the command for a place."""
        return tuple(part if isinstance(part, str) else str(part(folder)) for part in self.command)


FIRST = (place.bare, place.first)
SECOND = (*FIRST, place.second)
TRAINED = (*SECOND, place.trained)
JUDGED = (*TRAINED, place.judged)
PROMOTED = (*JUDGED, place.promoted)
ROLLED_BACK = (*PROMOTED, place.rolled_back)

SCENES = {
    "first": Scene(("refresh", "docs"), (place.bare,)),
    "refresh": Scene(("refresh", "docs"), FIRST),
    "monitor": Scene(("monitor", "docs"), FIRST),
    "blocked": Scene(("monitor", "docs"), FIRST, (place.without_documents,), status=4),
    "retrain": Scene(("retrain", "docs"), TRAINED, better=True, settled=True),
    "refused": Scene(("promote", "docs", "--evidence", "0" * 12), JUDGED, status=4),
    "promote": Scene(
        ("promote", "docs", "--evidence", place.evidence), JUDGED, again=(3,), settled=True
    ),
    "rollback": Scene(("rollback", "docs", place.earlier), PROMOTED, settled=True),
    "resume": Scene(("resume", "docs"), ROLLED_BACK),
    "followed": Scene(("monitor", "docs"), JUDGED, (place.moved_by_hand,)),
    "objected": Scene(("monitor", "docs"), ROLLED_BACK, (place.moved_by_hand,), status=4),
    "forget": Scene(("forget", "docs", "device-05.md", "--why", "asked for"), PROMOTED),
    # The reference of drift lies in another table than what answers.
    "forget-apart": Scene(
        ("forget", "docs", "device-05.md", "--why", "asked for"), (*FIRST, place.aged)
    ),
    "repair": Scene(("verify", "docs", "--quick", "--repair"), SECOND, (place.head_unreadable,)),
    "given-up": Scene(("verify", "docs", "--quick", "--repair", "--anew"), FIRST),
    "mended": Scene(("refresh", "docs"), SECOND, (place.head_unreadable,)),
    "maintain": Scene(("maintain", "docs"), (*FIRST, place.aged), days_on=30),
}
