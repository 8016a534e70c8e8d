"""Workbooks, read row by row. Nothing else here imports openpyxl."""

import io
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from typing import Any

from openpyxl import load_workbook

from retrieval.formats.archive import open_vetted
from retrieval.formats.tables import write_rows
from retrieval.outline import Draft, Outline, sensible_title

_PEEK_BYTES = 1 << 20


def read(data: bytes, _charset: str | None) -> Outline:
    """Return each sheet under its name, a line a row.

    A cell has the value that was last calculated; without one, its formula is its text. How big a
    sheet claims to be is never believed.
    """
    formulas = _has_formulas(open_vetted(data))
    draft = Draft()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of extensions that hold no text
        calculated = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        written = load_workbook(io.BytesIO(data), read_only=True) if formulas else None
        for sheet in calculated.worksheets:
            draft.gap()
            draft.head(1, sheet.title)
            source = written[sheet.title] if written else None
            write_rows(draft, _rows(sheet, source))
    return draft.outline(sensible_title(calculated.properties.title))


def _rows(sheet: Any, written: Any | None) -> Iterator[Sequence[str]]:
    sheet.reset_dimensions()
    values = sheet.iter_rows(values_only=True)
    if written is None:
        yield from ([_text(value) for value in row] for row in values)
        return
    written.reset_dimensions()
    for row, formulas in zip(values, written.iter_rows(values_only=True), strict=False):
        yield [
            _text(formula if value is None else value)
            for value, formula in zip(row, formulas, strict=False)
        ]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(value.date() if value.time() == time.min else value)
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)


def _has_formulas(archive: zipfile.ZipFile) -> bool:
    sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
    return any(_mentions(archive, name) for name in sheets)


def _mentions(archive: zipfile.ZipFile, name: str) -> bool:
    before = b""
    with archive.open(name) as file:
        while chunk := file.read(_PEEK_BYTES):
            if b"<f>" in before + chunk or b"<f " in before + chunk:
                return True
            before = chunk[-2:]
    return False
