"""What goes wrong in a retraining: a clear sentence, nothing promoted, the champion untouched."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file, save_file

import flows.retrain
from flows.retrain import retrain
from flows.steps import quietly
from flows.training_plan import prepare
from tests.flows.conftest import Ran
from tests.flows.tiny_place import TinyPlace, base_model, build, copy
from training.weighing import Choice, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> TinyPlace:
    """A place whose documents moved on: the bare tiny model is champion of release 2."""
    return build(tmp_path_factory.mktemp("second") / "place")


@pytest.fixture
def place(second: TinyPlace, tmp_path: Path) -> TinyPlace:
    return copy(second, tmp_path / "place")


@pytest.fixture(scope="module")
def adapted(second: TinyPlace, tmp_path_factory: pytest.TempPathFactory) -> TinyPlace:
    """A place whose champion is an adapter, and whose documents moved on since."""
    place = copy(second, tmp_path_factory.mktemp("adapted") / "place")
    better = Choice(0, Verdict(promote=True, reason="better"))
    with pytest.MonkeyPatch.context() as patched, place.desk() as desk:
        patched.setattr(flows.retrain, "choose", lambda *_, **__: better)
        assert retrain(desk, quietly).published is not None
    place.refresh(3)
    return place


def model_of(place: TinyPlace, second: TinyPlace) -> Path:
    """Return a base model of the place's own, to be damaged, named in its settings."""
    model = place.folder / "own-model"
    shutil.copytree(second.folder / "model", model)
    place.configure(model)
    return model


def poisoned_configuration(place: TinyPlace, second: TinyPlace) -> None:
    path = model_of(place, second) / "config.json"
    told = json.loads(path.read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}
    path.write_text(json.dumps(told))


def pickle_for_safetensors(place: TinyPlace, second: TinyPlace) -> None:
    model = model_of(place, second)
    (model / "model.safetensors").unlink()
    torch.save({"weight": torch.zeros(2)}, model / "pytorch_model.bin")


def weight_that_is(value: float) -> Callable[[TinyPlace, TinyPlace], None]:
    def damage(place: TinyPlace, second: TinyPlace) -> None:
        path = model_of(place, second) / "model.safetensors"
        weights = load_file(path)
        weights["model.norm.weight"][0] = value
        save_file(weights, path, metadata={"format": "pt"})

    return damage


def held_out_text_in_conversations(place: TinyPlace, second: TinyPlace) -> None:
    with place.desk() as desk:
        champion = desk.release().release
        held = prepare(desk, quietly, champion, champion.snapshot).examples.holdout_new
    line = {"prompt": "What do you know?", "completion": held[0].text}
    (place.folder / "chat.jsonl").write_text(json.dumps(line))
    place.configure(second.folder / "model", ("epochs = 1", 'epochs = 1\nchat = "chat.jsonl"'))


def line_that_is_no_conversation(place: TinyPlace, second: TinyPlace) -> None:
    (place.folder / "chat.jsonl").write_text('{"prompt": "Hello"}')
    place.configure(second.folder / "model", ("epochs = 1", 'epochs = 1\nchat = "chat.jsonl"'))


def told(done: Ran, fault: "Fault") -> bool:
    """Return whether a command ended as a fault should, in its words."""
    error = done.json["error"]
    assert (done.status, error["code"]) == (fault.status, fault.code), error
    assert [words for words in fault.words if words not in error["message"]] == [], error
    return done.err.endswith(f"{fault.code}: {error['message']}\n")


@dataclass(frozen=True)
class Fault:
    """What is done to a place, and what a person is told then."""

    provoke: Callable[[TinyPlace, TinyPlace], None]
    status: int
    code: str
    words: tuple[str, ...]


FAULTS = {
    "a-poisoned-configuration": Fault(
        poisoned_configuration, 2, "MODEL_UNSAFE", ("auto_map", "config.json")
    ),
    "a-pickle-in-place-of-safetensors": Fault(
        pickle_for_safetensors, 2, "MODEL_UNSAFE", ("pytorch_model.bin", "safetensors")
    ),
    "a-weight-that-is-no-number": Fault(
        weight_that_is(float("nan")), 1, "TRAIN_DIVERGED", ("step 1 of", "nan", "learning_rate")
    ),
    "a-weight-that-is-infinite": Fault(
        weight_that_is(float("inf")), 1, "TRAIN_DIVERGED", ("step 1 of", "nan", "learning_rate")
    ),
    "an-evaluation-leak": Fault(
        held_out_text_in_conversations,
        1,
        "EVAL_LEAK",
        ("chat.jsonl:1", "Remove it from the conversations"),
    ),
    "a-line-that-is-no-conversation": Fault(
        line_that_is_no_conversation, 1, "CHAT_INVALID", ("line 1",)
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_and_the_champion_stays(
    fault: Fault, place: TinyPlace, second: TinyPlace
) -> None:
    before = place.standing()
    fault.provoke(place, second)

    done = place.run("retrain", "docs", "--json")
    place.configure(second.folder / "model")
    planned = place.run("retrain", "docs", "--plan", "--json")

    assert told(done, fault)
    assert place.standing() == before
    assert before.first_broken is None
    assert "RUNNING" not in place.statuses()
    assert (planned.status, planned.json["judged"]) == (0, None)


def all_but_one_removed(place: TinyPlace, second: TinyPlace) -> None:
    for path in sorted((place.folder / "docs").iterdir())[1:]:
        path.unlink()
    place.configure(second.folder / "model")
    accepted = re.search(r"--accept (\w+)", place.run("refresh", "docs").err)
    assert accepted is not None
    place.run_json("refresh", "docs", "--accept", accepted[1])


def source_no_longer_trusted(place: TinyPlace, second: TinyPlace) -> None:
    place.configure(
        second.folder / "model", ('path = "docs"', 'path = "docs"\ntrust = "untrusted"')
    )
    place.run_json("refresh", "docs")


@pytest.mark.parametrize(
    ("provoke", "words"),
    [(all_but_one_removed, "1 of 9"), (source_no_longer_trusted, "0 of 9")],
    ids=["one-document", "no-text-to-be-trusted"],
)
def test_too_little_text_is_told_and_nothing_is_made(
    provoke: Callable[[TinyPlace, TinyPlace], None],
    words: str,
    place: TinyPlace,
    second: TinyPlace,
) -> None:
    provoke(place, second)
    before = place.standing()

    done = place.run("retrain", "docs", "--json")

    fault = Fault(nothing, 1, "NOT_ENOUGH_TEXT", (words, "Add documents"))
    assert told(done, fault)
    assert place.standing() == before
    assert place.training_runs() == []


@pytest.mark.parametrize(
    ("changes", "seed", "words"),
    [
        ((("rank = 4", "rank = 8"),), 7, ("rank 4", "wants 8", 'start = "base"')),
        ((("alpha = 8", "alpha = 16"),), 7, ("alpha 8", "wants 16", 'start = "base"')),
        ((), 8, ("for another base model", "Set `base` under `[model]` back")),
    ],
    ids=["rank", "alpha", "base-model"],
)
def test_a_champion_that_does_not_fit_is_no_start(
    changes: tuple[tuple[str, str], ...],
    seed: int,
    words: tuple[str, ...],
    adapted: TinyPlace,
    tmp_path: Path,
) -> None:
    place = copy(adapted, tmp_path / "place")
    before = place.standing()
    with place.desk() as desk:
        base = base_model(desk.base, tmp_path / "model", seed=seed).folder
    place.configure(base, *changes)

    done = place.run("retrain", "docs", "--json")

    assert told(done, Fault(nothing, 1, "ADAPTER_MISMATCH", words))
    assert place.standing() == before
    assert before.champion == 2
    # Another base model is told before a training is begun.
    failed = ["FAILED"] if changes else []
    assert place.statuses() == [*failed, "FINISHED"]


def test_a_training_that_is_killed_is_told_and_goes_on_when_asked_again(
    place: TinyPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place.standing()

    with monkeypatch.context() as patched:
        patched.setenv("DRIFTLINE_FAILPOINT", "training.step:8")
        done = place.run("retrain", "docs", "--json")
    after = place.standing()
    again = place.run_json("retrain", "docs")

    assert told(done, Fault(nothing, 1, "TRAIN_KILLED", ("signal 9", "goes on")))
    assert after == before
    assert (again["version"], again["trained"]) == (2, True)
    assert place.statuses() == ["FAILED", "FINISHED"]
    assert first_step_of(place.training_runs()[-1], place) > 1


@pytest.fixture
def small_disk(place: TinyPlace) -> Iterator[Path]:
    """Return a disk of half a megabyte for what trainings leave; it takes a superuser."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    disk = place.trainings
    disk.mkdir(parents=True)
    if not mount or not unmount:
        pytest.skip("no mount on this system")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=False)
    if made.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield disk
    subprocess.run([unmount, disk], check=True)


def test_a_disk_without_room_is_told_and_what_waits_goes_on_once_there_is(
    place: TinyPlace, small_disk: Path
) -> None:
    before = place.standing()

    done = place.run("retrain", "docs", "--json")
    after = place.standing()
    grown = [str(shutil.which("mount")), "-o", "remount,size=32m", str(small_disk)]
    subprocess.run(grown, check=True)
    again = place.run_json("retrain", "docs")

    assert told(done, Fault(nothing, 1, "TRAIN_NO_SPACE", ("MB are free", "Make room")))
    assert after == before
    assert (again["version"], again["trained"]) == (2, True)
    assert place.statuses() == ["FAILED", "FINISHED"]
    assert list(small_disk.iterdir()) == []


def nothing(place: TinyPlace, second: TinyPlace) -> None:
    """Leave a place as it is: what is wrong was there before."""
    del place, second


def first_step_of(run: Any, place: TinyPlace) -> int:
    with place.desk() as desk:
        client = MlflowClient(desk.settings.tracking_uri)
        return min(
            int(metric.step) for metric in client.get_metric_history(run.info.run_id, "train/loss")
        )
