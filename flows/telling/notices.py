"""What people are told: one sentence, a link, an id that a receiver can know again. Pure text.

Whatever came from a document is made harmless here, for services that read Markdown or HTML.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from flows.telling.events import stable_id

MOST_BYTES = 4_096
"""A message's body in UTF-8; the smallest limit of the chat services in common use."""
_TITLE = 120
_DIGEST_SENTENCE = 400
_CUT = "…"
# Each has a meaning in the HTML or Markdown of some service: tags, links, mentions, code.
_HARMLESS = str.maketrans(
    {
        "<": "\u2039",  # single angle quotation marks
        ">": "\u203a",
        "[": "(",
        "]": ")",
        "`": "'",
        "@": "\uff20",  # fullwidth
    }
)


class NoticeKind(StrEnum):
    """What a notice is about; the settings choose among these words."""

    WATCH = "watch"
    RETRAIN = "retrain"
    BLOCKED = "blocked"
    APPROVAL = "approval"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    ROLLBACK = "rollback"
    FROZEN = "frozen"
    FAILED = "failed"
    TAKEOVER = "takeover"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that people want to know. `sentence` is as it was said, not yet made harmless."""

    id: str
    kind: NoticeKind
    kb: str
    time: datetime
    sentence: str
    link: str

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Self:
        """Return the notice that `stored` was made of."""
        time, kind = datetime.fromisoformat(stored["time"]), NoticeKind(stored["kind"])
        return cls(**{**stored, "time": time, "kind": kind})

    @property
    def stored(self) -> dict[str, Any]:
        """The notice as JSON can hold it."""
        time = self.time.astimezone(UTC).isoformat(timespec="seconds")
        return {**asdict(self), "time": time, "kind": self.kind.value}


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a title, and at most MOST_BYTES of plain text. `id` is inside, to dedupe by."""

    id: str
    title: str
    body: str


def check_sentence(kb: str, action: str, reason: str) -> str:
    """Say what a check decided; a reason that waits for approval says so itself.

    >>> check_sentence("docs", "watch", "staleness 6 % is over 5 %")
    'docs is drifting: staleness 6 % is over 5 %.'
    """
    begun = "is drifting" if action == "watch" else "has drifted so far that it needs a retraining"
    return f"{kb} {begun}: {_ended(reason)}"


def takeover_sentence(kb: str, reason: str) -> str:
    """Say which documents take the answers of others.

    >>> takeover_sentence("docs", "b.md took answers")
    'docs answers, and b.md took answers. Look at it before you train on it.'
    """
    return f"{kb} answers, and {_ended(reason)} Look at it before you train on it."


def blocked_sentence(kb: str, code: str, reason: str) -> str:
    """Say which guard stopped a refresh."""
    return (
        f"The refresh of {kb} was stopped by {code}: {_ended(reason)} "
        "What answered before still answers."
    )


def verdict_sentence(kb: str, version: int, *, promote: bool, reason: str) -> str:
    """Say that a version waits for a person, or was not good enough."""
    if promote:
        return (
            f"Version {version} of {kb} passed and waits for your approval: {_ended(reason)} "
            f"Look at the evidence with: driftline promote {kb}"
        )
    return f"Version {version} of {kb} was weighed and not promoted: {_ended(reason)}"


def promoted_sentence(kb: str, before: int, after: int, *, actor: str, reason: str) -> str:
    """Say which version answers instead of which.

    >>> promoted_sentence("docs", 1, 2, actor="person Ada", reason="it answers better")
    'docs answers with version 2 instead of 1, by person Ada: it answers better.'
    """
    return f"{kb} answers with version {after} instead of {before}, by {actor}: {_ended(reason)}"


def rollback_sentence(
    kb: str, release: str, version: int, *, actor: str, reason: str, frozen: bool
) -> str:
    """Say what somebody went back to, and how the schedule goes on from there."""
    now = f"{kb} was taken back to release {release} (version {version}) by {actor}"
    held = f" It is frozen until: driftline resume {kb}" if frozen else ""
    return f"{now}: {_ended(reason)}{held}"


def failed_sentence(kb: str, code: str, reason: str) -> str:
    """Say that a run failed, and why."""
    return f"A run of {kb} failed with {code}: {_ended(reason)} What answered before still answers."


def message_of(notice: Notice) -> Message:
    """Return a notice as a message of its own: sentence, link and id, in MOST_BYTES at most."""
    title = f"driftline {notice.kb}: {notice.kind.value}"
    tail = "".join(f"\n{line}" for line in (notice.link, f"event {notice.id}") if line)
    room = MOST_BYTES - len(tail.encode())
    return Message(notice.id, _short(title, _TITLE), fitted(harmless(notice.sentence), room) + tail)


def digest_of(notices: Sequence[Notice]) -> Message:
    """Return one message for several notices, the oldest first: counts, then the sentences.

    Each sentence carries its own id; those that find no room are counted.
    """
    ordered = sorted(notices, key=lambda notice: (notice.time, notice.id))
    identity = stable_id("digest", *(notice.id for notice in ordered))
    counts = Counter(notice.kind.value for notice in ordered)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    lines, tail = [f"{len(ordered)} notices: {counted}"], f"\nevent {identity}"
    for told, notice in enumerate(ordered):
        line = _digest_line(notice)
        more = f"\n{_CUT} and {len(ordered) - told} more: driftline history"
        if len("\n".join([*lines, line, more, tail]).encode()) > MOST_BYTES:
            lines.append(more.strip())
            break
        lines.append(line)
    return Message(identity, _short(f"driftline: {counted}", _TITLE), "\n".join(lines) + tail)


def harmless(text: str) -> str:
    r"""Return one line that no service takes for markup, a mention or a link of its own.

    Characters that steer a terminal or the direction of writing go; what has a meaning in HTML or
    Markdown is replaced by what looks like it; an address is taken apart, so that it is no link.

    >>> harmless("see [us](https://example.org)\n`now`")
    "see (us)(https: //example.org) 'now'"
    """
    shown = "".join(" " if unicodedata.category(char) in _UNSEEN else char for char in text)
    return " ".join(shown.translate(_HARMLESS).replace("://", ": //").split())


# Control, format (bidi marks among them), surrogate, and the two separators of lines.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def fitted(text: str, most_bytes: int) -> str:
    """Return a text cut to so many bytes of UTF-8, between two characters.

    >>> fitted("äöü", 6), fitted("äöü", 5)
    ('äöü', 'ä…')
    """
    whole = text.encode()
    if len(whole) <= most_bytes:
        return text
    return whole[: most_bytes - len(_CUT.encode())].decode(errors="ignore") + _CUT


def _digest_line(notice: Notice) -> str:
    sentence = fitted(harmless(notice.sentence), _DIGEST_SENTENCE)
    link = f" {notice.link}" if notice.link else ""
    when = f"{notice.time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"- {when}, {notice.kind.value}: {sentence}{link} (event {notice.id})"


def _ended(reason: str) -> str:
    """Return a reason that ends as a sentence does."""
    return reason if reason.rstrip().endswith((".", "!", "?")) else f"{reason.rstrip()}."


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + _CUT
