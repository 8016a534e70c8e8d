"""The outbox: an errand is written with its entry, once and for ever, and waits till it is done."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.errors import LostLeaseError
from flows.journal import lease
from flows.journal.journal import Errand, Fence, Journal, open_journal
from tests.flows.journal.journals import NOW, release, sqlite_url

HOUR = timedelta(hours=1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(sqlite_url(tmp_path)) as opened:
        yield opened


def ask(journal: Journal, *errands: Errand) -> None:
    journal.append("docs", "check", {}, time=NOW, errands=errands)


def retrain(key: str, **payload: Any) -> Errand:
    return Errand("retrain", key, payload)


def test_an_errand_waits_with_what_it_was_written_with(journal: Journal):
    ask(journal, retrain("docs@2", reason="novelty"))

    (errand,) = journal.due(["retrain"], NOW)

    assert (errand.kind, errand.key, errand.payload) == ("retrain", "docs@2", {"reason": "novelty"})
    assert (errand.kb, errand.time, errand.attempts, errand.why) == ("docs", NOW, 0, "")


@pytest.mark.parametrize("settled", [False, True], ids=["it-waits", "it-is-done"])
def test_the_second_of_a_kind_and_key_is_dropped(journal: Journal, *, settled: bool):
    ask(journal, retrain("a", number=1))
    if settled:
        journal.settle(retrain("a"), NOW)

    ask(journal, retrain("a", number=2), Errand("event", "a", {}))

    waiting = [(each.kind, each.payload) for each in journal.waiting()]
    assert waiting == ([] if settled else [("retrain", {"number": 1})]) + [("event", {})]
    assert journal.count("docs", "check") == 2


def test_an_errand_of_an_entry_that_was_not_written_is_not_written(journal: Journal):
    lost = Fence("docs", 7)

    with pytest.raises(LostLeaseError):
        journal.append("docs", "check", {}, time=NOW, fence=lost, errands=[retrain("a")])
    with pytest.raises(TypeError, match="keys must be"):
        journal.append("docs", "check", {}, time=NOW, errands=[Errand("event", "b", {(): 1})])  # type: ignore[dict-item]

    assert journal.waiting() == ()
    assert journal.count("docs", "check") == 0


def test_a_publication_takes_its_errands_along(journal: Journal):
    with lease.hold(journal, "docs") as fence:
        journal.publish(
            release(),
            kind="first",
            reason="",
            time=NOW,
            fence=fence,
            expected_version=None,
            errands=[Errand("notification", "n", {})],
        )

    assert [each.kind for each in journal.waiting()] == ["notification"]


@pytest.mark.parametrize(
    ("at", "due"),
    [
        (NOW - HOUR, []),
        (NOW + HOUR - timedelta(microseconds=1), ["now"]),
        (NOW + HOUR, ["now", "later"]),
    ],
    ids=["before-both", "just-before-the-second", "exactly-when-the-second-is-due"],
)
def test_what_was_postponed_is_due_when_it_says(journal: Journal, at: Any, due: list[str]):
    ask(journal, retrain("now"), retrain("later"))
    journal.postpone(retrain("later"), NOW + HOUR, "the server is away")

    found = journal.due(["retrain", "event"], at)

    assert [each.key for each in found] == due
    assert [(each.attempts, each.why) for each in journal.waiting()] == [
        (0, ""),
        (1, "the server is away"),
    ]


def test_only_the_kinds_that_are_asked_for_are_due(journal: Journal):
    ask(journal, retrain("a"), Errand("event", "b", {}), Errand("notification", "c", {}))

    assert [each.key for each in journal.due(["event", "notification"], NOW)] == ["b", "c"]
    assert journal.due([], NOW) == ()


def test_what_is_done_never_becomes_due_again_and_its_words_are_gone(
    journal: Journal, tmp_path: Path
):
    ask(journal, retrain("a", reason="a planted word"))
    (errand,) = journal.waiting()

    journal.settle(errand, NOW)
    journal.postpone(errand, NOW + HOUR, "a late answer")

    assert journal.waiting() == ()
    with journal._database.reading() as connection:  # noqa: SLF001 - what lies in the table
        rows = connection.exec_driver_sql("SELECT * FROM outbox").all()
    assert "planted" not in str(rows)
    assert "late" not in str(rows)


def test_an_erasure_rewrites_what_waits(journal: Journal):
    ask(journal, retrain("a", reason="a planted word"), retrain("b", reason="else"))
    journal.append("help", "check", {}, time=NOW, errands=[retrain("c", reason="a planted word")])

    def rewrite(_kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        told = payload.get("payload", {})
        return payload if "planted" not in str(told) else {**payload, "payload": {"reason": "-"}}

    with lease.hold(journal, "docs") as fence:
        journal.redact("docs", rewrite, actor="a", why="b", time=NOW, fence=fence)

    told = {each.key: each.payload["reason"] for each in journal.waiting()}
    assert told == {"a": "-", "b": "else", "c": "a planted word"}
