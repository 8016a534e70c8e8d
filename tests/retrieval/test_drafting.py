"""What planning a refresh reads and remembers: nothing twice that did not change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.drafting import plan_refresh
from retrieval.errors import (
    SourceUnreachableError,
)
from retrieval.records import Body, Completeness, Document, RefusalCode
from retrieval.refresh import apply_refresh
from retrieval.sources import Feed
from tests.retrieval.builders import DIMENSION, Shelf, paragraph, single

EMBEDDER, OTHER = "a" * 64, "b" * 64


def test_a_document_whose_stamp_is_the_same_is_not_read_again(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.refresh()
    shelf.reads.clear()
    shelf.write({"b.md": "beta, edited"})

    plan = kb.plan()

    assert shelf.reads == ["b.md"]
    assert (plan.edited, plan.unchanged) == (("b.md",), 1)


def test_a_touched_document_is_read_once_and_is_no_edit(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")
    kb.refresh()
    shelf.touch("a.md")
    shelf.reads.clear()

    plan = kb.plan()
    kb.refresh()
    kb.refresh()

    assert plan.changes_nothing
    assert shelf.reads == ["a.md", "a.md"]  # by the plan and by the refresh that notes it down


def test_without_a_scan_cache_everything_is_read_and_nothing_is_embedded(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    before = kb.refresh()
    (tmp_path / "scan.db").unlink()
    shelf.reads.clear()
    kb.embedder.embedded.clear()

    refreshed = kb.refresh()

    assert shelf.reads == ["a.md", "b.md"]
    assert kb.embedder.embedded == []
    assert refreshed.snapshot == before.snapshot


def test_a_plan_alone_remembers_nothing(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")

    kb.plan()

    assert list(tmp_path.iterdir()) == []
    assert shelf.reads == ["a.md"]


def test_a_stamp_of_before_does_not_stand_for_what_the_index_no_longer_holds(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.refresh()
    kb.feeds = [Feed(shelf, trust="untrusted")]
    shelf.reads.clear()

    plan = kb.plan()

    assert plan.edited == ("a.md", "b.md")
    assert shelf.reads == ["a.md", "b.md"]


def test_a_source_that_finds_nothing_new_on_reading_is_taken_at_its_word(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")
    kb.refresh()

    class Unstamped(Shelf):
        """Tells only when asked to read, as a web server that answers Not Modified."""

        def list_documents(self):
            listing = shelf.list_documents()
            return replace(
                listing, entries=tuple(replace(entry, stamp=None) for entry in listing.entries)
            )

        def read(self, entry, *, unless=None):
            self.reads.append(unless)
            return shelf.read(entry, unless=unless)

    asking = Unstamped()
    kb.feeds = [Feed(asking)]

    plan = kb.plan()

    assert asking.reads == ["1"]
    assert (plan.unchanged, plan.changes_nothing) == (1, True)


def test_a_lasting_refusal_is_remembered_until_the_document_changes(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", broken="")
    kb.refresh()
    shelf.reads.clear()

    again = kb.plan()
    shelf.write({"broken.md": "mended"})
    mended = kb.plan()

    assert [(refusal.uri, refusal.code) for refusal in again.refused] == [
        ("broken.md", RefusalCode.EMPTY)
    ]
    assert shelf.reads == ["broken.md"]
    assert (mended.refused, mended.added) == ((), ("broken.md",))


def test_a_refusal_that_may_pass_is_tried_again(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    shelf.locked = {"b.md"}
    kb.refresh()
    shelf.locked = set()

    plan = kb.plan()

    assert (plan.refused, plan.added) == ((), ("b.md",))


def test_documents_that_are_read_another_way_are_no_longer_refused(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", broken="")
    kb.refresh()
    kb.max_tokens = 16  # stands for a new parser: either way everything is made anew
    shelf.reads.clear()

    kb.plan()

    assert shelf.reads == ["a.md", "broken.md"]


def test_a_refused_document_keeps_what_the_index_holds(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.refresh()
    shelf.write({"a.md": "\0\1\2"})

    plan = kb.plan()
    kb.refresh()

    assert (plan.kept, plan.removed) == (("a.md",), ())
    assert kb.texts() == {"a.md": ["alpha"], "b.md": ["beta"]}


def test_where_nothing_changed_nothing_is_listed_or_read(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", broken="")
    shelf.calm = True
    first = kb.refresh()
    shelf.reads.clear()
    shelf.completeness = Completeness.FAILED  # a listing would raise

    with kb.draft() as draft:
        plan, again = draft.plan, kb.apply(draft)

    assert shelf.reads == []
    assert again == replace(first, embedded=0, reused=0)
    assert (plan.changes_nothing, plan.unchanged, plan.documents_before) == (True, 1, 1)
    assert [refusal.uri for refusal in plan.refused] == ["broken.md"]


def test_calm_leaves_no_journal_of_a_run_that_was_killed(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")
    shelf.calm = True
    kb.refresh()
    kb.journal.keep({"digest": np.ones(DIMENSION, np.float32)})

    kb.refresh()

    assert {path.name for path in tmp_path.iterdir()} == {"index", "scan.db"}


def test_a_calm_plan_is_the_plan_that_looking_closely_makes(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", broken="", damaged="whole")
    kb.feeds = [Feed(shelf, "shelf"), Feed(Shelf(calm=True), "empty")]
    shelf.calm = True
    kb.refresh()
    shelf.write({"damaged.md": ""})
    kb.refresh()

    calm = kb.plan()
    shelf.calm = False
    close = kb.plan()

    assert calm == close
    assert (calm.kept, calm.sources[0].before) == (("shelf:damaged.md",), 2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda shelf, kb: shelf.write({"a.md": "edited"}), id="a-document"),
        pytest.param(lambda shelf, kb: kb.use(OTHER), id="the-embedder"),
        pytest.param(lambda shelf, kb: setattr(kb, "max_tokens", 16), id="the-cutting"),
        pytest.param(
            lambda shelf, kb: setattr(kb, "feeds", [Feed(shelf, trust="untrusted")]), id="the-trust"
        ),
        pytest.param(
            lambda shelf, kb: setattr(kb, "feeds", [Feed(shelf, "named")]), id="the-source"
        ),
        pytest.param(
            lambda shelf, kb: setattr(kb, "feeds", [Feed(shelf, settings="*.rst")]),
            id="what-chooses-documents",
        ),
    ],
)
def test_calm_ends_with_any_change_of(tmp_path: Path, change):
    shelf, kb = single(tmp_path, a="alpha")
    shelf.calm = True
    kb.refresh()

    change(shelf, kb)

    with kb.draft() as draft:
        assert draft.remembered is None


def test_calm_ends_where_the_index_is_another(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")
    shelf.calm = True
    kb.refresh()
    (tmp_path / "index").rename(tmp_path / "lost")

    assert kb.plan().added == ("a.md",)


@pytest.mark.parametrize(
    "mood",
    [
        pytest.param(lambda shelf: shelf.locked.add("b.md"), id="a-refusal-that-may-pass"),
        pytest.param(
            lambda shelf: setattr(shelf, "completeness", Completeness.PARTIAL), id="half-a-listing"
        ),
    ],
)
def test_what_may_be_better_next_time_is_looked_at_again(tmp_path: Path, mood):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    shelf.calm = True
    mood(shelf)
    kb.refresh()

    with kb.draft() as draft:
        assert draft.remembered is None


def test_a_source_that_is_gone_is_no_calm_one(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")
    kb.refresh()
    shelf.completeness = Completeness.FAILED

    with pytest.raises(SourceUnreachableError):
        kb.plan()


def test_the_time_it_takes_is_estimated_from_the_last_time(tmp_path: Path):
    shelf, kb = single(tmp_path, **{f"d{at}": paragraph(str(at)) for at in range(40)})
    unknown = kb.plan()
    kb.refresh()
    nothing = kb.plan()
    shelf.write({f"{at}.md": paragraph(f"new {at}") for at in range(10)})
    speed = kb.cache.notes("speed")[EMBEDDER]

    known = kb.plan()

    assert unknown.estimated_seconds is None
    assert nothing.estimated_seconds == 0.0
    assert known.estimated_seconds == pytest.approx(10 / speed)


def test_the_parser_that_is_given_reads_the_bodies_with_their_trust(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")
    seen: list[tuple[str, bytes, str]] = []

    def parse_document(uri: str, body: Body, trust: str) -> Document:
        seen.append((uri, body.data, trust))
        raise AssertionError

    with pytest.raises(AssertionError):
        plan_refresh(
            [Feed(shelf, "s", "untrusted")], kb.index, kb.embedder, parse_document=parse_document
        )

    assert seen == [("s:a.md", b"alpha", "untrusted")]


def test_a_refresh_keeps_memory_and_needs_no_files_where_none_are_given(tmp_path: Path):
    _, kb = single(tmp_path, a="alpha")

    with plan_refresh(kb.feeds, kb.index, kb.embedder) as draft:
        apply_refresh(draft, kb.index, kb.embedder, run_id="run")

    assert [path.name for path in tmp_path.iterdir()] == ["index"]
