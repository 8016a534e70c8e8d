"""Do people ask about other things than they did? The questions asked, tested by whole days.

Questions are a true sample, unlike the documents: those of the days since the reference are tested
against those before it. They are read from a file of JSON lines that the assistant writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.desk import Desk
from flows.settings.policy import Questions
from monitors.records import Signal
from monitors.sampling.permutation import (
    CURRENT_CLUSTERS,
    REFERENCE_CLUSTERS,
    PermutationTest,
    bounded,
    clustered_mmd,
)
from monitors.sampling.schedule import Look, alarms, content_of
from retrieval.vector_journal import VectorJournal

# Of a longer file the end is read: the newest questions count.
_MOST_BYTES = 50_000_000
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the day (UTC) it was asked on."""

    text: str
    day: date


@dataclass(frozen=True, slots=True)
class Sample:
    """Questions before the reference was set and since, whole days only; `unread` lines had none.

    `content` names what is tested, so that the same questions are not tested twice.
    """

    before: tuple[Asked, ...]
    since: tuple[Asked, ...]
    unread: int

    @property
    def content(self) -> str:
        """The digest of the questions since."""
        return content_of(f"{asked.day} {asked.text}" for asked in self.since)


def sample(lines: Iterable[str], keys: Questions, *, reference: date, today: date) -> Sample:
    r"""Return the questions of a file's lines; today is not over and is left for tomorrow.

    >>> day = '{"question": "Why?", "time": "2026-05-04T10:00:00Z"}'
    >>> keys = Questions(file=Path("questions.jsonl"))
    >>> found = sample([day, "{"], keys, reference=date(2026, 5, 4), today=date(2026, 5, 5))
    >>> len(found.before), len(found.since), found.unread
    (0, 1, 1)
    """
    asked, unread = [], 0
    for line in filter(str.strip, lines):
        try:
            asked.append(_asked(json.loads(line), keys))
        except (ValueError, KeyError, TypeError):
            unread += 1
    whole = [question for question in asked if question.day < today]
    before = tuple(question for question in whole if question.day < reference)
    return Sample(
        before, tuple(question for question in whole if question.day >= reference), unread
    )


def read_sample(desk: Desk, keys: Questions) -> Sample:
    """Read the questions of a knowledge base; a file that is not there has none."""
    trained_on = desk.release().release.trained_on
    history = desk.journal.history(desk.name)
    since = min(past.time for past in history if past.release.trained_on == trained_on)
    lines = _lines(desk.settings.resolve(keys.file))
    return sample(lines, keys, reference=since.date(), today=desk.now.astimezone(UTC).date())


def measure_questions(desk: Desk, found: Sample, look: Look) -> Signal:
    """Test the questions since against those before; what cannot be tested says why."""
    before = _chosen(found.before, most=REFERENCE_CLUSTERS)
    since = _chosen(found.since, most=CURRENT_CLUSTERS)
    vectors = _embedded(desk, [asked.text for asked in (*before, *since)])
    test = clustered_mmd(
        vectors[: len(before)],
        _days(before),
        vectors[len(before) :],
        _days(since),
        permutations=look.permutations,
        level=look.level,
    )
    return _signal(test, look, found)


def _signal(test: PermutationTest, look: Look, found: Sample) -> Signal:
    """Return the test as a signal: as for new topics, one minus p grows with the evidence."""
    days = len({asked.day for asked in found.since})
    counted = f"{len(found.since):,} questions on {days} days since the reference"
    ignored = f"; {found.unread} lines of the file could not be read" if found.unread else ""
    if test.p_value is None:
        reason = f"{counted}, not tested: {test.reason}{ignored}"
        return Signal("questions", None, 1 - look.level, drifted=False, reason=reason)
    alarm = alarms(look, test.p_value)
    verdict = "are about other things than before" if alarm else "are about the same as before"
    reason = f"{counted} {verdict} (p = {test.p_value:.2g}, level {look.level:.2g}){ignored}"
    p_value, threshold = test.p_value, 1 - look.level
    return Signal("questions", 1 - p_value, threshold, alarm, reason=reason, p_value=p_value)


def _asked(entry: dict[str, str], keys: Questions) -> Asked:
    text, time = str(entry[keys.text]).strip(), datetime.fromisoformat(entry[keys.time])
    if not text:
        msg = "a question without words"
        raise ValueError(msg)
    told = time if time.tzinfo else time.replace(tzinfo=UTC)
    return Asked(text[:_LONGEST], told.astimezone(UTC).date())


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        return []
    with file.open("rb") as opened:
        skipped = max(0, file.stat().st_size - _MOST_BYTES)
        opened.seek(skipped)
        lines = opened.read(_MOST_BYTES).decode("utf-8", errors="replace").split("\n")
    return lines[1:] if skipped else lines


def _chosen(asked: Sequence[Asked], *, most: int) -> list[Asked]:
    """Return as many days, and questions a day, as the test takes: no other is embedded."""
    if not asked:
        return []
    return [asked[at] for at in bounded(_days(asked), most=most)]


def _days(asked: Sequence[Asked]) -> NDArray[np.int64]:
    return np.array([question.day.toordinal() for question in asked], dtype=np.int64)


def _embedded(desk: Desk, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return a row for each text; what was embedded before is remembered."""
    remembered = VectorJournal(desk.folder / "questions.db", desk.embedder.fingerprint)
    digests = {text: hashlib.sha256(text.encode()).hexdigest() for text in dict.fromkeys(texts)}
    known = remembered.find(list(digests.values()))
    fresh = [text for text, digest in digests.items() if digest not in known]
    if fresh:
        made = desk.embedder.embed(fresh)
        known |= {digests[text]: row for text, row in zip(fresh, made, strict=True)}
        remembered.keep({digests[text]: known[digests[text]] for text in fresh})
    width = desk.embedder.dimension
    rows = [known[digests[text]] for text in texts]
    return np.stack(rows) if rows else np.empty((0, width), np.float32)
