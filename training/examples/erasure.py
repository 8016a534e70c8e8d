"""Rows of a training without those of erased documents; and whether a training saw them at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.examples.example_files import MANIFEST, PARTS, ROWS
from training.files import write_whole
from training.records import DocumentVersion

Erased = Callable[[DocumentVersion], bool]
"""True for a document version that was erased."""


def names_erased(folder: Path, erased: Erased) -> bool:
    """True if a row to train on names an erased document, as its own or among its distractors.

    Rows that cannot be read may name any.
    """
    try:
        rows = pq.read_table(
            folder / ROWS, columns=["part", "uri", "document_digest", "others"]
        ).to_pylist()
    except (OSError, pa.ArrowException):
        return True
    train = (row for row in rows if row["part"] == "train")
    return any(erased(document) for row in train for document in _documents(row))


def erase_rows(folder: Path, erased: Erased, tells: Callable[[dict[str, Any]], bool]) -> int:
    """Take the rows of erased documents, and those that tell of one, out of a training's files.

    Returns how many went; rows that cannot be read go as a whole. The manifest keeps the digest of
    the rows as they were, which is the one that a verdict names, and counts what was `erased`.
    """
    try:
        table = pq.read_table(folder / ROWS)
    except FileNotFoundError:
        return 0
    except (OSError, pa.ArrowException):
        (folder / ROWS).unlink()
        return 1
    rows = table.to_pylist()
    kept = [row for row in rows if not (any(map(erased, _documents(row))) or tells(row))]
    if len(kept) < len(rows):
        buffer = BytesIO()
        pq.write_table(pa.Table.from_pylist(kept, table.schema), buffer, compression="zstd")
        write_whole(folder / ROWS, buffer.getvalue())
    _correct_manifest(folder, kept)
    return len(rows) - len(kept)


def _correct_manifest(folder: Path, kept: list[dict[str, Any]]) -> None:
    """Let the manifest name the file as it is; a run that was killed before left the old one."""
    file = folder / MANIFEST
    found = sha256((folder / ROWS).read_bytes()).hexdigest()
    try:
        manifest = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return
    if manifest["sha256"] == found:
        return
    counts = Counter(row["part"] for row in kept)
    before = sum(manifest["rows"].values()) + manifest.get("erased", 0)
    manifest |= {
        "rows": {part: counts[part] for part in PARTS},
        "erased": before - len(kept),
        "sha256": found,
    }
    write_whole(file, json.dumps(manifest, indent=2, sort_keys=True).encode())


def _documents(row: dict[str, Any]) -> Iterator[DocumentVersion]:
    yield DocumentVersion(row["uri"], row["document_digest"])
    for other in row["others"] or ():
        yield DocumentVersion(other["uri"], other["digest"])
