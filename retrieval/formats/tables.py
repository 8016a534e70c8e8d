"""Rows of a table as lines that can be understood one by one. Standard library only."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from retrieval.outline import Draft

MAX_ROWS = 100_000
MAX_CELLS = 2_000_000  # a sheet that has text in its last column has 16,384 cells a row


def write_rows(draft: Draft, rows: Iterable[Sequence[str]]) -> None:
    """Write a line a row, each value behind its column's name where the first row holds names.

    So each row says on its own what it means, wherever the text is cut. Rows over MAX_ROWS or
    MAX_CELLS are left out, and the text says so.

    >>> draft = Draft()
    >>> write_rows(draft, [["part", "price"], ["bolt", "3"], ["", "4"]])
    >>> draft.lines
    ['part: bolt; price: 3', 'price: 4']
    """
    bounded = _Bounded(rows)
    cleaned = ([" ".join(cell.split()) for cell in row] for row in bounded)
    filled = (row for row in cleaned if any(row))
    first = list(islice(filled, 2))
    if len(first) > 1 and _names_columns(first[0]):
        names = first[0]
        draft.lines.extend(_labelled(names, row) for row in chain(first[1:], filled))
    else:
        draft.lines.extend(" | ".join(row) for row in chain(first, filled))
    if bounded.left_out:
        draft.lines.append(f"… rows {bounded.left_out:,} on were left out")


class _Bounded:
    """Hands rows on until there are too many; `left_out` is the first that is left out, or 0."""

    def __init__(self, rows: Iterable[Sequence[str]]) -> None:
        self._rows = rows
        self.left_out = 0

    def __iter__(self) -> Iterator[Sequence[str]]:
        cells = 0
        for number, row in enumerate(self._rows, 1):
            cells += len(row)
            if number > MAX_ROWS or cells > MAX_CELLS:
                self.left_out = number
                return
            yield row


def _names_columns(row: Sequence[str]) -> bool:
    short = all(cell and len(cell) <= 60 and not _is_number(cell) for cell in row)  # noqa: PLR2004 longer is no name
    return short and len(row) > 1 and len(set(row)) == len(row)


def _is_number(cell: str) -> bool:
    return not any(character.isalpha() for character in cell)


def _labelled(names: Sequence[str], row: Sequence[str]) -> str:
    parts = [f"{name}: {cell}" for name, cell in zip(names, row, strict=False) if cell]
    return "; ".join(parts + [cell for cell in row[len(names) :] if cell])
