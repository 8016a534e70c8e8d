"""Whether a plan may be applied, or somebody has to look at it first. Pure: no third party."""

from dataclasses import dataclass

from retrieval.errors import (
    ContentCollapsedError,
    EmptyCorpusError,
    GuardError,
    MassDeleteError,
    PlanMismatchError,
    SourceChangedError,
    SourceEmptyError,
    TooManyRefusedError,
)
from retrieval.records import RefreshPlan, SourcePart

SHOWN_DIGEST = 6  # hex characters of a plan's digest that a person must repeat at least


@dataclass(frozen=True, slots=True)
class RefreshLimits:
    """When a refresh is stopped before it writes anything.

    More removals than the floor and than the share of a source's documents are stopped; so is
    every removal of more than the ceiling, however small the source. Refusals stop it from the
    floor on, if they are over their share of what the sources list; so do edited documents that
    now all say the same, as when a login page answers for every page.
    """

    removals_floor: int = 20
    removals_share: float = 0.10
    removals_ceiling_share: float = 0.50
    refused_floor: int = 5
    refused_share: float = 0.20
    collapsed_floor: int = 5
    collapsed_share: float = 0.20


def guard(plan: RefreshPlan, limits: RefreshLimits, accepted: str | None = None) -> None:
    """Return if the plan may be applied; raise the GuardError that says why not.

    `accepted` is the digest, or its first characters, of the plan that a person looked at and
    takes on. It lifts every guard but the one against a source that lists nothing, and for that
    plan alone.
    """
    _guard_against_nothing(plan)
    if accepted is not None:
        _guard_acceptance(plan, accepted)
        return
    for part in plan.sources:
        _guard_place(plan, part)
        _guard_removals(plan, part, limits)
    _guard_collapse(plan, limits)
    _guard_refusals(plan, limits)


def _guard_against_nothing(plan: RefreshPlan) -> None:
    refused = _refused_in_words(plan)
    if plan.documents_before == 0 and not plan.added:
        msg = f"There is nothing to index for {plan.kb!r}: the source lists no documents{refused}."
        raise EmptyCorpusError(msg)
    for part in plan.sources:
        if part.configured and part.missing and not part.listed:
            msg = (
                f"{_source(plan, part)} lists no documents{refused}, but the index holds "
                f"{part.before:,}. Nothing was removed. Check that the source is mounted and that "
                "its path and patterns are right."
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


def _guard_place(plan: RefreshPlan, part: SourcePart) -> None:
    if part.replaced:
        raise _blocked(
            SourceChangedError,
            plan,
            f"{_source(plan, part)} is another place than at the last refresh, and most of the "
            f"{part.before:,} documents known from it are not there.",
        )


def _guard_removals(plan: RefreshPlan, part: SourcePart, limits: RefreshLimits) -> None:
    share = limits.removals_share * part.before
    if part.removed > max(limits.removals_floor, share):
        few = limits.removals_floor > share
        limit = f"{limits.removals_floor:,}" if few else _percent(limits.removals_share)
    elif part.removed > limits.removals_ceiling_share * part.before:
        limit = _percent(limits.removals_ceiling_share)
    else:
        return
    place = "" if part.configured else " of a source that the settings no longer name"
    place = f" of source {part.name!r}" if part.name and part.configured else place
    raise _blocked(
        MassDeleteError,
        plan,
        f"Refusing to remove {part.removed:,} of {part.before:,} documents{place} "
        f"({_percent(part.removed / part.before)}); the limit is {limit}.",
    )


def _guard_collapse(plan: RefreshPlan, limits: RefreshLimits) -> None:
    same, edited = len(plan.collapsed), len(plan.edited)
    if same < limits.collapsed_floor or same <= limits.collapsed_share * edited:
        return
    raise _blocked(
        ContentCollapsedError,
        plan,
        f"Refusing to go on: {same:,} of {edited:,} edited documents now hold the same text, the "
        f"first being {plan.collapsed[0]!r}; the limit is {_percent(limits.collapsed_share)}.",
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


def _source(plan: RefreshPlan, part: SourcePart) -> str:
    return f"Source {part.name!r} of {plan.kb!r}" if part.name else f"The source of {plan.kb!r}"


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
