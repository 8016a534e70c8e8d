"""What a refresh does to the index, end to end: a real folder, a real LanceDB."""

from pathlib import Path

import pytest

from retrieval.drafting import plan_refresh
from retrieval.errors import (
    EmptyCorpusError,
    PlanMismatchError,
    SourceUnreachableError,
)
from retrieval.records import Completeness, Move, RefusalCode, Snapshot
from retrieval.refresh import apply_refresh
from retrieval.sources import Feed
from retrieval.sources.folder import FolderSource
from retrieval.store import Index
from tests.retrieval.builders import KB, Corpus, HashingEmbedder, paragraph

LONG = "# Guide\n\n" + "\n\n".join(paragraph(f"p{at}") for at in range(40))


def test_a_first_refresh_indexes_every_document(corpus: Corpus):
    corpus.write({"a.md": "# A\n\nalpha", "sub/b.rst": "B\n=\n\nbeta", "c.txt": "gamma"})

    refreshed = corpus.refresh()

    assert refreshed.snapshot == Snapshot(KB, 2)  # the rows, and the full-text index
    assert corpus.texts() == {"a.md": "alpha", "sub/b.rst": "beta", "c.txt": "gamma"}
    assert (refreshed.documents, refreshed.chunks, refreshed.embedded) == (3, 3, 3)


def test_a_refresh_is_one_version_whatever_it_changes(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta", "c.md": "gamma"})
    first = corpus.refresh()
    corpus.write({"a.md": "alpha, edited", "d.md": "delta"})
    corpus.delete("b.md")

    second = corpus.refresh()

    assert second.snapshot.version == first.snapshot.version + 1
    assert corpus.texts() == {"a.md": "alpha, edited", "c.md": "gamma", "d.md": "delta"}


def test_an_unchanged_source_embeds_nothing_and_makes_no_version(corpus: Corpus):
    corpus.write({"a.md": LONG, "b.md": "beta"})
    first = corpus.refresh()
    corpus.embedder.embedded.clear()

    again = corpus.refresh()

    assert corpus.embedder.embedded == []
    assert again.snapshot == first.snapshot
    assert again.content_digest == first.content_digest
    assert (again.embedded, again.reused) == (0, 0)


def test_an_edited_paragraph_embeds_only_the_chunk_it_is_in(corpus: Corpus):
    corpus.write({"a.md": LONG, "b.md": "beta"})
    corpus.refresh()
    corpus.embedder.embedded.clear()
    corpus.write({"a.md": LONG.replace(paragraph("p20"), paragraph("p20") + " Edited.")})

    refreshed = corpus.refresh()

    assert len(corpus.embedder.embedded) == 1
    assert "Edited." in corpus.embedder.embedded[0]
    assert refreshed.reused > 5


def test_a_renamed_document_is_not_embedded_again(corpus: Corpus):
    corpus.write({"a.md": LONG})
    corpus.refresh()
    corpus.embedder.embedded.clear()
    corpus.write({"new/name.md": LONG})
    corpus.delete("a.md")

    plan, _ = corpus.planned_refresh()

    assert plan.moved == (Move("a.md", "new/name.md"),)
    assert corpus.embedder.embedded == []
    assert list(corpus.texts()) == ["new/name.md"]


def test_a_copied_document_is_added_and_not_embedded_again(corpus: Corpus):
    corpus.write({"a.md": LONG})
    corpus.refresh()
    corpus.embedder.embedded.clear()
    corpus.write({"copy.md": LONG})

    plan, _ = corpus.planned_refresh()

    assert plan.added == ("copy.md",)
    assert corpus.embedder.embedded == []
    assert corpus.texts()["copy.md"] == corpus.texts()["a.md"]


def test_equal_texts_of_one_refresh_are_embedded_once(corpus: Corpus):
    corpus.write({f"{at}.md": "# Same\n\nthe same words" for at in range(10)})

    refreshed = corpus.refresh()

    assert corpus.embedder.embedded == ["Same\nthe same words"]
    assert (refreshed.embedded, refreshed.reused, refreshed.chunks) == (1, 9, 10)


def test_equal_paragraphs_of_one_document_stay_two_chunks(corpus: Corpus):
    corpus.write({"a.md": "# A\n\nsame\n\n# A\n\nsame"})

    refreshed = corpus.refresh()

    assert refreshed.chunks == 2
    assert corpus.texts() == {"a.md": "same\n\nsame"}


def test_an_edit_that_changes_no_chunk_still_makes_the_next_plan_clean(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    corpus.embedder.embedded.clear()
    corpus.write({"a.md": "alpha\n\n\n"})

    corpus.refresh()

    assert corpus.embedder.embedded == []
    assert corpus.plan().changes_nothing


def test_a_removed_document_goes_and_takes_nothing_with_it(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta", "c.md": "same", "d.md": "same"})
    corpus.refresh()
    corpus.delete("b.md", "d.md")

    corpus.refresh()

    assert corpus.texts() == {"a.md": "alpha", "c.md": "same"}


def test_a_document_that_comes_back_is_indexed_again(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    before = corpus.refresh()
    corpus.delete("b.md")
    corpus.refresh()
    corpus.write({"b.md": "beta"})

    after = corpus.refresh()

    assert after.content_digest == before.content_digest
    assert after.snapshot.version == before.snapshot.version + 2


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("x' OR '1'='1.md", id="sql-injection"),
        pytest.param("'; DROP TABLE docs; --.md", id="sql-statement"),
        pytest.param("two\nlines.md", id="newline"),
        pytest.param("a\nfolder/a.md", id="newline-in-a-folder"),
        pytest.param("\U0001f600 \u202etxt.md", id="emoji-and-bidi"),
        pytest.param("caf%E9.md", id="not-utf-8"),
        pytest.param("100%2541.md", id="percent-sign-before-hex"),
        pytest.param("100% sure.md", id="percent-sign"),
        pytest.param('"quoted" \\ back.md', id="quote-and-backslash"),
        pytest.param("-rf.md", id="leading-dash"),
        pytest.param(" space .md", id="spaces"),
        pytest.param("e\u0301.md", id="decomposed"),
        pytest.param("n" * 252 + ".md", id="255-bytes"),
    ],
)
def test_any_file_name_is_one_document_that_can_be_edited_and_removed(corpus: Corpus, uri: str):
    corpus.write({"other.md": "stays", uri: "before"})
    corpus.refresh()
    corpus.write({uri: "after"})
    corpus.refresh()
    assert corpus.texts() == {"other.md": "stays", uri: "after"}

    corpus.delete(uri)
    corpus.refresh()

    assert corpus.texts() == {"other.md": "stays"}


def test_a_refused_document_keeps_its_old_text_and_is_told(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    corpus.refresh()
    corpus.write({"a.md": b"\0binary", "b.md": "beta, edited"})

    plan, _ = corpus.planned_refresh()

    assert [(refusal.uri, refusal.code) for refusal in plan.refused] == [
        ("a.md", RefusalCode.BINARY)
    ]
    assert plan.kept == ("a.md",)
    assert corpus.texts() == {"a.md": "alpha", "b.md": "beta, edited"}


def test_a_refused_new_document_is_not_added(corpus: Corpus):
    corpus.write({"a.md": "alpha", "empty.md": b""})

    plan = corpus.plan()

    assert plan.added == ("a.md",)
    assert [refusal.code for refusal in plan.refused] == [RefusalCode.EMPTY]


def test_documents_before_are_accounted_for_without_rest(corpus: Corpus):
    corpus.write({f"{name}.md": f"text {name}" for name in "abcdef"})
    corpus.refresh()
    corpus.write({"a.md": "edited", "b.md": b"", "moved.md": "text c", "new.md": "new"})
    corpus.delete("c.md", "d.md")

    plan = corpus.plan()

    assert (plan.edited, plan.kept, plan.removed) == (("a.md",), ("b.md",), ("d.md",))
    assert plan.added == ("new.md",)
    assert plan.unchanged + len((*plan.edited, *plan.kept, *plan.moved, *plan.removed)) == 6
    assert plan.documents_before == 6


def test_planning_writes_nothing(corpus: Corpus, tmp_path: Path):
    corpus.write({"a.md": "alpha"})

    plan = corpus.plan()

    assert plan.base is None
    assert not (tmp_path / "index").exists()


def test_the_same_source_on_the_same_base_gives_the_same_plan(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta"})

    assert corpus.plan() == corpus.plan()


def test_a_plan_on_an_older_snapshot_is_refused(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    with corpus.draft() as stale:
        corpus.refresh()

        with pytest.raises(
            PlanMismatchError, match="made on an empty index, but the index is at docs@2"
        ):
            corpus.apply(stale)


def test_applying_a_plan_for_nothing_to_nothing_is_refused(corpus: Corpus):
    with pytest.raises(EmptyCorpusError):
        corpus.refresh()


def test_a_missing_folder_is_an_error_and_not_an_empty_listing(corpus: Corpus, tmp_path: Path):
    source = FolderSource(tmp_path / "unmounted")

    with pytest.raises(SourceUnreachableError, match="unmounted"):
        corpus.plan(source)


def test_a_partial_listing_removes_and_moves_nothing(corpus: Corpus):
    corpus.write({"a.md": "alpha", "sub/b.md": "beta", "c.md": "gamma"})
    corpus.refresh()
    corpus.delete("a.md", "sub/b.md", "c.md")
    corpus.write({"moved.md": "gamma", "d.md": "delta"})
    complete = corpus.source.list_documents()
    partial = type(complete)(complete.entries, Completeness.PARTIAL)

    plan, _ = corpus.planned_refresh(_Listed(corpus, partial))

    assert (plan.removed, plan.moved) == ((), ())
    assert plan.kept == ("a.md", "c.md", "sub/b.md")
    assert set(corpus.texts()) == {"a.md", "sub/b.md", "c.md", "d.md", "moved.md"}


class _Listed:
    """A source with a listing of our own over a real folder."""

    def __init__(self, corpus: Corpus, listing) -> None:
        self._listing = listing
        self.read = corpus.source.read

    def fingerprint(self) -> None:
        return None

    def list_documents(self):
        return self._listing


def test_a_document_that_vanishes_before_it_is_read_stays_one_more_run(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    corpus.refresh()
    source = _Listed(corpus, corpus.source.list_documents())
    corpus.delete("b.md")

    plan = corpus.plan(source)

    assert [refusal.code for refusal in plan.refused] == [RefusalCode.VANISHED]
    assert (plan.removed, plan.kept) == ((), ("b.md",))
    assert corpus.plan().removed == ("b.md",)


def test_chunks_never_exceed_the_window_even_if_more_is_asked_for(corpus: Corpus):
    corpus.write({"a.md": LONG})
    feeds = (Feed(corpus.source),)

    with plan_refresh(feeds, corpus.index, corpus.embedder, max_tokens=10_000) as draft:
        texts = [text for texts in draft.spool.missing_texts(100) for text in texts.values()]

    assert len(texts) == draft.plan.embedded > 1
    assert max(corpus.embedder.count_tokens(texts)) <= corpus.embedder.max_tokens


def test_progress_counts_documents_and_then_texts(corpus: Corpus):
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    planned: list[tuple[int, int]] = []
    applied: list[tuple[int, int]] = []

    with plan_refresh(
        (Feed(corpus.source),),
        corpus.index,
        corpus.embedder,
        on_progress=lambda done, total: planned.append((done, total)),
    ) as draft:
        apply_refresh(
            draft,
            corpus.index,
            corpus.embedder,
            run_id="run",
            on_progress=lambda done, total: applied.append((done, total)),
        )

    assert planned == [(1, 2), (2, 2)]
    assert applied[-1] == (2, 2)


def test_two_indexes_of_the_same_documents_have_the_same_content(corpus: Corpus, tmp_path: Path):
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    corpus.refresh()
    corpus.write({"a.md": "alpha, edited"})
    by_two_steps = corpus.refresh()

    elsewhere = Corpus(corpus.folder, Index(tmp_path / "other", KB), HashingEmbedder())
    at_once = elsewhere.refresh()

    assert at_once.content_digest == by_two_steps.content_digest
    assert at_once.snapshot != by_two_steps.snapshot
