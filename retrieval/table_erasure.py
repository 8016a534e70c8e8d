"""Tables without some documents: what a table's files hold, deleted rows too, and a new one aside.

Lance never takes deleted text out of a data file that another version shares, so a table that held
an erased document goes as a whole. Run it under the writer's lease.
"""

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from retrieval.durability import make_durable
from retrieval.table_folder import TableFolders
from retrieval.table_seal import remove_seal

_ASIDE = ".erasing"  # at the end of a table's name while it is written
_TEXT = ("uri", "title", "headings", "text", "digest", "vector")
_SPOKEN_FOR = ("document", "uri", "document_digest")
_BATCH = 1_000  # rows in memory at once


@dataclass(frozen=True, slots=True)
class HeldText:
    """A row of a table's files, whichever version shows it.

    `said` is title, headings and text; `digest` that of the text, which the vector belongs to.
    """

    uri: str
    said: str
    digest: str
    vector: bytes


def tables_in(folder: Path, kb: str) -> dict[int, Path]:
    """Return the folder of each table of a knowledge base, by generation, oldest first."""
    folders = TableFolders(folder, kb)
    return {generation: folders.path(generation) for generation in folders.generations()}


def documents_in(table: Path) -> Iterator[tuple[str, str, str | None]]:
    """Yield (key, uri, digest) of every row in a table's files, also of rows that were deleted.

    The key is the sha256 of the uri; the digest stands in the row of a document's first chunk.
    """
    for batch in _stored(table, _SPOKEN_FOR):
        yield from zip(*(batch.column(name).to_pylist() for name in _SPOKEN_FOR), strict=True)


def holds_any(table: Path, keys: Collection[str]) -> bool:
    """True if a table's files hold a row of one of these documents, in whatever version."""
    wanted = pa.array(sorted(keys), pa.string())
    return any(
        pc.any(pc.is_in(batch.column("document"), value_set=wanted)).as_py()
        for batch in _stored(table, ("document",))
    )


def said_in(table: Path) -> Iterator[tuple[str, str]]:
    """Yield uri and text, with title and headings, of every row in a table's files."""
    for batch in _stored(table, ("uri", "title", "headings", "text")):
        for row in batch.to_pylist():
            yield row["uri"], _said(row)


def texts_in(table: Path, keys: Collection[str]) -> Iterator[HeldText]:
    """Yield what a table's files hold of these documents, deleted rows too."""
    wanted = pa.array(sorted(keys), pa.string())
    for batch in _stored(table, ("document", *_TEXT)):
        chosen = batch.filter(pc.is_in(batch.column("document"), value_set=wanted))
        for row in chosen.select(list(_TEXT)).to_pylist():
            vector = pa.array(row["vector"], pa.float32()).buffers()[1].to_pybytes()
            yield HeldText(row["uri"], _said(row), row["digest"], vector)


def write_without(
    table: Path, version: int, keys: Collection[str], target: Path, *, mark: str
) -> None:
    """Write a version of a table, without some documents, as version 1 of a new one.

    The new table is there whole or not at all, and has an empty file named `mark` in its folder.
    """
    lance, aside = _lance(), target.with_name(f"{target.name}{_ASIDE}")
    shutil.rmtree(aside, ignore_errors=True)
    source = lance.dataset(str(table), version=version)
    reader = pa.RecordBatchReader.from_batches(source.schema, _without(source, keys))
    lance.write_dataset(
        reader,
        str(aside),
        schema=source.schema,
        data_storage_version=source.data_storage_version,
    )
    (aside / mark).touch()
    make_durable(aside)
    aside.rename(target)
    make_durable(target)


def remove_whole(table: Path) -> None:
    """Remove a table with everything in its folder, and what was written aside for it."""
    for folder in (table, table.with_name(f"{table.name}{_ASIDE}")):
        if not folder.exists():
            continue
        # Renamed first: half removed, it must not be taken for a table.
        gone = folder.with_name(f"{folder.name}.removed")
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone)
    remove_seal(table)


def remove_leftovers(folder: Path, kb: str) -> None:
    """Remove what a killed run left of a knowledge base's tables: half written, half removed."""
    for left in folder.glob(f"{kb}.*"):
        if left.name.endswith((_ASIDE, ".removed")):
            shutil.rmtree(left)


def decoded(file: Path) -> Iterator[pa.RecordBatch]:
    """Yield all that a Lance file holds, whatever it is of: data, or an index.

    Raises ValueError for a file that is none, or cannot be read.
    """
    _lance()
    from lance.file import LanceFileReader  # noqa: PLC0415 - opened on use, as lance itself

    try:
        yield from LanceFileReader(str(file)).read_all(batch_size=_BATCH).to_batches()
    except (OSError, RuntimeError) as error:
        msg = f"{file.name} is no file of Lance that can be read: {error}"
        raise ValueError(msg) from error


def _without(dataset: Any, keys: Collection[str]) -> Iterator[pa.RecordBatch]:
    erased = pa.array(sorted(keys), pa.string())
    for batch in dataset.scanner(batch_size=_BATCH).to_batches():
        yield batch.filter(pc.invert(pc.is_in(batch.column("document"), value_set=erased)))


def _stored(table: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for file in sorted((table / "data").glob("*.lance")):
        for batch in decoded(file):
            yield batch.select(list(columns))


def _said(row: dict[str, Any]) -> str:
    return "\n".join([row["title"], *row["headings"], row["text"]])


def _lance() -> Any:
    # Here and not above: its 200 MB are loaded by an erasure, not by every command.
    import lance  # noqa: PLC0415

    return lance
