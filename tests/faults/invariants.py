"""The ten invariants, as one checker that any test can call on a place after any fault.

`check_invariants(folder)` reads what is on the disk: journal, index, registry, MLflow and files. It
writes nothing, starts nothing, and trusts nothing that another part of Driftline checked before.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from flows.desk import open_desk
from flows.errors import FlowError
from flows.promoting.promotions import frozen
from flows.release import Release
from flows.settings.settings import load_settings
from retrieval.errors import RetrievalError
from retrieval.records import Completeness, Snapshot
from tests.faults.files import bounded, nothing_foreign, told
from tests.faults.standing import Standing
from training.errors import TrainingError

# What has a run of its own in MLflow; upkeep and erasures get one with the next check.
_SHOWN = ("first", "refresh", "promotion", "rollback", "manual")


@dataclass(frozen=True)
class Broken:
    """One invariant that does not hold, and what shows it."""

    invariant: str
    what: str


def check_invariants(
    folder: Path,
    *,
    kb: str = "docs",
    at_rest: bool = True,
    maintained: bool = False,
    accepted: Collection[str] = (),
    now: datetime | None = None,
) -> list[Broken]:
    """Return every invariant that a place breaks, with what shows it; none if all hold.

    `folder` is where `driftline.toml` is. `at_rest` says that the last run came to its end, so
    nothing may lag or be left over; right after a kill, say False. `maintained` says that upkeep
    was the last that ran. `accepted` are snapshots whose removals a person took on. `now` is the
    clock of those runs, where it is not this machine's: what is to be kept follows from it.
    """
    settings = load_settings(folder / "driftline.toml")
    with open_desk(settings, kb, now=now) as desk:
        standing = Standing(desk, folder, at_rest, maintained, frozenset(accepted))
        return [
            Broken(name, what)
            for name, check in INVARIANTS.items()
            for what in _asked(check, standing)
        ]


def _asked(check: Callable[[Standing], Iterator[str]], standing: Standing) -> Iterator[str]:
    """Yield what a check finds; what cannot even be read is a finding too."""
    try:
        yield from check(standing)
    except (FlowError, RetrievalError, TrainingError, AssertionError, ValueError, OSError) as error:
        yield f"{type(error).__name__}: {error}"


def _pointer(at: Standing) -> Iterator[str]:
    """INV-1. What answers is one release, and every part of it is what the release says.

    The newest publication's id is the digest of its parts; its snapshot can be read, has the
    content digest and the embedder that it names; its model version has those digests. At rest
    the alias points at that version.
    """
    if at.serving is None:
        return
    release, entry = at.serving.release, at.entries("release")[-1]
    if entry.key != release.id:
        yield f"the release is written under {entry.key}, and its parts are {release.id}"
    snapshot = Snapshot.parse(release.snapshot)
    if not at.desk.index.holds(snapshot):
        yield f"{snapshot}, which answers, is not in the index"
        return
    if (content := at.desk.index.content_digest(snapshot)) != release.content_digest:
        yield f"{snapshot} holds {content[:12]}, the release says {release.content_digest[:12]}"
    if at.desk.index.recipe(snapshot).embedder != release.embedder:
        yield f"{snapshot} was made by another embedder than the release names"
    yield from _model_of(at, release)


def _model_of(at: Standing, release: Release) -> Iterator[str]:
    version = at.versions.get(release.model_version)
    tags = {} if version is None else version.tags
    for part in ("base_digest", "adapter_digest"):
        if tags.get(f"driftline.{part}") != getattr(release, part):
            yield f"the {part} of version {release.model_version} is not the release's"
    if at.at_rest and at.alias != release.model_version:
        yield f"the alias is at version {at.alias}, version {release.model_version} answers"


def _nothing_lost(at: Standing) -> Iterator[str]:
    """INV-2. What was reported done is there.

    Each publication that is to be kept can be read; each version that a verdict or an alias entry
    names is in the registry; each check's run is in MLflow, and of each publication, once a check
    has looked; each command that said it had published a release is in the journal.
    """
    for snapshot in at.kept:
        if not at.desk.index.holds(snapshot):
            yield f"{snapshot} was published, is to be kept, and is gone"
    named = [entry for kind in ("verdict", "alias") for entry in at.entries(kind)]
    for entry in named:
        if entry.payload["version"] not in at.versions:
            yield f"{entry.kind}: version {entry.payload['version']} is not in the registry"
    for check in (entry.payload for entry in at.entries("check")):
        yield from [f"the run of check {check['number']} is gone"] * (
            check["run_id"] not in at.runs
        )
    yield from _not_shown(at) if at.is_checked else ()
    known = {published.release.id for published in at.history}
    for said in at.told:
        if said.release and said.release not in known:
            yield f"{' '.join(said.arguments)} said release {said.release}; there is none"


def _not_shown(at: Standing) -> Iterator[str]:
    shown = set(at.publications_shown)
    for published in at.lasting:
        if published.kind in _SHOWN and published.sequence not in shown:
            yield f"the {published.kind} of {published.release.snapshot} has no run in MLflow"


def _nothing_half(at: Standing) -> Iterator[str]:
    """INV-3. A reader sees one release, whole.

    Of each snapshot that is to be kept: ids are unique, documents have all of their chunks and no
    chunk is without its document, and there are as many of both as the journal says.
    """
    counted = {
        entry.key: (entry.payload["documents"], entry.payload["chunks"])
        for entry in at.entries("refresh")
    }
    for snapshot, published in at.readable.items():
        table = at.rows(snapshot)
        ids = table["id"].to_pylist()
        if len(set(ids)) != len(ids):
            yield f"{snapshot} has {len(ids) - len(set(ids))} ids twice"
        at.desk.index.chunk_table(snapshot)  # raises where a document is not whole
        told_of = counted.get(published.release.content_digest)
        found = (len(at.desk.index.documents(snapshot)), len(ids))
        if told_of is not None and found != told_of:
            yield f"{snapshot} has {found} documents and chunks, the journal says {told_of}"


def _idempotent(at: Standing) -> Iterator[str]:
    """INV-4. The same work done again has one effect.

    No snapshot is published twice in a row by a refresh; no training and no run has two versions,
    no training two equal verdicts, no publication two finished runs, no errand a twin.
    """
    for before, after in pairwise(at.history):
        if after.kind == "refresh" and after.release == before.release:
            yield f"{after.release.snapshot} was published twice in a row"
    # A training by force is registered anew, without a key.
    yield from _twins("run", (v.tags["driftline.run_id"] for v in at.versions.values()))
    keyed = ((v.tags.get("driftline.key", ""), v.tags) for v in at.versions.values())
    digests = ((key, tags["driftline.adapter_digest"]) for key, tags in keyed if key)
    yield from _twins("training", digests)
    verdicts = at.entries("verdict")
    yield from _twins("verdict", ((each.key, each.payload["version"]) for each in verdicts))
    yield from _twins("publication in MLflow", at.publications_shown)
    yield from _twins("errand", at.errands)


def _twins(of: str, keys: Iterator[object] | Collection[object]) -> Iterator[str]:
    seen: set[object] = set()
    for key in keys:
        if key in seen:
            yield f"two of one {of}: {key}"
        seen.add(key)


def _nothing_unasked(at: Standing) -> Iterator[str]:
    """INV-5. Nothing is removed that the source did not clearly remove.

    Each refresh removed documents only of sources that were listed completely and not empty, and
    no more than the limits, unless a person took it on. Between two snapshots that are kept, no
    document is missing that the journal does not name as removed or moved.
    """
    asked = [entry for entry in at.entries("refresh") if not at.is_accepted(entry)]
    for payload in (entry.payload for entry in asked):
        for part in (part for part in payload["sources"] if part["removed"]):
            yield from (f"{payload['snapshot']}: {what}" for what in _unasked(at, part))
    yield from _vanished(at)


def _unasked(at: Standing, part: dict[str, Any]) -> Iterator[str]:
    """Yield why what was removed of one source should have been left alone."""
    limits = at.desk.kb.limits
    most = max(limits.removals_floor, limits.removals_share * part["before"])
    if part["completeness"] != Completeness.COMPLETE:
        yield "removals from a listing that was not complete"
    if part["configured"] and not part["listed"]:
        yield "removals from a source that lists nothing"
    if part["removed"] > min(most, limits.removals_ceiling_share * part["before"]):
        yield f"{part['removed']} removals are over the limit"


def _vanished(at: Standing) -> Iterator[str]:
    named = {entry.key: entry.payload for entry in at.entries("refresh")}
    for before, after in pairwise(at.readable.items()):
        if after[1].kind not in {"refresh", "upkeep"}:
            continue
        gone = at.documents(before[0]) - at.documents(after[0])
        told_of = named.get(after[1].release.content_digest, {})
        left = gone - set(told_of.get("removed", ())) - {m["old"] for m in told_of.get("moved", ())}
        if left and at.adjacent(before[1], after[1]):
            yield f"{after[0]} lacks {sorted(left)[:3]}, which no refresh removed"


def _fenced(at: Standing) -> Iterator[str]:
    """INV-6. No run undoes what another did under a later lease.

    A refresh and upkeep keep the model that answered before them, upkeep and promotions its
    content; there is one first release; at rest the index holds nothing newer than what answers,
    unless a rollback froze it.
    """
    for before, after in pairwise(at.history):
        old, new = before.release, after.release
        if after.kind in {"refresh", "upkeep"} and old.model_version != new.model_version:
            yield f"{new.snapshot}: a {after.kind} took the model back to {new.model_version}"
        if after.kind in {"upkeep", "promotion", "manual"} and (
            old.content_digest != new.content_digest
        ):
            yield f"{new.snapshot}: a {after.kind} changed the content"
        if after.kind == "first":
            yield "there are two first releases"
    head = at.desk.index.head()
    if at.serving is None or head is None or not at.at_rest or frozen(at.desk.journal, at.kb):
        return
    if at.desk.index.content_digest(head) != at.serving.release.content_digest:
        yield f"{head} is in the index, and {at.serving.release.snapshot} answers"


def _whole(at: Standing) -> Iterator[str]:
    """INV-7. What was written is what is read.

    The journal's chain holds; each row of each snapshot that is kept has its own digest; the
    adapter of each version has the digest it was registered under.
    """
    broken = at.desk.journal.first_broken()
    if broken is not None:
        yield f"entry {broken} of the journal was changed or lost"
    for snapshot in at.readable:
        damaged = at.damaged_rows(snapshot)
        if damaged:
            yield f"{snapshot} has {damaged} rows that are not as they were written"
    for number in at.versions:
        try:
            at.desk.registry.version(at.desk.model_name, number)
        except TrainingError as error:
            yield str(error)


INVARIANTS: dict[str, Callable[[Standing], Iterator[str]]] = {
    "INV-1 pointer": _pointer,
    "INV-2 nothing acknowledged is lost": _nothing_lost,
    "INV-3 no half state": _nothing_half,
    "INV-4 idempotent": _idempotent,
    "INV-5 no unasked deletion": _nothing_unasked,
    "INV-6 fenced": _fenced,
    "INV-7 integrity": _whole,
    "INV-8 bounded": bounded,
    "INV-9 told": told,
    "INV-10 nothing foreign runs": nothing_foreign,
}
