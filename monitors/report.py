"""The page people open: Evidently over per-document descriptors. Only file that knows Evidently.

It shows how the documents look (length, words, sentences, symbols), reference beside current. It
decides nothing: two versions of one corpus are paired, not two samples, so it shows an effect size
(the normed Wasserstein distance) where Evidently would by default show a two-sample test.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from monitors.charts import Levels, TrendPoint
from monitors.corpus import Corpus
from monitors.page import render
from monitors.records import Decision, DriftReport

# Documents of each side that Evidently sees, so that its cost does not grow with the corpus.
SAMPLED_DOCUMENTS = 1_000

_DESCRIBED = ("characters", "words", "sentences", "symbols, percent")
_COUNTED = ("sections", "chunks")


def write_report(
    reference: pa.Table,
    current: pa.Table,
    page: Path,
    *,
    report: DriftReport,
    decision: Decision,
    levels: Levels,
    trend: Sequence[TrendPoint] = (),
    title: str = "Drift report",
) -> Path:
    """Write one self-contained HTML page and return its path: ours first, then Evidently's.

    The page opens offline. It is written under another name first, so that a killed run leaves
    no half of it.
    """
    text = render(
        report,
        decision,
        levels=levels,
        trend=trend,
        title=title,
        data=describe(sample(reference), sample(current)),
        sampled=SAMPLED_DOCUMENTS,
    )
    draft = page.with_suffix(".part")
    page.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(text, encoding="utf-8")
    return draft.replace(page)


def sample(table: pa.Table, most: int = SAMPLED_DOCUMENTS) -> pa.Table:
    """Return the chunks of at most so many documents, drawn by the digest of their uri.

    Both sides keep the same documents as far as both have them.
    """
    uris = drawn(pc.unique(table["uri"]).to_pylist(), most)
    return table.filter(pc.is_in(table["uri"], value_set=pa.array(uris, pa.string())))


def drawn(uris: Iterable[str], most: int = SAMPLED_DOCUMENTS) -> list[str]:
    """Return at most so many uris, by their digest: the same of the same, on either side."""
    return sorted(uris, key=lambda uri: hashlib.sha256(uri.encode()).digest())[:most]


def describe(reference: pa.Table, current: pa.Table) -> str:
    """Return Evidently's page about the documents; it holds no document's text."""
    # No telemetry; and imports of seconds, so only where they are used.
    os.environ.setdefault("DO_NOT_TRACK", "true")
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.descriptors import (
        NonLetterCharacterPercentage,
        SentenceCount,
        TextLength,
        WordCount,
    )
    from evidently.metrics import ValueDrift

    measures = (TextLength, WordCount, SentenceCount, NonLetterCharacterPercentage)

    def described(table: pa.Table) -> Dataset:
        return Dataset.from_pandas(
            pd.DataFrame(documents(table)),
            DataDefinition(text_columns=["text"], numerical_columns=list(_COUNTED)),
            descriptors=[
                measure("text", alias=alias)
                for measure, alias in zip(measures, _DESCRIBED, strict=True)
            ],
        )

    columns = (*_DESCRIBED, *_COUNTED)
    shifts = [ValueDrift(column=column, method="wasserstein") for column in columns]
    run = Report(shifts).run(described(current), described(reference))
    return str(run.get_html_str(as_iframe=False))


def documents(table: pa.Table) -> list[dict[str, object]]:
    """Return one row a document of a chunk table: its text, and how many pieces it has."""
    corpus = Corpus.from_table(table)
    return [
        {
            "text": "\n".join(corpus.texts[chunks]),
            "sections": len(set(corpus.headings[chunks])),
            "chunks": chunks.stop - chunks.start,
        }
        for _, chunks in corpus.documents()
    ]
