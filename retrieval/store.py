"""The index: one LanceDB table per knowledge base. Nothing else imports lancedb."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval import chunk_table as shape
from retrieval.durability import make_durable
from retrieval.errors import (
    BadVectorsError,
    EmbedderChangedError,
    IndexCorruptError,
    SnapshotMissingError,
)
from retrieval.records import KB_NAME, Chunk, Hit, Snapshot

Vector = NDArray[np.float32]

FORMAT = b"1"
_FORMAT_KEY, _EMBEDDER_KEY = b"driftline.format", b"driftline.embedder"
_FILTER_VALUES = 1_000  # in one IN (…): keeps a filter under 100 kB
_LANCE_ERRORS = (ValueError, RuntimeError, OSError)


class Index:
    """The chunks of one knowledge base, every version of them.

    Reading is pinned: each call opens its own handle at the snapshot it is given, so that a
    refresh that lands meanwhile changes nothing. Reading never creates a file.
    """

    def __init__(self, folder: Path, kb: str) -> None:
        if re.fullmatch(KB_NAME, kb) is None:
            msg = f"Not a name for a knowledge base: {kb!r}. Use a-z, 0-9, _ and -, e.g. 'docs'."
            raise ValueError(msg)
        self.kb = kb
        self._folder = folder

    def head(self) -> Snapshot | None:
        """Return the newest snapshot, or None if nothing was ever committed."""
        return Snapshot(self.kb, int(self._open().version)) if self._exists() else None

    def embedder_fingerprint(self) -> str | None:
        """Return the fingerprint of the embedder that all vectors here come from."""
        return _metadata(self._open(), _EMBEDDER_KEY) if self._exists() else None

    def documents(self, snapshot: Snapshot | None) -> dict[str, str]:
        """Return each document's uri with the digest of its bytes; none for no snapshot."""
        if snapshot is None:
            return {}
        read = self._read(snapshot, ["uri", "document_digest"])
        return dict(zip(read["uri"].to_pylist(), read["document_digest"].to_pylist(), strict=True))

    def known_digests(self, snapshot: Snapshot | None) -> frozenset[str]:
        """Return the digest of every text that has a vector in the snapshot."""
        if snapshot is None:
            return frozenset()
        return frozenset(self._read(snapshot, ["digest"])["digest"].to_pylist())

    def vectors_for(self, snapshot: Snapshot | None, digests: Collection[str]) -> dict[str, Vector]:
        """Return the vector of each of these text digests that the snapshot has."""
        found: dict[str, Vector] = {}
        if snapshot is None:
            return found
        wanted = sorted(digests)
        for start in range(0, len(wanted), _FILTER_VALUES):
            clause = _is_one_of("digest", wanted[start : start + _FILTER_VALUES])
            read = self._read(snapshot, ["digest", "vector"], where=clause)
            found.update(zip(read["digest"].to_pylist(), _matrix(read["vector"]), strict=True))
        return found

    def commit(
        self,
        chunks: Sequence[Chunk],
        vectors: Mapping[str, Vector],
        *,
        replaced: Iterable[str],
        embedder_fingerprint: str,
        run_id: str,
    ) -> Snapshot:
        """Write the chunks in one atomic commit and return its snapshot; `settle` makes it last.

        `replaced` are the uris whose chunks of before go, unless they are among the new ones; a
        removed document is one that is replaced by nothing. `vectors` are by text digest.
        """
        if self._exists():
            table = self._open()
            _require_embedder(table, embedder_fingerprint)
            self._merge(table, _rows(chunks, vectors, table.schema, run_id), replaced)
        else:
            schema = _schema(len(vectors[chunks[0].digest]), embedder_fingerprint)
            self._folder.mkdir(parents=True, exist_ok=True)
            rows = _rows(chunks, vectors, schema, run_id)
            table = self._connection.create_table(self.kb, rows)
        return Snapshot(self.kb, int(table.version))

    def settle(self) -> None:
        """Make the newest version safe against a power cut; LanceDB itself never syncs."""
        make_durable(self._table_folder)

    def chunk_table(self, snapshot: Snapshot, *, vectors: bool = False) -> pa.Table:
        """Return the chunk table of a snapshot, ordered by uri and ordinal."""
        columns = [*shape.SCHEMA.names, *(["vector"] if vectors else [])]
        read = self._read(snapshot, columns).select(columns)
        return read.sort_by([("uri", "ascending"), ("ordinal", "ascending")])

    def search(self, snapshot: Snapshot, vector: Vector, limit: int) -> tuple[Hit, ...]:
        """Return the chunks nearest to a vector of unit length, nearest first."""
        if not np.isfinite(vector).all():
            msg = f"A search of {snapshot} was given a vector that is not finite."
            raise BadVectorsError(msg)
        columns = ["id", "uri", "title", "headings", "text", "_distance"]
        query = self._pinned(snapshot).search(vector).distance_type("cosine").limit(limit)
        found = _fetch(snapshot, query.select(columns)).to_pylist()
        hits = [
            Hit(
                uri=row["uri"],
                chunk=row["id"],
                title=row["title"],
                headings=tuple(row["headings"]),
                text=row["text"],
                similarity=min(1.0, 1.0 - row["_distance"]),
            )
            for row in found
        ]
        return tuple(sorted(hits, key=lambda hit: (-hit.similarity, hit.uri, hit.chunk)))

    def count(self, snapshot: Snapshot) -> int:
        """Return the count of chunks."""
        return int(self._pinned(snapshot).count_rows())

    def content_digest(self, snapshot: Snapshot) -> str:
        """Return the sha256 over embedder and chunk ids: what the snapshot says, however it came.

        Two indexes of the same documents have the same content digest whatever their versions.
        """
        ids = sorted(self._read(snapshot, ["id"])["id"].to_pylist())
        fingerprint = _metadata(self._pinned(snapshot), _EMBEDDER_KEY)
        return hashlib.sha256("\n".join([fingerprint, *ids]).encode()).hexdigest()

    @property
    def _table_folder(self) -> Path:
        return self._folder / f"{self.kb}.lance"

    @cached_property
    def _connection(self) -> lancedb.DBConnection:
        return lancedb.connect(self._folder)

    def _exists(self) -> bool:
        """True once a commit landed. Asked of the disk, since connecting would make a folder."""
        versions = self._table_folder / "_versions"
        return versions.is_dir() and any(versions.glob("*.manifest"))

    def _open(self) -> lancedb.table.LanceTable:
        try:
            table = self._connection.open_table(self.kb)
            fits = table.schema.metadata and table.schema.metadata.get(_FORMAT_KEY) == FORMAT
        except _LANCE_ERRORS as error:
            msg = (
                f"The index of {self.kb!r} in {str(self._folder)!r} cannot be opened: {error}. "
                "Look for the damage with `driftline verify`; older versions may be whole."
            )
            raise IndexCorruptError(msg) from error
        if not fits:
            msg = (
                f"The table {str(self._table_folder)!r} is not an index that this Driftline "
                "reads: another program or a newer Driftline made it. Nothing was changed."
            )
            raise IndexCorruptError(msg)
        return table

    def _pinned(self, snapshot: Snapshot) -> lancedb.table.LanceTable:
        if snapshot.kb != self.kb:
            msg = f"{snapshot} is not a snapshot of {self.kb!r}."
            raise ValueError(msg)
        if not self._exists():
            raise _missing(snapshot)
        table = self._open()
        try:
            table.checkout(snapshot.version)
        except _LANCE_ERRORS as error:
            raise self._explain(snapshot, table, error) from error
        return table

    def _read(self, snapshot: Snapshot, columns: list[str], where: str | None = None) -> pa.Table:
        query = self._pinned(snapshot).search().select(columns).limit(None)
        return _fetch(snapshot, query.where(where) if where else query)

    def _explain(
        self, snapshot: Snapshot, table: lancedb.table.LanceTable, error: Exception
    ) -> SnapshotMissingError | IndexCorruptError:
        versions = {version["version"] for version in table.list_versions()}
        if snapshot.version in versions:
            return _unreadable(snapshot, error)
        return _missing(snapshot)

    def _merge(
        self, table: lancedb.table.LanceTable, rows: pa.Table, replaced: Iterable[str]
    ) -> None:
        scope = _is_one_of("document", sorted(map(document_key, replaced)))
        (
            table.merge_insert("id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(scope)
            .execute(rows)
        )


def document_key(uri: str) -> str:
    """Return the sha256 of a uri, hex: what filters hold in its place, whatever it contains.

    >>> len(document_key("x' OR '1'='1"))
    64
    """
    return hashlib.sha256(uri.encode()).hexdigest()


def _is_one_of(column: str, digests: Sequence[str]) -> str:
    """Return a filter. The only place where one is written, and only hex goes into it."""
    if not all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests):
        msg = "A filter may hold sha256 digests only."
        raise ValueError(msg)
    if not digests:
        return "false"
    listed = ", ".join(f"'{digest}'" for digest in digests)
    return f"{column} IN ({listed})"


def _rows(
    chunks: Sequence[Chunk], vectors: Mapping[str, Vector], schema: pa.Schema, run_id: str
) -> pa.Table:
    distinct = {chunk.id: chunk for chunk in chunks}  # two rows of one new key would both stay
    ordered = [distinct[key] for key in sorted(distinct)]
    width = schema.field("vector").type.list_size
    flat = np.concatenate([vectors[chunk.digest] for chunk in ordered] or [np.empty(0, np.float32)])
    columns = shape.columns_of(ordered) | {
        "id": [chunk.id for chunk in ordered],
        "document": [document_key(chunk.uri) for chunk in ordered],
        "run_id": [run_id] * len(ordered),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), width),
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _schema(width: int, embedder_fingerprint: str) -> pa.Schema:
    own = [pa.field(name, pa.string(), nullable=False) for name in ("id", "document", "run_id")]
    vector = pa.field("vector", pa.list_(pa.float32(), width), nullable=False)
    return pa.schema(
        [*own, *shape.FIELDS, vector],
        metadata={_FORMAT_KEY: FORMAT, _EMBEDDER_KEY: embedder_fingerprint.encode()},
    )


def _fetch(snapshot: Snapshot, query: lancedb.query.LanceQueryBuilder) -> pa.Table:
    try:
        return query.to_arrow()
    except _LANCE_ERRORS as error:
        raise _unreadable(snapshot, error) from error


def _matrix(column: pa.ChunkedArray) -> Vector:
    whole = column.combine_chunks()
    rows: Vector = whole.flatten().to_numpy().reshape(len(whole), whole.type.list_size)
    return rows


def _require_embedder(table: lancedb.table.LanceTable, fingerprint: str) -> None:
    if (made_by := _metadata(table, _EMBEDDER_KEY)) != fingerprint:
        msg = (
            f"The index was made by embedder {made_by[:12]}, these vectors come from "
            f"{fingerprint[:12]}. Vectors of two embedders never mix."
        )
        raise EmbedderChangedError(msg)


def _metadata(table: lancedb.table.LanceTable, key: bytes) -> str:
    return str(table.schema.metadata[key].decode())


def _missing(snapshot: Snapshot) -> SnapshotMissingError:
    return SnapshotMissingError(
        f"Snapshot {snapshot} is not in the index: it was never made, or cleaned up since."
    )


def _unreadable(snapshot: Snapshot, error: Exception) -> IndexCorruptError:
    return IndexCorruptError(
        f"Snapshot {snapshot} cannot be read: {error}. Find the damage with `driftline verify "
        f"{snapshot.kb}`; an older release may still be whole."
    )
