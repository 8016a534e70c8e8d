"""Weigh the champion on new and on old text, once for each text, and make a signal of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from flows.desk import Desk
from flows.errors import FlowError
from flows.release import Release
from flows.steps import OnProgress, Perform
from monitors.records import Signal
from monitors.signals import surprise as detector
from monitors.signals.surprise import Bits
from retrieval.scan_cache import discard_if_damaged
from training.errors import ModelMissingError, TrainingError
from training.judging.passages import (
    Model,
    PassageBits,
    Passages,
    Surprise,
    assemble,
    draw_passages,
    missing,
    tokens_of,
)
from training.records import Row

# SmolLM2-135M in bfloat16 on one core that has it; what was measured here takes its place.
_TOKENS_A_SECOND = 900.0
_SPEED = "tokens a second"
_SCHEMA = "CREATE TABLE IF NOT EXISTS bits (key TEXT PRIMARY KEY, value REAL) WITHOUT ROWID"


@dataclass(frozen=True, slots=True)
class Surprised:
    """The signal, and what it cost: texts that were weighed now, about how many tokens, seconds.

    `estimated_seconds` was said before. All are 0 if every text had been weighed before.
    """

    signal: Signal
    weighed: int
    tokens: int
    estimated_seconds: float
    seconds: float = field(default=0.0, compare=False)


def measure_surprise(
    desk: Desk,
    perform: Perform,
    release: Release,
    *,
    before: pa.Table,
    now: pa.Table,
    steady: pa.Table,
    known: AbstractSet[str],
    most: int,
) -> Surprised:
    """Weigh at most `most` passages a side and return the signal; `most` 0 weighs none.

    The tables are those of the comparison with `release.trained_on`: documents that were edited or
    are gone as they were, those that are new or edited as they are, some that are the same; `known`
    are the normal digests of the whole reference. What was weighed before costs nothing: no model
    is loaded then, and torch not imported. A model that cannot be loaded leaves the signal
    unmeasured, with the reason, since a check must not fail for a figure that decides nothing.
    """
    if not most:
        return Surprised(detector.unmeasured("it is switched off"), 0, 0, 0.0)
    passages = draw_passages(before, now, steady, known=known, most=most)
    short = detector.shortage(*(_documents(side) for side in (passages.new, passages.old)))
    if short:
        return Surprised(detector.unmeasured(short), 0, 0, 0.0)
    bits = BitsCache(desk.folder / "surprise.db")
    champion = Model(release.base_digest, release.adapter_digest)
    found = bits.read(_keys(champion, passages))
    rows = [row for model in _models(champion) for row in missing(model, passages.rows, found)]
    tokens = tokens_of(rows)
    estimate = tokens / bits.read([_SPEED]).get(_SPEED, _TOKENS_A_SECOND)
    if not rows:
        return Surprised(_signal(assemble(champion, passages, found)), 0, 0, 0.0)
    title = f"Weighing the champion ({len(rows)} texts, {tokens:,} tokens, about {estimate:.0f} s)"
    started = time.monotonic()
    try:
        seen = perform(title, lambda tell: _weigh(desk, release, passages, bits, tell))
    except (TrainingError, FlowError) as error:
        return Surprised(detector.unmeasured(str(error)), 0, 0, estimate)
    seconds = time.monotonic() - started
    bits.keep({_SPEED: tokens / max(seconds, 1e-3)})
    return Surprised(_signal(seen), len(rows), tokens, estimate, seconds)


def _weigh(
    desk: Desk,
    release: Release,
    passages: Passages,
    bits: BitsCache,
    on_progress: OnProgress,
) -> Surprise:
    # torch and peft: seconds that a check whose texts were all weighed before never needs
    from training.judging.surprise import measure_surprise as weigh  # noqa: PLC0415

    if desk.base.digest != release.base_digest:
        msg = (
            f"The base model that the settings name is {desk.base.digest[:12]}, the one that "
            f"answers is {release.base_digest[:12]}. Set `base` under `[model]` back, or retrain."
        )
        raise ModelMissingError(msg)
    version = desk.registry.version(release.model_name, release.model_version)
    champion = Model(release.base_digest, release.adapter_digest)
    return weigh(
        desk.base,
        version.adapter_folder,
        passages,
        known=bits.read(_keys(champion, passages)),
        keep=bits.keep,
        on_progress=on_progress,
    )


def _documents(rows: Sequence[Row]) -> list[str]:
    return [row.uri for row in rows]


def _models(champion: Model) -> list[Model]:
    return [champion, champion.control] if champion.control else [champion]


def _keys(champion: Model, passages: Passages) -> list[str]:
    return [model.key(row) for model in _models(champion) for row in passages.rows]


def _signal(seen: Surprise) -> Signal:
    """Hand the bits of every side over to the detector, as plain values."""
    sides = (seen.new, seen.old, seen.edited, seen.was)
    return detector.signal(*(_bits(side) for side in sides))


def _bits(side: Sequence[PassageBits]) -> Bits:
    base = tuple(passage.base for passage in side if passage.base is not None)
    return Bits(
        documents=tuple(passage.uri for passage in side),
        champion=tuple(passage.champion for passage in side),
        base=base or None,
    )


class BitsCache:
    """What texts cost models, by key, in one SQLite file. Losing it costs weighing, nothing else.

    It holds digests and numbers, no text. Reading creates no file; one that is damaged is removed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self, keys: Collection[str]) -> dict[str, float]:
        """Return what is known of these keys."""
        if not self._file.exists():
            return {}
        try:
            with closing(sqlite3.connect(self._file)) as database:
                rows = (
                    database.execute("SELECT key, value FROM bits WHERE key = ?", (key,)).fetchone()
                    for key in keys
                )
                return {key: float(value) for key, value in filter(None, rows)}
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            discard_if_damaged(self._file, error)
            return {}

    def keep(self, bits: Mapping[str, float]) -> None:
        """Write some down in one transaction."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self._file)) as database, database:
                database.execute(_SCHEMA)
                database.executemany("INSERT OR REPLACE INTO bits VALUES (?, ?)", bits.items())
        except sqlite3.DatabaseError as error:
            discard_if_damaged(self._file, error)
