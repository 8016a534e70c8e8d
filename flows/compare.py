"""Measure drift between two folders, two snapshots, or two git revisions of this folder."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from flows.desk import open_desk
from flows.settings import load_settings
from flows.steps import Perform
from monitors.drift import measure_drift
from monitors.policy import History, RetrainPolicy, decide
from monitors.records import Decision, DriftReport
from retrieval.errors import SourceUnreachableError
from retrieval.folder_table import read_chunk_table
from retrieval.records import Snapshot
from retrieval.sources.folder import FolderSource
from retrieval.sources.git import export_revision, is_revision


def compare(
    old: str, new: str, perform: Perform, *, config: Path | None = None
) -> tuple[DriftReport, Decision]:
    """Compare two sides with the default policy; raise SourceUnreachableError for neither."""
    reference = perform(f"Reading {old}", lambda _: _table(old, config))
    current = perform(f"Reading {new}", lambda _: _table(new, config))
    report = perform(
        "Measuring drift",
        lambda _: measure_drift(reference, current, reference_name=old, current_name=new),
    )
    return report, decide(report, RetrainPolicy(), History(), now=datetime.now(UTC))


def _table(side: str, config: Path | None) -> pa.Table:
    """Read the chunks of a folder, a snapshot or a git revision, looked for in that order."""
    here = Path.cwd()
    if Path(side).is_dir():
        return read_chunk_table(FolderSource(Path(side)))[0]
    if _is_snapshot(side):
        snapshot = Snapshot.parse(side)
        with open_desk(load_settings(config), snapshot.kb) as desk:
            return desk.index.chunk_table(snapshot, vectors=True)
    if is_revision(here, side):
        with tempfile.TemporaryDirectory(prefix="driftline-") as folder:
            export_revision(here, side, Path(folder))
            return read_chunk_table(FolderSource(Path(folder)))[0]
    msg = (
        f"Nothing to compare at {side!r}: it is no folder, no snapshot like 'docs@42', and no "
        "git revision of the folder you are in."
    )
    raise SourceUnreachableError(msg)


def _is_snapshot(text: str) -> bool:
    try:
        Snapshot.parse(text)
    except ValueError:
        return False
    return True
