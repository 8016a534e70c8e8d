"""Comma- and tab-separated values. Standard library only."""

import csv
import io
import sys

from retrieval.decoding import decode
from retrieval.formats.tables import write_rows
from retrieval.outline import Draft, Outline

_DELIMITERS = ",\t;|"
_SAMPLE_CHARACTERS = 10_000


def read(data: bytes, charset: str | None) -> Outline:
    r"""Return a line a row; what its file is called is the only title it has.

    >>> read(b"a;b\n1;\"x\ny\"", None).sections[0].text
    'a: 1; b: x y'
    """
    text = decode(data, charset=charset)
    draft = Draft()
    # The module's own limit on a field is for the whole process; no field is longer than the text.
    csv.field_size_limit(min(sys.maxsize, max(csv.field_size_limit(), len(text) + 1)))
    write_rows(draft, csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    return draft.outline()


def _delimiter(text: str) -> str:
    """Return the mark that the beginning has most of; csv.Sniffer takes minutes on hostile text."""
    sample = text[:_SAMPLE_CHARACTERS]
    return max(_DELIMITERS, key=sample.count)
