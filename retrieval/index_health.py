"""Is an index what was written, and the two ways back where it is not: an earlier version, or anew.

Looking writes nothing; `go_back` and `condemn` are for whoever holds the writer's lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from retrieval import table_reading as reading
from retrieval import table_rows as rows
from retrieval.errors import IndexCorruptError
from retrieval.records import DocumentState, Recipe, Snapshot
from retrieval.store import Index
from retrieval.table_folder import MANIFEST, SET_ASIDE, VERSIONS, version_of
from retrieval.table_opening import explained, missing, unreadable
from retrieval.table_restoring import restore_above
from retrieval.table_seal import CheckedFiles, check_files, set_aside_unsealed
from retrieval.table_verify import VerifiedRows, sample_offsets, verify_rows

OnCount = Callable[[int], None]


def _quietly(_: int) -> None:
    return


class IndexHealth:
    """Looks at an index and puts it right; what a snapshot says is read through the index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._folders, self._tables = index.folders, index.tables

    def has_manifest(self, snapshot: Snapshot) -> bool:
        """True if a snapshot's manifest is on the disk, whatever is in it."""
        return snapshot.version in self._folders.versions(snapshot.generation)

    def files(
        self, *, hashed: Callable[[str], bool], on_files: OnCount = _quietly
    ) -> Iterator[CheckedFiles]:
        """Yield what is wrong with the files of each table, the oldest first.

        Read are those whose path in the table's folder is to be `hashed`.
        """
        for generation in self._folders.generations():
            yield check_files(self._folders.path(generation), hashed=hashed, on_files=on_files)

    def rows(self, snapshot: Snapshot, *, on_rows: OnCount = _quietly) -> VerifiedRows:
        """Return what is wrong with the rows of a snapshot, all of which are read.

        Raises SnapshotMissingError, and IndexCorruptError where they cannot even be read.
        """
        table = self._tables.pinned(snapshot)
        with explained(lambda error: unreadable(snapshot, error)):
            if rows.is_of_an_older_format(table.schema):
                return self._without_digests(snapshot)
            return verify_rows(reading.scan(table, table.schema.names), on_rows=on_rows)

    def sample(self, snapshot: Snapshot, count: int, *, seed: int) -> VerifiedRows:
        """Return what is wrong with a sample of a snapshot's rows; the same for the same seed.

        Raises as `rows` does. What is about all rows together, a sample cannot show.
        """
        table = self._tables.pinned(snapshot)
        with explained(lambda error: unreadable(snapshot, error)):
            offsets = sample_offsets(table.count_rows(), count, seed=seed)
            if rows.is_of_an_older_format(table.schema) or not offsets:
                return VerifiedRows(0, {}, (), 0, ())
            drawn = table.take_offsets(offsets).select(table.schema.names).to_arrow()
            found = verify_rows(drawn.to_batches())
        return VerifiedRows(found.rows, {}, found.damaged, found.damaged_rows, ())

    def unreadable_indices(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the columns whose search index cannot be read; rows are compared instead."""
        table = self._tables.pinned(snapshot)
        with explained(lambda error: unreadable(snapshot, error)):
            return tuple(
                index.columns[0]
                for index in table.list_indices()
                if table.index_stats(index.name) is None
            )

    def recipe(self, snapshot: Snapshot) -> Recipe:
        """Return what the table of a snapshot says that it was made by."""
        return self._index.recipe(snapshot)

    def content_digest(self, snapshot: Snapshot, documents: dict[str, DocumentState]) -> str:
        """Return the content digest that these documents of a snapshot come to."""
        return self._index.content_digest(snapshot, documents)

    def quarantined(self) -> tuple[Path, ...]:
        """Return every file that was set aside, by name."""
        folders = (self._folders.path(each) / VERSIONS for each in self._folders.generations())
        return tuple(sorted(path for each in folders for path in each.glob(f"*{SET_ASIDE}")))

    def go_back(self, snapshot: Snapshot, *, above: int = 0) -> Snapshot:
        """Make a snapshot's content the newest of the index; return it as it is named now.

        Its number is over every one on the disk and over `above`, so that no name that ever stood
        for a snapshot comes to stand for another. Nothing is moved: versions that cannot be read
        are for `set_aside_unreadable`, after this. Newer tables are condemned. Killed anywhere,
        doing it again ends the same.
        """
        versions = self._folders.versions(snapshot.generation)
        if snapshot.version not in versions:
            raise missing(snapshot)
        for generation in self._folders.generations():
            if generation > snapshot.generation:
                self.condemn(generation, f"{snapshot} answers instead")
        table = self._folders.path(snapshot.generation)
        with explained(lambda error: unreadable(snapshot, error)):
            manifest = versions[snapshot.version]
            version = restore_above(table, manifest, max(above, *versions))
        self._tables.forget_handles()
        newest = replace(snapshot, version=version)
        self._index.settle(newest)
        return newest

    def set_aside_unreadable(self, newest: Snapshot) -> tuple[Path, ...]:
        """Set aside the manifests of a table that cannot be read; return where they are.

        `newest` is its newest version, and can be read. What was set aside before counts too.
        """
        folder = self._folders.path(newest.generation)
        for version, manifest in self._folders.versions(newest.generation).items():
            try:
                self._tables.pinned(replace(newest, version=version))
            except IndexCorruptError:
                set_aside_unsealed(folder, manifest)
        self._tables.forget_handles()
        return tuple(path for path in self.quarantined() if path.parent.parent == folder)

    def file_set_aside(self, snapshot: Snapshot) -> Path | None:
        """Return where a snapshot's manifest was set aside last, None if it was not."""
        folder = self._folders.path(snapshot.generation) / VERSIONS
        found = (
            (path.stat().st_ctime_ns, path)
            for path in folder.glob(f"*{SET_ASIDE}")
            if version_of(f"{path.name.partition(MANIFEST)[0]}{MANIFEST}") == snapshot.version
        )
        return max(found, default=(0, None))[1]

    def uncover(self, generation: int) -> tuple[Path, ...]:
        """Set newest manifests aside that keep a table from being opened; return where they are.

        If nothing below them opens either, all stay where they were.
        """
        moved: list[tuple[Path, Path]] = []
        folder = self._folders.path(generation)
        for manifest in self._folders.versions(generation).values():
            try:
                self._tables.open(generation)
            except IndexCorruptError:
                moved.append((manifest, set_aside_unsealed(folder, manifest)))
            else:
                return tuple(aside for _, aside in moved)
        for manifest, aside in reversed(moved):
            aside.rename(manifest)
        return ()

    def condemn(self, generation: int, why: str) -> None:
        """Have the next refresh make the index anew, aside; what can be read answers meanwhile.

        Rows that are whole give their vectors to the new table; no other is copied.
        """
        self._folders.condemn(generation, why)

    def _without_digests(self, snapshot: Snapshot) -> VerifiedRows:
        """Return the rows of an older format: readable, with nothing to hold against."""
        documents = self._index.documents(snapshot)
        count = len(self._index.chunk_table(snapshot))
        return VerifiedRows(count, documents, (), 0, ())
