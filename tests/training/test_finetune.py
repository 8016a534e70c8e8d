"""Adapters: made, repeatable to the bit, checked, refused when damaged or foreign."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.builders import SMALL, answer_row, text_row, training_set
from training.adapter_files import CONFIG, MANIFEST, WEIGHTS, adapter_digest, read_adapter
from training.adapters import load_for_inference
from training.answering import Answerer
from training.errors import (
    AdapterMismatchError,
    DivergedError,
    ModelCorruptError,
    NotEnoughTextError,
    UnsafeModelError,
)
from training.evaluate import score
from training.files import write_whole
from training.finetune import estimate_cost, finetune
from training.records import Adapter, BaseModel, FinetuneConfig, Passage, TrainingStep

ROWS = [text_row(f"The lid number {n} opens at noon and closes at night.") for n in range(8)]
PASSAGES = [Passage("Lids", "The red lid opens at noon."), Passage("Lamps", "The lamp is green.")]
QUESTION = answer_row("When does the red lid open?", "at noon", PASSAGES, source=1)


def copied(adapter: Adapter, path: Path) -> Path:
    shutil.copytree(adapter.folder, path)
    return path


def remade_manifest(folder: Path, **changed: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    write_whole(folder / MANIFEST, json.dumps(manifest | changed).encode())


@pytest.mark.slow
def test_an_adapter_folder_describes_itself(adapter: Adapter, base: BaseModel) -> None:
    names = {path.name for path in adapter.folder.iterdir()}
    config = json.loads((adapter.folder / CONFIG).read_bytes())
    manifest = json.loads((adapter.folder / MANIFEST).read_bytes())

    assert names == {CONFIG, WEIGHTS, MANIFEST}
    assert config["base_model_name_or_path"] == base.name
    assert config["target_modules"] == sorted(config["target_modules"])
    assert manifest["base_digest"] == adapter.base_digest == base.digest
    assert manifest["digest"] == adapter.digest
    assert not list(adapter.folder.parent.glob(".*"))


@pytest.mark.slow
def test_the_same_rows_and_seed_give_the_same_adapter(base: BaseModel, tmp_path: Path) -> None:
    rows = training_set([*ROWS[:4], QUESTION])
    config = replace(SMALL, epochs=1)

    once = finetune(base, rows, config, tmp_path / "once")
    again = finetune(base, rows, config, tmp_path / "again")
    other = finetune(base, rows, replace(config, seed=18), tmp_path / "other")

    assert again.digest == once.digest
    assert other.digest != once.digest


@pytest.mark.slow
def test_every_step_is_told_and_the_estimate_is_near(base: BaseModel, tmp_path: Path) -> None:
    rows = training_set([*ROWS, QUESTION])
    config = replace(SMALL, budget_tokens=300, batch_rows=4)
    steps: list[TrainingStep] = []

    adapter = finetune(base, rows, config, tmp_path / "a", on_step=steps.append)

    tokens, count = estimate_cost(rows, config)
    assert [step.step for step in steps] == list(range(1, count + 1))
    assert {step.steps for step in steps} == {count}
    assert steps[-1].tokens == adapter.tokens == pytest.approx(tokens, rel=0.3)
    assert steps[0].learning_rate <= max(step.learning_rate for step in steps)
    assert all(step.loss > 0 for step in steps)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_loss_that_is_no_number_leaves_nothing_behind(base: BaseModel, tmp_path: Path) -> None:
    wild = replace(SMALL, learning_rate=1e30, batch_rows=1)

    with pytest.raises(DivergedError, match="Lower `learning_rate`"):
        finetune(base, training_set(ROWS), wild, tmp_path / "adapter")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_folder_that_is_taken_is_not_trained_into(base: BaseModel, adapter: Adapter) -> None:
    with pytest.raises(FileExistsError, match="already"):
        finetune(base, training_set(ROWS), SMALL, adapter.folder)

    assert read_adapter(adapter.folder) == adapter


@pytest.mark.slow
def test_rows_without_a_token_are_no_training(base: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(NotEnoughTextError):
        finetune(base, training_set([text_row("")]), SMALL, tmp_path / "adapter")


@pytest.mark.slow
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.999], ids=["first", "middle", "last"])
def test_one_flipped_bit_is_refused(adapter: Adapter, name: str, at: float, tmp_path: Path) -> None:
    folder = copied(adapter, tmp_path / "adapter")
    content = bytearray((folder / name).read_bytes())
    content[int(at * len(content))] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ModelCorruptError, match="is not the one that was trained"):
        read_adapter(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, MANIFEST])
def test_a_missing_file_is_refused(adapter: Adapter, name: str, tmp_path: Path) -> None:
    folder = copied(adapter, tmp_path / "adapter")
    (folder / name).unlink()

    with pytest.raises(ModelCorruptError, match=name):
        read_adapter(folder)


@pytest.mark.slow
def test_another_base_model_is_refused(adapter: Adapter, base: BaseModel, tmp_path: Path) -> None:
    folder = copied(adapter, tmp_path / "adapter")
    other = replace(base, name="other-model", digest="f" * 64)

    with pytest.raises(AdapterMismatchError, match=r"smollm2.*not on 'other-model'"):
        read_adapter(folder, base=other)
    with pytest.raises(AdapterMismatchError):
        load_for_inference(other, folder)


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{"peft_type": "EVIL"}, {"auto_mapping": {"a": "b"}}])
def test_an_adapter_that_is_no_plain_lora_is_refused(
    changed: dict[str, object], adapter: Adapter, base: BaseModel, tmp_path: Path
) -> None:
    folder = copied(adapter, tmp_path / "adapter")
    config = json.loads((folder / CONFIG).read_bytes()) | changed
    (folder / CONFIG).write_text(json.dumps(config))
    remade_manifest(folder, digest=adapter_digest(folder))

    with pytest.raises(UnsafeModelError, match="no plain LoRA"):
        load_for_inference(base, folder)


@pytest.mark.slow
def test_a_fresh_adapter_of_no_steps_changes_nothing(base: BaseModel, tmp_path: Path) -> None:
    """LoRA starts at zero, so what training changes is all that the adapter changes."""
    rows = training_set(ROWS[:1], texts=ROWS[:2])
    still = finetune(base, rows, replace(SMALL, learning_rate=1e-12), tmp_path / "still")

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
