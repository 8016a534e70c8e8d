"""A promotion: on evidence, against the expected champion, and every attempt is told."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Never

import pytest
from mlflow import MlflowClient

import flows.promote
from flows.desk import Desk
from flows.errors import (
    EvidenceMismatchError,
    FrozenError,
    LostLeaseError,
    NoEvidenceError,
    PromoteConflictError,
    WithdrawnError,
)
from flows.journal import lease
from flows.journal.journal import Fence
from flows.promote import promote
from flows.promoting.champion import reconcile
from flows.promoting.evidence import DIGITS, Evidence, evidence_of
from flows.promoting.promotions import (
    ALIAS,
    FLOW,
    Attempt,
    Freeze,
    Outcome,
    attempts,
    person,
    withdrawn,
)
from flows.showing.promotion import evidence_markdown
from flows.steps import quietly
from tests.flows.challengers import (
    NOW,
    alias_of,
    build,
    damage,
    judge,
    opened,
    promoted,
    publish,
    register,
)
from tests.flows.conftest import Place
from training.errors import ModelCorruptError

SHOWN = Evidence(
    kb="docs",
    version=2,
    promote=True,
    reason="answers better",
    champion=1,
    weighed_against=1,
    judged_last=2,
    judged="2026-05-04T12:00:00+00:00",
    withdrawn="",
    reference="docs@1",
    snapshot="docs@1",
    adapter_digest="a" * 64,
    data_digest="d" * 64,
    measures=(),
)


@pytest.fixture(scope="session")
def two_challengers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 answers; versions 2 and 3 were judged better."""
    return build(tmp_path_factory.mktemp("challengers") / "place", challengers=2)


@pytest.fixture
def place(two_challengers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(two_challengers, tmp_path / "place")
    return Place(tmp_path / "place", capsys)


@pytest.fixture
def desk(place: Place) -> Iterator[Desk]:
    with opened(place.folder) as desk:
        yield desk


def told(desk: Desk) -> list[tuple[str, str, int, int]]:
    return [(a.actor, a.outcome.value, a.before, a.after) for a in attempts(desk.journal, "docs")]


def withdraw(desk: Desk, version: int) -> None:
    """Keep that a rollback took a version back."""
    line = Attempt(NOW, "person Ada", Outcome.WITHDRAWN, version, 1, "worse answers").line
    desk.journal.append("docs", line.kind, line.payload, time=NOW)


def freeze(desk: Desk) -> None:
    line = Freeze(NOW, True, "person Ada", "worse answers").line
    desk.journal.append("docs", line.kind, line.payload, time=NOW)


def answering(desk: Desk) -> int:
    return int(desk.release().release.model_version)


def test_a_promotion_publishes_what_answers_now_with_the_other_model(desk: Desk):
    model = desk.registry.version(desk.model_name, 1)
    publish(desk, model, snapshot="docs@7", content_digest="c7")

    published = promoted(desk, 2, expected=1)

    challenger = desk.registry.version(desk.model_name, 2)
    release = published.release
    assert (release.snapshot, release.content_digest) == ("docs@7", "c7")
    assert (release.model_version, release.trained_on) == (2, "docs@1")
    assert release.adapter_digest == challenger.adapter_digest
    assert published == desk.release()
    assert published.kind == "promotion"
    assert alias_of(desk) == 2
    [attempt] = attempts(desk.journal, "docs")
    assert told(desk) == [(FLOW, "promoted", 1, 2)]
    assert (attempt.release, attempt.why) == (release.id, "answers better")
    assert len(attempt.evidence) == 64
    client = MlflowClient(desk.settings.tracking_uri)
    experiment = client.get_experiment_by_name("driftline-docs").experiment_id
    [run] = client.search_runs([experiment], "tags.`driftline.role` = 'promotion'")
    assert run.data.tags["driftline.champion"] == "2"


@pytest.mark.parametrize(
    ("before", "version", "expected", "refusal"),
    [
        pytest.param(
            lambda desk: promoted(desk, 3, expected=1), 2, 1, PromoteConflictError, id="overtaken"
        ),
        pytest.param(
            lambda desk: promoted(desk, 2, expected=1), 2, 1, PromoteConflictError, id="already"
        ),
        pytest.param(lambda desk: withdraw(desk, 2), 2, 1, WithdrawnError, id="withdrawn"),
        pytest.param(freeze, 2, 1, FrozenError, id="frozen"),
        pytest.param(lambda _: None, 1, 1, PromoteConflictError, id="champion-itself"),
    ],
)
def test_a_refused_promotion_is_told_and_changes_nothing(
    desk: Desk,
    before: Callable[[Desk], object],
    version: int,
    expected: int,
    refusal: type[Exception],
):
    before(desk)
    serving, earlier = answering(desk), len(told(desk))

    with pytest.raises(refusal) as raised:
        promote(
            desk,
            quietly,
            version=version,
            expected=expected,
            actor=FLOW,
            why="answers better",
            evidence=evidence_of(desk, 2).digest,
        )

    assert (answering(desk), alias_of(desk)) == (serving, serving)
    assert told(desk)[earlier:] == [(FLOW, "refused", expected, version)]
    last = attempts(desk.journal, "docs")[-1]
    assert str(raised.value) in last.why
    assert last.release == ""


def test_a_person_promotes_what_was_withdrawn_and_over_a_freeze_by_naming_the_evidence(desk: Desk):
    withdraw(desk, 2)
    freeze(desk)

    promoted(desk, 2, expected=1, actor=person("Ada"))

    assert answering(desk) == 2
    assert told(desk)[-1] == ("person Ada", "promoted", 1, 2)
    assert withdrawn(desk.journal, "docs", 2) is None


@pytest.mark.parametrize(
    "since",
    [
        pytest.param(lambda desk: judge(desk, version(desk, 2), reason="worse"), id="judged-again"),
        pytest.param(lambda desk: judge(desk, register(desk, 7)), id="another-was-judged"),
        pytest.param(lambda desk: withdraw(desk, 2), id="withdrawn-since"),
        pytest.param(lambda desk: promoted(desk, 3, expected=1), id="another-champion"),
    ],
)
def test_evidence_that_changed_since_is_no_approval(desk: Desk, since: Callable[[Desk], object]):
    seen = evidence_of(desk, 2).digest
    since(desk)
    serving = answering(desk)

    with pytest.raises(EvidenceMismatchError, match="driftline promote docs --version 2"):
        promote(
            desk,
            quietly,
            version=2,
            expected=serving,
            actor=person("Ada"),
            why="",
            evidence=seen,
        )

    assert (answering(desk), alias_of(desk)) == (serving, serving)
    assert told(desk)[-1] == ("person Ada", "refused", serving, 2)


def version(desk: Desk, number: int) -> Any:
    return desk.registry.version(desk.model_name, number)


@pytest.mark.parametrize(
    ("given", "enough"),
    [
        pytest.param(lambda digest: digest, True, id="whole"),
        pytest.param(lambda digest: f" {digest[:DIGITS].upper()} ", True, id="exactly-enough"),
        pytest.param(lambda digest: digest[: DIGITS - 1], False, id="one-digit-too-few"),
        pytest.param(lambda digest: digest[1 : DIGITS + 1], False, id="from-the-middle"),
        pytest.param(lambda _: "", False, id="empty"),
    ],
)
def test_twelve_digits_name_the_evidence(given: Callable[[str], str], *, enough: bool):
    try:
        SHOWN.refuse_other(given(SHOWN.digest))
        named = True
    except EvidenceMismatchError:
        named = False

    assert named is enough


def test_the_same_state_has_the_same_digest_in_another_process(desk: Desk, place: Place):
    elsewhere = place.run("promote", "docs", "--version", "2", "--json").json

    assert elsewhere["evidence"] == evidence_of(desk, 2).digest


def test_a_damaged_challenger_is_not_promoted(desk: Desk):
    model = register(desk, 9)
    judge(desk, model)
    damage(model)

    with pytest.raises(ModelCorruptError):
        promoted(desk, model.version, expected=1)

    assert (answering(desk), alias_of(desk)) == (1, 1)
    assert told(desk) == [(FLOW, "refused", 1, model.version)]


def test_an_adapter_that_is_not_the_one_that_was_weighed_is_not_promoted(desk: Desk):
    judge(desk, version(desk, 2), adapter_digest=version(desk, 3).adapter_digest)

    with pytest.raises(EvidenceMismatchError, match="was weighed"):
        promoted(desk, 2, expected=1)

    assert answering(desk) == 1


def test_a_run_that_lost_its_lease_promotes_nothing_and_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    def overtaken(desk: Desk, _fence: Fence) -> None:
        held = desk.journal.lease("docs")
        desk.journal.take_lease("docs", holder="another", now=0.0, expected=held)

    monkeypatch.setattr(flows.promote, "settle", overtaken)

    with pytest.raises(LostLeaseError):
        promoted(desk, 2, expected=1)

    assert answering(desk) == 1
    assert told(desk) == [(FLOW, "refused", 1, 2)]
    assert "LEASE_LOST" in attempts(desk.journal, "docs")[0].why


def test_killed_before_the_alias_the_next_run_moves_it(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def killed(*_: object, **__: object) -> Never:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(flows.promote, "move_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            promoted(desk, 2, expected=1)
    assert (answering(desk), alias_of(desk)) == (2, 1)

    with lease.hold(desk.journal, "docs") as fence:
        followed = reconcile(desk, fence)

    assert followed is None
    assert (answering(desk), alias_of(desk)) == (2, 2)
    assert told(desk) == [(FLOW, "promoted", 1, 2)]


def test_a_damaged_champion_can_be_replaced(desk: Desk):
    model = register(desk, 8)
    judge(desk, model)
    promoted(desk, model.version, expected=1)
    damage(model)
    with lease.hold(desk.journal, "docs") as fence, pytest.raises(ModelCorruptError):
        reconcile(desk, fence)

    promoted(desk, 2, expected=model.version)

    assert (answering(desk), alias_of(desk)) == (2, 2)


def test_without_a_verdict_there_is_nothing_to_approve(desk: Desk):
    with pytest.raises(NoEvidenceError, match="version 1"):
        evidence_of(desk, 1)


def test_the_newest_verdict_is_what_is_shown(desk: Desk):
    assert evidence_of(desk).version == 3
    judge(desk, version(desk, 2), promote=False)

    shown = evidence_of(desk)

    assert (shown.version, shown.promote) == (2, False)
    assert [measure.name for measure in shown.measures] == ["f1"]


def test_what_a_document_or_a_person_wrote_is_shown_as_it_stands(desk: Desk):
    judge(desk, version(desk, 2), reason="<b>better</b> | [x](javascript:y)")

    shown = evidence_markdown(evidence_of(desk))

    assert "<b>" not in shown
    assert "[x](" not in shown
    assert evidence_of(desk).digest[:DIGITS] in shown


def hand_moves(desk: Desk, number: int) -> Any:
    """Move the alias in MLflow by hand, and let the next run notice."""
    client = MlflowClient(desk.settings.tracking_uri)
    client.set_registered_model_alias(desk.model_name, "champion", str(number))
    with lease.hold(desk.journal, "docs") as fence:
        return reconcile(desk, fence)


def test_an_alias_moved_by_hand_is_followed_and_told_there_and_back(desk: Desk):
    assert hand_moves(desk, 2) == desk.release()
    assert (answering(desk), desk.release().kind) == (2, "manual")

    hand_moves(desk, 1)

    assert (answering(desk), alias_of(desk)) == (1, 1)
    assert told(desk) == [(ALIAS, "promoted", 1, 2), (ALIAS, "promoted", 2, 1)]
    assert attempts(desk.journal, "docs")[-1].release == desk.release().release.id


@pytest.mark.parametrize("because", ["withdrawn", "frozen", "damaged", "of-another-base"])
def test_an_alias_at_what_must_not_answer_is_set_back_and_told_once(desk: Desk, because: str):
    model = register(desk, 6, base="o" if because == "of-another-base" else "b")
    serving = desk.release()
    match because:
        case "withdrawn":
            withdraw(desk, model.version)
        case "frozen":
            freeze(desk)
        case "damaged":
            damage(model)
    earlier = len(told(desk))

    assert hand_moves(desk, model.version) is None
    with lease.hold(desk.journal, "docs") as fence:
        assert reconcile(desk, fence) is None

    assert desk.release() == serving
    assert alias_of(desk) == 1
    assert told(desk)[earlier:] == [(ALIAS, "refused", 1, model.version)]


def test_an_alias_that_was_deleted_is_set_again(desk: Desk):
    MlflowClient(desk.settings.tracking_uri).delete_registered_model_alias(
        desk.model_name, "champion"
    )

    with lease.hold(desk.journal, "docs") as fence:
        assert reconcile(desk, fence) is None

    assert alias_of(desk) == 1
    assert told(desk) == []


def test_the_command_shows_the_evidence_and_changes_nothing(place: Place, desk: Desk):
    shown = place.run("promote", "docs", "--json")
    table = place.run("promote", "docs", "--version", "2").out

    assert shown.status == 4
    assert (shown.json["code"], shown.json["version"]) == ("APPROVAL_NEEDED", 3)
    assert shown.json["evidence"] == evidence_of(desk, 3).digest
    assert "answers, token F1" in table
    assert "--version 2 --evidence " in table
    assert (answering(desk), told(desk)) == (1, [])


def test_the_command_that_is_shown_promotes_and_the_history_tells_who(place: Place, desk: Desk):
    judge(desk, version(desk, 2), promote=False, reason="old text worse")
    command = place.run("promote", "docs", "--json").json["command"]

    done = place.run(*command.split()[1:], "--by", "Ada", "--json")

    assert (done.status, done.json["model_version"]) == (0, 2)
    assert answering(desk) == 2
    [line] = place.run("history", "docs", "--promotions", "--json").json
    assert (line["actor"], line["outcome"]) == ("person Ada", "promoted")
    assert (line["from"], line["to"]) == (1, 2)
    assert line["why"] == "although the verdict was no: old text worse"
    assert "person Ada" in place.run("history", "docs", "--promotions").out


def test_another_evidence_is_refused_with_its_code(place: Place, desk: Desk):
    done = place.run("promote", "docs", "--evidence", "0" * 12, "--by", "Ada", "--json")

    assert (done.status, done.json["error"]["code"]) == (4, "EVIDENCE_CHANGED")
    assert told(desk) == [("person Ada", "refused", 1, 3)]


def test_a_history_that_was_stored_still_reads(tmp_path: Path):
    """The lines of the first format, as they stand in a journal of that time."""
    stored = json.loads(
        (Path(__file__).parents[2] / "data" / "promotions-1.json").read_text(encoding="utf-8")
    )
    (tmp_path / "driftline.toml").write_text('[kb.docs.source]\npath = "docs"\n')
    with opened(tmp_path) as desk:
        for number, line in enumerate(stored):
            at = NOW + timedelta(hours=number)
            desk.journal.append("docs", line["kind"], line["payload"], time=at, key=line["key"])

        assert told(desk) == [
            (FLOW, "promoted", 1, 2),
            (ALIAS, "refused", 2, 3),
            ("person Ada", "withdrawn", 2, 1),
        ]
        taken_back = withdrawn(desk.journal, "docs", 2)
        assert taken_back is not None
        assert taken_back.why == "worse answers"
