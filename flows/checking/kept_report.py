"""The last check's measurement, kept so that a check that finds nothing new measures nothing.

A file beside the reports; losing it costs a measurement, nothing else. Its own digest stands in it,
since a wrong figure would decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from flows.failpoints import reach
from flows.release import Release
from monitors.decision.policy import Thresholds
from monitors.records import DriftReport, Signal

MEASURED = "measured.json"
"""Its name in the folder of a knowledge base."""


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A report, and what the champion itself said where it was asked, under what it depends on."""

    key: str
    report: DriftReport
    surprise: Signal | None = None


_FORMAT = TypeAdapter(KeptReport)
_WRITTEN = re.compile(rb'\{"sha256":"([0-9a-f]{64})","kept":(.*)\}', re.DOTALL)


def key_of(release: Release, thresholds: Thresholds) -> str:
    """Return what a measurement of a release depends on: content, reference, levels, program."""
    parts = (release.id, release.trained_on, release.snapshot, thresholds, version("driftline"))
    return " ".join(map(str, parts))


def read_kept(file: Path, key: str) -> KeptReport | None:
    """Return what was kept under this key; None for another one, or a file that is damaged."""
    try:
        kept = _FORMAT.validate_json(_whole(file.read_bytes()) or b"")
    except (FileNotFoundError, ValidationError):
        return None
    return kept if kept.key == key else None


def is_damaged(file: Path) -> bool:
    """Return whether a file is not what was written."""
    return _whole(file.read_bytes()) is None


def keep(file: Path, kept: KeptReport) -> None:
    """Write it under another name first, so that a killed run leaves the file as it was."""
    draft = file.with_suffix(".part")
    draft.parent.mkdir(parents=True, exist_ok=True)
    told = _FORMAT.dump_json(kept)
    draft.write_bytes(b'{"sha256":"%b","kept":%b}' % (sha256(told).hexdigest().encode(), told))
    reach("report.kept")
    draft.replace(file)


def _whole(content: bytes) -> bytes | None:
    """Return what is kept in a file's content, None where that does not hash to what it says."""
    written = _WRITTEN.fullmatch(content)
    if written is None or sha256(written[2]).hexdigest().encode() != written[1]:
        return None
    return written[2]
