"""Snapshot names outlive a run: they are read back as they were written, or refused."""

import hashlib
from typing import Any

import pytest

from retrieval.chunking import chunk_id
from retrieval.records import Completeness, Move, RefreshPlan, Snapshot, SourcePart


@pytest.mark.parametrize("text", ["docs@42", "a@1", "my-docs_2@1000000", "docs@2.7", "a@10.10"])
def test_a_snapshot_is_read_back_as_it_was_written(text: str):
    assert str(Snapshot.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("docs", "docs@0", "docs@", "@1", "Docs@1", "docs@01", "docs@-1", "docs@1 ", "docs@1\n"),
        *("docs@1.7", "docs@0.7", "docs@2.0", "docs@2.", "docs@.7", "docs@2.7.1", "docs@02.7"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="docs@42"):
        Snapshot.parse(text)


def test_a_snapshot_of_a_later_generation_says_so():
    assert Snapshot.parse("docs@2.7") == Snapshot("docs", 7, generation=2)
    assert Snapshot.parse("docs@7") == Snapshot("docs", 7)
    assert Snapshot("docs", 7) != Snapshot("docs", 7, generation=2)


@pytest.mark.parametrize(
    ("grades", "worst"),
    [
        pytest.param((), Completeness.COMPLETE, id="no-source"),
        pytest.param(("complete", "complete"), Completeness.COMPLETE, id="all-complete"),
        pytest.param(("complete", "partial"), Completeness.PARTIAL, id="one-partial"),
        pytest.param(("failed", "partial", "complete"), Completeness.FAILED, id="one-failed"),
    ],
)
def test_a_plan_saw_as_much_as_its_least_complete_source(grades: tuple[str, ...], worst: str):
    parts = tuple(SourcePart(name, Completeness(name), 1, 1) for name in grades)

    assert plan(sources=parts).completeness is worst


@pytest.mark.parametrize(
    ("changes", "nothing"),
    [
        pytest.param({}, True, id="no-change"),
        pytest.param({"kept": ("a",), "leaving": ("b",)}, True, id="only-kept-and-leaving"),
        pytest.param({"added": ("a",)}, False, id="added"),
        pytest.param({"edited": ("a",)}, False, id="edited"),
        pytest.param({"moved": (Move("a", "b"),)}, False, id="moved"),
        pytest.param({"removed": ("a",)}, False, id="removed"),
        pytest.param({"rebuild": True, "written": 1}, False, id="made-anew"),
        pytest.param({"rebuild": True}, True, id="nothing-to-make-anew"),
    ],
)
def test_a_plan_changes_nothing_if_it_would_write_no_row(changes: dict[str, Any], *, nothing: bool):
    assert plan(**changes).changes_nothing is nothing


def test_what_is_not_embedded_is_reused_written_or_not():
    assert plan(chunks=7, written=5, embedded=3).reused == 4


def plan(**fields) -> RefreshPlan:
    uris = dict.fromkeys(("added", "edited", "moved", "removed", "kept", "refused"), ())
    counts = dict.fromkeys(("unchanged", "documents_before", "chunks", "written", "embedded"), 0)
    return RefreshPlan(**({"kb": "docs", "base": None, "digest": ""} | uris | counts | fields))


def test_a_chunk_id_is_the_digest_of_uri_text_and_occurrence():
    expected = hashlib.sha256(b"4:a.md:beef:0").hexdigest()

    assert chunk_id("a.md", "beef", 0) == expected
