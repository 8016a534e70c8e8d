"""Several sources in one index: each with its own listing, place, trust and guard."""

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import (
    ContentCollapsedError,
    MassDeleteError,
    SourceChangedError,
    SourceUnreachableError,
)
from retrieval.guards import RefreshLimits, guard
from retrieval.records import Completeness, Move, RefusalCode
from retrieval.sources import Feed
from tests.retrieval.builders import KnowledgeBase, Shelf, double, paragraph, single


def test_documents_of_several_sources_stand_beside_each_other(tmp_path: Path):
    _, _, kb = double(tmp_path)

    plan, refreshed = kb.plan(), kb.refresh()

    assert kb.texts() == {
        "one:a.md": ["alpha"],
        "one:b.md": ["beta"],
        "two:a.md": ["gamma"],
        "two:c.md": ["delta"],
    }
    assert [(part.name, part.before, part.listed) for part in plan.sources] == [
        ("one", 0, 2),
        ("two", 0, 2),
    ]
    assert refreshed.documents == 4


def test_a_document_may_move_from_one_source_to_another(tmp_path: Path):
    one, two, kb = double(tmp_path)
    kb.refresh()
    kb.embedder.embedded.clear()
    one.delete("a.md")
    two.write({"moved.md": "alpha"})

    plan = kb.plan()
    kb.refresh()

    assert plan.moved == (Move("one:a.md", "two:moved.md"),)
    assert kb.embedder.embedded == []


def test_one_source_out_of_reach_keeps_its_documents_and_the_others_go_on(tmp_path: Path):
    one, two, kb = double(tmp_path)
    kb.refresh()
    one.delete("a.md")
    two.completeness = Completeness.FAILED

    plan = kb.plan()
    kb.refresh()

    assert plan.removed == ("one:a.md",)
    assert plan.kept == ("two:a.md", "two:c.md")
    assert plan.completeness is Completeness.FAILED
    assert plan.sources[1].reason == "The shelf is out of reach."
    assert kb.texts().keys() == {"one:b.md", "two:a.md", "two:c.md"}


def test_every_source_out_of_reach_is_an_error(tmp_path: Path):
    one, two, kb = double(tmp_path)
    kb.refresh()
    one.completeness = two.completeness = Completeness.FAILED

    with pytest.raises(SourceUnreachableError):
        kb.plan()


def test_a_partial_listing_adds_and_edits_and_removes_nothing(tmp_path: Path):
    one, _, kb = double(tmp_path)
    kb.refresh()
    one.write({"new.md": "new", "b.md": "beta, edited"})
    one.hidden, one.completeness = {"a.md"}, Completeness.PARTIAL

    plan = kb.plan()

    assert (plan.added, plan.edited) == (("one:new.md",), ("one:b.md",))
    assert (plan.removed, plan.kept) == ((), ("one:a.md",))
    assert (plan.sources[0].missing, plan.completeness) == (0, Completeness.PARTIAL)


def test_a_source_that_is_no_longer_named_loses_its_documents_under_guard(tmp_path: Path):
    _, _, kb = double(tmp_path)
    kb.refresh()
    kb.feeds = kb.feeds[:1]

    plan = kb.plan()

    assert plan.removed == ("two:a.md", "two:c.md")
    orphaned = plan.sources[-1]
    assert (orphaned.configured, orphaned.before, orphaned.removed) == (False, 2, 2)
    with pytest.raises(MassDeleteError, match="no longer name"):
        guard(plan, RefreshLimits())


def test_giving_an_only_source_a_name_moves_its_documents(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.refresh()
    kb.embedder.embedded.clear()
    kb.feeds = [Feed(shelf, "docs")]

    plan = kb.plan()
    guard(plan, RefreshLimits())
    kb.refresh()

    assert len(plan.moved) == 2
    assert kb.embedder.embedded == []


def test_a_uri_that_is_listed_twice_is_taken_once_and_told(tmp_path: Path):
    shelf = Shelf()
    shelf.write({"a.md": "alpha"})
    [entry] = shelf.list_documents().entries

    class Stuttering(Shelf):
        def list_documents(self):
            return replace(shelf.list_documents(), entries=(entry, entry))

        def read(self, entry, *, unless=None):
            return shelf.read(entry, unless=unless)

    plan = KnowledgeBase(tmp_path, [Feed(Stuttering())]).plan()

    assert plan.added == ("a.md",)
    assert [refusal.code for refusal in plan.refused] == [RefusalCode.KEY]


def many(count: int = 10) -> dict[str, str]:
    return {f"{at:02}.md": paragraph(str(at)) for at in range(count)}


@pytest.mark.parametrize(
    ("still_there", "blocked"),
    [pytest.param(4, True, id="less"), pytest.param(5, False, id="half")],
)
def test_another_place_with_less_than_half_of_the_documents_is_a_changed_source(
    tmp_path: Path, still_there: int, *, blocked: bool
):
    shelf = Shelf(identity="disk 1")
    shelf.write(many())
    kb = KnowledgeBase(tmp_path, [Feed(shelf)])
    kb.refresh()
    shelf.identity = "disk 2"
    shelf.delete(*list(many())[still_there:])
    shelf.write({f"strange{at}.md": f"strange {at}" for at in range(20)})

    plan = kb.plan()

    assert plan.sources[0].replaced == blocked
    if blocked:
        with pytest.raises(SourceChangedError):
            guard(plan, RefreshLimits())


def test_the_same_place_may_change_as_it_likes(tmp_path: Path):
    shelf = Shelf(identity="disk 1")
    shelf.write(many())
    kb = KnowledgeBase(tmp_path, [Feed(shelf)])
    kb.refresh()
    shelf.delete(*list(many())[1:])

    assert not kb.plan().sources[0].replaced


def test_a_changed_place_that_was_accepted_is_the_place_from_then_on(tmp_path: Path):
    shelf = Shelf(identity="disk 1")
    shelf.write(many())
    kb = KnowledgeBase(tmp_path, [Feed(shelf)])
    kb.refresh()
    shelf.identity = "disk 2"
    shelf.delete(*many())
    shelf.write({"strange.md": "strange"})
    kb.refresh()
    shelf.write({"stranger.md": "stranger"})

    assert not kb.plan().sources[0].replaced


def test_a_login_page_in_the_place_of_every_document_is_stopped(tmp_path: Path):
    shelf = Shelf()
    shelf.write(many())
    kb = KnowledgeBase(tmp_path, [Feed(shelf)])
    kb.refresh()
    shelf.write({uri: f"Please log in.{' ' * at}" for at, uri in enumerate(many())})

    plan = kb.plan()

    assert plan.collapsed == tuple(many())
    with pytest.raises(ContentCollapsedError):
        guard(plan, RefreshLimits())
