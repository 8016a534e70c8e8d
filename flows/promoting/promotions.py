"""The history of promotions, what was withdrawn and what is frozen: records read from the journal.

One `promotion` line an attempt, refused ones too. Nothing here publishes, or moves an alias.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from flows.errors import FlowError, FrozenError
from flows.failpoints import reach
from flows.journal.journal import Entry, Fence, Journal, Line
from retrieval.errors import RetrievalError
from training.errors import TrainingError

PROMOTION, FREEZE = "promotion", "freeze"

FLOW = "flow retrain"
"""The actor of a promotion that nobody was asked about."""
ALIAS = "alias in MLflow"
"""The actor where a person moved the alias by hand."""


class Outcome(StrEnum):
    """What an attempt came to."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # a rollback: the model that answered gave way to an earlier one


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to change the champion from one version to another: by whom, why, what came.

    `release` is the one that was published, "" if none was; `evidence` the digest of what was
    approved, "" if nothing was to be approved.
    """

    time: datetime
    actor: str
    outcome: Outcome
    before: int
    after: int
    why: str
    release: str = ""
    evidence: str = ""

    @property
    def line(self) -> Line:
        """The attempt as a line of the journal, findable by the version that was to answer."""
        payload = {
            "actor": self.actor,
            "outcome": self.outcome.value,
            "from": self.before,
            "to": self.after,
            "release": self.release,
            "why": self.why,
            "evidence": self.evidence,
        }
        return Line(PROMOTION, payload, key=str(self.after))


@dataclass(frozen=True, slots=True)
class Freeze:
    """Who stopped refreshes from publishing, when and why, or let them go on (`frozen` False)."""

    time: datetime
    frozen: bool
    actor: str
    why: str

    @property
    def line(self) -> Line:
        """The freeze as a line of the journal."""
        return Line(FREEZE, {"frozen": self.frozen, "actor": self.actor, "why": self.why})


def person(name: str) -> str:
    """Return the actor that a person is.

    >>> person("Ada")
    'person Ada'
    """
    return f"person {name}"


def attempts(journal: Journal, kb: str) -> tuple[Attempt, ...]:
    """Return every attempt, newest last."""
    return tuple(_attempt(entry) for entry in journal.entries(kb, PROMOTION))


def refuse(
    journal: Journal, kb: str, attempt: Attempt, why: str, *, fence: Fence | None = None
) -> None:
    """Write down that an attempt was refused, and why."""
    line = replace(attempt, outcome=Outcome.REFUSED, why=why, release="").line
    journal.append(kb, line.kind, line.payload, time=attempt.time, key=line.key, fence=fence)
    reach("promotion.refused")


@contextmanager
def refusal_kept(journal: Journal, kb: str, attempt: Attempt) -> Iterator[None]:
    """Write down what the block refuses, whoever holds the lease by then, and raise it on."""
    try:
        yield
    except (FlowError, RetrievalError, TrainingError) as error:
        refuse(journal, kb, attempt, f"{error.code}: {error}")
        raise


def withdrawn(journal: Journal, kb: str, version: int) -> Attempt | None:
    """Return the rollback that took a version back, None if it may be promoted automatically.

    A later promotion of that version, by a person, or a rollback to it lifts the withdrawal.
    """
    for attempt in reversed(attempts(journal, kb)):
        if attempt.outcome is Outcome.REFUSED or attempt.before == attempt.after:
            continue
        if attempt.after == version:
            return None
        if attempt.before == version and attempt.outcome is Outcome.WITHDRAWN:
            return attempt
    return None


def frozen(journal: Journal, kb: str) -> Freeze | None:
    """Return who froze a knowledge base and why, None if it is not frozen."""
    entry = journal.last(kb, FREEZE)
    if entry is None or not entry.payload["frozen"]:
        return None
    return Freeze(entry.time, True, entry.payload["actor"], entry.payload["why"])


def refuse_frozen(journal: Journal, kb: str) -> None:
    """Raise FrozenError, which names who froze it and the cure, if a knowledge base is frozen."""
    freeze = frozen(journal, kb)
    if freeze is None:
        return
    msg = (
        f"Knowledge base {kb!r} was frozen by {freeze.actor} on {freeze.time:%Y-%m-%d %H:%M} UTC "
        f"({freeze.why}), so nothing was published over its release. Let it go on with "
        f"`driftline resume {kb}`."
    )
    raise FrozenError(msg)


def _attempt(entry: Entry) -> Attempt:
    told = entry.payload
    return Attempt(
        entry.time,
        told["actor"],
        Outcome(told["outcome"]),
        told["from"],
        told["to"],
        told["why"],
        told["release"],
        told["evidence"],
    )
