"""Measure drift between two folders, two snapshots, or two git revisions of this folder."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from flows.checking.changes import read_pair
from flows.desk import open_desk
from flows.settings.settings import load_settings
from flows.steps import Perform
from monitors.asking.full_text import search_in
from monitors.decision.policy import History, RetrainPolicy, decide
from monitors.drift import measure_drift
from monitors.pair import Pair, pair_of_tables
from monitors.records import Decision, DriftReport
from monitors.sampling.incoming import SINGLE, measure_topic
from retrieval.errors import SourceUnreachableError
from retrieval.folder_table import read_chunk_table
from retrieval.records import Snapshot
from retrieval.sources.folder import FolderSource
from retrieval.sources.git import export_revision, is_revision


def compare(
    old: str, new: str, perform: Perform, *, config: Path | None = None
) -> tuple[DriftReport, Decision]:
    """Compare two sides with the default policy; raise SourceUnreachableError for neither."""
    pair = perform(f"Reading {old} and {new}", lambda _: _pair(old, new, config))
    report = perform(
        "Measuring drift",
        lambda _: measure_drift(
            pair, reference_name=old, current_name=new, topic=measure_topic(pair, SINGLE)
        ),
    )
    return report, decide(report, RetrainPolicy(), History(), now=datetime.now(UTC))


def _pair(old: str, new: str, config: Path | None) -> Pair:
    """Read two snapshots of one index by what differs, any other two sides whole."""
    before, now = _snapshot(old), _snapshot(new)
    if before is None or now is None or before.kb != now.kb:
        tables = _table(old, config), _table(new, config)
        searches = [search_in(table["text"].to_pylist()) for table in tables]
        return pair_of_tables(*tables, search_reference=searches[0], search_current=searches[1])
    with open_desk(load_settings(config), now.kb) as desk:
        return read_pair(desk.index, before, now)


def _table(side: str, config: Path | None) -> pa.Table:
    """Read the chunks of a folder, a snapshot or a git revision, looked for in that order."""
    here, snapshot = Path.cwd(), _snapshot(side)
    if snapshot is not None:
        with open_desk(load_settings(config), snapshot.kb) as desk:
            return desk.index.chunk_table(snapshot)
    if Path(side).is_dir():
        return read_chunk_table(FolderSource(Path(side)))[0]
    if is_revision(here, side):
        with tempfile.TemporaryDirectory(prefix="driftline-") as folder:
            export_revision(here, side, Path(folder))
            return read_chunk_table(FolderSource(Path(folder)))[0]
    msg = (
        f"Nothing to compare at {side!r}: it is no folder, no snapshot like 'docs@42', and no "
        "git revision of the folder you are in."
    )
    raise SourceUnreachableError(msg)


def _snapshot(side: str) -> Snapshot | None:
    """Return the snapshot of that name, None if it is none, or a folder is called so."""
    try:
        return None if Path(side).is_dir() else Snapshot.parse(side)
    except ValueError:
        return None
