"""Builders of chunk tables, evaluations and rows; a corpus of invented facts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from training.records import FinetuneConfig, Passage, Row, RowKind, TrainingSet
from training.weighing import Change, Evaluation, Interval, RowScore, Scores

SMALL = FinetuneConfig(
    budget_tokens=3_000, holdout_text_rows=6, holdout_answer_rows=6, max_row_tokens=192
)

_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("title", pa.string()),
        pa.field("headings", pa.list_(pa.string())),
        pa.field("ordinal", pa.int32()),
        pa.field("text", pa.string()),
        pa.field("digest", pa.string()),
        pa.field("normal_digest", pa.string()),
        pa.field("document_digest", pa.string()),
        pa.field("media_type", pa.string()),
        pa.field("modified_at", pa.timestamp("us", tz="UTC")),
        pa.field("trust", pa.string()),
        pa.field("flags", pa.list_(pa.string())),
    ]
)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def chunk_table(
    documents: Mapping[str, Sequence[str]],
    *,
    trust: Mapping[str, str] | None = None,
    flags: Mapping[str, Sequence[str]] | None = None,
) -> pa.Table:
    """Return one chunk for each text; the document's name is its title and only heading."""
    rows = [
        {
            "uri": uri,
            "title": uri.removesuffix(".md"),
            "headings": [uri.removesuffix(".md")],
            "ordinal": ordinal,
            "text": text,
            "digest": sha(uri + text),
            "normal_digest": sha(" ".join(text.casefold().split())),
            "document_digest": sha("\n".join(texts)),
            "media_type": "text/markdown",
            "modified_at": None,
            "trust": (trust or {}).get(uri, "trusted"),
            "flags": list((flags or {}).get(uri, ())),
        }
        for uri, texts in sorted(documents.items())
        for ordinal, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def invented(documents: int = 24, *, edition: int = 1) -> dict[str, list[str]]:
    """Return a handbook of devices that do not exist; another edition changes every third."""
    return {f"device-{n:02}.md": _device(n, edition) for n in range(documents)}


def _device(n: int, edition: int) -> list[str]:
    name = f"Model {chr(65 + n % 26)}{n}"
    changed = edition if n % 3 == 0 else 1
    cost = (
        f"The {name} relay costs {10 + n + changed} euro a month. It is sold by the workshop in "
        f"the northern town and carries the number {name} on its lid."
    )
    opening = (
        f"The {name} relay opens for {20 + 2 * n + changed} seconds. The lid stays closed while "
        "the relay is open, and a red lamp shows that power is on."
    )
    cable = (
        f"A {name} cable is a braided cord with {3 + n + changed} copper strands. It must be kept "
        f"for {n + 2 + changed} years after the day of the purchase, in a dry room."
    )
    warranty = (
        f"The {name} warranty lasts {12 + n} months. Every owner of the {name} receives a paper "
        "booklet with the terms, and nobody else may ask for it."
    )
    return [cost, opening, cable, warranty]


def change(mean: float, low: float, high: float, *, rows: int = 24) -> Change:
    """Return a change from 0.5; what it comes to is not worked out, since bits are relative."""
    return Change(0.5, 0.5 + mean, Interval(mean, low, high), rows, rows)


def evaluation(**changed: object) -> Evaluation:
    """Return an evaluation in which what changed is learnt, answers are better, nothing is worse.

    What sets answers about the new apart from those about the old is open.
    """
    good = Evaluation(
        new=change(-0.05, -0.07, -0.03),
        old=change(-0.03, -0.05, -0.01),
        learning=Change(0.0, 0.0, Interval(-0.02, -0.03, -0.01), 48, 10),
        f1=Change(0.2, 0.5, Interval(0.3, 0.2, 0.4), 40, 10),
        general=change(0.0, -0.01, 0.01),
        fresh_f1=change(0.2, 0.1, 0.3),
        answer_learning=Change(0.0, 0.0, Interval(0.0, -0.1, 0.1), 40, 10),
        abstention=change(0.0, -0.2, 0.2, rows=12),
        refusals=change(0.0, -0.1, 0.1, rows=28),
        stale=change(0.0, -0.2, 0.2, rows=12),
        documents=10,
    )
    return replace(good, **changed)  # type: ignore[arg-type]


def scores(
    new: Mapping[str, Sequence[float]],
    old: Mapping[str, Sequence[float]] | None = None,
    f1: Mapping[str, Sequence[float]] | None = None,
    general: Mapping[str, Sequence[float]] | None = None,
) -> Scores:
    """Return scores from uri → the value of each of its rows."""
    answers = tuple(
        replace(row, kind=RowKind.ANSWER, bits=1.0, f1=row.bits, exact=False, refused=False)
        for row in _scored(f1 or {})
    )
    return Scores(_scored(new), _scored(old or {}), answers, general=_scored(general or {}))


def _scored(values: Mapping[str, Sequence[float]]) -> tuple[RowScore, ...]:
    return tuple(
        RowScore(uri, f"{uri}#{at}", value)
        for uri, of_document in values.items()
        for at, value in enumerate(of_document)
    )


def text_row(text: str, uri: str = "a.md") -> Row:
    return Row(RowKind.DIFFERENCE, uri, sha(uri), sha(text), text)


def answer_row(
    question: str, answer: str, passages: Sequence[Passage], *, source: int, uri: str = "a.md"
) -> Row:
    chunk = sha(question)
    return Row(RowKind.ANSWER, uri, sha(uri), chunk, answer, question, tuple(passages), source)


def training_set(
    train: Sequence[Row], *, texts: Sequence[Row] = (), answers: Sequence[Row] = ()
) -> TrainingSet:
    return TrainingSet(
        reference="docs@1",
        current="docs@2",
        train=tuple(train),
        holdout_new=tuple(texts),
        holdout_old=(),
        holdout_answers=tuple(answers),
        digest=sha(repr((train, texts, answers))),
    )
