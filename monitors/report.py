"""The page people open: Evidently over per-document descriptors. Only file that knows Evidently.

It shows how the documents look (length, words, sentences, symbols), reference beside current. It
decides nothing: two versions of one corpus are paired, not two samples, so it shows an effect size
(the normed Wasserstein distance) where Evidently would by default show a two-sample test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from monitors.corpus import Corpus

_DESCRIBED = ("characters", "words", "sentences", "symbols, percent")
_COUNTED = ("sections", "chunks")


def write_report(reference: pa.Table, current: pa.Table, page: Path) -> Path:
    """Write one self-contained HTML page and return its path; it holds no document's text.

    The page opens offline. It is written under another name first, so that a killed run leaves
    no half of it.
    """
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
    from evidently.metrics import RowCount, ValueDrift

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
    shifts = (ValueDrift(column=column, method="wasserstein") for column in columns)
    report = Report([RowCount(), *shifts])
    draft = page.with_suffix(".part")
    page.parent.mkdir(parents=True, exist_ok=True)
    report.run(described(current), described(reference)).save_html(str(draft))
    return draft.replace(page)


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
