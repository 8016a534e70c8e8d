"""The guards of a refresh: every branch, both sides of every limit."""

from dataclasses import replace

import pytest

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
from retrieval.guards import RefreshLimits, guard
from retrieval.records import (
    Completeness,
    RefreshPlan,
    Refusal,
    RefusalCode,
    Snapshot,
    SourcePart,
)

LIMITS = RefreshLimits()


def uris(count: int, prefix: str = "d") -> tuple[str, ...]:
    return tuple(f"{prefix}{at:04}.md" for at in range(count))


def refusals(count: int) -> tuple[Refusal, ...]:
    return tuple(Refusal(uri, RefusalCode.BINARY, "it holds NUL bytes") for uri in uris(count, "r"))


def part(
    name: str = "",
    *,
    before: int,
    removed: int = 0,
    leaving: int = 0,
    listed: int | None = None,
    completeness: Completeness = Completeness.COMPLETE,
) -> SourcePart:
    missing = removed + leaving
    found = before - missing if listed is None else listed
    return SourcePart(name, completeness, before, found, missing=missing, removed=removed)


def plan_of(
    *parts: SourcePart, added: int = 0, edited: int = 0, refused: int = 0, collapsed: int = 0
) -> RefreshPlan:
    before, removed = (sum(one.before for one in parts), sum(one.removed for one in parts))
    return RefreshPlan(
        kb="docs",
        base=Snapshot("docs", 1) if before else None,
        added=uris(added, "a"),
        edited=uris(edited, "e"),
        moved=(),
        removed=uris(removed),
        kept=(),
        unchanged=before - removed - edited,
        documents_before=before,
        refused=refusals(refused),
        chunks=added + edited,
        written=added + edited,
        embedded=added + edited,
        digest="9f3c2a" + "0" * 58,
        collapsed=uris(collapsed, "e"),
        sources=parts,
    )


def check(plan: RefreshPlan, accepted: str | None = None) -> None:
    guard(plan, LIMITS, accepted)


@pytest.mark.parametrize(
    ("before", "removed"),
    [
        pytest.param(100, 20, id="exactly-at-the-floor"),
        pytest.param(1000, 100, id="exactly-at-the-share"),
        pytest.param(40, 20, id="exactly-half"),
        pytest.param(2, 1, id="one-of-two"),
        pytest.param(5, 0, id="none"),
    ],
)
def test_removals_up_to_the_limit_pass(before: int, removed: int):
    check(plan_of(part(before=before, removed=removed)))


@pytest.mark.parametrize(
    ("before", "removed", "limit"),
    [
        pytest.param(100, 21, "the limit is 20.", id="one-over-the-floor"),
        pytest.param(1000, 101, "the limit is 10 %.", id="one-over-the-share"),
        pytest.param(39, 20, "the limit is 50 %.", id="just-over-half"),
        pytest.param(1, 1, "the limit is 50 %.", id="the-only-one"),
    ],
)
def test_removals_over_the_limit_are_blocked(before: int, removed: int, limit: str):
    plan = plan_of(part(before=before, removed=removed, listed=before), added=1)

    with pytest.raises(MassDeleteError) as blocked:
        check(plan)

    assert limit in str(blocked.value)


def test_a_blocked_removal_says_what_which_limit_and_what_now():
    with pytest.raises(MassDeleteError) as blocked:
        check(plan_of(part(before=1204, removed=412)))

    assert str(blocked.value) == (
        "Refusing to remove 412 of 1,204 documents (34 %); the limit is 10 %. Look at the plan "
        "with `driftline plan docs`, then accept it with `driftline refresh docs --accept 9f3c2a`."
    )


def test_a_small_source_is_guarded_beside_a_large_one():
    plan = plan_of(part("large", before=100_000), part("small", before=30, removed=21))

    with pytest.raises(MassDeleteError, match=r"21 of 30 documents of source 'small' \(70 %\)"):
        check(plan)


def test_each_source_has_limits_of_its_own():
    check(plan_of(part("one", before=100, removed=20), part("two", before=100, removed=20)))


@pytest.mark.parametrize(("before", "removed"), [(40, 20), (1000, 100)])
def test_what_is_left_of_a_source_no_longer_named_may_go_up_to_the_limit(before: int, removed: int):
    lost = replace(part(before=before, removed=removed), listed=0, configured=False)

    check(plan_of(part("kept", before=10), lost))


def test_a_source_no_longer_named_is_a_mass_removal_and_no_empty_source():
    lost = replace(part(before=3, removed=3), configured=False)

    with pytest.raises(MassDeleteError, match="of a source that the settings no longer name"):
        check(plan_of(part("kept", before=10), lost))


def test_documents_that_are_leaving_are_not_removed_yet():
    check(plan_of(part(before=100, leaving=90)))


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        pytest.param(4, 4, id="one-below-the-floor"),
        pytest.param(20, 5, id="exactly-at-the-share"),
    ],
)
def test_refusals_up_to_the_limit_pass(before: int, refused: int):
    check(plan_of(part(before=before), refused=refused))


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        pytest.param(19, 5, id="just-over-the-share"),
        pytest.param(1, 5, id="at-the-floor-and-nearly-all"),
    ],
)
def test_refusals_over_the_limit_are_blocked(before: int, refused: int):
    with pytest.raises(TooManyRefusedError, match=r"'r0000.md' \(it holds NUL bytes\)"):
        check(plan_of(part(before=before), refused=refused))


@pytest.mark.parametrize(
    ("edited", "collapsed"),
    [
        pytest.param(4, 4, id="one-below-the-floor"),
        pytest.param(25, 5, id="exactly-at-the-share"),
        pytest.param(50, 0, id="none"),
    ],
)
def test_equal_edits_up_to_the_limit_pass(edited: int, collapsed: int):
    check(plan_of(part(before=100), edited=edited, collapsed=collapsed))


@pytest.mark.parametrize(
    ("edited", "collapsed"),
    [
        pytest.param(24, 5, id="just-over-the-share"),
        pytest.param(5, 5, id="at-the-floor-and-all"),
    ],
)
def test_edits_that_all_say_the_same_are_blocked(edited: int, collapsed: int):
    with pytest.raises(ContentCollapsedError) as blocked:
        check(plan_of(part(before=100), edited=edited, collapsed=collapsed))

    assert f"{collapsed} of {edited} edited documents now hold the same text" in str(blocked.value)
    assert "'e0000.md'; the limit is 20 %" in str(blocked.value)


def test_another_place_with_other_documents_is_blocked():
    moved = replace(part("wiki", before=100, removed=10), replaced=True)

    with pytest.raises(SourceChangedError, match="Source 'wiki' of 'docs' is another place"):
        check(plan_of(part("guide", before=5), moved))


def test_a_source_that_lists_nothing_removes_nothing_whatever_is_accepted():
    plan = plan_of(part(before=3, removed=3))

    with pytest.raises(SourceEmptyError, match=r"The source of 'docs' lists no .* holds 3"):
        check(plan)
    with pytest.raises(SourceEmptyError):
        check(plan, accepted=plan.digest)


def test_an_empty_source_is_found_beside_a_full_one_and_named():
    plan = plan_of(part("full", before=900), part("empty", before=3, removed=3))

    with pytest.raises(SourceEmptyError, match="Source 'empty' of 'docs' lists no documents"):
        check(plan)


def test_a_source_is_empty_though_its_documents_are_only_leaving():
    with pytest.raises(SourceEmptyError):
        check(plan_of(part(before=3, leaving=3)))


@pytest.mark.parametrize("completeness", [Completeness.PARTIAL, Completeness.FAILED])
def test_an_incomplete_listing_of_nothing_is_no_empty_source(completeness: Completeness):
    check(plan_of(part(before=3, listed=0, completeness=completeness)))


def test_a_new_source_that_lists_nothing_is_no_obstacle():
    check(plan_of(part("full", before=3), part("new", before=0)))


def test_a_few_documents_that_are_all_refused_are_kept_and_no_empty_source():
    check(plan_of(part(before=3, listed=0), refused=3))


def test_nothing_to_index_on_the_first_run_is_an_empty_corpus():
    with pytest.raises(EmptyCorpusError, match="lists no documents"):
        check(plan_of(part(before=0)))


def test_a_first_run_with_every_document_refused_names_the_first():
    with pytest.raises(EmptyCorpusError, match=r"2 were refused, the first being 'r0000.md'"):
        check(plan_of(part(before=0), refused=2))


@pytest.mark.parametrize("accepted", ["9f3c2a", "9F3C2A", "9f3c2a" + "0" * 58])
def test_an_accepted_plan_passes_every_limit(accepted: str):
    strange = replace(part(before=100, removed=60), replaced=True)

    check(plan_of(strange, edited=9, collapsed=9, refused=60), accepted)


@pytest.mark.parametrize(
    "accepted",
    [
        pytest.param("9f3c2", id="one-character-too-few"),
        pytest.param("", id="empty"),
        pytest.param("9f3c2b", id="another-plan"),
        pytest.param("9f3c2a" + "0" * 59, id="too-long"),
    ],
)
def test_an_acceptance_that_does_not_name_the_plan_is_refused(accepted: str):
    with pytest.raises(PlanMismatchError):
        check(plan_of(part(before=100, removed=60)), accepted)


def test_an_acceptance_is_checked_even_where_none_was_needed():
    with pytest.raises(PlanMismatchError):
        check(plan_of(part(before=100), added=1), "abcdef")


def test_limits_are_settings_and_not_constants():
    plan = plan_of(part(before=100, removed=2), edited=3, collapsed=2, refused=1)
    generous = RefreshLimits()
    guard(plan, generous)

    for strict in (
        replace(generous, removals_floor=1, removals_share=0.01),
        replace(generous, removals_ceiling_share=0.01),
        replace(generous, refused_floor=1, refused_share=0.0),
        replace(generous, collapsed_floor=2, collapsed_share=0.5),
    ):
        with pytest.raises(GuardError):
            guard(plan, strict)
