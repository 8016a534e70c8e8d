"""Texts inside of archives, gzip and zip, piece by piece. Standard library only."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_PIECE = 1 << 24  # bytes at once; a bomb in an archive costs time, and no memory


def unpacked(file: Path) -> Iterator[str] | None:
    """Return the texts in an archive piece by piece, None for a file that is none.

    Reading them raises ValueError for one that is damaged.
    """
    with file.open("rb") as opened:
        begins = opened.read(4)
    if begins[:2] == _GZIP:
        return _of_gzip(file)
    return _of_zip(file) if begins == _ZIP else None


def _of_gzip(file: Path) -> Iterator[str]:
    try:
        with gzip.open(file) as packed:
            while piece := packed.read(_PIECE):
                yield piece.decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(file) from error


def _of_zip(file: Path) -> Iterator[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as packed:
                    while piece := packed.read(_PIECE):
                        yield piece.decode("utf-8", "replace")
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(file) from error


def _damaged(file: Path) -> ValueError:
    return ValueError(f"{file.name} is an archive that cannot be unpacked")
