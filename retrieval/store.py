"""The index: LanceDB tables by name and version. Opens them; nothing here ranks or compacts."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import lancedb
import pyarrow as pa

from retrieval import table_rows as rows
from retrieval.durability import make_durable
from retrieval.embedders import Vector, Vectors
from retrieval.errors import (
    IndexCorruptError,
    PlanMismatchError,
    SnapshotMissingError,
)
from retrieval.index_worker import build_apart
from retrieval.records import (
    KB_NAME,
    Chunk,
    DocumentHeader,
    DocumentState,
    Hit,
    Recipe,
    Snapshot,
)
from retrieval.spool import Row
from retrieval.table_comparison import SnapshotOutline, best_cosines, best_texts, read_outline
from retrieval.table_hubs import Hub, find_hubs
from retrieval.table_indices import KEY_INDEX_ROWS, STALE_ROWS, build_indices, due
from retrieval.table_search import Query, find
from retrieval.table_upkeep import Tidied, remove_leftovers, remove_table, tidy

FILTER_VALUES = 1_000  # in one IN (…): keeps a filter under 100 kB
_KEPT_HANDLES = 4
_LANCE_ERRORS = (ValueError, RuntimeError, OSError)

T = TypeVar("T")
Rows = Iterable[Sequence[Row]]


class Index:
    """The chunks of one knowledge base: a table for each recipe, and every version of it.

    Reading is pinned: each call reads the snapshot it is given, so that a refresh that lands
    meanwhile changes nothing. Reading never creates a file. Of two tables the one with the higher
    generation is the newer.
    """

    def __init__(self, folder: Path, kb: str) -> None:
        if re.fullmatch(KB_NAME, kb) is None:
            msg = f"Not a name for a knowledge base: {kb!r}. Use a-z, 0-9, _ and -, e.g. 'docs'."
            raise ValueError(msg)
        self.kb = kb
        self._folder = folder
        self._handles: dict[Snapshot, lancedb.table.LanceTable] = {}

    def head(self, recipe: Recipe | None = None) -> Snapshot | None:
        """Return the newest snapshot; None if it does not follow the recipe, where one is given.

        An older table that does is no base to go on from: what was refreshed since is not in it.
        """
        generations = self._generations()
        if not generations:
            return None
        table = self._open(generations[-1])
        if recipe is not None and rows.recipe_of(table.schema) != recipe:
            return None
        return Snapshot(self.kb, int(table.version), generation=generations[-1])

    def newest(self, snapshot: Snapshot) -> Snapshot:
        """Return the newest version of the table that a snapshot is of."""
        return replace(snapshot, version=int(self._open(snapshot.generation).version))

    def holds(self, snapshot: Snapshot) -> bool:
        """True if a snapshot can be read: it was made, and not cleaned up since."""
        try:
            self._pinned(snapshot)
        except SnapshotMissingError:
            return False
        return True

    def recipe(self, snapshot: Snapshot) -> Recipe:
        """Return what the table of a snapshot was made by."""
        return rows.recipe_of(self._pinned(snapshot).schema)

    def donors(self, embedder_fingerprint: str) -> tuple[Snapshot, ...]:
        """Return the newest snapshot of each table with vectors of this embedder."""
        found = []
        for generation in reversed(self._generations()):
            table = self._open(generation)
            if rows.recipe_of(table.schema).embedder == embedder_fingerprint:
                found.append(Snapshot(self.kb, int(table.version), generation=generation))
        return tuple(found)

    def probes(self, snapshot: Snapshot) -> Vectors:
        """Return what the embedder made of its probe texts when the table was made."""
        return rows.probes_of(self._pinned(snapshot).schema)

    def documents(self, snapshot: Snapshot | None) -> dict[str, DocumentState]:
        """Return each document's uri with what the snapshot holds of it; none for no snapshot."""
        if snapshot is None:
            return {}
        first = rows.first_chunks(self._pinned(snapshot).schema)
        batches = self._scan(snapshot, ["uri", "document_digest", "trust"], first)
        return {
            uri: DocumentState(digest, trust)
            for batch in batches
            for uri, digest, trust in zip(*_lists(batch), strict=True)
        }

    def headers(
        self, snapshot: Snapshot | None, uris: Collection[str]
    ) -> dict[str, DocumentHeader]:
        """Return what the snapshot says of these documents as a whole, by uri."""
        found: dict[str, DocumentHeader] = {}
        if snapshot is None:
            return found
        first = rows.first_chunks(self._pinned(snapshot).schema)
        for clause in _clauses("document", sorted(map(rows.document_key, uris))):
            for batch in self._scan(snapshot, list(rows.HEADER_COLUMNS), f"{first} AND {clause}"):
                found |= rows.headers_from(batch)
        return found

    def vectors_for(self, snapshot: Snapshot, digests: Collection[str]) -> dict[str, Vector]:
        """Return the vector of each of these text digests that the snapshot has."""
        found: dict[str, Vector] = {}
        for clause in _clauses("digest", sorted(digests)):
            for batch in self._scan(snapshot, ["digest", "vector"], clause):
                vectors = rows.matrix(batch.column("vector"))
                found.update(zip(batch.column("digest").to_pylist(), vectors, strict=True))
        return found

    def chunks_of(self, snapshot: Snapshot, uris: Collection[str]) -> Iterator[list[Chunk]]:
        """Yield the chunks of each of these documents as they stand in the snapshot."""
        for key in sorted(map(rows.document_key, uris)):
            [clause] = _clauses("document", [key])
            yield rows.chunks_from(self._whole(snapshot, ["id"], clause))

    def commit(
        self,
        content: Rows,
        *,
        base: Snapshot | None,
        removed: Collection[str] = (),
        gone: Collection[str] = (),
        recipe: Recipe,
        probes: Vectors,
        run_id: str,
    ) -> Snapshot:
        """Write chunks and their vectors in one atomic commit; `settle` makes it last.

        The commit changes the table of the base, which must be its newest version: documents in
        `removed`, by uri, and chunks in `gone`, by id, go, unless they are among the new ones.
        Without a base the rows become a table of their own. `content` is asked for its batches
        from another thread, and must not read from this index.
        """
        if base is not None:
            return self._merge(base, content, removed, gone, run_id)
        schema = rows.schema_of(recipe, probes)
        generation = max(self._generations(), default=0) + 1
        self._folder.mkdir(parents=True, exist_ok=True)
        reader = _reader(content, schema, run_id)
        table = self._connection.create_table(self._name(generation), reader, schema=schema)
        return Snapshot(self.kb, int(table.version), generation=generation)

    def settle(self, snapshot: Snapshot) -> None:
        """Make a snapshot's table safe against a power cut; LanceDB itself never syncs."""
        make_durable(self._table_folder(snapshot.generation))

    def chunk_table(
        self, snapshot: Snapshot, *, vectors: bool = False, uris: Collection[str] | None = None
    ) -> pa.Table:
        """Return the chunk table of a snapshot, ordered by uri and ordinal.

        Only the documents named, where some are; what it costs then follows how many they are.
        """
        extra = ["vector"] if vectors else []
        columns = [*rows.CHUNK_COLUMNS, *extra]
        if uris is None:
            return self._whole(snapshot, extra).select(columns)
        clauses = list(_clauses("document", sorted(map(rows.document_key, uris)))) or ["false"]
        parts = [self._whole(snapshot, extra, clause).select(columns) for clause in clauses]
        return pa.concat_tables(parts).sort_by([("uri", "ascending"), ("ordinal", "ascending")])

    def outline(self, snapshot: Snapshot) -> SnapshotOutline:
        """Return what every document and chunk of a snapshot is, without any text."""
        return self._run(snapshot, lambda: read_outline(self._pinned(snapshot)))

    def best_cosines(self, snapshot: Snapshot, vectors: Vectors) -> Vectors:
        """Return each unit vector's best cosine, (rows,), to all vectors of a snapshot."""
        return self._run(snapshot, lambda: best_cosines(self._pinned(snapshot), vectors))

    def best_texts(self, snapshot: Snapshot, questions: Sequence[str]) -> list[list[str]]:
        """Return for each question the five texts that full text finds best in a snapshot."""
        return self._run(snapshot, lambda: best_texts(self._pinned(snapshot), questions))

    def search(self, snapshot: Snapshot, query: Query) -> tuple[Hit, ...]:
        """Return what answers best in the snapshot, best first, each text once."""
        return self._run(snapshot, lambda: find(self._pinned(snapshot), query))

    def prepare(self, head: Snapshot, *, thorough: bool = False) -> Snapshot:
        """Build the indices that are due in the newest version; return the one to publish.

        Some thousand rows that an index does not know are no reason, nor is an index that could
        not be built before, unless this is to be `thorough`. The writer's lease is to be held.
        """
        table = self._newest(head)
        if not due(table, stale_rows=0 if thorough else STALE_ROWS, thorough=thorough):
            return head
        if table.count_rows() < KEY_INDEX_ROWS:
            build_indices(table)
        else:
            build_apart(self._folder, self._name(head.generation))
        return self.newest(head)

    def hubs(self, snapshot: Snapshot) -> tuple[Hub, ...]:
        """Return the documents that are near to everything, the worst first."""
        return self._run(snapshot, lambda: find_hubs(self._pinned(snapshot)))

    def tidy(self, kept: Collection[Snapshot], *, now: datetime) -> Tidied:
        """Compact every table and remove what is not kept, whole tables too; see `tidy` there.

        The newest version of the newest table stays. The writer's lease is to be held.
        """
        remove_leftovers(self._folder, self.kb)
        done = Tidied()
        generations = self._generations()
        for generation in generations:
            versions = {each.version for each in kept if each.generation == generation}
            folder = self._table_folder(generation)
            if versions or generation == generations[-1]:
                done += tidy(folder, versions, now=now)
            else:
                done += remove_table(folder, now=now)
        self._handles.clear()
        return done

    def count(self, snapshot: Snapshot) -> int:
        """Return the count of chunks."""
        return int(self._pinned(snapshot).count_rows())

    def content_digest(
        self, snapshot: Snapshot, documents: Mapping[str, DocumentState] | None = None
    ) -> str:
        """Return the sha256 over recipe and documents: what the snapshot says, however it came.

        Two indexes of the same documents by the same recipe have the same content digest whatever
        their versions: what a document's bytes become is decided by the recipe alone. `documents`
        are those of the snapshot, where they were read before.
        """
        recipe = rows.recipe_of(self._pinned(snapshot).schema)
        states = self.documents(snapshot) if documents is None else documents
        whole = hashlib.sha256(f"{recipe.embedder}\n{recipe.cutting}\n".encode())
        for uri in sorted(states):
            state = states[uri]
            whole.update(f"{rows.document_key(uri)} {state.digest} {state.trust}\n".encode())
        return whole.hexdigest()

    @cached_property
    def _connection(self) -> lancedb.DBConnection:
        return lancedb.connect(self._folder)

    def _name(self, generation: int) -> str:
        return self.kb if generation == 1 else f"{self.kb}.{generation}"

    def _table_folder(self, generation: int) -> Path:
        return self._folder / f"{self._name(generation)}.lance"

    def _generations(self) -> list[int]:
        """Return the tables that a commit landed in, oldest first.

        Asked of the disk, since connecting would make a folder.
        """
        numbers = [1]
        for path in self._folder.glob(f"{self.kb}.*.lance"):
            number = path.name.removeprefix(f"{self.kb}.").removesuffix(".lance")
            numbers += [int(number)] if re.fullmatch("[1-9][0-9]*", number) else []
        return sorted(number for number in numbers if self._has_landed(number))

    def _has_landed(self, generation: int) -> bool:
        versions = self._table_folder(generation) / "_versions"
        return versions.is_dir() and any(versions.glob("*.manifest"))

    def _open(self, generation: int) -> lancedb.table.LanceTable:
        try:
            table = self._connection.open_table(self._name(generation))
        except _LANCE_ERRORS as error:
            msg = (
                f"The index of {self.kb!r} in {str(self._folder)!r} cannot be opened: {error}. "
                "Restore the folder from a backup, or delete it and refresh: the documents are the "
                "truth."
            )
            raise IndexCorruptError(msg) from error
        if not rows.is_ours(table.schema):
            msg = (
                f"The table {str(self._table_folder(generation))!r} is not an index that this "
                "Driftline reads: another program or another version of Driftline made it. "
                "Nothing was changed."
            )
            raise IndexCorruptError(msg)
        return table

    def _pinned(self, snapshot: Snapshot) -> lancedb.table.LanceTable:
        """Return a handle that stays at the snapshot; kept, since opening one costs CPU."""
        if snapshot.kb != self.kb:
            msg = f"{snapshot} is not a snapshot of {self.kb!r}."
            raise ValueError(msg)
        if not self._has_landed(snapshot.generation):
            raise _missing(snapshot)
        if snapshot not in self._handles:
            table = self._open(snapshot.generation)
            try:
                table.checkout(snapshot.version)
            except _LANCE_ERRORS as error:
                raise self._explain(snapshot, table, error) from error
            if len(self._handles) >= _KEPT_HANDLES:
                self._handles.pop(next(iter(self._handles)))
            self._handles[snapshot] = table
        return self._handles[snapshot]

    def _newest(self, head: Snapshot) -> lancedb.table.LanceTable:
        """Return a handle to write with; raise PlanMismatchError if another commit came first."""
        table = self._open(head.generation)
        if table.version != head.version:
            msg = f"{head} is not the newest version of its table any more, {table.version} is."
            raise PlanMismatchError(msg)
        return table

    def _explain(
        self, snapshot: Snapshot, table: lancedb.table.LanceTable, error: Exception
    ) -> SnapshotMissingError | IndexCorruptError:
        versions = {version["version"] for version in table.list_versions()}
        if snapshot.version in versions:
            return _unreadable(snapshot, error)
        return _missing(snapshot)

    def _query(
        self, snapshot: Snapshot, columns: list[str], where: str | None = None
    ) -> lancedb.query.LanceQueryBuilder:
        query = self._pinned(snapshot).search().select(columns).limit(None)
        return query.where(where) if where else query

    def _scan(
        self, snapshot: Snapshot, columns: list[str], where: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield some columns batch by batch, in the order asked for."""
        query = self._query(snapshot, columns, where)
        try:
            for batch in query.to_batches():
                yield batch.select(columns)
        except _LANCE_ERRORS as error:
            raise _unreadable(snapshot, error) from error

    def _whole(
        self, snapshot: Snapshot, extra: Sequence[str], where: str | None = None
    ) -> pa.Table:
        """Return whole documents as chunks in reading order, with extra columns."""
        schema = self._pinned(snapshot).schema
        query = self._query(snapshot, rows.to_read_whole(schema, extra), where)
        try:
            return rows.in_reading_order(self._run(snapshot, query.to_arrow))
        except rows.DisorderError as error:
            raise _unreadable(snapshot, error) from error

    def _merge(
        self,
        base: Snapshot,
        content: Rows,
        removed: Collection[str],
        gone: Collection[str],
        run_id: str,
    ) -> Snapshot:
        table = self._newest(base)
        documents = _clauses("document", sorted(map(rows.document_key, removed)))
        scope = " OR ".join([*documents, *_clauses("id", sorted(gone))])
        (
            table.merge_insert("id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(scope or "false")
            .execute(_reader(content, table.schema, run_id))
        )
        return Snapshot(self.kb, int(table.version), generation=base.generation)

    @staticmethod
    def _run(snapshot: Snapshot, read: Callable[[], T]) -> T:
        try:
            return read()
        except _LANCE_ERRORS as error:
            raise _unreadable(snapshot, error) from error


def open_table(folder: Path, name: str) -> lancedb.table.LanceTable:
    """Return a table at its newest version."""
    return lancedb.connect(folder).open_table(name)


def _reader(content: Rows, schema: pa.Schema, run_id: str) -> pa.RecordBatchReader:
    batches = (rows.batch_of(each, schema, run_id=run_id) for each in content)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _clauses(column: str, digests: Sequence[str]) -> Iterator[str]:
    """Yield filters. The only place where one is written, and only hex goes into it."""
    if not all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests):
        msg = "A filter may hold sha256 digests only."
        raise ValueError(msg)
    for start in range(0, len(digests), FILTER_VALUES):
        listed = ", ".join(f"'{digest}'" for digest in digests[start : start + FILTER_VALUES])
        yield f"{column} IN ({listed})"


def _lists(batch: pa.RecordBatch) -> list[list[str]]:
    return [column.to_pylist() for column in batch.columns]


def _missing(snapshot: Snapshot) -> SnapshotMissingError:
    return SnapshotMissingError(
        f"Snapshot {snapshot} is not in the index: it was never made, or cleaned up since."
    )


def _unreadable(snapshot: Snapshot, error: Exception) -> IndexCorruptError:
    return IndexCorruptError(
        f"Snapshot {snapshot} cannot be read: {error}. Restore the index from a backup, or delete "
        "it and refresh; an earlier release may still be whole."
    )
