"""The last check's measurement, kept so that a check that finds nothing new measures nothing.

A file beside the reports; losing it costs a measurement, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from flows.failpoints import reach
from flows.release import Release
from monitors.decision.policy import Thresholds
from monitors.records import DriftReport, Signal


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A report, and what the champion itself said where it was asked, under what it depends on."""

    key: str
    report: DriftReport
    surprise: Signal | None = None


_FORMAT = TypeAdapter(KeptReport)


def key_of(release: Release, thresholds: Thresholds) -> str:
    """Return what a measurement of a release depends on: content, reference, levels, program."""
    parts = (release.id, release.trained_on, release.snapshot, thresholds, version("driftline"))
    return " ".join(map(str, parts))


def read_kept(file: Path, key: str) -> KeptReport | None:
    """Return what was kept under this key; None for another one, or a file that is damaged."""
    try:
        kept = _FORMAT.validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return kept if kept.key == key else None


def keep(file: Path, kept: KeptReport) -> None:
    """Write it under another name first, so that a killed run leaves the file as it was."""
    draft = file.with_suffix(".part")
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(_FORMAT.dump_json(kept))
    reach("report.kept")
    draft.replace(file)
