"""Jupyter notebooks: prose as Markdown, code as code, of outputs only plain text."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from retrieval import markdown
from retrieval.decoding import decode
from retrieval.errors import DocumentRefusedError
from retrieval.outline import Draft, Heading, Outline, sensible_title
from retrieval.records import RefusalCode

MAX_OUTPUT_CHARACTERS = 10_000
_Cell = Mapping[str, Any]


def read(data: bytes, charset: str | None) -> Outline:
    """Return the cells in order; raise DocumentRefusedError with DOC_DAMAGED for other JSON."""
    draft = Draft()
    try:
        book = json.loads(decode(data, charset=charset))
        for cell in _cells(book):
            draft.gap()
            _write_cell(draft, cell)
        title = book.get("metadata", {}).get("title")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        reason = "it is not a notebook: its JSON is damaged, or has no list of cells"
        raise DocumentRefusedError(RefusalCode.DAMAGED, reason) from error
    return draft.outline(sensible_title(title if isinstance(title, str) else None))


def _cells(book: Mapping[str, Any]) -> Iterator[_Cell]:
    if "cells" in book:
        yield from book["cells"]
    else:  # before version 4
        for sheet in book["worksheets"]:
            yield from sheet["cells"]


def _write_cell(draft: Draft, cell: _Cell) -> None:
    kind = cell.get("cell_type")
    text = _text(cell.get("source", cell.get("input")))
    if kind == "heading":
        draft.head(int(cell.get("level", 1)), text)
    elif kind == "markdown":
        _write_markdown(draft, text)
    elif text.strip():
        draft.write(text)
    for output in cell.get("outputs", ()):
        shown = _text(output.get("text") or output.get("data", {}).get("text/plain"))
        if shown.strip():
            draft.gap()
            draft.write(shown[:MAX_OUTPUT_CHARACTERS].rstrip())
        if len(shown) > MAX_OUTPUT_CHARACTERS:
            draft.write("… the rest of this output was left out")


def _write_markdown(draft: Draft, text: str) -> None:
    at = len(draft.lines)
    draft.headings.extend(
        Heading(each.level, each.text, at + each.first, at + each.end)
        for each in markdown.list_headings(text)
    )
    draft.write(text)


def _text(source: object) -> str:
    """Return a text that is stored whole or as a list of lines."""
    if isinstance(source, list):
        return "".join(each for each in source if isinstance(each, str))
    return source if isinstance(source, str) else ""
