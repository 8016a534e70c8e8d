"""What a refresh would change, and whether it may. Pure: no source, no index, no third party."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from retrieval.errors import (
    EmptyCorpusError,
    GuardError,
    MassDeleteError,
    PlanMismatchError,
    SourceEmptyError,
    TooManyRefusedError,
)
from retrieval.records import Completeness, Move, RefreshPlan, Refusal, Snapshot

SHOWN_DIGEST = 6  # hex characters of a plan's digest that a person must repeat at least


@dataclass(frozen=True, slots=True)
class RefreshLimits:
    """When a refresh is stopped before it writes anything.

    More removals than the floor and than the share of all documents are stopped; so is every
    removal of more than the ceiling, however small the corpus. Refusals stop it from the floor
    on, if they are over their share of what the source lists.
    """

    removals_floor: int = 20
    removals_share: float = 0.10
    removals_ceiling_share: float = 0.50
    refused_floor: int = 5
    refused_share: float = 0.20


@dataclass(frozen=True, slots=True)
class DocumentChanges:
    """How the documents of a source differ from those of a snapshot. Uris, sorted."""

    added: tuple[str, ...]
    edited: tuple[str, ...]
    moved: tuple[Move, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    unchanged: int


def compare_documents(
    before: Mapping[str, str],
    now: Mapping[str, str],
    *,
    refused: Collection[Refusal] = (),
    complete: bool = True,
) -> DocumentChanges:
    """Compare two maps from uri to digest. Only a complete listing moves or removes a document.

    A move pairs a document that is gone with an added one of the same bytes, in order of uri; a
    copy is an addition. What was refused, or lies below a folder that was, is kept.

    >>> compare_documents({"a": "1", "b": "2"}, {"b": "2", "c": "1"}).moved
    (Move(old='a', new='c'),)
    """
    protected = _Refused(refused)
    missing = sorted(before.keys() - now.keys())
    kept = [uri for uri in missing if not complete or uri in protected]
    gone = [uri for uri in missing if complete and uri not in protected]
    fresh = sorted(now.keys() - before.keys())
    moved = _pair_moves(before, gone, now, fresh)
    edited = [uri for uri in sorted(before.keys() & now.keys()) if before[uri] != now[uri]]
    return DocumentChanges(
        added=_without(fresh, {move.new for move in moved}),
        edited=tuple(edited),
        moved=moved,
        removed=_without(gone, {move.old for move in moved}),
        kept=tuple(kept),
        unchanged=len(before) - len(missing) - len(edited),
    )


class _Refused:
    """Whether a uri was refused: itself, or a folder above it (a refused uri ending in /)."""

    def __init__(self, refused: Collection[Refusal]) -> None:
        self._uris = {refusal.uri for refusal in refused}

    def __contains__(self, uri: str) -> bool:
        parts = uri.split("/")
        above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return uri in self._uris or any(folder in self._uris for folder in above)


def _pair_moves(
    before: Mapping[str, str], gone: Sequence[str], now: Mapping[str, str], fresh: Sequence[str]
) -> tuple[Move, ...]:
    waiting: dict[str, list[str]] = defaultdict(list)
    for uri in reversed(gone):
        waiting[before[uri]].append(uri)
    return tuple(Move(waiting[now[uri]].pop(), uri) for uri in fresh if waiting.get(now[uri]))


def _without(uris: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    return tuple(uri for uri in uris if uri not in taken)


def plan_digest(
    base: Snapshot | None,
    changes: DocumentChanges,
    digests: Mapping[str, str],
    refused: Collection[Refusal],
) -> str:
    """Return the sha256 of a plan: the same base and the same changes give the same digest."""
    lines = [
        f"base {base}",
        *(f"added {digests[uri]} {uri!r}" for uri in changes.added),
        *(f"edited {digests[uri]} {uri!r}" for uri in changes.edited),
        *(f"moved {digests[move.new]} {move.old!r} {move.new!r}" for move in changes.moved),
        *(f"removed {uri!r}" for uri in changes.removed),
        *sorted(f"refused {refusal.code} {refusal.uri!r}" for refusal in refused),
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def guard(plan: RefreshPlan, limits: RefreshLimits, accepted: str | None = None) -> None:
    """Return if the plan may be applied; raise the GuardError that says why not.

    `accepted` is the digest, or its first characters, of the plan that a person looked at and
    takes on. It lifts the limits on removals and refusals for that plan alone.
    """
    _guard_against_nothing(plan)
    if accepted is not None:
        _guard_acceptance(plan, accepted)
        return
    _guard_removals(plan, limits)
    _guard_refusals(plan, limits)


def _guard_against_nothing(plan: RefreshPlan) -> None:
    refused = _refused_in_words(plan)
    if plan.documents_before == 0 and not plan.added:
        msg = f"There is nothing to index for {plan.kb!r}: the source lists no documents{refused}."
        raise EmptyCorpusError(msg)
    listed = plan.unchanged + len(plan.added) + len(plan.edited) + len(plan.moved)
    if plan.completeness is Completeness.COMPLETE and not listed and plan.removed:
        msg = (
            f"The source of {plan.kb!r} lists no documents{refused}, but the index holds "
            f"{plan.documents_before:,}. Nothing was removed. Check that the source is mounted and "
            "that its path and patterns are right."
        )
        raise SourceEmptyError(msg)


def _guard_acceptance(plan: RefreshPlan, accepted: str) -> None:
    if len(accepted) < SHOWN_DIGEST:
        msg = f"Give at least {SHOWN_DIGEST} characters of the plan's digest; {accepted!r} is less."
        raise PlanMismatchError(msg)
    if not plan.digest.startswith(accepted.lower()):
        msg = (
            f"The accepted plan {accepted!r} is not what a refresh would do now, which is "
            f"{_short(plan)}. Look at it again with `driftline plan {plan.kb}`."
        )
        raise PlanMismatchError(msg)


def _guard_removals(plan: RefreshPlan, limits: RefreshLimits) -> None:
    removed = len(plan.removed)
    share = limits.removals_share * plan.documents_before
    if removed > max(limits.removals_floor, share):
        few = limits.removals_floor > share
        limit = f"{limits.removals_floor:,}" if few else _percent(limits.removals_share)
    elif removed > limits.removals_ceiling_share * plan.documents_before:
        limit = _percent(limits.removals_ceiling_share)
    else:
        return
    raise _blocked(
        MassDeleteError,
        plan,
        f"Refusing to remove {removed:,} of {plan.documents_before:,} documents "
        f"({_percent(removed / plan.documents_before)}); the limit is {limit}.",
    )


def _guard_refusals(plan: RefreshPlan, limits: RefreshLimits) -> None:
    refused = len(plan.refused)
    listed = refused + plan.unchanged + len(plan.added) + len(plan.edited) + len(plan.moved)
    if refused < limits.refused_floor or refused <= limits.refused_share * listed:
        return
    raise _blocked(
        TooManyRefusedError,
        plan,
        f"Refusing to go on: {refused:,} of {listed:,} documents "
        f"({_percent(refused / listed)}) cannot be taken in, the first being "
        f"{plan.refused[0].uri!r} ({plan.refused[0].reason}); the limit is "
        f"{_percent(limits.refused_share)}.",
    )


def _blocked(kind: type[GuardError], plan: RefreshPlan, what: str) -> GuardError:
    return kind(
        f"{what} Look at the plan with `driftline plan {plan.kb}`, then accept it with "
        f"`driftline refresh {plan.kb} --accept {_short(plan)}`."
    )


def _refused_in_words(plan: RefreshPlan) -> str:
    if not plan.refused:
        return ""
    first = plan.refused[0]
    return (
        f" that can be taken in; {len(plan.refused):,} were refused, the first being "
        f"{first.uri!r} ({first.reason})"
    )


def _short(plan: RefreshPlan) -> str:
    return plan.digest[:SHOWN_DIGEST]


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
