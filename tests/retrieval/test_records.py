"""Snapshot names outlive a run: they are read back as they were written, or refused."""

import hashlib

import pytest

from retrieval.chunking import chunk_id
from retrieval.records import Snapshot


@pytest.mark.parametrize("text", ["docs@42", "a@1", "my-docs_2@1000000"])
def test_a_snapshot_is_read_back_as_it_was_written(text: str):
    assert str(Snapshot.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["docs", "docs@0", "docs@", "@1", "Docs@1", "docs@01", "docs@-1", "docs@1 ", "docs@1\n"]
)
def test_what_is_no_snapshot_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match="docs@42"):
        Snapshot.parse(text)


def test_a_chunk_id_is_the_digest_of_uri_text_and_occurrence():
    expected = hashlib.sha256(b"4:a.md:beef:0").hexdigest()

    assert chunk_id("a.md", "beef", 0) == expected
