"""The nouns of monitoring: signals, what is behind them, reports and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Signal:
    """One drift measure with its verdict.

    `score` grows with the change; it is a share, 0..1, unless its detector says otherwise. `low`
    and `high` bound it with 95 % confidence where it was sampled. `p_value` is None for paired
    measures: both versions are known whole, so there is nothing to infer. A signal that could not
    be measured has score None and never counts as "no drift".
    """

    name: str
    score: float | None
    threshold: float
    drifted: bool
    reason: str
    p_value: float | None = None
    low: float | None = None
    high: float | None = None


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


class Part(StrEnum):
    """By what the unseen text is divided up: each way gives shares that add up to one."""

    FOLDER = "folder"
    SECTION = "section"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class PartDrift:
    """A part of the corpus behind the drift: a folder, a section of documents, a kind of change."""

    part: Part
    name: str
    share: float
    documents: int


@dataclass(frozen=True, slots=True)
class WordDrift:
    """A word that came or went: how many chunks held it before, and hold it now."""

    word: str
    before: int
    now: int


class FactKind(StrEnum):
    """What kind of fact changed inside an otherwise equal sentence."""

    NUMBER = "number"
    DATE = "date"
    VERSION = "version"
    NAME = "name"
    NEGATION = "negation"


@dataclass(frozen=True, slots=True)
class FactualEdit:
    """A fact that changed inside an otherwise equal sentence. All text is raw: escape to show."""

    uri: str
    kind: FactKind
    was: str
    now: str
    sentence_was: str
    sentence_now: str


class HousekeepingKind(StrEnum):
    """What a change is that is not knowledge: a fault, or tidying up."""

    FORMATTING = "formatting"
    MOVED = "moved"
    DUPLICATED = "duplicated"
    ENCODING = "encoding fault"
    FOLDER_ADDED = "folder added"
    FOLDER_LOST = "folder lost"


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Documents whose change is no reason to retrain, and why in words."""

    kind: HousekeepingKind
    uris: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class TopicDocument:
    """An incoming document, how far it is from the reference, and whether that is unusual."""

    uri: str
    distance: float
    unusual: bool


@dataclass(frozen=True, slots=True)
class NewTopic:
    """Incoming documents tested against the reference; the farthest first.

    `p_value` holds for one test; `level` is what the schedule allows this one. `words` tell the
    documents that are unusual from the reference.
    """

    p_value: float | None
    level: float
    documents: tuple[TopicDocument, ...]
    words: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Triage:
    """Which memory has to move: what the refreshed index has cured of the staleness already.

    Shares, 0..1, of the stale probes: `cured` ones are answered by the refreshed index; the rest
    is left to the weights.
    """

    stale_probes: int
    cured: float
    reason: str


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All signals of one comparison and what is behind them, largest share first.

    `staleness` estimates the share of questions that the current text answers and the reference
    does not (0..1), with a 95 % interval. What `housekeeping` names is left out of every signal.
    """

    reference: str
    current: str
    staleness: float
    signals: tuple[Signal, ...]
    documents: tuple[DocumentDrift, ...]
    reference_chunks: int
    current_chunks: int
    staleness_low: float = 0.0
    staleness_high: float = 1.0
    parts: tuple[PartDrift, ...] = ()
    words_came: tuple[WordDrift, ...] = ()
    words_went: tuple[WordDrift, ...] = ()
    edits: tuple[FactualEdit, ...] = ()
    edits_found: int = 0
    housekeeping: tuple[Housekeeping, ...] = ()
    topic: NewTopic | None = None
    triage: Triage | None = None

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
class Cost:
    """What a retraining would cost here. `seconds` is None where nothing is known yet.

    `basis` says in words where the figures come from; `money` is in `currency`, None where no
    price is set.
    """

    seconds: float | None
    money: float | None
    currency: str
    basis: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about the drift, with the reason in words, and what a retraining would cost.

    `needs_approval` stands beside a retraining that waits for a person.
    """

    action: Action
    reason: str
    cost: Cost | None = None
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class Takeover:
    """A document, how many probes it took, from which documents, and whether it is a stranger's."""

    uri: str
    probes: int
    taken_from: tuple[str, ...]
    untrusted: bool
