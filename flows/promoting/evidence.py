"""What a person is shown before a promotion, under a digest that an approval is bound to.

Read from the journal alone, so that showing it opens neither MLflow nor a model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from flows.desk import Desk
from flows.errors import EvidenceMismatchError, NoEvidenceError
from flows.journal.journal import Entry
from flows.promoting.promotions import withdrawn

DIGITS = 12
"""How much of a digest is typed: 48 bits, which no two verdicts of a knowledge base share."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of the weighing: both models' means, and the change with its interval."""

    name: str
    champion: float
    challenger: float
    change: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A verdict on a version, and how things stand with it now.

    `champion` is the version that answers now, `weighed_against` the one that answered when the
    verdict was given, `judged_last` the version of the newest verdict. `judged` is when, ISO 8601.
    `withdrawn` says who took the version back and why, "" if nobody did.
    """

    kb: str
    version: int
    promote: bool
    reason: str
    champion: int
    weighed_against: int
    judged_last: int
    judged: str
    withdrawn: str
    reference: str
    snapshot: str
    adapter_digest: str
    data_digest: str
    measures: tuple[Measured, ...]

    @property
    def digest(self) -> str:
        """The sha256 over all that is shown, as canonical JSON; DIGITS of it are enough to type."""
        shown = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(shown.encode()).hexdigest()

    def refuse_other(self, given: str) -> None:
        """Raise EvidenceMismatchError unless a digest, or DIGITS or more of it, names this."""
        digits = given.strip().lower()
        if len(digits) >= DIGITS and self.digest.startswith(digits):
            return
        msg = (
            f"{given!r} is not the evidence on version {self.version} of {self.kb!r} as it stands "
            f"now: at least {DIGITS} digits are needed, and another verdict or another champion "
            f"makes an approval void. Look at it with `driftline promote {self.kb} --version "
            f"{self.version}`."
        )
        raise EvidenceMismatchError(msg)


def evidence_of(desk: Desk, version: int | None = None) -> Evidence:
    """Return the evidence on a version, by default on the one that was judged last.

    Raises NoReleaseError where nothing answers yet, and NoEvidenceError without a verdict.
    """
    verdicts = desk.journal.entries(desk.name, "verdict")
    about = [each for each in verdicts if version in {None, each.payload["version"]}]
    if not about:
        which = "any version" if version is None else f"version {version}"
        msg = (
            f"Knowledge base {desk.name!r} has no verdict on {which}. Train a challenger with "
            f"`driftline retrain {desk.name}`; go back to an earlier model with "
            f"`driftline rollback {desk.name} RELEASE`."
        )
        raise NoEvidenceError(msg)
    return _evidence(desk, about[-1], judged_last=verdicts[-1].payload["version"])


def _evidence(desk: Desk, verdict: Entry, *, judged_last: int) -> Evidence:
    told = verdict.payload
    taken_back = withdrawn(desk.journal, desk.name, told["version"])
    return Evidence(
        kb=desk.name,
        version=told["version"],
        promote=told["promote"],
        reason=told["reason"],
        champion=desk.release().release.model_version,
        weighed_against=told["champion_version"],
        judged_last=judged_last,
        judged=verdict.time.isoformat(timespec="seconds"),
        withdrawn=f"by {taken_back.actor}: {taken_back.why}" if taken_back else "",
        reference=told["reference"],
        snapshot=told["snapshot"],
        adapter_digest=told["adapter_digest"],
        data_digest=told["data_digest"],
        measures=tuple(_measures(told["evaluation"])),
    )


def _measures(evaluation: dict[str, Any]) -> Iterator[Measured]:
    """Yield what was weighed; a verdict of the first format tells it in its reason alone."""
    for name, measure in evaluation.items():
        if isinstance(measure, dict) and "change" in measure and measure["rows"]:
            change = measure["change"]
            yield Measured(
                name,
                measure["champion"],
                measure["challenger"],
                change["mean"],
                change["low"],
                change["high"],
                measure["rows"],
            )
