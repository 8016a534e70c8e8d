"""What waits is delivered at least once: tried again, held, put together, and never lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.errors import UndeliveredError
from flows.journal.journal import Journal, open_journal
from flows.journal.outbox import Errand
from flows.records import Request
from flows.settings.settings import Settings, load_settings
from flows.telling.delivery import (
    EVENT_LIFE,
    Couriers,
    ask_for,
    deliver,
    waiting_request,
)
from flows.telling.entries import EVENT, NOTIFICATION, RETRAIN, retraining
from flows.telling.events import Event, GuardBlocked
from flows.telling.letters import Letter, Receipt
from flows.telling.notices import Notice, NoticeKind
from flows.telling.timing import LONGEST_WAIT, Delivered

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "json://127.0.0.1:9/tok3n"


@dataclass
class Post:
    """Takes letters, or refuses them with a reason, and remembers what it took."""

    reason: str = ""
    rounds: list[list[Letter]] = field(default_factory=list)

    def __call__(self, letters: Sequence[Letter]) -> tuple[Receipt, ...]:
        self.rounds.append(list(letters))
        return tuple(Receipt(number, self.reason) for number in range(len(letters)))

    @property
    def letters(self) -> list[Letter]:
        return [letter for letters in self.rounds for letter in letters]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEAM_URL", URL)

    def configured(table: str = '[notify.targets.team]\nurl_variable = "TEAM_URL"\n') -> Settings:
        file = tmp_path / "driftline.toml"
        file.write_text(f'{table}[kb.docs.source]\npath = "docs"\n', encoding="utf-8")
        return load_settings(file)

    return configured


def notice(number: int = 1, kind: NoticeKind = NoticeKind.WATCH) -> Notice:
    return Notice(f"id-{number}", kind, "docs", NOON, f"Sentence {number}.", "")


def tell(journal: Journal, *numbers: int, target: str = "team", time: datetime = NOON) -> None:
    """Write notices to one target, with an entry of their own."""
    errands = [
        Errand(
            NOTIFICATION,
            f"id-{number}:{target}",
            {"target": target, "notice": notice(number).stored},
        )
        for number in numbers
    ]
    journal.append("docs", "check", {}, time=time, errands=errands)


def ask(journal: Journal, key: str = "docs-1", champion: int = 0) -> Request:
    """Write a request for a retraining with an entry of its own."""
    request = Request("docs", "docs@3", "because", "run", key, champion)
    journal.append("docs", "check", {}, time=NOON, errands=[retraining(request)])
    return request


def kinds(journal: Journal) -> list[str]:
    return [each.kind for each in journal.waiting()]


def test_a_notice_is_sent_once_and_its_text_leaves_the_outbox(journal, post, configure):
    tell(journal, 1)

    rounds = [deliver(configure(), journal, Couriers(send=post), now=NOON) for _ in range(2)]

    assert rounds == [Delivered(sent=1), Delivered()]
    (letter,) = post.letters
    assert (letter.url, letter.title) == (URL, "driftline docs: watch")
    assert letter.body == "Sentence 1.\nevent id-1"
    assert journal.waiting() == ()


def test_what_a_service_refuses_waits_longer_each_time_and_goes_out_in_the_end(
    journal, post, configure
):
    tell(journal, 1)
    post.reason, now, waits = "the service was not reached", NOON, []

    for _ in range(16):
        assert deliver(configure(), journal, Couriers(send=post), now=now).refused == 1
        (waiting,) = journal.waiting()
        waits.append(waiting.until - now)
        now = waiting.until
    post.reason = ""
    done = deliver(configure(), journal, Couriers(send=post), now=now)

    assert done == Delivered(sent=1)
    assert waits[0] <= timedelta(seconds=30)
    assert all(LONGEST_WAIT / 2 <= wait <= LONGEST_WAIT for wait in waits[-3:])
    assert len({letter.body for letter in post.letters}) == 1


def test_before_its_time_nothing_is_tried_again(journal, post, configure):
    tell(journal, 1)
    post.reason = "the service was not reached"
    deliver(configure(), journal, Couriers(send=post), now=NOON)
    (waiting,) = journal.waiting()

    deliver(
        configure(), journal, Couriers(send=post), now=waiting.until - timedelta(microseconds=1)
    )

    assert len(post.rounds) == 1


def test_one_target_that_refuses_keeps_no_other_waiting(journal, configure):
    settings = configure(
        '[notify.targets.a]\nurl_variable = "TEAM_URL"\nallow_private = true\n'
        '[notify.targets.b]\nurl_variable = "TEAM_URL"\n'
    )
    tell(journal, 1, target="a")
    tell(journal, 1, target="b")

    def send(letters: Sequence[Letter]) -> tuple[Receipt, ...]:
        return tuple(
            Receipt(n, "no" if each.allow_private else "") for n, each in enumerate(letters)
        )

    done = deliver(settings, journal, Couriers(send=send), now=NOON)

    assert done == Delivered(sent=1, refused=1)
    assert [each.payload["target"] for each in journal.waiting()] == ["a"]


def test_a_url_that_is_not_set_is_named_by_its_variable(
    journal, post, configure, monkeypatch: pytest.MonkeyPatch
):
    tell(journal, 1)
    settings = configure()
    monkeypatch.delenv("TEAM_URL")

    deliver(settings, journal, Couriers(send=post), now=NOON)

    (waiting,) = journal.waiting()
    assert "$TEAM_URL, which is not set" in waiting.why
    assert post.rounds == []


def test_a_url_comes_from_a_secret_file(journal, post, configure, tmp_path: Path):
    (tmp_path / "team.url").write_text(f"{URL}\n")
    tell(journal, 1)

    settings = configure('[notify.targets.team]\nurl_file = "team.url"\n')
    deliver(settings, journal, Couriers(send=post), now=NOON)

    assert [letter.url for letter in post.letters] == [URL]


@pytest.mark.parametrize(
    ("now", "sent"),
    [
        (datetime(2026, 3, 1, 21, 59, tzinfo=UTC), 1),
        (datetime(2026, 3, 1, 22, 0, tzinfo=UTC), 0),
        (datetime(2026, 3, 2, 5, 59, tzinfo=UTC), 0),
        (datetime(2026, 3, 2, 6, 0, tzinfo=UTC), 1),
    ],
    ids=["before", "begun", "last-minute", "over"],
)
def test_in_quiet_hours_nobody_is_told(journal, post, configure, now: datetime, sent: int):
    tell(journal, 1)
    settings = configure(
        '[notify]\nquiet_hours = "22:00-06:00"\n[notify.targets.team]\nurl_variable = "TEAM_URL"\n'
    )

    done = deliver(settings, journal, Couriers(send=post), now=now)

    assert done == Delivered(sent=sent, held=1 - sent)
    assert all(each.why == "" for each in journal.waiting())


def test_a_digest_is_one_message_a_day_and_done_together(journal, post, configure):
    tell(journal, 1)
    tell(journal, 2, time=NOON + timedelta(hours=6))
    settings = configure(
        '[notify]\ndigest = "08:00"\ntime_zone = "Europe/Berlin"\n'
        '[notify.targets.team]\nurl_variable = "TEAM_URL"\n'
    )
    morning = datetime(2026, 3, 2, 7, tzinfo=UTC)  # 08:00 in Berlin, in winter

    early = deliver(settings, journal, Couriers(send=post), now=morning - timedelta(seconds=1))
    done = deliver(settings, journal, Couriers(send=post), now=morning)

    assert (early, done) == (Delivered(held=2), Delivered(sent=2))
    (letter,) = post.letters
    assert letter.body.startswith("2 notices: 2 watch\n- 2026-03-01 12:00 UTC, watch: Sentence 1.")


@pytest.mark.parametrize(("count", "messages"), [(5, 5), (6, 1)], ids=["few", "a-flood"])
def test_what_piled_up_in_an_outage_comes_as_one_message(
    journal, post, configure, count: int, messages: int
):
    tell(journal, *range(count))

    deliver(configure(), journal, Couriers(send=post), now=NOON)

    assert len(post.letters) == messages
    assert journal.waiting() == ()


def test_a_target_that_was_taken_out_of_the_settings_holds_nothing_up(journal, post, configure):
    tell(journal, 1, target="nobody")

    deliver(configure(), journal, Couriers(send=post), now=NOON)

    assert (journal.waiting(), post.rounds) == ((), [])


@pytest.mark.parametrize(
    ("days", "left"), [(30, 1), (30.1, 0)], ids=["still-news", "no-news-any-more"]
)
def test_what_nobody_takes_for_a_month_is_let_go(journal, post, configure, days, left: int):
    tell(journal, 1)
    post.reason = "the service was not reached"

    deliver(configure(), journal, Couriers(send=post), now=NOON + timedelta(days=days))

    assert len(journal.waiting()) == left


def blocked() -> Event:
    return Event.of(GuardBlocked("docs", "SRC_EMPTY", "It is empty."), occurred=NOON, about="1")


def emitting(journal: Journal) -> None:
    event = blocked()
    journal.append("docs", "guard", {}, time=NOON, errands=[Errand(EVENT, event.id, event.stored)])


def test_an_event_is_handed_over_as_it_was_and_settled(journal, configure):
    emitting(journal)
    taken: list[Event] = []

    done = deliver(configure(""), journal, Couriers(emit=taken.append), now=NOON)

    assert (done, taken) == (Delivered(sent=1), [blocked()])
    assert journal.waiting() == ()


def test_an_event_waits_for_a_server_that_is_away_under_the_same_id(journal, configure):
    emitting(journal)
    taken: list[Event] = []

    def away(_event: Event) -> None:
        msg = "the Prefect server did not take it"
        raise UndeliveredError(msg)

    deliver(configure(""), journal, Couriers(emit=away), now=NOON)
    later = NOON + timedelta(minutes=1)
    deliver(configure(""), journal, Couriers(emit=taken.append), now=later)

    assert [event.id for event in taken] == [blocked().id]


def test_a_server_that_is_away_is_tried_once_a_round(journal, configure):
    for about in ("1", "2"):
        event = Event.of(GuardBlocked("docs", "SRC_EMPTY", "no"), occurred=NOON, about=about)
        errand = Errand(EVENT, event.id, event.stored)
        journal.append("docs", "guard", {}, time=NOON, errands=[errand])
    tried: list[Event] = []

    def away(event: Event) -> None:
        tried.append(event)
        msg = "the Prefect server did not take it"
        raise UndeliveredError(msg)

    deliver(configure(""), journal, Couriers(emit=away), now=NOON)

    assert len(tried) == 1
    assert kinds(journal) == [EVENT, EVENT]


@pytest.mark.parametrize(
    ("age", "left"),
    [(EVENT_LIFE, [EVENT]), (EVENT_LIFE + timedelta(seconds=1), [])],
    ids=["at-the-limit", "over-it"],
)
def test_where_there_never_is_a_server_events_do_not_pile_up(journal, configure, age, left):
    emitting(journal)

    deliver(configure(""), journal, Couriers(), now=NOON + age)

    assert kinds(journal) == left


def test_a_request_is_asked_for_once_and_settled(journal, configure):
    asked: list[Request] = []
    request = ask(journal)

    def started(given: Request) -> str:
        asked.append(given)
        return "flow run 1"

    for _ in range(3):
        deliver(configure(""), journal, Couriers(ask=started), now=NOON)
    ask(journal)  # the same key again, by another check

    assert asked == [request]
    assert journal.waiting() == ()


def test_without_a_server_to_ask_a_request_waits(journal, configure):
    ask(journal)

    deliver(configure(""), journal, Couriers(), now=NOON)
    deliver(configure(""), journal, Couriers(ask=lambda _: None), now=NOON)

    assert kinds(journal) == [RETRAIN]


def test_a_server_that_is_away_leaves_a_request_waiting_with_the_reason(journal):
    request = ask(journal)

    def away(_request: Request) -> str:
        msg = "the Prefect server did not take it (ConnectError)"
        raise UndeliveredError(msg)

    asked = ask_for(journal, away, request, NOON)

    (waiting,) = journal.waiting()
    assert asked.waits
    assert (waiting.kind, waiting.time, waiting.attempts) == (RETRAIN, NOON, 1)
    assert "ConnectError" in waiting.why
    assert journal.due((RETRAIN,), NOON) == ()
    assert len(journal.due((RETRAIN,), NOON + timedelta(seconds=30))) == 1


def test_of_several_requests_the_newest_is_asked_for_and_no_other_ever(journal):
    ask(journal, "docs-1")
    newest = ask(journal, "docs-2")

    found = waiting_request(journal, "docs", champion=0, now=NOON)

    assert found == newest
    assert [each.key for each in journal.waiting()] == ["docs-2"]


def test_a_request_about_a_champion_that_is_gone_is_outdated(journal):
    ask(journal, champion=1)

    assert waiting_request(journal, "docs", champion=2, now=NOON) is None
    assert journal.waiting() == ()


def test_a_request_that_was_put_off_is_not_asked_for_before_its_time(journal):
    request = ask(journal)
    journal.postpone(retraining(request), NOON + timedelta(seconds=1), "away")

    early = waiting_request(journal, "docs", champion=0, now=NOON)
    then = waiting_request(journal, "docs", champion=0, now=NOON + timedelta(seconds=1))

    assert (early, then) == (None, request)
