"""The document diff and the guards: every branch, both sides of every limit."""

import pytest

from retrieval.errors import (
    EmptyCorpusError,
    MassDeleteError,
    PlanMismatchError,
    SourceEmptyError,
    TooManyRefusedError,
)
from retrieval.planning import (
    DocumentChanges,
    RefreshLimits,
    compare_documents,
    guard,
    plan_digest,
)
from retrieval.records import Completeness, Move, RefreshPlan, Refusal, RefusalCode, Snapshot

LIMITS = RefreshLimits()


def uris(count: int, prefix: str = "d") -> tuple[str, ...]:
    return tuple(f"{prefix}{at:04}.md" for at in range(count))


def refusals(count: int) -> tuple[Refusal, ...]:
    return tuple(Refusal(uri, RefusalCode.BINARY, "it holds NUL bytes") for uri in uris(count, "r"))


def plan_of(
    *,
    before: int,
    removed: int = 0,
    added: int = 0,
    refused: int = 0,
    kept: int = 0,
    completeness: Completeness = Completeness.COMPLETE,
) -> RefreshPlan:
    return RefreshPlan(
        kb="docs",
        base=Snapshot("docs", 1) if before else None,
        added=uris(added, "a"),
        edited=(),
        moved=(),
        removed=uris(removed),
        kept=uris(kept, "k"),
        unchanged=before - removed - kept,
        documents_before=before,
        refused=refusals(refused),
        chunks=(),
        to_embed=frozenset(),
        completeness=completeness,
        digest="9f3c2a" + "0" * 58,
    )


def check(plan: RefreshPlan, accepted: str | None = None) -> None:
    guard(plan, LIMITS, accepted)


def test_documents_are_sorted_into_what_happened_to_them():
    before = {"edited": "1", "same": "2", "gone": "3", "old": "4"}
    now = {"edited": "1b", "same": "2", "new": "5", "moved": "4"}

    changes = compare_documents(before, now)

    assert changes == DocumentChanges(
        added=("new",),
        edited=("edited",),
        moved=(Move("old", "moved"),),
        removed=("gone",),
        kept=(),
        unchanged=1,
    )


def test_moves_pair_equal_bytes_in_order_and_leave_the_rest():
    before = {"a": "1", "b": "1", "c": "1"}
    now = {"x": "1", "y": "1"}

    changes = compare_documents(before, now)

    assert changes.moved == (Move("a", "x"), Move("b", "y"))
    assert changes.removed == ("c",)


def test_more_copies_than_originals_are_additions():
    changes = compare_documents({"a": "1"}, {"x": "1", "y": "1"})

    assert changes.moved == (Move("a", "x"),)
    assert changes.added == ("y",)


def test_a_document_swapped_with_another_is_two_edits():
    changes = compare_documents({"a": "1", "b": "2"}, {"a": "2", "b": "1"})

    assert changes.edited == ("a", "b")
    assert changes.moved == ()


def test_an_incomplete_listing_keeps_what_it_did_not_show():
    changes = compare_documents({"a": "1", "b": "2"}, {"c": "1"}, complete=False)

    assert (changes.removed, changes.moved) == ((), ())
    assert (changes.kept, changes.added) == (("a", "b"), ("c",))


def test_everything_below_a_refused_folder_is_kept():
    refused = [Refusal("x/y/", RefusalCode.LINK_OUTSIDE, "it is a link")]
    before = {"x/y/a": "1", "x/y/z/b": "2", "x/yes": "3", "x/c": "4"}

    changes = compare_documents(before, {}, refused=refused)

    assert changes.kept == ("x/y/a", "x/y/z/b")
    assert changes.removed == ("x/c", "x/yes")


def test_a_kept_document_is_no_half_of_a_move():
    refused = [Refusal("a", RefusalCode.VANISHED, "gone")]

    changes = compare_documents({"a": "1"}, {"b": "1"}, refused=refused)

    assert (changes.moved, changes.added, changes.kept) == ((), ("b",), ("a",))


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
    check(plan_of(before=before, removed=removed))


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
    plan = plan_of(before=before, removed=removed, added=1)

    with pytest.raises(MassDeleteError) as blocked:
        check(plan)

    assert limit in str(blocked.value)


def test_a_blocked_removal_says_what_which_limit_and_what_now():
    plan = plan_of(before=1204, removed=412)

    with pytest.raises(MassDeleteError) as blocked:
        check(plan)

    assert str(blocked.value) == (
        "Refusing to remove 412 of 1,204 documents (34 %); the limit is 10 %. Look at the plan "
        "with `driftline plan docs`, then accept it with `driftline refresh docs --accept 9f3c2a`."
    )


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        pytest.param(4, 4, id="one-below-the-floor"),
        pytest.param(20, 5, id="exactly-at-the-share"),
    ],
)
def test_refusals_up_to_the_limit_pass(before: int, refused: int):
    check(plan_of(before=before, refused=refused))


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        pytest.param(19, 5, id="just-over-the-share"),
        pytest.param(1, 5, id="at-the-floor-and-nearly-all"),
    ],
)
def test_refusals_over_the_limit_are_blocked(before: int, refused: int):
    with pytest.raises(TooManyRefusedError, match=r"'r0000.md' \(it holds NUL bytes\)"):
        check(plan_of(before=before, refused=refused))


def test_a_source_that_lists_nothing_removes_nothing_whatever_is_accepted():
    plan = plan_of(before=3, removed=3)

    with pytest.raises(SourceEmptyError, match="holds 3"):
        check(plan)
    with pytest.raises(SourceEmptyError):
        check(plan, accepted=plan.digest)


def test_an_incomplete_listing_of_nothing_is_no_empty_source():
    check(plan_of(before=3, kept=3, completeness=Completeness.PARTIAL))


def test_a_few_documents_that_are_all_refused_are_kept_and_no_empty_source():
    check(plan_of(before=3, kept=3, refused=3))


def test_nothing_to_index_on_the_first_run_is_an_empty_corpus():
    with pytest.raises(EmptyCorpusError, match="lists no documents"):
        check(plan_of(before=0))


def test_a_first_run_with_every_document_refused_names_the_first():
    with pytest.raises(EmptyCorpusError, match=r"2 were refused, the first being 'r0000.md'"):
        check(plan_of(before=0, refused=2))


@pytest.mark.parametrize("accepted", ["9f3c2a", "9F3C2A", "9f3c2a" + "0" * 58])
def test_an_accepted_plan_passes_the_limits(accepted: str):
    check(plan_of(before=100, removed=60, refused=60), accepted)


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
        check(plan_of(before=100, removed=60), accepted)


def test_an_acceptance_is_checked_even_where_none_was_needed():
    with pytest.raises(PlanMismatchError):
        check(plan_of(before=100, added=1), "abcdef")


def test_a_plan_digest_depends_on_base_changes_digests_and_refusals():
    changes = DocumentChanges(("a",), ("e",), (Move("o", "n"),), ("r",), (), 5)
    digests = {"a": "1", "e": "2", "n": "3"}
    base = Snapshot("docs", 1)
    other = DocumentChanges(("a",), ("e",), (Move("o", "n"),), ("s",), (), 5)

    digest = plan_digest(base, changes, digests, ())
    others = {
        plan_digest(Snapshot("docs", 2), changes, digests, ()),
        plan_digest(base, other, digests, ()),
        plan_digest(base, changes, digests | {"e": "9"}, ()),
        plan_digest(base, changes, digests, refusals(1)),
    }

    assert plan_digest(base, changes, dict(reversed(digests.items())), ()) == digest
    assert digest not in others
    assert len(others) == 4
