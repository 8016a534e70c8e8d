"""Every place that a document's text, name or vectors can be in, outside the index' tables."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from flows.desk import Desk
from flows.erasing.plan import Subject, Work, file_of, index_folder
from flows.erasing.proof import Place
from flows.erasing.scrubbing import (
    Mine,
    rows_of,
    scrub_database,
    scrub_file,
    squeeze,
)
from flows.erasing.traces import Redactor
from flows.errors import ErasureIncompleteError
from flows.failpoints import reach
from flows.journal.journal import Fence
from flows.settings.source import GitSource
from retrieval.records import Snapshot
from retrieval.scan_cache import remove_database
from training.examples.erasure import erase_rows

# They only save work, so all of one goes: what they hold of which document is not told.
_CACHES = ("vectors.db", "surprise.db")
_MEASURED = ("measured.json", "measured.part")
_SHARED = ("index", "kb", "mlartifacts")  # folders of `home` with one folder a knowledge base
_BESIDE = ("-wal", "-shm", "-journal", "-reserve")
_EXAMPLES, _MODEL, _CARD = "examples", "model", "card.md"


@dataclass(frozen=True, slots=True)
class Tracked:
    """What MLflow's database on this machine has of a knowledge base."""

    file: Path
    experiment: str
    runs: dict[str, Path]
    model: str

    def mine(self, _table: str, row: dict[str, Any]) -> bool:
        """True for a row that is about this knowledge base."""
        runs = {row.get(name) for name in ("run_uuid", "run_id", "source_run_id")}
        if runs & self.runs.keys():
            return True
        here = str(row.get("experiment_id", "")) == self.experiment
        return here or self.model in {row.get("name"), row.get("model_name")}


def may_hold(desk: Desk, subject: Subject, name: str) -> bool:
    """True if a snapshot, by name, has one of the documents, or is gone and may have had one."""
    snapshot = Snapshot.parse(name)
    if not desk.index.holds(snapshot):
        return True
    return bool(subject.within(desk.index.documents(snapshot), newest=False))


def erase_caches(desk: Desk, work: Work, redactor: Redactor) -> None:
    """Erase what this knowledge base keeps beside the index: caches, trainings, pages, mirrors."""
    for name in _CACHES:
        remove_database(desk.folder / name)
    for name in _MEASURED:
        (desk.folder / name).unlink(missing_ok=True)
    reach("forget.measured")
    _erase_scans(desk.folder / "scan.db", work, redactor)
    reach("forget.scans")
    _erase_derived(desk, work)
    reach("forget.pages")
    own = file_of(desk).parent
    for file in [*(file for file in _files(desk.folder) if file.parent != own), *_loose(desk)]:
        scrub_file(file, redactor)


def _erase_derived(desk: Desk, work: Work) -> None:
    """Remove what trainings left, the clones of git sources, and pages about what is withdrawn."""
    # A training holds the lease that is held here, so what is there was left by a killed one.
    shutil.rmtree(desk.folder / "trainings", ignore_errors=True)
    for name, source in desk.kb.named_sources().items():
        if isinstance(source, GitSource):
            shutil.rmtree(desk.folder / "mirrors" / (name or "only"), ignore_errors=True)
    for page in pages_of(desk, work):
        (desk.folder / "reports" / page).unlink(missing_ok=True)


def _erase_scans(file: Path, work: Work, redactor: Redactor) -> None:
    """Take the documents' rows out of the scan cache, and every note that names one."""
    if not file.exists():
        return
    names = {part for uri in work.subject.names for part in (uri, uri.partition(":")[2]) if part}
    gone = [(name,) for name in sorted(names)]
    try:
        with closing(sqlite3.connect(file)) as opened, opened:
            opened.execute("PRAGMA secure_delete = ON")
            opened.executemany("DELETE FROM documents WHERE uri = ?", gone)
            opened.executemany("DELETE FROM notes WHERE name = ?", gone)
    except sqlite3.DatabaseError:
        remove_database(file)  # damaged, or another program's: it only saves work
        return
    scrub_database(file, redactor, drop=True)


def pages_of(desk: Desk, work: Work) -> frozenset[str]:
    """Return the names of the pages about a snapshot that held one of the documents."""
    checks = (entry.payload for entry in desk.journal.entries(desk.name, "check"))
    return frozenset(
        f"{told['reference']}-{told['current']}.html".replace("@", "-")
        for told in checks
        if {told["reference"], told["current"]} & set(work.held)
    )


def erase_tracking(desk: Desk, work: Work, redactor: Redactor) -> None:
    """Erase what MLflow keeps on this machine: rows, tables, pages, answers, notes, parameters."""
    tracked = tracked_by(desk)
    if tracked is None:
        return
    pages = pages_of(desk, work)
    for folder in tracked.runs.values():
        if folder.is_dir():
            _erase_artifacts(folder, work, redactor, pages)
    reach("forget.artifacts")
    scrub_database(tracked.file, redactor, mine=tracked.mine)


def _erase_artifacts(folder: Path, work: Work, redactor: Redactor, pages: frozenset[str]) -> None:
    tells: Callable[[dict[str, Any]], bool] = lambda row: redactor.value(row) != row  # noqa: E731
    if (folder / _EXAMPLES).is_dir():
        erase_rows(folder / _EXAMPLES, work.subject.erased, tells)
    for file in _files(folder):
        inside = file.relative_to(folder).parts[0]
        if file.name in pages:
            file.unlink()
        elif inside != _EXAMPLES and (inside != _MODEL or file.name == _CARD):
            # A model's own files are vouched for by digests, and hold no text.
            scrub_file(file, redactor)


def erase_journal(desk: Desk, work: Work, redactor: Redactor, fence: Fence) -> None:
    """Rewrite the journal's entries that name or quote a document; the chain still holds."""

    def rewrite(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        rewritten: dict[str, Any] = redactor.value(payload)
        # A release is made of digests and names of ours; a word of a text must not become one.
        return {**rewritten, "release": payload["release"]} if kind == "release" else rewritten

    desk.journal.redact(
        desk.name, rewrite, actor=work.actor, why=f"erasure {work.id}", time=desk.now, fence=fence
    )
    file = _local(desk.settings.journal_url)
    if file is None:
        return
    try:
        with closing(sqlite3.connect(file, timeout=20, isolation_level=None)) as opened:
            squeeze(opened)
    except sqlite3.OperationalError as error:
        msg = (
            f"The journal {str(file)!r} cannot be squeezed now: {error}. The erasure is not "
            "complete; stop what uses it and run the same command again."
        )
        raise ErasureIncompleteError(msg) from error


def tracked_by(desk: Desk) -> Tracked | None:
    """Return what MLflow's database has of this knowledge base; None for a server's, or none."""
    file = _local(desk.settings.tracking_uri)
    if file is None or not file.exists():
        return None
    with closing(sqlite3.connect(file)) as opened:
        found = opened.execute(
            "SELECT experiment_id FROM experiments WHERE name = ?", (f"driftline-{desk.name}",)
        ).fetchone()
        number = "" if found is None else str(found[0])
        runs = {
            row["run_uuid"]: _folder(row["artifact_uri"])
            for row in rows_of(opened, "runs")
            if str(row["experiment_id"]) == number
        }
    return Tracked(file, number, runs, desk.model_name)


def places_to_search(desk: Desk) -> Iterator[Place]:
    """Yield every file in which a trace could be: of this knowledge base, and what all share.

    The file that says what to look for is not among them; it goes when the receipt is written.
    """
    home = desk.settings.home_folder
    index = (file for file in _files(index_folder(desk)) if _is_of(desk, file))
    kept = (file for file in _files(desk.folder) if file != file_of(desk))
    for file in chain(index, kept, _loose(desk)):
        yield Place(file, _named(home, file))
    tracked, journal = tracked_by(desk), _local(desk.settings.journal_url)
    alone = len(desk.settings.kb) == 1
    if tracked is not None:
        for file in chain.from_iterable(map(_files, tracked.runs.values())):
            yield Place(file, _named(home, file))
        yield Place(tracked.file, _named(home, tracked.file), None if alone else tracked.mine)
    if journal is not None:
        mine: Mine = lambda _, row: row.get("kb", desk.name) == desk.name  # noqa: E731
        yield Place(journal, _named(home, journal), None if alone else mine)


def _is_of(desk: Desk, file: Path) -> bool:
    """True for a file of the index that is, or was, of one of this knowledge base's tables."""
    top = file.relative_to(index_folder(desk)).parts[0]
    return top.partition(".")[0] == desk.name


def out_of_reach(desk: Desk) -> tuple[str, ...]:
    """Return in words what an erasure cannot look into, where there is such a thing."""
    told = []
    if _local(desk.settings.tracking_uri) is None:
        told.append("the MLflow server: its runs and artifacts are not rewritten")
    if _local(desk.settings.journal_url) is None:
        told.append("the journal's database server: its dead rows go with VACUUM FULL")
    for name, source in desk.kb.named_sources().items():
        told.append(f"source {name!r} ({source.kind})" if name else f"the source ({source.kind})")
    if desk.kb.training.chat is not None:
        told.append("the file of your own conversations, which trainings read")
    if desk.kb.questions is not None:
        told.append("the file of questions asked, which belongs to the assistant")
    return (*told, "backups, copies and snapshots of disks", "Prefect's database and logs")


def _loose(desk: Desk) -> Iterator[Path]:
    """Yield what lies in `home` and belongs to no knowledge base, but the two databases."""
    home = desk.settings.home_folder
    urls = (desk.settings.journal_url, desk.settings.tracking_uri)
    known = {file for url in urls if (file := _local(url)) is not None}
    beside = {file.with_name(file.name + end) for file in known for end in _BESIDE}
    for file in _files(home):
        if file.relative_to(home).parts[0] not in _SHARED and file not in known | beside:
            yield file


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _named(home: Path, file: Path) -> str:
    return file.relative_to(home).as_posix() if file.is_relative_to(home) else file.name


def _folder(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))


def _local(url: str) -> Path | None:
    """Return the file of a SQLite database, None for a server's."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
