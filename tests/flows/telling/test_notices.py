"""What people are told, word for word; and what no text of a document can do to it."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from flows.telling import notices
from flows.telling.notices import MOST_BYTES, Notice, NoticeKind, digest_of, harmless, message_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def notice(sentence: str = "docs is drifting: because.", number: int = 1) -> Notice:
    return Notice(
        f"id-{number}",
        NoticeKind.WATCH,
        "docs",
        NOON + timedelta(minutes=number),
        sentence,
        f"http://127.0.0.1:5000/#/experiments/1/runs/{number}",
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            notices.check_sentence("docs", "watch", "novelty 0.31 is over 0.20"),
            "docs is drifting: novelty 0.31 is over 0.20.",
        ),
        (
            notices.check_sentence("docs", "retrain", "staleness 18 % is over 15 %."),
            "docs has drifted so far that it needs a retraining: staleness 18 % is over 15 %.",
        ),
        (
            notices.blocked_sentence("docs", "SRC_EMPTY", "The folder is empty."),
            (
                "The refresh of docs was stopped by SRC_EMPTY: The folder is empty. "
                "What answered before still answers."
            ),
        ),
        (
            notices.verdict_sentence("docs", 4, promote=False, reason="it forgets too much"),
            "Version 4 of docs was weighed and not promoted: it forgets too much.",
        ),
        (
            notices.verdict_sentence("docs", 4, promote=True, reason="it learnt what changed"),
            (
                "Version 4 of docs passed and waits for your approval: it learnt what changed. "
                "Look at the evidence with: driftline promote docs"
            ),
        ),
        (
            notices.promoted_sentence("docs", 3, 4, actor="flow retrain", reason="better"),
            "docs answers with version 4 instead of 3, by flow retrain: better.",
        ),
        (
            notices.rollback_sentence(
                "docs", "ab12", 3, actor="person Ada", reason="it was wrong", frozen=True
            ),
            (
                "docs was taken back to release ab12 (version 3) by person Ada: it was wrong. "
                "It is frozen until: driftline resume docs"
            ),
        ),
        (
            notices.rollback_sentence(
                "docs", "ab12", 3, actor="person Ada", reason="it was wrong", frozen=False
            ),
            "docs was taken back to release ab12 (version 3) by person Ada: it was wrong.",
        ),
        (
            notices.failed_sentence("docs", "TRAIN_OOM", "there is no room"),
            (
                "A run of docs failed with TRAIN_OOM: there is no room. "
                "What answered before still answers."
            ),
        ),
    ],
    ids=[
        "watch",
        "retrain",
        "blocked",
        "rejected",
        "approval",
        "promoted",
        "frozen",
        "model",
        "failed",
    ],
)
def test_what_is_said_is_one_sentence_with_its_reason(said: str, expected: str):
    assert said == expected


def test_a_message_has_the_sentence_the_link_and_the_id():
    message = message_of(notice())

    assert message.title == "driftline docs: watch"
    assert message.body.splitlines() == [
        "docs is drifting: because.",
        "http://127.0.0.1:5000/#/experiments/1/runs/1",
        "event id-1",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "\u2039script\u203aalert(1)\u2039/script\u203a"),
        ("<!channel> <@U1>", "\u2039!channel\u203a \u2039\uff20U1\u203a"),
        ("@everyone", "\uff20everyone"),
        ("[pay](https://evil.example)", "(pay)(https: //evil.example)"),
        ("![x](http://evil.example/x.png)", "!(x)(http: //evil.example/x.png)"),
        ("`rm`", "'rm'"),
        ("a\u202egnp.exe", "a gnp.exe"),
        ("red \x1b[31m", "red (31m"),
        ("one\ntwo\r\n\tthree\u2028four", "one two three four"),
        ("\ud800", ""),
        ("äöü 中文 🙂", "äöü 中文 🙂"),
    ],
    ids=[
        "tag",
        "mentions",
        "everyone",
        "link",
        "image",
        "code",
        "bidi",
        "escape",
        "lines",
        "surrogate",
        "words",
    ],
)
def test_text_of_a_document_is_made_harmless(text: str, shown: str):
    assert harmless(text) == shown
    assert harmless(shown) == shown


@pytest.mark.parametrize("length", [100, MOST_BYTES, 100_000])
@pytest.mark.parametrize("letter", ["a", "ü", "🙂"])
def test_a_message_is_never_over_its_limit_and_keeps_link_and_id(letter: str, length: int):
    message = message_of(notice(letter * length))

    assert len(message.body.encode()) <= MOST_BYTES
    assert message.body.endswith("runs/1\nevent id-1")


def test_a_digest_counts_and_tells_the_oldest_first():
    blocked = Notice("id-0", NoticeKind.BLOCKED, "docs", NOON, "Stopped.", "")

    message = digest_of([notice("Second.", 2), blocked, notice("First.", 1)])

    assert message.title == "driftline: 1 blocked, 2 watch"
    assert message.body.splitlines()[:3] == [
        "3 notices: 1 blocked, 2 watch",
        "- 2026-03-01 12:00 UTC, blocked: Stopped. (event id-0)",
        (
            "- 2026-03-01 12:01 UTC, watch: First. "
            "http://127.0.0.1:5000/#/experiments/1/runs/1 (event id-1)"
        ),
    ]
    assert message.body.endswith(f"event {message.id}")


def test_a_digest_has_the_same_id_in_whatever_order_and_another_for_other_notices():
    some = [notice(number=number) for number in range(3)]

    assert digest_of(some).id == digest_of(some[::-1]).id != digest_of(some[:2]).id


@pytest.mark.parametrize("count", [1, 9, 100])
def test_a_digest_is_never_over_its_limit_and_counts_what_found_no_room(count: int):
    message = digest_of([notice("ü" * 1_000, number) for number in range(count)])

    told = message.body.count("(event ")
    more = re.search(r"and (\d+) more", message.body)
    assert len(message.body.encode()) <= MOST_BYTES
    assert told + (int(more[1]) if more else 0) == count


def test_a_notice_is_read_back_as_it_was():
    assert Notice.read(notice().stored) == notice()
