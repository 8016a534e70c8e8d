"""What a run puts right by itself, with nobody there: a newest version that cannot be read.

Only that. Damaged rows, a table that is lost and one that another program wrote are for
`driftline verify --repair`, and whoever decides on it.
"""

from __future__ import annotations

import logging

from flows.desk import Desk
from flows.examining.damaged_index import health_of
from flows.examining.going_back import REPAIR, go_back
from flows.failpoints import reach
from flows.journal.journal import Fence
from flows.release import Published
from flows.steps import Perform
from flows.telling import entries as telling
from retrieval.errors import IndexCorruptError
from retrieval.records import Snapshot

_log = logging.getLogger(__name__)


def mend(desk: Desk, perform: Perform, fence: Fence) -> Published | None:
    """Have the version before answer if the one that does cannot be read; None if it can be.

    Under the writer's lease, which the caller holds. The damaged manifest is set aside and never
    removed; the journal, history and people are told. Raises IndexCorruptError, with the command
    that cures it, where no earlier version in the same table is whole: to make the index anew
    would pass by the guards, which compare with what was there.
    """
    serving = desk.journal.serving(desk.name)
    error = _unreadable(desk, Snapshot.parse(serving.release.snapshot)) if serving else None
    if serving is None or error is None:
        return None
    release, health = serving.release, health_of(desk)
    back = perform(
        "Looking for a whole snapshot",
        lambda _: go_back(
            desk, health, release, f"{error.code}: it cannot be read", same_table=True
        ),
    )
    if back is None:
        raise error
    _log.warning("%s", back.said)
    published = desk.journal.publish(
        back.release,
        kind=REPAIR,
        reason=back.said,
        time=desk.now,
        fence=fence,
        expected_version=release.model_version,
        beside=back.lines,
        errands=telling.of_repair(desk, back.release, back.said),
    )
    reach("repair.mended")
    return published


def _unreadable(desk: Desk, served: Snapshot) -> IndexCorruptError | None:
    """Return why what answers cannot be read, None if it can be, or is for a person to see to."""
    health = health_of(desk)
    if desk.index.condemned(served):
        return None  # given up: the refresh makes it anew
    if not health.has_manifest(served):
        # Set aside by a run that was killed before it could publish another; else an index that
        # is older than the journal, which a person has to see to.
        return _half_repaired(served) if health.file_set_aside(served) else None
    try:
        desk.index.newest(served)
        desk.index.holds(served)
    except IndexCorruptError as error:
        return error
    return None


def _half_repaired(served: Snapshot) -> IndexCorruptError:
    return IndexCorruptError(
        f"Snapshot {served} cannot be read: its manifest was set aside, and nothing answers in its "
        f"place. `driftline verify {served.kb} --repair` has an earlier release answer."
    )
