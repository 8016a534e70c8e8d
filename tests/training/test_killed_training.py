"""A training killed anywhere is finished by the next one, with the digest of an undisturbed one.

Real processes die here, by SIGKILL: at every tenth step, and after every file of a checkpoint.
"""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.forking import PROCESSES
from tests.faults.tally import IN_A_TRAINING, TALLY
from tests.training.builders import answer_row, text_row, training_set
from tests.training.killed_training import train_until
from tests.training.tiny import tiny_base
from training.failpoints import FAILPOINTS
from training.fitting.checkpoints import candidate_adapters, work_folder
from training.fitting.finetune import finetune
from training.records import Adapter, BaseModel, FinetuneConfig, Passage, TrainingStep

STEPS = 40
PASSAGES = [Passage("Lids", "The red lid opens at noon."), Passage("Lamps", "The lamp is green.")]
TEXTS = [text_row(f"The lid number {n} opens at noon and closes at night.") for n in range(20)]
QUESTIONS = [
    answer_row(f"When does lid {n} open?", "at noon", PASSAGES, source=1) for n in range(20)
]
EXAMPLES = training_set([*TEXTS, *QUESTIONS])
# Dropout, so that a wrong random number would show; a checkpoint every fourth step.
CONFIG = FinetuneConfig(batch_rows=1, epochs=1, rank=4, alpha=8, dropout=0.1)


@pytest.fixture(scope="module")
def tiny(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(base, tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def undisturbed(tiny: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    return finetune(tiny, EXAMPLES, CONFIG, tmp_path_factory.mktemp("undisturbed") / "adapter")


def killed_at(failpoint: str, times: int, base: BaseModel, folder: Path) -> int | None:
    process = PROCESSES.Process(
        target=train_until,
        args=(failpoint, times),
        kwargs={"base": base, "examples": EXAMPLES, "config": CONFIG, "folder": folder},
    )
    process.start()
    process.join(60)
    TALLY[IN_A_TRAINING] += process.exitcode == -signal.SIGKILL
    return process.exitcode


@pytest.mark.slow
@pytest.mark.parametrize("step", range(10, STEPS + 1, 10))
def test_a_training_killed_at_every_tenth_step_ends_with_the_same_digest(
    step: int, tiny: BaseModel, undisturbed: Adapter, tmp_path: Path
) -> None:
    folder, again = tmp_path / "adapter", list[TrainingStep]()

    died = killed_at("training.step", step, tiny, folder)
    adapter = finetune(tiny, EXAMPLES, CONFIG, folder, on_step=again.append)

    assert died == -signal.SIGKILL
    assert adapter.digest == undisturbed.digest
    assert adapter.tokens == undisturbed.tokens
    assert [each.step for each in again] == list(range(again[0].step, STEPS + 1))
    # The last checkpoint is at most a tenth of the steps back; the last step itself has none.
    assert step - 4 <= again[0].step - 1 <= min(step, STEPS - 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failpoint", "times"),
    [
        ("adapter.weights", 1),  # nothing to go back to
        ("checkpoint.manifest", 1),
        *((name, 3) for name in FAILPOINTS if name.startswith(("adapter.", "checkpoint."))),
        *((name, 10) for name in FAILPOINTS if name.startswith("adapter.")),  # the finished one
        *((name, 1) for name in FAILPOINTS if name.startswith("finished.")),
    ],
)
def test_a_training_killed_between_two_files_ends_with_the_same_digest(
    failpoint: str, times: int, tiny: BaseModel, undisturbed: Adapter, tmp_path: Path
) -> None:
    folder = tmp_path / "adapter"

    died = killed_at(failpoint, times, tiny, folder)
    whole = folder.exists()
    adapter = candidate_adapters(folder)[0] if whole else finetune(tiny, EXAMPLES, CONFIG, folder)

    assert died == -signal.SIGKILL
    assert whole == failpoint.startswith("finished")
    assert adapter.digest == undisturbed.digest
    assert {path.name for path in tmp_path.iterdir()} == {"adapter", "adapter.work"}
    assert all(path.name.startswith("step-") for path in work_folder(folder).iterdir()) or whole


@pytest.mark.slow
def test_a_training_killed_again_and_again_ends_with_the_same_digest(
    tiny: BaseModel, undisturbed: Adapter, tmp_path: Path
) -> None:
    folder = tmp_path / "adapter"

    died = [killed_at("training.step", 7, tiny, folder) for _ in range(4)]
    adapter = finetune(tiny, EXAMPLES, CONFIG, folder)

    assert died == [-signal.SIGKILL] * 4
    assert adapter.digest == undisturbed.digest


@pytest.mark.slow
def test_another_config_does_not_go_on_from_a_killed_training(
    tiny: BaseModel, undisturbed: Adapter, tmp_path: Path
) -> None:
    other = replace(CONFIG, seed=18)
    folder, again = tmp_path / "adapter", list[TrainingStep]()
    killed_at("training.step", 10, tiny, folder)

    adapter = finetune(tiny, EXAMPLES, other, folder, on_step=again.append)

    assert again[0].step == 1
    assert adapter.digest == finetune(tiny, EXAMPLES, other, tmp_path / "fresh").digest
    assert adapter.digest != undisturbed.digest
