"""The general text: of the size that was meant, and about none of the corpora."""

import re

from training.examples.general_text import general_rows
from training.records import RowKind


def test_there_are_32_paragraphs_of_70_to_110_words_each_its_own_document() -> None:
    rows = general_rows()

    assert len(rows) == len({row.uri for row in rows}) == 32
    assert {row.kind for row in rows} == {RowKind.GENERAL}
    assert all(70 <= len(row.text.split()) <= 110 for row in rows)


def test_no_paragraph_is_about_software_documentation() -> None:
    words = re.compile(
        r"\b(?:django|scrapy|sqlalchemy|setting|server|database|driftline)\b", re.IGNORECASE
    )

    assert [row.uri for row in general_rows() if words.search(row.text)] == []
