"""The nouns of monitoring: signals, the documents behind them, reports and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Signal:
    """One drift measure with its verdict.

    `score` is a share, 0..1, and grows with the change. `p_value` is None for paired measures:
    both versions are known whole, so there is nothing to infer. A signal that could not be
    measured has score None and never counts as "no drift".
    """

    name: str
    score: float | None
    threshold: float
    drifted: bool
    reason: str
    p_value: float | None = None


class ChangeKind(StrEnum):
    """What happened to a document between the reference and the current snapshot."""

    NEW = "new"
    EDITED = "edited"
    REMOVED = "removed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class DocumentDrift:
    """One document behind the drift. `share` is its part, 0..1, of all unseen text."""

    uri: str
    share: float
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All signals of one comparison and the documents behind them, largest share first.

    `staleness` estimates the share of questions that the current text answers and the reference
    does not (0..1).
    """

    reference: str
    current: str
    staleness: float
    signals: tuple[Signal, ...]
    documents: tuple[DocumentDrift, ...]
    reference_chunks: int
    current_chunks: int

    def signal(self, name: str) -> Signal | None:
        """Return the signal of that name, None if this comparison has none."""
        return next((signal for signal in self.signals if signal.name == name), None)


class Action(StrEnum):
    """What a decision asks for. Watch is said to people; only retrain is acted on."""

    NONE = "none"
    WATCH = "watch"
    RETRAIN = "retrain"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about the drift, with the reason in words."""

    action: Action
    reason: str
