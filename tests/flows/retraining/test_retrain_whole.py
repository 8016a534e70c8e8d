"""A whole retraining for real: child process, registry, MLflow, journal; planned, killed, approved.

The judge is real wherever a verdict is not given on purpose; the model is tiny and knows nothing.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

import flows.retrain
from flows.retrain import retrain
from flows.steps import quietly
from flows.tracking.cards import escape
from flows.training_plan import prepare
from tests.faults.tally import IN_A_RETRAINING, TALLY
from tests.flows.tiny_place import Meanwhile, TinyPlace, Undisturbed, build, copy
from training.models.adapter_files import read_adapter
from training.records import RowKind
from training.weighing import Choice, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

T = TypeVar("T")
KILLED = "tests.flows.retraining.killed_retraining"
PLAN_KEYS = (
    "kb reference current champion_version start parts documents held_out tokens steps "
    "train_seconds weigh_seconds money currency data_digest judged"
)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> TinyPlace:
    """A place whose documents moved on: the bare tiny model is champion of release 2."""
    return build(tmp_path_factory.mktemp("second") / "place")


@pytest.fixture
def place(second: TinyPlace, tmp_path: Path) -> TinyPlace:
    return copy(second, tmp_path / "place")


@pytest.fixture(scope="module")
def undisturbed(second: TinyPlace, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    place = copy(second, tmp_path_factory.mktemp("undisturbed") / "place")
    planned = place.run_json("retrain", "docs", "--plan")
    after_plan = len(place.verdicts()) + len(place.training_runs())
    outcome = place.run_json("retrain", "docs")
    again = place.run_json("retrain", "docs", "--plan")
    (verdict,), (run,) = place.verdicts(), place.training_runs()
    return Undisturbed(place, planned, after_plan, outcome, again, verdict, run)


def test_a_plan_says_what_a_retraining_then_does(undisturbed: Undisturbed) -> None:
    plan, steps = undisturbed.planned, undisturbed.history_of("train/loss")

    assert " ".join(plan) == PLAN_KEYS
    assert undisturbed.verdicts_after_plan == 0
    assert (plan["reference"], plan["current"]) == ("docs@2", "docs@3")
    assert (plan["judged"], undisturbed.planned_again) == (None, {**plan, "judged": 2})
    assert [metric.step for metric in steps] == list(range(1, plan["steps"] + 1))
    assert sum(part["rows"] for part in plan["parts"]) == int(
        undisturbed.run.data.params["train_rows"]
    )
    assert plan["data_digest"] == undisturbed.run.data.params["data_digest"]


def test_a_verdict_is_kept_with_all_that_led_to_it(undisturbed: Undisturbed) -> None:
    outcome, verdict = undisturbed.outcome, undisturbed.verdict.payload

    assert (outcome["version"], outcome["trained"], outcome["waiting"]) == (2, True, None)
    assert outcome["verdict"] == {"promote": verdict["promote"], "reason": verdict["reason"]}
    assert (verdict["version"], verdict["champion_version"], verdict["start"]) == (2, 1, None)
    assert verdict["data_digest"] == undisturbed.planned["data_digest"]
    assert verdict["adapter_digest"] == undisturbed.place.adapter_digest(2)
    assert verdict["evaluation"]["new"]["rows"] >= 2
    assert undisturbed.place.standing().first_broken is None


def test_nothing_of_a_training_stays_on_disk(undisturbed: Undisturbed) -> None:
    assert list(undisturbed.place.trainings.iterdir()) == []


def test_mlflow_has_curves_rows_samples_measures_and_a_picture(undisturbed: Undisturbed) -> None:
    run, client = undisturbed.run, undisturbed.client()

    losses, rates, tokens = (
        [metric.value for metric in undisturbed.history_of(f"train/{name}")]
        for name in ("loss", "learning_rate", "tokens")
    )

    assert run.info.status == "FINISHED"
    assert len(losses) == len(rates) == len(tokens) == undisturbed.planned["steps"]
    assert losses[-1] < losses[0]  # even a tiny model learns which ids there are
    assert max(rates) == pytest.approx(1e-3)
    assert tokens == sorted(set(tokens))
    assert tokens[-1] == undisturbed.verdict.payload["tokens"]
    names = {found.path for found in client.list_artifacts(run.info.run_id)}
    assert names >= {
        "examples",
        "model",
        "samples.json",
        "measures.json",
        "answers.json",
        "weighing.png",
    }
    rows = {found.path for found in client.list_artifacts(run.info.run_id, "examples")}
    assert rows == {"examples/examples.parquet", "examples/examples.json"}
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.dataset.name == "docs@2..docs@3"
    assert undisturbed.planned["data_digest"].startswith(dataset.dataset.digest)


def test_the_card_says_what_why_on_what_how_and_its_limits(undisturbed: Undisturbed) -> None:
    with undisturbed.place.desk() as desk:
        version = undisturbed.client().get_model_version(desk.model_name, "2")

    said = [version.description.find(f"**{part}.**") for part in CARD]

    assert -1 not in said
    assert said == sorted(said)
    assert escape(undisturbed.verdict.payload["reason"]) in version.description
    assert "asked for by hand" in version.description


CARD = ("What", "Why", "Trained on", "Tested how", "Limits")


def test_what_was_judged_is_not_trained_again(undisturbed: Undisturbed, tmp_path: Path) -> None:
    place = copy(undisturbed.place, tmp_path / "place")

    again = place.run_json("retrain", "docs")

    assert again == {**undisturbed.outcome, "trained": False}
    assert len(place.training_runs()) == len(place.verdicts()) == 1


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ("step:9", "KILLED"),
        ("weighing", "KILLED"),
        ("registered", "FINISHED"),
    ],
    ids=["while-it-trains", "before-it-is-weighed", "before-its-verdict-is-kept"],
)
def test_a_retraining_that_is_killed_ends_as_if_nothing_had_happened(
    where: str, status: str, place: TinyPlace, undisturbed: Undisturbed
) -> None:
    killed = subprocess.run(
        [sys.executable, "-m", KILLED, where, str(place.settings_file)],
        cwd=Path(__file__).parents[3],
        env=os.environ,
        capture_output=True,
        check=False,
    )
    TALLY[IN_A_RETRAINING] += killed.returncode == -signal.SIGKILL
    left = place.verdicts()
    done = place.run_json("retrain", "docs")

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert left == ()
    (verdict,) = place.verdicts()
    assert verdict.payload["adapter_digest"] == undisturbed.verdict.payload["adapter_digest"]
    assert verdict.payload["evaluation"]["new"] == undisturbed.verdict.payload["evaluation"]["new"]
    assert place.statuses() == ["FINISHED", status]
    assert place.standing().versions == 2  # the bare base model, and one challenger
    assert done == undisturbed.outcome


@dataclass(frozen=True)
class Approved:
    """A place in the mode `approve`, and what it said until a person had approved."""

    place: TinyPlace
    outcome: Any
    waiting: Any
    shown: Any
    refused: Any
    still: Any
    promoted: Any


@pytest.fixture(scope="module")
def approved(second: TinyPlace, tmp_path_factory: pytest.TempPathFactory) -> Approved:
    place = copy(second, tmp_path_factory.mktemp("approved") / "place")
    place.configure(second.folder / "model", ('mode = "auto"', 'mode = "approve"'))
    with pytest.MonkeyPatch.context() as patched:
        better = Choice(0, Verdict(promote=True, reason="better"))
        patched.setattr(flows.retrain, "choose", lambda *_, **__: better)
        outcome = place.run_json("retrain", "docs")
    waiting = place.standing()
    shown = place.run("promote", "docs", "--json")
    refused = place.run("promote", "docs", "--evidence", "0" * 12, "--json")
    still = place.standing()
    evidence = ("--evidence", outcome["waiting"], "--by", "Ada")
    promoted = place.run_json("promote", "docs", *evidence)
    return Approved(place, outcome, waiting, shown, refused, still, promoted)


def test_what_waits_for_a_person_is_published_on_its_evidence_alone(
    approved: Approved, second: TinyPlace
) -> None:
    outcome, before = approved.outcome, second.standing()

    assert (outcome["version"], outcome["release"]) == (2, None)
    assert approved.waiting.history == approved.still.history == before.history
    assert approved.waiting.champion == approved.still.champion == 1
    assert (approved.shown.status, approved.shown.json["evidence"]) == (4, outcome["waiting"])
    assert approved.refused.status == 4
    assert approved.refused.json["error"]["code"] == "EVIDENCE_CHANGED"
    assert (approved.promoted["kind"], approved.promoted["model_version"]) == ("promotion", 2)
    after = approved.place.standing()
    assert (after.champion, after.history[-1]) == (2, approved.promoted["release"])
    assert after.first_broken is None


def test_each_start_begins_with_the_weights_it_names(
    approved: Approved, second: TinyPlace, tmp_path: Path
) -> None:
    place = copy(approved.place, tmp_path / "place")
    place.refresh(3)
    origins = []

    for start in ("base", "champion", "challenger"):
        place.configure(second.folder / "model", ("epochs = 1", f'epochs = 1\nstart = "{start}"'))
        place.run_json("retrain", "docs")
        origins.append(origin(place))

    champion, of_the_champion = place.adapter_digest(2), place.adapter_digest(4)
    assert origins == ["", champion, of_the_champion]
    assert len({place.adapter_digest(version) for version in (2, 3, 4, 5)}) == 4


def origin(place: TinyPlace) -> str:
    """Return what the newest challenger says it was started from."""
    with place.desk() as desk:
        newest = desk.registry.aliased(desk.model_name, "challenger")
    assert newest is not None
    assert newest.adapter_folder is not None
    return read_adapter(newest.adapter_folder).started_from


def test_a_budget_in_minutes_becomes_whole_thousands_of_tokens(
    place: TinyPlace, second: TinyPlace
) -> None:
    place.configure(second.folder / "model", ("budget_tokens = 5000", "budget_minutes = 0.1"))

    with place.desk() as desk:
        release = desk.release().release
        budgets = [
            prepare(desk, quietly, release, release.snapshot).config.budget_tokens for _ in range(2)
        ]

    assert budgets[0] % 1000 == 0
    assert budgets[0] > 0
    assert budgets[1] == budgets[0]


def test_conversations_of_the_user_are_trained_on(place: TinyPlace, second: TinyPlace) -> None:
    lines = [f'{{"prompt": "Who keeps lid {n}?", "completion": "Keeper {n}"}}' for n in range(3)]
    (place.folder / "chat.jsonl").write_text("\n".join(lines))
    place.configure(second.folder / "model", ("epochs = 1", 'epochs = 1\nchat = "chat.jsonl"'))

    plan = place.run_json("retrain", "docs", "--plan")
    with place.desk() as desk:
        release = desk.release().release
        examples = prepare(desk, quietly, release, release.snapshot).examples

    talks = [row for row in examples.train if row.kind is RowKind.CHAT]
    assert {(row.turns[0].content, row.text) for row in talks} == {
        (f"Who keeps lid {n}?", f"Keeper {n}") for n in range(3)
    }
    assert [part["rows"] for part in plan["parts"] if part["kind"] == "chat"] == [3]


def test_while_one_retraining_runs_refreshes_go_on_and_a_second_is_told(place: TinyPlace) -> None:
    before, meanwhile = place.standing(), Meanwhile(place)

    with place.desk() as desk, pytest.raises(KeyboardInterrupt):
        retrain(desk, meanwhile)

    assert (meanwhile.refreshed.status, meanwhile.refreshed.json["edited"]) == (0, 8)
    told = meanwhile.retrained.json["error"]
    assert (meanwhile.retrained.status, told["code"]) == (3, "BUSY")
    assert "'docs:training' is held by this very process" in told["message"]
    assert len(place.standing().history) == len(before.history) + 1
    assert place.statuses() == ["FAILED"]
