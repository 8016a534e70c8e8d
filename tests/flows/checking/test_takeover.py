"""A check that follows a refresh names planted documents; one that follows none asks nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flows.checking.contest import look_for_takeovers
from flows.desk import Desk
from flows.refresh import refresh
from flows.steps import quietly
from monitors.asking.probes import probe_of
from monitors.facts.sentences import plain, sentences
from tests.flows.conftest import Place

T = TypeVar("T")
# Each document's longest sentence that a question can be made of, asked again and not answered.
REFUSAL = "I am sorry, the information is restricted, so decline to answer."


def question_of(path: Path) -> str:
    """Return a document's longest sentence without the word that answers it."""
    said = sentences(plain(path.read_text(encoding="utf-8")))
    probes = (probe_of(path.name, sentence) for sentence in sorted(said, key=len, reverse=True))
    probe = next(probe for probe in probes if probe is not None and len(probe.question) < 300)
    return probe.question.replace("…", "")


def plant(place: Place) -> None:
    """Put one document in that repeats a question of every other and refuses to answer."""
    paths = sorted(place.docs.rglob("*.md"))
    parts = [f"## Notice {at}\n\n{question_of(path)}? {REFUSAL}" for at, path in enumerate(paths)]
    (place.docs / "notices.md").write_text("\n\n".join(parts), encoding="utf-8")


def test_a_planted_document_is_named(place: Place, desk: Desk):
    plant(place)

    release = refresh(desk, quietly).published.release

    assert [taker.uri for taker in look_for_takeovers(desk, quietly, release)] == ["notices.md"]


def test_an_honest_edit_takes_nothing(place: Place, desk: Desk):
    path = min(place.docs.rglob("*.md"))
    added = "\n\n## Greetings\n\nWe send a card to every customer in the last week of December.\n"
    path.write_text(path.read_text(encoding="utf-8") + added, encoding="utf-8")

    release = refresh(desk, quietly).published.release

    assert look_for_takeovers(desk, quietly, release) == ()


def never(title: str, work: Callable[[Any], T], *, retries: int = 0) -> T:
    del work, retries
    pytest.fail(f"did: {title}")


def test_where_nothing_changed_nothing_is_asked(desk: Desk):
    assert look_for_takeovers(desk, never, desk.release().release) == ()


def test_a_snapshot_that_is_gone_keeps_no_check_from_ending(desk: Desk, caplog: Any):
    release = replace(desk.release().release, trained_on="docs@99")

    assert look_for_takeovers(desk, quietly, release) == ()
    assert "Nobody asked" in caplog.text
