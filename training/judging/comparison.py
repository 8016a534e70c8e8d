"""Champion and challenger on the same rows: which rows are behind which measure. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from training.errors import EvalIncompleteError
from training.judging.bootstrap import Bootstrap, Pair
from training.judging.topics import topic_scores
from training.records import RowKind
from training.weighing import Change, Evaluation, RowScore, Scores

LEAST_SCORED = 0.95
_ERROR = 0.05  # of all intervals of one measure together, however many checkpoints are weighed
_Value = Callable[[RowScore], float | bool | None]


@dataclass(frozen=True, slots=True)
class _Both:
    """One row as the champion and as the challenger scored it."""

    champion: RowScore
    challenger: RowScore

    @property
    def finite(self) -> bool:
        return math.isfinite(self.champion.bits) and math.isfinite(self.challenger.bits)


def compare_scores(
    champion: Scores, challenger: Scores, *, seed: int, looks: int = 1
) -> Evaluation:
    """Return both models' means and the changes with their intervals.

    `looks` is how many checkpoints are weighed on these rows: the best of two is better by luck
    more often than one, so every interval is of confidence 1 - 0.05 / looks (Bonferroni). Raises
    ValueError if the two were not weighed on the same rows in the same order, EvalIncompleteError
    if under 95 % of the rows have a finite score from both, which says nothing about either.
    """
    parts = ("new", "old", "answers", "cloze", "general")
    pairs = {part: _paired(part, champion, challenger) for part in parts}
    every = [both for of_part in pairs.values() for both in of_part]
    scored = _scored_share(every)
    finite = {part: [both for both in of_part if both.finite] for part, of_part in pairs.items()}
    draw = Bootstrap(seed, 1 - _ERROR / looks)
    texts = finite["new"] + finite["old"]
    return Evaluation(
        **_text_measures(finite, draw),
        **_answer_measures(finite["answers"], draw),
        topics=topic_scores(*_apart(texts), *_apart(finite["answers"])),
        documents=len({both.champion.uri for both in every}),
        confidence=draw.confidence,
        scored=scored,
        champion_answer_seconds=champion.answer_seconds / max(1, len(champion.answers)),
        challenger_answer_seconds=challenger.answer_seconds / max(1, len(challenger.answers)),
        champion_answer_tokens=champion.answer_tokens / max(1, len(champion.answers)),
        challenger_answer_tokens=challenger.answer_tokens / max(1, len(challenger.answers)),
        seconds=champion.seconds + challenger.seconds,
    )


def _text_measures(finite: dict[str, list[_Both]], draw: Bootstrap) -> dict[str, Change]:
    new, old = _values(finite["new"], _bits), _values(finite["old"], _bits)
    # Paragraphs of general text have nothing in common but the file they came in.
    general = _values(finite["general"], _bits, document=lambda row: row.chunk)
    return {
        "new": draw.relative(new),
        "old": draw.relative(old),
        "learning": draw.gap_within(new, old),
        "general": draw.relative(general),
        "cloze": draw.absolute(_values(finite["cloze"], _exact)),
        "cloze_bits": draw.relative(_values(finite["cloze"], _bits)),
    }


def _answer_measures(answers: Sequence[_Both], draw: Bootstrap) -> dict[str, Change]:
    there = [both for both in answers if both.champion.answerable]
    absent = [both for both in answers if not both.champion.answerable]
    changed = [both for both in answers if _is_changed(both.champion)]
    fresh = [both for both in answers if _is_fresh(both.champion)]
    old = [both for both in there if not _is_fresh(both.champion)]
    return {
        "f1": draw.absolute(_values(answers, _f1)),
        "changed_f1": draw.absolute(_values(changed, _f1)),
        "fresh_f1": draw.absolute(_values(fresh, _f1)),
        "answer_learning": draw.absolute_gap(_values(fresh, _f1), _values(old, _f1)),
        "exact": draw.absolute(_values(there, _exact)),
        "abstention": draw.absolute(_values(absent, _refused)),
        "refusals": draw.absolute(_values(there, _refused)),
        "stale": draw.absolute(_values(answers, _stale)),
    }


def _is_changed(row: RowScore) -> bool:
    return row.kind is RowKind.CORRECTION


def _is_fresh(row: RowScore) -> bool:
    """Return True for a question that only the new text answers, or that it no longer answers."""
    return _is_changed(row) or (row.fresh and row.answerable)


def _bits(row: RowScore) -> float:
    return row.bits


def _f1(row: RowScore) -> float:
    return row.f1 or 0.0


def _exact(row: RowScore) -> bool:
    return bool(row.exact)


def _refused(row: RowScore) -> bool:
    return bool(row.refused)


def _stale(row: RowScore) -> bool | None:
    return row.stale


def _uri(row: RowScore) -> str:
    return row.uri


def _values(
    rows: Iterable[_Both], value: _Value, *, document: Callable[[RowScore], str] = _uri
) -> list[Pair]:
    """Return one value of each row that has it under both models."""
    found: list[Pair] = []
    for both in rows:
        before, after = value(both.champion), value(both.challenger)
        if before is not None and after is not None:
            found.append(Pair(document(both.champion), float(before), float(after)))
    return found


def _paired(part: str, champion: Scores, challenger: Scores) -> list[_Both]:
    """Return the rows of one part, paired, or refuse rows that are not the same."""
    before: tuple[RowScore, ...] = getattr(champion, part)
    after: tuple[RowScore, ...] = getattr(challenger, part)
    if [(row.uri, row.chunk) for row in before] != [(row.uri, row.chunk) for row in after]:
        msg = (
            "Champion and challenger were not weighed on the same rows in the same order: "
            f"{len(before)} and {len(after)} of {part!r}. Weigh both on one training set."
        )
        raise ValueError(msg)
    return [_Both(*rows) for rows in zip(before, after, strict=True)]


def _scored_share(rows: Sequence[_Both]) -> float:
    scored = sum(both.finite for both in rows)
    share = scored / len(rows) if rows else 1.0
    if share < LEAST_SCORED:
        msg = (
            f"Only {scored:,} of {len(rows):,} rows ({share:.0%}) have a finite score from both "
            f"models; {LEAST_SCORED:.0%} are needed. That says nothing about which is better: a "
            "model whose weights are damaged scores no row at all. Train again, or weigh again."
        )
        raise EvalIncompleteError(msg.replace("%", " %"))
    return share


def _apart(rows: Sequence[_Both]) -> tuple[list[RowScore], list[RowScore]]:
    return [both.champion for both in rows], [both.challenger for both in rows]
