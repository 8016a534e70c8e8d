"""A person at 3 a.m. reads at once what moved."""

import pytest

from monitors.records import ChangeKind, DocumentDrift
from monitors.wording import describe, listed, percent


def drifted(**shares: float) -> tuple[DocumentDrift, ...]:
    return tuple(
        DocumentDrift(name.replace("__", "/") + ".md", share, ChangeKind.EDITED)
        for name, share in shares.items()
    )


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        pytest.param(drifted(), "no document", id="none"),
        pytest.param(drifted(a=0.0), "no document", id="none-with-a-share"),
        pytest.param(drifted(a=1.0), "all of it in a.md", id="one"),
        pytest.param(
            drifted(a=0.5, b=0.5), "2 documents carry all of it: a.md 50 % and b.md 50 %", id="two"
        ),
        pytest.param(
            drifted(a=0.9, b=0.1),
            "1 of 2 documents carries 90 %: a.md",
            id="one-is-the-whole-story",
        ),
        pytest.param(
            drifted(a=0.89, b=0.06, c=0.05),
            "2 of 3 documents carry 95 %: a.md 89 % and b.md 6 %",
            id="one-is-not-quite-the-whole-story",
        ),
        pytest.param(
            drifted(a=0.3, b=0.21, c=0.2, d=0.15, e=0.14),
            "3 of 5 documents carry 71 %: a.md 30 %, b.md 21 % and c.md 20 %",
            id="three-are-told",
        ),
        pytest.param(
            drifted(a=0.3, news__b=0.3, news__c=0.21, news__d=0.19),
            "3 of 4 documents carry 81 %: a.md 30 %, news/b.md 30 % and news/c.md 21 %; "
            "70 % is under news/",
            id="a-folder-says-more-than-its-documents",
        ),
        pytest.param(
            drifted(news__a=0.3, b=0.25, c=0.25, news__d=0.2),
            "3 of 4 documents carry 80 %: news/a.md 30 %, b.md 25 % and c.md 25 %",
            id="half-is-not-most",
        ),
        pytest.param(
            drifted(news__a=0.6, b=0.4),
            "2 documents carry all of it: news/a.md 60 % and b.md 40 %",
            id="the-folder-is-said-already",
        ),
    ],
)
def test_the_documents_behind_the_drift_are_told(documents: tuple[DocumentDrift, ...], said: str):
    assert describe(documents) == said


def test_a_uri_cannot_disturb_the_terminal():
    hostile = (DocumentDrift("a\x1b[31m\n\u202e.md", 1.0, ChangeKind.NEW),)

    assert describe(hostile) == "all of it in a\\x1b[31m\\n\\u202e.md"


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0 %"), (0.004, "0.4 %"), (0.0099, "1.0 %"), (0.01, "1 %"), (1.0, "100 %")],
)
def test_a_share_is_written_in_percent(share: float, said: str):
    assert percent(share) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_names_are_joined_as_people_do(names: list[str], said: str):
    assert listed(names) == said
