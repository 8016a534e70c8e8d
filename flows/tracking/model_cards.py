"""The Markdown that people read in MLflow about models: cards, scores, promotions. Pure text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flows.records import Weighed
from flows.release import Published
from flows.tracking.cards import escape
from training.records import BaseModel, TrainingSet
from training.weighing import Change, Evaluation, TopicScore

_TOPICS = 8


@dataclass(frozen=True, slots=True)
class Measure:
    """What a measure is called, whether more of it is better, and how its change is written.

    A gap is the difference of two changes, which has no value under either model.
    """

    label: str
    more: bool = False
    relative: bool = False
    gap: bool = False


MEASURES = {
    "new": Measure("new text, bits per byte", relative=True),
    "old": Measure("old text, bits per byte", relative=True),
    "learning": Measure("new minus old text", relative=True, gap=True),
    "general": Measure("general text, bits per byte", relative=True),
    "f1": Measure("answers, token F1", more=True),
    "answer_learning": Measure("answers about new minus old text, token F1", more=True, gap=True),
    "exact": Measure("answers that hold the exact words", more=True),
    "changed_f1": Measure("answers about facts that changed, token F1", more=True),
    "fresh_f1": Measure("answers about new text, token F1", more=True),
    "abstention": Measure("refuses where the answer is absent", more=True),
    "refusals": Measure("refuses where the answer is there"),
    "stale": Measure("gives the old fact"),
    "cloze": Measure("key words known without a passage", more=True),
    "cloze_bits": Measure("key words, bits per byte", relative=True),
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a challenger comes from: who is challenged, with which weights it began, and why."""

    champion_version: int
    start: str
    started_from: str
    reason: str


def promotion_card(published: Published) -> str:
    """Return the description of a promotion or a rollback."""
    release = published.release
    return (
        f"## Version {release.model_version} is champion\n{escape(published.reason)}\n\n"
        f"Release `{release.id}`: snapshot `{release.snapshot}`, trained on "
        f"`{release.trained_on}`, adapter `{release.adapter_digest[:16]}`."
    )


def base_card(kb: str, base: BaseModel, snapshot: str) -> str:
    """Return the model card of the first champion."""
    return (
        f"## {escape(base.name)}, as it came\n"
        f"First champion of knowledge base `{kb}`: the base model without an adapter, "
        f"weights `{base.digest[:16]}`. It was trained on nothing of this knowledge base; drift "
        f"is measured since `{snapshot}`, the first snapshot that it answered from."
    )


def version_card(
    kb: str, base: BaseModel, examples: TrainingSet, weighed: Weighed, origin: Provenance
) -> str:
    """Return a challenger's model card: what, why, trained on, tested how, limits."""
    promoted = "promote" if weighed.verdict.promote else "do not promote"
    what = (
        f"**What.** A LoRA adapter of rank {weighed.adapter.rank} for {escape(base.name)} "
        f"(weights `{base.digest[:16]}`), for knowledge base `{kb}`; {_began(origin)}."
    )
    return "\n\n".join(
        [
            f"## Verdict: {promoted}\n{escape(weighed.verdict.reason)}",
            what,
            f"**Why.** {escape(origin.reason)}",
            f"**Trained on.** {_trained_on(examples, weighed)}",
            f"**Tested how.** Beside version {origin.champion_version}, the champion.",
            evaluation_table(weighed.evaluation),
            *topic_table(weighed.evaluation.topics),
            _limits(weighed.evaluation),
        ]
    )


def _began(origin: Provenance) -> str:
    if not origin.started_from:
        return "trained from a fresh adapter"
    return f"trained on from the {origin.start}'s adapter `{origin.started_from[:16]}`"


def _trained_on(examples: TrainingSet, weighed: Weighed) -> str:
    kinds = Counter(row.kind.value for row in examples.train)
    rows = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    documents = len({version for row in examples.train for version in row.documents})
    adapter = weighed.adapter
    return (
        f"`{examples.current}` against `{examples.reference}`: {rows} rows of {documents} document "
        f"versions ({adapter.tokens:,} tokens, {adapter.seconds:.0f} s), data "
        f"`{examples.digest[:16]}`; the rows are in `examples.parquet`."
    )


def _limits(evaluation: Evaluation) -> str:
    absent = [MEASURES[name].label for name, change in evaluation.measures if not change.rows]
    unweighed = f" Not weighed, for want of rows: {'; '.join(absent)}." if absent else ""
    return (
        "**Limits.** Weighed on held-out documents of this knowledge base and on a little general "
        "text; it says nothing about other subjects. Answers are to be given from passages, and "
        f"refusals are not to be relied on.{unweighed}"
    )


def evaluation_table(evaluation: Evaluation) -> str:
    """Return champion and challenger side by side, measure by measure, as Markdown."""
    lines = [
        _measured(MEASURES[name], change) for name, change in evaluation.measures if change.rows
    ]
    header = (
        "| measure | better | champion | challenger | change | rows |\n|---|---|---|---|---|---|"
    )
    told = (
        f"Documents that neither model trained on: {evaluation.documents}. Changes are relative "
        f"for bits and absolute for all else, with {evaluation.confidence:.1%} intervals drawn by "
        f"document.{_speed(evaluation)}"
    )
    return "\n".join([header, *lines, "", told])


def _measured(measure: Measure, change: Change) -> str:
    form = "{:+.1%}" if measure.relative else "{:+.3f}"
    ends = (change.change.mean, change.change.low, change.change.high)
    mean, low, high = (form.format(end) for end in ends)
    both = (change.champion, change.challenger)
    before, after = ("" if measure.gap else f"{each:.3f}" for each in both)
    better = "more" if measure.more else "less"
    return (
        f"| {measure.label} | {better} | {before} | {after} | {mean} [{low}, {high}] "
        f"| {change.rows} from {change.documents} documents |"
    )


def _speed(evaluation: Evaluation) -> str:
    before, after = evaluation.champion_answer_seconds, evaluation.challenger_answer_seconds
    if not before or not after:
        return ""
    return (
        f" An answer took the champion {before:.2f} s and {evaluation.champion_answer_tokens:.0f} "
        f"tokens, the challenger {after:.2f} s and {evaluation.challenger_answer_tokens:.0f}."
    )


def topic_table(topics: Sequence[TopicScore]) -> list[str]:
    """Return the scores by topic as one Markdown table, none if there is only one topic."""
    if len(topics) < 2:  # noqa: PLR2004 - one topic is the whole
        return []
    lines = [
        f"| {escape(topic.topic)} "
        f"| {topic.answers} | {_both(topic.champion_f1, topic.challenger_f1, topic.answers)} "
        f"| {topic.texts} | {_both(topic.champion_bits, topic.challenger_bits, topic.texts)} |"
        for topic in topics[:_TOPICS]
    ]
    header = (
        "| topic | answers | F1, champion → challenger | texts | bits, champion → challenger |\n"
        "|---|---|---|---|---|"
    )
    return ["\n".join([header, *lines])]


def _both(before: float, after: float, rows: int) -> str:
    return f"{before:.2f} → {after:.2f}" if rows else ""
