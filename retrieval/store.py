"""The index: one knowledge base's LanceDB tables, read by snapshot and written by commit.

How a table is opened, read, searched, indexed and compacted stands in files of its own.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from lancedb.table import LanceTable

from retrieval import table_reading as reading
from retrieval import table_rows as rows
from retrieval.durability import make_durable
from retrieval.embedders import Vector, Vectors
from retrieval.errors import IndexCorruptError, SnapshotMissingError
from retrieval.filters import any_of, digest_filters
from retrieval.index_worker import build_apart
from retrieval.records import Chunk, DocumentHeader, DocumentState, Hit, Recipe, Snapshot
from retrieval.sealed_upkeep import tidy_sealed
from retrieval.table_comparison import SnapshotOutline, best_cosines, best_texts, read_outline
from retrieval.table_folder import Keeper, TableFolders
from retrieval.table_hubs import Hub, find_hubs
from retrieval.table_indices import KEY_INDEX_ROWS, STALE_ROWS, build_indices, due
from retrieval.table_opening import Tables, explained, unreadable
from retrieval.table_seal import seal
from retrieval.table_search import Query, find
from retrieval.table_upkeep import Tidied, remove_leftovers
from retrieval.table_writing import Rows, create, merge
from retrieval.unwritable import writing_to

T = TypeVar("T")


class Index:
    """The chunks of one knowledge base: a table for each recipe, and every version of it.

    Reading is pinned: each call reads the snapshot it is given, so that a refresh that lands
    meanwhile changes nothing. Reading never creates a file. Of two tables the one with the higher
    generation is the newer. With a `keeper`, what is newer than what answers and cannot be read is
    set aside; without one it is an error.
    """

    def __init__(self, folder: Path, kb: str, *, keeper: Keeper | None = None) -> None:
        self.kb = kb
        self.folders = TableFolders(folder, kb)
        self.tables = Tables(self.folders, keeper)
        self._folder = folder
        self._keeper = keeper

    def head(self, recipe: Recipe | None = None) -> Snapshot | None:
        """Return the newest snapshot; None if it does not follow the recipe, where one is given.

        An older table that does is no base to go on from: what was refreshed since is not in it.
        Neither is one that was condemned.
        """
        try:
            found = self.tables.head()
        except IndexCorruptError:
            if self.folders.condemned(self.folders.generations()[-1]):
                return None
            raise
        if found is None:
            return None
        snapshot, table = found
        follows = not self.condemned(snapshot) and rows.recipe_of(table.schema) == recipe
        return snapshot if recipe is None or follows else None

    def newest(self, snapshot: Snapshot) -> Snapshot:
        """Return the newest version of the table that a snapshot is of."""
        return replace(snapshot, version=int(self.tables.open(snapshot.generation).version))

    def holds(self, snapshot: Snapshot) -> bool:
        """True if a snapshot can be read: it was made, and not cleaned up since."""
        try:
            self._pinned(snapshot)
        except SnapshotMissingError:
            return False
        return True

    def condemned(self, snapshot: Snapshot) -> bool:
        """True if the table of a snapshot was given up: the next refresh makes another."""
        return self.folders.condemned(snapshot.generation)

    def recipe(self, snapshot: Snapshot) -> Recipe:
        """Return what the table of a snapshot was made by."""
        return rows.recipe_of(self._pinned(snapshot).schema)

    def donors(self, embedder_fingerprint: str) -> tuple[Snapshot, ...]:
        """Return the newest snapshot of each table with vectors of this embedder."""
        found = []
        for generation in reversed(self.folders.generations()):
            try:
                table = self.tables.open(generation)
            except IndexCorruptError:
                if self.folders.condemned(generation):
                    continue
                raise
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
        return self._forgiving(snapshot, reading.documents, {})

    def headers(
        self, snapshot: Snapshot | None, uris: Collection[str]
    ) -> dict[str, DocumentHeader]:
        """Return what the snapshot says of these documents as a whole, by uri."""
        if snapshot is None:
            return {}
        return self._forgiving(snapshot, lambda table: reading.headers(table, uris), {})

    def vectors_for(self, snapshot: Snapshot, digests: Collection[str]) -> dict[str, Vector]:
        """Return the vector of each of these text digests that the snapshot has."""
        wanted = [*digest_filters("digest", sorted(digests))]
        suspect = self.condemned(snapshot)
        return self._forgiving(
            snapshot, lambda table: reading.vectors(table, wanted, suspect=suspect), {}
        )

    def chunks_of(self, snapshot: Snapshot, uris: Collection[str]) -> Iterator[list[Chunk]]:
        """Yield the chunks of each of these documents as they stand in the snapshot."""
        suspect = self.condemned(snapshot)
        for key in reading.keys(uris):
            [clause] = digest_filters("document", [key])
            read = partial(reading.chunks_of, where=clause, suspect=suspect)
            chunks: list[Chunk] = self._forgiving(snapshot, read, [])
            if chunks:
                yield chunks

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
        from another thread, and must not read from this index. Raises IndexUnwritableError.
        """
        with writing_to(self._folder):
            if base is not None:
                table, generation = self.tables.writable(base), base.generation
                merge(table, content, removed=removed, gone=gone, run_id=run_id)
            else:
                schema, generation = rows.schema_of(recipe, probes), self._next_generation()
                self._folder.mkdir(parents=True, exist_ok=True)
                name = self.folders.name(generation)
                table = create(self.tables.connection, name, content, schema, run_id=run_id)
        return Snapshot(self.kb, int(table.version), generation=generation)

    def settle(self, snapshot: Snapshot) -> None:
        """Seal what each file of a snapshot's table hashes to, and sync it against a power cut.

        LanceDB itself does neither.
        """
        folder = self.folders.path(snapshot.generation)
        with writing_to(self._folder):
            seal(folder)
            make_durable(folder)

    def chunk_table(
        self, snapshot: Snapshot, *, vectors: bool = False, uris: Collection[str] | None = None
    ) -> pa.Table:
        """Return the chunk table of a snapshot, ordered by uri and ordinal.

        Only the documents named, where some are; what it costs then follows how many they are.
        """
        extra = ["vector"] if vectors else []
        columns = [*rows.CHUNK_COLUMNS, *extra]
        if uris is None:
            return self._read(snapshot, partial(reading.whole, extra=extra)).select(columns)
        clauses = [*digest_filters("document", reading.keys(uris))] or [any_of()]
        parts = [
            self._read(snapshot, partial(reading.whole, extra=extra, where=clause)).select(columns)
            for clause in clauses
        ]
        return pa.concat_tables(parts).sort_by([("uri", "ascending"), ("ordinal", "ascending")])

    def outline(self, snapshot: Snapshot) -> SnapshotOutline:
        """Return what every document and chunk of a snapshot is, without any text."""
        return self._read(snapshot, read_outline)

    def best_cosines(self, snapshot: Snapshot, vectors: Vectors) -> Vectors:
        """Return each unit vector's best cosine, (rows,), to all vectors of a snapshot."""
        return self._read(snapshot, lambda table: best_cosines(table, vectors))

    def best_texts(self, snapshot: Snapshot, questions: Sequence[str]) -> list[list[str]]:
        """Return for each question the five texts that full text finds best in a snapshot."""
        return self._read(snapshot, lambda table: best_texts(table, questions))

    def search(self, snapshot: Snapshot, query: Query) -> tuple[Hit, ...]:
        """Return what answers best in the snapshot, best first, each text once."""
        return self._read(snapshot, lambda table: find(table, query))

    def prepare(self, head: Snapshot, *, thorough: bool = False) -> Snapshot:
        """Build the indices that are due in the newest version; return the one to publish.

        Some thousand rows that an index does not know are no reason, nor is an index that could
        not be built before, unless this is to be `thorough`. The writer's lease is to be held.
        """
        table = self.tables.writable(head)
        if not due(table, stale_rows=0 if thorough else STALE_ROWS, thorough=thorough):
            return head
        if table.count_rows() < KEY_INDEX_ROWS:
            build_indices(table)
        else:
            build_apart(self._folder, self.folders.name(head.generation))
        return self.newest(head)

    def hubs(self, snapshot: Snapshot) -> tuple[Hub, ...]:
        """Return the documents that are near to everything, the worst first."""
        return self._read(snapshot, find_hubs)

    def tidy(self, kept: Collection[Snapshot], *, now: datetime) -> Tidied:
        """Compact every table and remove what is not kept, whole tables too; see `tidy` there.

        The newest version of the newest table stays, and so does a condemned one for as long as
        something in it is kept. The writer's lease is to be held.
        """
        remove_leftovers(self._folder, self.kb)
        done = Tidied()
        generations = self.folders.generations()
        for generation in generations:
            versions = {each.version for each in kept if each.generation == generation}
            if self.folders.condemned(generation) and versions:
                continue  # to compact it would copy its damage
            needed = bool(versions) or generation == generations[-1]
            with explained(partial(self.tables.unopenable, generation)):
                folder = self.folders.path(generation)
                done += tidy_sealed(folder, versions if needed else None, now=now)
        self.tables.forget_handles()
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
        states = self.documents(snapshot) if documents is None else documents
        return reading.content_digest(self.recipe(snapshot), states)

    def _pinned(self, snapshot: Snapshot) -> LanceTable:
        return self.tables.pinned(snapshot)

    def _next_generation(self) -> int:
        """Return a number that no snapshot in the journal has, even where the folder was lost."""
        serves = self._keeper.serves() if self._keeper is not None else None
        return max([0, *self.folders.generations(), serves.generation if serves else 0]) + 1

    def _read(self, snapshot: Snapshot, read: Callable[[LanceTable], T]) -> T:
        """Read of a pinned table; raise IndexCorruptError for what cannot be."""
        table = self._pinned(snapshot)
        with explained(lambda error: unreadable(snapshot, error)):
            return read(table)

    def _forgiving(self, snapshot: Snapshot, read: Callable[[LanceTable], T], nothing: T) -> T:
        """Read of a pinned table; of a condemned one nothing, where it cannot be read."""
        try:
            return self._read(snapshot, read)
        except IndexCorruptError:
            if self.condemned(snapshot):
                return nothing
            raise
