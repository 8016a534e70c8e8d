"""Have what is whole answer: an earlier snapshot or model, or an index that is to be made anew.

A release that is whole stays. Killed at any line and run again, it ends the same: what is damaged
is found again, and what was put right is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.desk import Desk
from flows.erasing.erasures import taint_of
from flows.errors import NothingWholeError
from flows.examining.damaged_index import health_of, snapshot_damage
from flows.examining.damaged_models import model_damage
from flows.journal import lease
from flows.journal.journal import Fence, Line
from flows.promote import PATIENCE_SECONDS
from flows.promoting.champion import answering_with, move_alias
from flows.promoting.promotions import Attempt, Outcome
from flows.release import Published, Release
from flows.steps import Perform
from retrieval.errors import IndexCorruptError, SnapshotMissingError
from retrieval.records import Snapshot

if TYPE_CHECKING:
    from retrieval.index_health import IndexHealth

REPAIR = "repair"
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
        published = _publish(desk, fence, serving, model.release, said)
        done = Repaired(said, published, index.anew, index.aside)
        if said and published is None:
            line = _line(done)
            desk.journal.append(desk.name, line.kind, line.payload, time=desk.now, fence=fence)
        if published is not None and model.release.model_version != serving.model_version:
            pointed = desk.registry.pointed(desk.model_name, "champion")
            move_alias(desk, model.release.model_version, expected=pointed)
    if published is not None:
        perform("Recording in MLflow", lambda _: desk.tracker.record_promotion(published))
    return done


def _index(desk: Desk, serving: Release, *, anew: bool) -> _Part:
    health = health_of(desk)
    damage = _damage(health, serving)
    served = Snapshot.parse(serving.snapshot)
    if anew or not damage:
        if not anew:
            return _Part(serving)
        health.condemn(served.generation, "asked for by hand")
        return _Part(serving, (_anew(desk, f"{served} was given up by hand"),), anew=True)
    aside = health.uncover(served.generation)
    for candidate in _earlier(desk, serving):
        if not _damage(health, candidate):
            snapshot, more = health.go_back(Snapshot.parse(candidate.snapshot))
            names = ("snapshot", "content_digest", "embedder")
            taken = {name: getattr(candidate, name) for name in names} | {"snapshot": str(snapshot)}
            said = f"{served} is damaged ({damage}): what {candidate.snapshot} says answers again"
            return _Part(replace(serving, **taken), (said,), aside=_names((*aside, *more)))
    health.condemn(served.generation, damage)
    why = _anew(desk, f"{served} is damaged ({damage})")
    return _Part(serving, (why,), anew=True, aside=_names(aside))


def _names(files: Iterable[Path]) -> tuple[str, ...]:
    return tuple(file.name for file in files)


def _anew(desk: Desk, why: str) -> str:
    return (
        f"{why}, and goes on answering as far as it can be read. `driftline refresh {desk.name}` "
        "makes the index anew from the documents, with the vectors that are whole"
    )


def _damage(health: IndexHealth, release: Release) -> str:
    """Return what is wrong with a release's snapshot, "" if it is whole."""
    try:
        wrong, _ = snapshot_damage(health, Snapshot.parse(release.snapshot), release)
    except (IndexCorruptError, SnapshotMissingError) as error:
        return f"{error.code}: it cannot be read"
    more = f", and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
    return f"{wrong[0]}{more}" if wrong else ""


def _earlier(desk: Desk, serving: Release) -> Iterator[Release]:
    """Yield what answered before by the same embedder, the newest first, each snapshot once."""
    seen = {serving.snapshot}
    for published in reversed(desk.journal.history(desk.name)):
        release = published.release
        if release.snapshot not in seen and release.embedder == serving.embedder:
            seen.add(release.snapshot)
            yield release


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


def _publish(
    desk: Desk, fence: Fence, serving: Release, repaired: Release, said: tuple[str, ...]
) -> Published | None:
    """Publish what is whole, with a line on the model that was left, in one transaction."""
    if repaired == serving:
        return None
    why, before, after = "; ".join(said), serving.model_version, repaired.model_version
    attempt = Attempt(desk.now, _ACTOR, Outcome.WITHDRAWN, before, after, why, repaired.id)
    return desk.journal.publish(
        repaired,
        kind=REPAIR,
        reason=why,
        time=desk.now,
        fence=fence,
        expected_version=before,
        beside=[attempt.line] if before != after else [],
    )


def _line(done: Repaired) -> Line:
    return Line(REPAIR, {"said": list(done.said), "anew": done.anew, "aside": list(done.aside)})
