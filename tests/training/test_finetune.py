"""Training: repeatable to the bit, told step by step, and ended with a sentence where it must."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from tests.training.builders import SMALL, answer_row, sha, text_row, training_set
from tests.training.tiny import tiny_base
from training.answering import Answerer
from training.errors import (
    AdapterMismatchError,
    DivergedError,
    NoSpaceError,
    NotEnoughTextError,
    TrainingError,
)
from training.fitting.checkpoints import candidate_adapters, remove_work, work_folder
from training.fitting.finetune import estimate_cost, finetune
from training.judging.evaluate import score
from training.models.adapter_files import read_adapter
from training.records import (
    Adapter,
    BaseModel,
    FinetuneConfig,
    Passage,
    Row,
    RowKind,
    Sample,
    TrainingStep,
    Turn,
)

ROWS = [text_row(f"The lid number {n} opens at noon and closes at night.") for n in range(8)]
PASSAGES = [Passage("Lids", "The red lid opens at noon."), Passage("Lamps", "The lamp is green.")]
QUESTION = answer_row("When does the red lid open?", "at noon", PASSAGES, source=1)
CHAT = Row(
    RowKind.CHAT,
    "chat.jsonl",
    sha("chat"),
    sha("turns"),
    "At noon.",
    turns=(Turn("system", "Be brief."), Turn("user", "When does the lid open?")),
)
# Twenty steps, and a checkpoint after every second one.
TWENTY = replace(SMALL, batch_rows=1, epochs=1, rank=4, alpha=8)
TWENTY_ROWS = training_set(
    [text_row(f"The lid number {n} opens at noon.") for n in range(20)],
    answers=[answer_row(f"When does lid {n} open?", "at noon", PASSAGES, source=1) for n in (1, 2)],
)


@pytest.fixture(scope="module")
def tiny(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(base, tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of two megabytes; making one takes a superuser."""
    disk, mount, unmount = tmp_path / "disk", shutil.which("mount"), shutil.which("umount")
    disk.mkdir()
    if not mount or not unmount:
        pytest.skip("no mount on this system")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False)
    if made.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield disk
    subprocess.run([unmount, str(disk)], check=True)


@pytest.mark.slow
def test_the_same_rows_and_seed_give_the_same_adapter(tiny: BaseModel, tmp_path: Path) -> None:
    rows = training_set([*ROWS[:4], QUESTION, CHAT])
    config = replace(SMALL, epochs=1)

    once = finetune(tiny, rows, config, tmp_path / "once")
    torch.rand(Random().randrange(1, 9))  # noqa: S311 - what came before must not matter
    again = finetune(tiny, rows, config, tmp_path / "again")
    other = finetune(tiny, rows, replace(config, seed=18), tmp_path / "other")

    assert again.digest == once.digest
    assert other.digest != once.digest


@pytest.mark.slow
def test_every_step_is_told_and_the_estimate_is_near(tiny: BaseModel, tmp_path: Path) -> None:
    rows = training_set([*ROWS, QUESTION])
    config = replace(SMALL, budget_tokens=300, batch_rows=4)
    steps: list[TrainingStep] = []

    adapter = finetune(tiny, rows, config, tmp_path / "a", on_step=steps.append)

    tokens, count = estimate_cost(rows, config)
    assert [step.step for step in steps] == list(range(1, count + 1))
    assert {step.steps for step in steps} == {count}
    assert steps[-1].tokens == adapter.tokens == pytest.approx(tokens, rel=0.3)
    assert steps[0].learning_rate <= max(step.learning_rate for step in steps)
    assert all(step.loss > 0 for step in steps)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*ROWS[:1], QUESTION, CHAT], ids=["text", "answer", "chat"])
def test_one_row_of_any_kind_is_a_training(kind: Row, tiny: BaseModel, tmp_path: Path) -> None:
    steps: list[TrainingStep] = []
    config = replace(SMALL, epochs=3)

    finetune(tiny, training_set([kind]), config, tmp_path / "a", on_step=steps.append)

    assert len(steps) == 3
    assert steps[-1].loss < steps[0].loss


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_loss_that_is_no_number_leaves_the_last_checkpoint(
    tiny: BaseModel, tmp_path: Path
) -> None:
    wild = replace(SMALL, learning_rate=1e30, batch_rows=1, epochs=1)

    with pytest.raises(DivergedError, match=r"step 2 of 8.*step 1 is kept.*Lower `learning_rate`"):
        finetune(tiny, training_set(ROWS), wild, tmp_path / "adapter")

    assert [path.name for path in tmp_path.iterdir()] == ["adapter.work"]
    assert [path.name for path in work_folder(tmp_path / "adapter").iterdir()] == ["step-000001"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_lower_rate_after_a_divergence_begins_anew(tiny: BaseModel, tmp_path: Path) -> None:
    wild = replace(SMALL, learning_rate=1e30, batch_rows=1, epochs=1)
    tame, steps = replace(wild, learning_rate=1e-3), list[TrainingStep]()
    with pytest.raises(DivergedError):
        finetune(tiny, training_set(ROWS), wild, tmp_path / "adapter")

    adapter = finetune(tiny, training_set(ROWS), tame, tmp_path / "adapter", on_step=steps.append)

    assert steps[0].step == 1
    assert adapter.digest == finetune(tiny, training_set(ROWS), tame, tmp_path / "b").digest


@pytest.mark.slow
def test_a_folder_that_is_taken_is_not_trained_into(tiny: BaseModel, tmp_path: Path) -> None:
    adapter = finetune(tiny, training_set(ROWS), SMALL, tmp_path / "adapter")

    with pytest.raises(FileExistsError, match="already"):
        finetune(tiny, training_set(ROWS), SMALL, adapter.folder)

    assert read_adapter(adapter.folder) == adapter


@pytest.mark.slow
@pytest.mark.parametrize("rows", [[], [text_row("")]], ids=["no-row", "an-empty-row"])
def test_rows_without_a_token_are_no_training(
    rows: list[Row], tiny: BaseModel, tmp_path: Path
) -> None:
    with pytest.raises(NotEnoughTextError):
        finetune(tiny, training_set(rows), SMALL, tmp_path / "adapter")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_training_goes_on_from_another_adapter(tiny: BaseModel, tmp_path: Path) -> None:
    first = finetune(tiny, training_set(ROWS), SMALL, tmp_path / "first")
    still = replace(SMALL, learning_rate=1e-30, epochs=1)

    onwards = finetune(tiny, TWENTY_ROWS, still, tmp_path / "second", start=first.folder)
    fresh = finetune(tiny, TWENTY_ROWS, still, tmp_path / "fresh")

    # With no rate to speak of, what comes out is what it started from.
    assert onwards.digest == first.digest
    assert onwards.started_from == first.digest
    assert read_adapter(onwards.folder).started_from == first.digest
    assert fresh.digest != first.digest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("odd", "named"),
    [(replace(SMALL, rank=8), "rank 8"), (replace(SMALL, alpha=8), "alpha 8")],
    ids=["rank", "alpha"],
)
def test_an_adapter_of_another_shape_is_no_start(
    odd: FinetuneConfig, named: str, tiny: BaseModel, tmp_path: Path
) -> None:
    first = finetune(tiny, training_set(ROWS), odd, tmp_path / "first")

    with pytest.raises(AdapterMismatchError, match=named):
        finetune(tiny, training_set(ROWS), SMALL, tmp_path / "second", start=first.folder)

    assert not (tmp_path / "second").exists()


@pytest.mark.slow
def test_an_adapter_of_another_base_is_no_start(
    tiny: BaseModel, base: BaseModel, tmp_path: Path
) -> None:
    other = tiny_base(base, tmp_path / "other-base", seed=8)
    first = finetune(other, training_set(ROWS), SMALL, tmp_path / "first")

    with pytest.raises(AdapterMismatchError, match="not on 'tiny-7'"):
        finetune(tiny, training_set(ROWS), SMALL, tmp_path / "second", start=first.folder)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_last_checkpoints_are_candidates(count: int, tiny: BaseModel, tmp_path: Path) -> None:
    config = replace(TWENTY, candidates=count)

    adapter = finetune(tiny, TWENTY_ROWS, config, tmp_path / "a")

    found = candidate_adapters(tmp_path / "a")
    assert found[0] == adapter
    assert [each.folder.name for each in found[1:]] == [
        "step-000018",
        "step-000016",
        "step-000014",
    ][:count]
    assert len({each.digest for each in found}) == count + 1
    remove_work(tmp_path / "a")
    assert candidate_adapters(tmp_path / "a") == (adapter,)


@pytest.mark.slow
def test_samples_are_taken_on_the_way_and_change_nothing(tiny: BaseModel, tmp_path: Path) -> None:
    samples: list[Sample] = []
    config = replace(TWENTY, dropout=0.1)

    sampled = finetune(tiny, TWENTY_ROWS, config, tmp_path / "a", on_sample=samples.append)
    silent = finetune(tiny, TWENTY_ROWS, config, tmp_path / "b")

    assert [sample.step for sample in samples] == [7, 7, 14, 14, 20, 20]
    assert {(sample.question, sample.wanted) for sample in samples} == {
        ("When does lid 1 open?", "at noon"),
        ("When does lid 2 open?", "at noon"),
    }
    assert all(isinstance(sample.said, str) for sample in samples)
    assert sampled.digest == silent.digest


def ballast_from(disk: Path, full_at: int) -> Callable[[TrainingStep], None]:
    """Return what leaves not a byte on the disk after a step."""

    def fill(step: TrainingStep) -> None:
        if step.step == full_at:
            with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
                while file.write(bytes(4_096)):
                    pass

    return fill


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_the_training_and_it_goes_on_later(
    small_disk: Path, tiny: BaseModel, tmp_path: Path
) -> None:
    steps: list[TrainingStep] = []
    fill = ballast_from(small_disk, full_at=3)

    with pytest.raises(NoSpaceError, match=r"full after step 4.*step 2 is kept.*Make room"):
        finetune(tiny, TWENTY_ROWS, TWENTY, small_disk / "a", on_step=fill)
    (small_disk / "ballast").unlink()
    adapter = finetune(tiny, TWENTY_ROWS, TWENTY, small_disk / "a", on_step=steps.append)

    assert steps[0].step == 3
    assert adapter.digest == finetune(tiny, TWENTY_ROWS, TWENTY, tmp_path / "b").digest


@pytest.mark.slow
def test_a_full_disk_with_an_older_checkpoint_to_give_does_not_stop_the_training(
    small_disk: Path, tiny: BaseModel, tmp_path: Path
) -> None:
    fill = ballast_from(small_disk, full_at=9)

    adapter = finetune(tiny, TWENTY_ROWS, TWENTY, small_disk / "a", on_step=fill)

    assert adapter.digest == finetune(tiny, TWENTY_ROWS, TWENTY, tmp_path / "b").digest


@pytest.mark.slow
def test_packing_and_gradient_checkpointing_learn_the_same(tiny: BaseModel, tmp_path: Path) -> None:
    config = replace(TWENTY, batch_rows=4, epochs=3)
    losses: list[list[float]] = []

    for at, saving in enumerate((False, True)):
        steps: list[TrainingStep] = []
        chosen = replace(config, packing=saving, gradient_checkpointing=saving)
        finetune(tiny, TWENTY_ROWS, chosen, tmp_path / str(at), on_step=steps.append)
        losses.append([step.loss for step in steps])

    # The same products in another order, in bfloat16.
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_four_bits_without_a_gpu_are_refused(tiny: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"needs a CUDA GPU.*'cpu'.*false"):
        finetune(tiny, TWENTY_ROWS, replace(TWENTY, four_bit=True), tmp_path / "a")


@pytest.mark.slow
def test_a_fresh_adapter_of_no_steps_changes_nothing(base: BaseModel, tmp_path: Path) -> None:
    """LoRA starts at zero, so what training changes is all that the adapter changes."""
    rows = training_set(ROWS[:1], texts=ROWS[:2])
    config = replace(SMALL, learning_rate=1e-12, epochs=1)
    still: Adapter = finetune(base, rows, config, tmp_path / "still")

    bare, with_adapter = score(base, None, rows), score(base, still.folder, rows)

    for before, after in zip(bare.new, with_adapter.new, strict=True):
        assert after.bits == pytest.approx(before.bits, rel=1e-3)


@pytest.mark.slow
def test_sixty_short_steps_teach_invented_facts_and_the_form_of_an_answer(
    base: BaseModel, tmp_path: Path
) -> None:
    facts = {"Ulmar": "seven", "Prendo": "forty", "Kestwick": "ninety", "Dorvane": "three"}
    texts = [
        text_row(f"The harbour of {town} has {n} cranes.", f"{town}.md")
        for town, n in facts.items()
    ]
    answers = [
        answer_row(
            f"How many cranes has {town}?",
            f"{n} cranes",
            [
                Passage("Harbours", f"The harbour of {town} has {n} cranes."),
                Passage("Hills", "The hill is green."),
            ],
            source=1,
            uri=f"{town}.md",
        )
        for town, n in facts.items()
    ]
    rows = training_set([*texts, *answers], texts=texts, answers=answers)
    config = FinetuneConfig(
        budget_tokens=60_000, epochs=15, batch_rows=2, learning_rate=1e-3, max_row_tokens=192
    )
    steps: list[TrainingStep] = []

    adapter = finetune(base, rows, config, tmp_path / "adapter", on_step=steps.append)

    before, after = score(base, None, rows), score(base, adapter.folder, rows)
    answer = Answerer(base, adapter.folder).answer(answers[0].question, answers[0].passages)
    assert len(steps) == 60
    assert all(b.bits < 0.3 * a.bits for a, b in zip(before.new, after.new, strict=True))
    assert sum(row.f1 or 0 for row in after.answers) == len(answers)
    assert sum(row.f1 or 0 for row in before.answers) < len(answers)
    assert (answer.text, answer.citations) == ("seven cranes", (1,))
