"""Text about nothing in the corpus, written for this project, to notice a model that forgets.

One paragraph a line in `general.txt`, each a document of its own. Knows no framework.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

from training.records import Row, RowKind


@cache
def general_rows() -> tuple[Row, ...]:
    """Return the paragraphs as rows, in the order of the file.

    >>> general_rows()[0].uri, len(general_rows())
    ('general/01', 32)
    """
    text = files("training.examples").joinpath("general.txt").read_text(encoding="utf-8")
    return tuple(_row(number, line) for number, line in enumerate(text.splitlines(), start=1))


def _row(number: int, paragraph: str) -> Row:
    digest = sha256(paragraph.encode()).hexdigest()
    return Row(RowKind.GENERAL, f"general/{number:02}", digest, digest, paragraph)
