"""What is damaged beside index and models: journal, databases, pages of checks, receipts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from flows.checking.kept_report import MEASURED, is_damaged
from flows.desk import Desk
from flows.erasing.erasures import ERASURE
from flows.erasing.receipt import read_receipt, receipt_files
from flows.examining.verification import Notes
from flows.journal.head import read_head
from flows.journal.redaction import REDACTION
from training.sums import broken_page, pages_with_sums

_SQLITE = "sqlite:///"


def look_at_journal(desk: Desk, notes: Notes) -> None:
    """Note the first entry of the journal that was changed or lost."""
    notes.checked["journal"] += 1
    note = desk.settings.journal_head
    if note.exists() and read_head(note) is None:
        notes.found(
            "JOURNAL_CORRUPT",
            note,
            "it names no entry, so nothing tells here whether the journal's end was cut off",
            answers="the newest release that the journal names; its entries are looked at apart",
            cure=f"`driftline history {desk.name} --verify --known N:DIGEST` with an entry that "
            "was noted elsewhere; the next entry that is written makes the note anew",
        )
    broken = desk.journal.first_broken()
    if broken is not None:
        notes.found(
            "JOURNAL_CORRUPT",
            f"journal entry {broken}",
            "it is not what was written, or an entry before it is gone",
            answers="the newest release that it names; what it says of the past is in doubt",
            cure=f"put the journal back from a backup; `driftline history {desk.name}` shows it",
        )


def look_at_databases(desk: Desk, notes: Notes) -> bool:
    """Note what SQLite finds wrong with its own files; return whether MLflow's can be used."""
    sound = True
    for file, is_cache in _databases(desk):
        notes.checked["databases"] += 1
        wrong = sqlite_damage(file)
        if not wrong:
            continue
        sound = sound and file.name != "mlflow.db"
        kept = "remove it: it only saves work" if is_cache else "put it back from a backup"
        notes.found(
            "DATABASE_CORRUPT",
            file,
            f"SQLite says: {wrong}",
            answers="what the journal names" if is_cache else "whatever can still be read of it",
            cure=kept,
        )
    return sound


def look_at_pages(desk: Desk, notes: Notes) -> None:
    """Note the pages of checks that are not what was written; whoever needs one makes it again."""
    for page in pages_with_sums(desk.folder / "reports"):
        notes.checked["pages"] += 1
        if wrong := broken_page(page):
            notes.found(
                "PAGE_CORRUPT",
                page,
                wrong,
                answers="nothing reads it but people; MLflow has a copy with the check's run",
                cure=f"remove it; a `driftline monitor {desk.name}` that measures writes one",
            )


def look_at_measurement(desk: Desk, notes: Notes) -> None:
    """Note that the last check's figures are not what was written; no check takes them then."""
    kept = desk.folder / MEASURED
    if not kept.exists():
        return
    notes.checked["measurements"] += 1
    if is_damaged(kept):
        notes.found(
            "MEASUREMENT_CORRUPT",
            kept,
            "it does not hash to what it says",
            answers="what was answered before; nothing is decided on these figures",
            cure=f"nothing: the next `driftline monitor {desk.name}` measures anew and replaces it",
        )


def look_at_receipts(desk: Desk, notes: Notes) -> None:
    """Note the receipts of erasures that do not say what the journal says.

    A later erasure may have rewritten what an earlier one is remembered by: that one is passed.
    """
    rewritten = desk.journal.last(desk.name, REDACTION)
    for entry in desk.journal.entries(desk.name, ERASURE):
        if rewritten is not None and rewritten.sequence > entry.sequence:
            continue
        receipt = read_receipt(entry)
        for file, text in receipt_files(desk, receipt).items():
            notes.checked["receipts"] += 1
            if not file.is_file() or file.read_bytes() != text.encode():
                notes.found(
                    "RECEIPT_CORRUPT",
                    file,
                    "it is not what the journal has of this erasure",
                    answers="the journal, which `driftline audit export` writes out",
                    cure="remove it, or put it back from a backup",
                )


def sqlite_damage(file: Path) -> str:
    """Return what SQLite finds wrong with a database, "" if nothing; opened to be read only."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            [(said,)] = database.execute("PRAGMA integrity_check(1)").fetchall()
    except (sqlite3.DatabaseError, ValueError) as error:
        return str(error)
    return "" if said == "ok" else str(said)


def _databases(desk: Desk) -> Iterator[tuple[Path, bool]]:
    """Yield every SQLite file of a knowledge base, and whether it only saves work."""
    urls = (desk.settings.journal_url, desk.settings.tracking_uri)
    kept = [Path(url.removeprefix(_SQLITE)) for url in urls if url.startswith(_SQLITE)]
    yield from ((file, False) for file in kept if file.exists())
    yield from ((file, True) for file in sorted(desk.folder.glob("*.db")))
