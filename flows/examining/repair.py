"""Have what is whole answer: an earlier snapshot or model, or an index that is to be made anew.

A release that is whole stays. Killed at any line and run again, it ends the same: what is damaged
is found again, and what was put right is whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows.desk import Desk
from flows.erasing.erasures import taint_of
from flows.errors import NothingWholeError
from flows.examining.damaged_index import health_of
from flows.examining.damaged_models import model_damage
from flows.examining.going_back import REPAIR, damage_of, go_back
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Fence, Line
from flows.promote import PATIENCE_SECONDS
from flows.promoting.champion import answering_with, move_alias
from flows.promoting.promotions import Attempt, Outcome
from flows.release import Published, Release
from flows.steps import Perform
from flows.telling import entries as telling
from retrieval.records import Snapshot

if TYPE_CHECKING:
    from retrieval.index_health import IndexHealth

_ACTOR = "driftline verify --repair"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was put right, in words; `published` is what answers now, where that changed.

    `anew` says that the next refresh makes the index anew; `aside` are files that were set aside.
    """

    said: tuple[str, ...]
    published: Published | None
    anew: bool
    aside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A release with one part exchanged, and why; the same release where nothing was to be done."""

    release: Release
    said: tuple[str, ...] = ()
    anew: bool = False
    aside: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()


def repair(desk: Desk, perform: Perform, *, anew: bool = False) -> Repaired:
    """Publish the newest parts that are whole in place of damaged ones, under the writer's lease.

    With `anew` the next refresh makes the index anew, whole or not. Raises NoReleaseError,
    BusyError, and NothingWholeError where no model that ever answered is whole.
    """
    with lease.hold(desk.journal, desk.name, patience_seconds=PATIENCE_SECONDS) as fence:
        serving = desk.release().release
        index = perform("Looking for a whole snapshot", lambda _: _index(desk, serving, anew=anew))
        model = perform("Looking for a whole model", lambda _: _model(desk, index.release))
        said = (*index.said, *model.said)
        whole = replace(model, said=said, lines=index.lines)
        published = _publish(desk, fence, serving, whole)
        done = Repaired(said, published, index.anew, index.aside)
        if said and published is None:
            line = _line(done)
            desk.journal.append(desk.name, line.kind, line.payload, time=desk.now, fence=fence)
            reach("repair.recorded")
        if published is not None:
            _follow(desk, perform, serving, published)
    return done


def _follow(desk: Desk, perform: Perform, before: Release, published: Published) -> None:
    """Bring MLflow in line with what was published: the alias, and a run that says so."""
    reach("repair.published")
    version = published.release.model_version
    if version != before.model_version:
        move_alias(desk, version, expected=desk.registry.pointed(desk.model_name, "champion"))
    reach("repair.moved")
    perform("Recording in MLflow", lambda _: desk.tracker.record_promotion(published), retries=2)
    reach("repair.tracked")


def _index(desk: Desk, serving: Release, *, anew: bool) -> _Part:
    health = health_of(desk)
    damage = damage_of(health, serving)
    served = Snapshot.parse(serving.snapshot)
    if anew:
        return _give_up(desk, health, serving, f"{served} was given up by hand")
    if not damage:
        return _Part(serving)
    if back := go_back(desk, health, serving, damage):
        names = tuple(path.name for path in back.aside)
        return _Part(back.release, (back.said,), aside=names, lines=back.lines)
    # What can be read below it gives its vectors to the new table.
    aside = tuple(path.name for path in health.uncover(served.generation))
    return _give_up(desk, health, serving, f"{served} is damaged ({damage})", aside)


def _give_up(
    desk: Desk, health: IndexHealth, serving: Release, why: str, aside: tuple[str, ...] = ()
) -> _Part:
    health.condemn(Snapshot.parse(serving.snapshot).generation, why)
    reach("repair.condemned")
    return _Part(serving, (_anew(desk, why),), anew=True, aside=aside)


def _anew(desk: Desk, why: str) -> str:
    return (
        f"{why}, and goes on answering as far as it can be read. `driftline refresh {desk.name}` "
        "makes the index anew from the documents, with the vectors that are whole"
    )


def _model(desk: Desk, release: Release) -> _Part:
    wrong = _model_wrong(desk, release)
    if not wrong:
        return _Part(release)
    tried = {release.model_version}
    for published in reversed(desk.journal.history(desk.name)):
        candidate = published.release
        if candidate.model_version in tried or candidate.base_digest != release.base_digest:
            continue
        tried.add(candidate.model_version)
        tainted = taint_of(desk.journal, desk.name, candidate.model_version)
        if tainted is None and not _model_wrong(desk, candidate):
            model = desk.registry.version(candidate.model_name, candidate.model_version)
            said = (
                f"version {release.model_version} is damaged ({wrong}): "
                f"version {candidate.model_version} answers again"
            )
            return _Part(answering_with(release, model), (said,))
    msg = (
        f"Version {release.model_version} of {desk.model_name!r} is damaged ({wrong}), and no "
        "earlier one is whole. Searching goes on. Put its files back from a backup, or train "
        f"another with `driftline retrain {desk.name} --force`."
    )
    raise NothingWholeError(msg)


def _model_wrong(desk: Desk, release: Release) -> str:
    if taint_of(desk.journal, desk.name, release.model_version):
        return ""  # an erasure took text out of its files; it answers until another one does
    return next((what for _, what in model_damage(desk, release)), "")


def _publish(desk: Desk, fence: Fence, serving: Release, whole: _Part) -> Published | None:
    """Publish what is whole, with lines on the parts that were left, in one transaction."""
    repaired = whole.release
    if repaired == serving:
        return None
    why, before, after = "; ".join(whole.said), serving.model_version, repaired.model_version
    attempt = Attempt(desk.now, _ACTOR, Outcome.WITHDRAWN, before, after, why, repaired.id)
    return desk.journal.publish(
        repaired,
        kind=REPAIR,
        reason=why,
        time=desk.now,
        fence=fence,
        expected_version=before,
        beside=[*whole.lines, *([attempt.line] if before != after else [])],
        errands=telling.of_repair(desk, repaired, why),
    )


def _line(done: Repaired) -> Line:
    return Line(REPAIR, {"said": list(done.said), "anew": done.anew, "aside": list(done.aside)})
