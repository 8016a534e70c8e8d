"""Opens LanceDB tables by name and version, and says what is wrong with one that will not open."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import lancedb
import pyarrow as pa
from lancedb.table import LanceTable

from retrieval import table_rows as rows
from retrieval.errors import IndexCorruptError, PlanMismatchError, SnapshotMissingError
from retrieval.records import Snapshot
from retrieval.table_folder import Keeper, Quarantined, TableFolders
from retrieval.table_seal import changed, set_aside_unsealed
from retrieval.table_view import view_for

_KEPT_HANDLES = 4
_LANCE_ERRORS = (ValueError, RuntimeError, OSError)
# What Lance's own code raises where it gives up on bytes: no class of a module that one can name.
_PANICS = frozenset({"PanicException", "RustPanic"})

_log = logging.getLogger(__name__)


@contextmanager
def explained(explain: Callable[[BaseException], Exception]) -> Iterator[None]:
    """Raise what a damaged or missing file makes of the block as the error that explains it."""
    try:
        yield
    except (IndexCorruptError, SnapshotMissingError):
        raise
    except _LANCE_ERRORS as error:
        raise explain(error) from error
    except BaseException as error:
        if type(error).__name__ not in _PANICS:
            raise
        raise explain(error) from error


class Tables:
    """The tables of one knowledge base, opened at the version that is asked for."""

    def __init__(self, folders: TableFolders, keeper: Keeper | None = None) -> None:
        self._folders = folders
        self._keeper = keeper
        self._handles: dict[Snapshot, LanceTable] = {}

    def head(self) -> tuple[Snapshot, LanceTable] | None:
        """Return the newest version of the newest table, None if there is no table.

        Raises IndexCorruptError if the index is older than what answers.
        """
        for generation in reversed(self._folders.generations()):
            try:
                table = self.open(generation)
            except SnapshotMissingError:
                continue  # all of it was set aside
            found = Snapshot(self._folders.kb, int(table.version), generation=generation)
            self._refuse_older(found)
            return found, table
        return None

    def open(self, generation: int) -> LanceTable:
        """Return a table at its newest version that can be read.

        What is newer than the version that answers, and cannot be read, is set aside.
        """
        try:
            with explained(lambda error: self.unopenable(generation, error)):
                table = self._newest(generation)
        except IndexCorruptError as error:
            table = self._below_what_is_damaged(generation, error)
        self._refuse_foreign(generation, table.schema)
        return table

    def pinned(self, snapshot: Snapshot) -> LanceTable:
        """Return a handle that stays at the snapshot; kept, since opening one costs CPU.

        Raises SnapshotMissingError and IndexCorruptError.
        """
        if snapshot.kb != self._folders.kb:
            msg = f"{snapshot} is not a snapshot of {self._folders.kb!r}."
            raise ValueError(msg)
        if not self._folders.versions(snapshot.generation):
            raise missing(snapshot)
        if snapshot not in self._handles:
            table = self._at(snapshot)
            if len(self._handles) >= _KEPT_HANDLES:
                self._handles.pop(next(iter(self._handles)))
            self._handles[snapshot] = table
        return self._handles[snapshot]

    def _at(self, snapshot: Snapshot) -> LanceTable:
        """Return a table at a version, past a newest one that cannot be read."""
        try:
            table = self.open(snapshot.generation)
        except IndexCorruptError as error:
            return self._in_a_view(snapshot, error)
        with explained(lambda error: self._why_not(snapshot, error)):
            table.checkout(snapshot.version)
            schema = table.schema  # read from its manifest, where damage shows
        self._refuse_foreign(snapshot.generation, schema)
        return table

    def _in_a_view(self, snapshot: Snapshot, error: IndexCorruptError) -> LanceTable:
        """Return a table at a version whose newest one cannot be read; it is not touched."""
        manifests = self._folders.versions(snapshot.generation)
        if snapshot.version not in manifests or snapshot.version == max(manifests):
            raise error
        path = self._folders.path(snapshot.generation)
        with explained(lambda error: unreadable(snapshot, error)):
            view = view_for(self, path, manifests[snapshot.version])
            table = open_table(view, self._folders.name(snapshot.generation))
            self._refuse_foreign(snapshot.generation, table.schema)
        return table

    def writable(self, head: Snapshot) -> LanceTable:
        """Return a handle to write with.

        Raises PlanMismatchError if another commit came first, and IndexCorruptError if the table
        has columns that are not ours: a commit would have nothing to put there.
        """
        table = self.open(head.generation)
        if table.version != head.version:
            msg = f"{head} is not the newest version of its table any more, {table.version} is."
            raise PlanMismatchError(msg)
        if added := sorted(set(table.schema.names) - set(_expected(table.schema).names)):
            msg = (
                f"The table {str(self._folders.path(head.generation))!r} has columns that "
                f"Driftline did not make: {', '.join(map(repr, added))}. It goes on answering, and "
                "was not written to. Drop them, or have the next refresh make the index anew "
                f"beside it: `driftline verify {head.kb} --repair --anew`."
            )
            raise IndexCorruptError(msg)
        return table

    def forget_handles(self) -> None:
        """Let go of every kept handle: what they point at may be gone."""
        self._handles.clear()

    @cached_property
    def connection(self) -> lancedb.DBConnection:
        """The folder as a database."""
        return lancedb.connect(self._folders.folder)

    def _newest(self, generation: int) -> LanceTable:
        table = self.connection.open_table(self._folders.name(generation))
        _ = table.schema  # read from its manifest, where damage shows
        self._refuse_changed(Snapshot(self._folders.kb, int(table.version), generation=generation))
        return table

    def _refuse_changed(self, head: Snapshot) -> None:
        """Raise for a head that nobody was told of, can be read, and is not what was sealed."""
        if not self._may_go(head):
            return
        manifest = self._folders.versions(head.generation)[head.version]
        if what := changed(self._folders.path(head.generation), manifest):
            raise unreadable(head, ValueError(what))

    def _below_what_is_damaged(self, generation: int, error: IndexCorruptError) -> LanceTable:
        """Set aside unreadable newest versions until one opens; if none does, put all back."""
        moved: list[tuple[Path, Quarantined]] = []
        for version, manifest in self._folders.versions(generation).items():
            snapshot = Snapshot(self._folders.kb, version, generation=generation)
            if not self._may_go(snapshot) or not os.access(manifest, os.R_OK):
                break
            aside = set_aside_unsealed(self._folders.path(generation), manifest)
            moved.append((manifest, Quarantined(snapshot, aside, str(error))))
            try:
                with explained(lambda error: self.unopenable(generation, error)):
                    table = self._newest(generation)
            except IndexCorruptError:
                continue
            self._tell([found for _, found in moved])
            return table
        if moved and not self._folders.versions(generation):
            self._tell([found for _, found in moved])
            raise missing(moved[-1][1].snapshot) from error
        for manifest, found in reversed(moved):
            found.file.rename(manifest)
        raise error

    def _may_go(self, snapshot: Snapshot) -> bool:
        if self._keeper is None:
            return False
        serves = self._keeper.serves()
        return serves is None or _age(snapshot) > _age(serves)

    def _tell(self, found: list[Quarantined]) -> None:
        for each in found:
            _log.warning(
                "%s could not be read and is newer than what answers: it was set aside as %s.",
                each.snapshot,
                each.file,
            )
            if self._keeper is not None:
                self._keeper.tell(each)

    def _refuse_older(self, head: Snapshot) -> None:
        """Raise for a table that was put back from a backup: its next versions exist already."""
        serves = self._keeper.serves() if self._keeper is not None else None
        if serves is None or _age(head) >= _age(serves):
            return
        if self._folders.condemned(head.generation):
            return
        msg = (
            f"The index of {head.kb!r} ends at {head}, but {serves} is what answers: the index is "
            "older than the journal, as after restoring one without the other. Nothing was "
            "written. Restore both of the same time, or go on from what is there with "
            f"`driftline verify {head.kb} --repair`."
        )
        raise IndexCorruptError(msg)

    def _refuse_foreign(self, generation: int, schema: pa.Schema) -> None:
        path = str(self._folders.path(generation))
        if not rows.is_ours(schema):
            msg = (
                f"The table {path!r} is not an index that this Driftline reads: another program "
                "or another version of Driftline made it. Nothing was changed."
            )
            raise IndexCorruptError(msg)
        try:
            lacking = [name for name in _expected(schema).names if name not in schema.names]
        except (ValueError, KeyError, TypeError) as error:
            msg = f"The table {path!r} does not say by what it was made: {error!r}. {self._cure}"
            raise IndexCorruptError(msg) from error
        if lacking:
            named = ", ".join(map(repr, lacking))
            msg = f"The table {path!r} lacks the columns {named}. {self._cure}"
            raise IndexCorruptError(msg)

    def unopenable(self, generation: int, error: BaseException) -> IndexCorruptError:
        """Return the error for a table that is there and damaged."""
        folder = str(self._folders.path(generation))
        return IndexCorruptError(
            f"The index of {self._folders.kb!r} in {folder!r} cannot be opened: "
            f"{first_line(error)}. {self._cure}"
        )

    def _why_not(self, snapshot: Snapshot, error: BaseException) -> Exception:
        there = snapshot.version in self._folders.versions(snapshot.generation)
        return unreadable(snapshot, error) if there else missing(snapshot)

    @property
    def _cure(self) -> str:
        return (
            f"`driftline verify {self._folders.kb} --repair` has an earlier release answer, or "
            "says how to make the index anew: the documents are the truth."
        )


def open_table(folder: Path, name: str) -> LanceTable:
    """Return a table at its newest version."""
    return lancedb.connect(folder).open_table(name)


def missing(snapshot: Snapshot) -> SnapshotMissingError:
    """Return the error for a version that is not there."""
    return SnapshotMissingError(
        f"Snapshot {snapshot} is not in the index: it was never made, or cleaned up since."
    )


def unreadable(snapshot: Snapshot, error: BaseException) -> IndexCorruptError:
    """Return the error for a version that is there and damaged."""
    return IndexCorruptError(
        f"Snapshot {snapshot} cannot be read: {first_line(error)}. `driftline verify "
        f"{snapshot.kb} --repair` has an earlier release answer that is whole, or says how to make "
        "the index anew."
    )


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says.

    >>> first_line(OSError("not found."))
    'not found'
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")


def _expected(schema: pa.Schema) -> pa.Schema:
    """Return the schema that a table has if only Driftline wrote to it."""
    if rows.is_of_an_older_format(schema):
        return schema
    return rows.schema_of(rows.recipe_of(schema), rows.probes_of(schema))


def _age(snapshot: Snapshot) -> tuple[int, int]:
    return snapshot.generation, snapshot.version
