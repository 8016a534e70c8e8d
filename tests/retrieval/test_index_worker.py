"""Indices that are built in a process of their own: there afterwards, or warned about."""

import logging
from pathlib import Path

import lancedb
import pytest

from retrieval import store
from retrieval.index_worker import build_apart
from retrieval.table_indices import due
from tests.retrieval.builders import KB, Corpus
from tests.retrieval.tables import many, table_of


def test_a_table_is_indexed_by_another_process(tmp_path: Path):
    table_of(tmp_path, many(60))

    assert build_apart(tmp_path, "docs")

    assert due(lancedb.connect(tmp_path).open_table("docs")) == ()


def test_a_process_that_fails_is_a_warning_and_leaves_the_table(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        assert not build_apart(tmp_path, "nothing-there")

    assert "The indices of nothing-there were not built" in caplog.text


def test_a_refresh_publishes_what_the_other_process_built(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "KEY_INDEX_ROWS", 1)
    corpus.write({f"{at}.md": f"text {at}" for at in range(20)})

    refreshed = corpus.refresh()

    table = lancedb.connect(corpus.index._folder).open_table(KB)  # noqa: SLF001
    assert refreshed.snapshot.version == table.version > 1
    assert due(table) == ()
