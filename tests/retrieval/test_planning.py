"""The document diff: what was added, edited, moved, removed, kept, and what is on its way out."""

from datetime import UTC, datetime, timedelta

import pytest

from retrieval.planning import (
    DocumentChanges,
    Grace,
    collapsed_documents,
    compare_documents,
    plan_digest,
)
from retrieval.records import DocumentState, Move, Refusal, RefusalCode, Snapshot

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def states(trust: str = "trusted", /, **digests: str) -> dict[str, DocumentState]:
    return {uri: DocumentState(digest, trust) for uri, digest in digests.items()}


def changed(
    *,
    added: tuple[str, ...] = (),
    edited: tuple[str, ...] = (),
    moved: tuple[Move, ...] = (),
    removed: tuple[str, ...] = (),
) -> DocumentChanges:
    return DocumentChanges(added, edited, moved, removed, kept=(), leaving=(), unchanged=5)


def test_documents_are_sorted_into_what_happened_to_them():
    before = states(edited="1", same="2", gone="3", old="4")
    now = states(edited="1b", same="2", new="5", moved="4")

    changes = compare_documents(before, now)

    assert changes == DocumentChanges(
        added=("new",),
        edited=("edited",),
        moved=(Move("old", "moved"),),
        removed=("gone",),
        kept=(),
        leaving=(),
        unchanged=1,
    )


def test_moves_pair_equal_bytes_in_order_and_leave_the_rest():
    changes = compare_documents(states(a="1", b="1", c="1"), states(x="1", y="1"))

    assert changes.moved == (Move("a", "x"), Move("b", "y"))
    assert changes.removed == ("c",)


def test_more_copies_than_originals_are_additions():
    changes = compare_documents(states(a="1"), states(x="1", y="1"))

    assert changes.moved == (Move("a", "x"),)
    assert changes.added == ("y",)


def test_a_document_swapped_with_another_is_two_edits():
    changes = compare_documents(states(a="1", b="2"), states(a="2", b="1"))

    assert changes.edited == ("a", "b")
    assert changes.moved == ()


def test_another_trust_in_equal_bytes_is_an_edit():
    changes = compare_documents(states(a="1"), states("untrusted", a="1"))

    assert (changes.edited, changes.unchanged) == (("a",), 0)


def test_a_move_to_a_source_of_another_trust_is_a_move():
    changes = compare_documents(states(a="1"), states("untrusted", b="1"))

    assert changes.moved == (Move("a", "b"),)


def test_what_an_incomplete_listing_did_not_show_is_kept_and_is_no_half_of_a_move():
    changes = compare_documents(states(a="1", b="2"), states(c="1"), unseen=lambda _: True)

    assert (changes.removed, changes.moved) == ((), ())
    assert (changes.kept, changes.added) == (("a", "b"), ("c",))


def test_only_the_source_that_was_not_seen_whole_keeps_its_documents():
    before = {"one:a": DocumentState("1", "trusted"), "two:b": DocumentState("2", "trusted")}

    changes = compare_documents(before, {}, unseen=lambda uri: uri.startswith("two:"))

    assert (changes.removed, changes.kept) == (("one:a",), ("two:b",))


def test_everything_below_a_refused_folder_is_kept():
    refused = [Refusal("x/y/", RefusalCode.LINK_OUTSIDE, "it is a link")]
    before = dict.fromkeys(("x/y/a", "x/y/z/b", "x/yes", "x/c"), DocumentState("1", "trusted"))

    changes = compare_documents(before, {}, refused=refused)

    assert changes.kept == ("x/y/a", "x/y/z/b")
    assert changes.removed == ("x/c", "x/yes")


def test_a_kept_document_is_no_half_of_a_move():
    refused = [Refusal("a", RefusalCode.VANISHED, "gone")]

    changes = compare_documents(states(a="1"), states(b="1"), refused=refused)

    assert (changes.moved, changes.added, changes.kept) == ((), ("b",), ("a",))


@pytest.mark.parametrize(
    ("missed", "removed"),
    [
        pytest.param(timedelta(days=7), True, id="exactly-as-long-as-the-grace"),
        pytest.param(timedelta(days=7, microseconds=-1), False, id="a-moment-less"),
        pytest.param(None, False, id="missed-for-the-first-time"),
        pytest.param(-timedelta(days=1), False, id="a-clock-that-was-set-back"),
    ],
)
def test_a_document_is_removed_once_it_is_gone_for_as_long_as_the_grace(
    missed: timedelta | None, *, removed: bool
):
    since = {} if missed is None else {"a": NOON - missed}
    grace = Grace(timedelta(days=7), NOON, since)

    changes = compare_documents(states(a="1"), {}, grace=grace)

    assert (changes.removed, changes.leaving) == ((("a",), ()) if removed else ((), ("a",)))


def test_without_a_grace_period_a_missing_document_goes_at_once():
    changes = compare_documents(states(a="1"), {}, grace=Grace(timedelta(0), NOON, {}))

    assert changes.removed == ("a",)


def test_a_move_needs_no_grace():
    grace = Grace(timedelta(days=7), NOON, {})

    changes = compare_documents(states(a="1"), states(b="1"), grace=grace)

    assert (changes.moved, changes.leaving) == ((Move("a", "b"),), ())


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        pytest.param({}, (), id="no-edit"),
        pytest.param({"a": "1"}, (), id="one-edit"),
        pytest.param({"a": "1", "b": "2"}, (), id="all-different"),
        pytest.param({"b": "1", "c": "2", "a": "1"}, ("a", "b"), id="two-of-three"),
        pytest.param(
            {"a": "1", "b": "1", "c": "2", "d": "2", "e": "2"}, ("c", "d", "e"), id="most"
        ),
    ],
)
def test_collapsed_are_the_edits_that_share_the_most_frequent_body(
    bodies: dict[str, str], expected: tuple[str, ...]
):
    assert collapsed_documents(bodies) == expected


def test_a_plan_digest_depends_on_base_changes_states_refusals_and_recipe():
    changes = changed(added=("a",), edited=("e",), moved=(Move("o", "n"),), removed=("r",))
    now, base = states(a="1", e="2", n="3"), Snapshot("docs", 1)
    refused = (Refusal("x", RefusalCode.BINARY, "it holds NUL bytes"),)

    digest = plan_digest(base, changes, now, ())
    others = [
        plan_digest(Snapshot("docs", 2), changes, now, ()),
        plan_digest(Snapshot("docs", 1, generation=2), changes, now, ()),
        plan_digest(base, changed(added=("a",), edited=("e",)), now, ()),
        plan_digest(base, changes, now | states(e="9"), ()),
        plan_digest(base, changes, now | states("untrusted", e="2"), ()),
        plan_digest(base, changes, now, refused),
        plan_digest(base, changes, now, (), "a recipe"),
    ]

    assert plan_digest(base, changes, dict(reversed(now.items())), ()) == digest
    assert len({digest, *others}) == len(others) + 1


def test_a_uri_cannot_be_made_to_look_like_another_plan():
    one = changed(removed=("a'\nremoved 'b",))
    two = changed(removed=("a", "b"))

    assert plan_digest(None, one, {}, ()) != plan_digest(None, two, {}, ())
