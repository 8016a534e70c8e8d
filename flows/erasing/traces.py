"""Traces of an erased text out of values: of text, JSON and tables. Pure; knows no place."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from retrieval.traces import Traces

ERASED = "[erased]"
"""What stands where something was erased."""

# A reason is made of parts; what says nothing about the document stays.
_PARTS = re.compile(r"(\n|; |\. )")
# Lists of single words, as the tables of words that came and went have them.
_OF_WORDS = frozenset({"word", "words", "words_came", "words_went"})
_OF_URIS = frozenset(
    {"uri", "uris", "document", "documents", "old", "new", "added", "edited", "removed", "kept"}
)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes the traces of an erased text out of what others wrote about it.

    `exact` are uris, which go where a uri stands alone, however plain a word or number they are.
    """

    traces: Traces
    exact: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        """Return a text with each part that has a trace in it replaced: lines and clauses."""
        if not self.traces.in_text(text):
            return text
        left = "".join(map(self._part, _PARTS.split(text)))
        # A run of words that goes over the end of a part is in none of them.
        return left if not self.traces.in_text(left) else ERASED

    def value(self, value: Any, key: str = "") -> Any:
        """Return a value of JSON without traces; of a table the rows with one are gone."""
        match value:
            case str():
                return self._string(value, key)
            case {"columns": [*columns], "data": [*rows]}:
                kept = [row for row in rows if not self._tells(columns, row)]
                return {**value, "data": kept}
            case dict():
                return {
                    self._string(name, key): self.value(each, name) for name, each in value.items()
                }
            case list():
                return [self.value(each, key) for each in value]
            case _:
                return value

    def written(self, text: str) -> str:
        """Return a text as a database or a file holds it: JSON as JSON, anything else as text."""
        if text[:1] in {"{", "["}:
            try:
                value = json.loads(text)
            except ValueError:
                return self.text(text)
            redacted = self.value(value)
            return text if redacted == value else json.dumps(redacted)
        return ERASED if self.traces.is_name(text) else self.text(text)

    def _part(self, part: str) -> str:
        return ERASED if self.traces.in_text(part) else part

    def _string(self, text: str, key: str) -> str:
        named = self.traces.is_name(text) or (key in _OF_URIS and text in self.exact)
        if named or (key in _OF_WORDS and self.traces.in_words(text)):
            return ERASED
        return self.text(text)

    def _tells(self, columns: list[Any], row: Any) -> bool:
        """True for a row of a table that has a trace in one of its cells."""
        if not isinstance(row, list):
            return bool(self.value(row) != row)
        cells = zip(columns, row, strict=False)
        return any(self.value(cell, str(name)) != cell for name, cell in cells)
