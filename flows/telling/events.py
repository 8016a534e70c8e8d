"""What people's own automations are told: typed payloads under stable ids. Pure.

A payload's fields are a contract; `docs/operations.md` lists them, and more may come.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeAlias

# Any fixed one does: what matters is that the same words give the same id for ever.
_NAMESPACE = uuid.UUID("6f6b0e1c-7c1b-5f0e-9b0a-3d1b7a4c2e55")


def stable_id(*parts: str) -> str:
    """Return the UUID (version 5, RFC 9562) that belongs to these words, in this order.

    >>> stable_id("a", "b") == stable_id("a", "b") != stable_id("ab", "")
    True
    """
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))


@dataclass(frozen=True, slots=True)
class DriftExceeded:
    """A check decided to watch or to retrain. Staleness is a share; None where not measured."""

    NAME: ClassVar[str] = "driftline.drift.exceeded"

    kb: str
    check: int
    action: str
    reason: str
    needs_approval: bool
    staleness: float | None
    staleness_low: float | None
    staleness_high: float | None
    reference: str
    current: str
    release: str
    mlflow_run: str


@dataclass(frozen=True, slots=True)
class ReleasePublished:
    """A release answers. `publication` is its kind in the history, such as refresh or rollback."""

    NAME: ClassVar[str] = "driftline.release.published"

    kb: str
    release: str
    snapshot: str
    model_version: int
    publication: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelPromoted:
    """Another version of the model is the champion: by whom, why, on which evidence."""

    NAME: ClassVar[str] = "driftline.model.promoted"

    kb: str
    release: str
    from_version: int
    to_version: int
    actor: str
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class GuardBlocked:
    """A guard stopped a refresh; the release from before keeps answering."""

    NAME: ClassVar[str] = "driftline.guard.blocked"

    kb: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class AnswersTaken:
    """Documents that came in take the answers of unchanged ones, without holding them."""

    NAME: ClassVar[str] = "driftline.answers.taken"

    kb: str
    check: int
    release: str
    documents: tuple[str, ...]
    reason: str


Payload: TypeAlias = DriftExceeded | ReleasePublished | ModelPromoted | GuardBlocked | AnswersTaken


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is handed over. `id` is the same however often it is sent."""

    id: str
    name: str
    kb: str
    occurred: datetime
    payload: dict[str, Any]

    @classmethod
    def of(cls, payload: Payload, *, occurred: datetime, about: str) -> Self:
        """Return the event of a payload; two about the same thing are one event."""
        name = payload.NAME
        return cls(stable_id(name, payload.kb, about), name, payload.kb, occurred, asdict(payload))

    @classmethod
    def read(cls, key: str, stored: dict[str, Any]) -> Self:
        """Return the event that `stored` was made of."""
        occurred = datetime.fromisoformat(stored["occurred"])
        return cls(key, stored["name"], stored["kb"], occurred, stored["payload"])

    @property
    def stored(self) -> dict[str, Any]:
        """The event as JSON can hold it; its id is kept beside."""
        return {
            "name": self.name,
            "kb": self.kb,
            "occurred": self.occurred.astimezone(UTC).isoformat(timespec="seconds"),
            "payload": self.payload,
        }
