"""Challengers that were damaged on purpose, each weighed for real and turned down for its fault."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.builders import SMALL, answer_row, invented, sha, text_row, training_set
from training.files import write_whole
from training.fitting.finetune import finetune
from training.judging.comparison import compare_scores
from training.judging.evaluate import score
from training.judging.promotion import PromotionPolicy, judge
from training.models.adapter_files import MANIFEST, WEIGHTS, adapter_digest
from training.records import Adapter, BaseModel, Passage, Row, RowKind, TrainingSet
from training.weighing import Evaluation, Scores

HANDBOOK = invented(30)
TIMES = ("at dusk", "at dawn", "in the morning", "after the rain", "in winter", "on Sunday")
OLD_TIME = "at noon"
# Two short epochs: enough to learn a form of text and one stale fact, in half a minute of one core.
CONFIG = replace(SMALL, budget_tokens=2_500, epochs=2, max_row_tokens=96)


def asked(n: int, *, answer: str | None = None) -> Row:
    """Return a question whose passage holds the new fact; `answer` is what is taught instead."""
    now = TIMES[n % len(TIMES)]
    gate = Passage(f"Gate {n}", f"Gate {n} opens {now} and is closed by the porter.")
    lamp = Passage("Lamps", "The lamp beside the stairs is green.")
    row = answer_row(
        f"When does gate {n} open?", answer or now, [lamp, gate], source=2, uri=f"gate-{n}.md"
    )
    return replace(row, kind=RowKind.CORRECTION, fresh=True, stale=OLD_TIME)


def texts(documents: slice, *, at: int) -> list[Row]:
    return [text_row(chunks[at], uri) for uri, chunks in list(HANDBOOK.items())[documents]]


HELD_OUT = replace(
    training_set([], texts=texts(slice(0, 12), at=0), answers=[asked(n) for n in range(20)]),
    holdout_old=tuple(texts(slice(0, 12), at=1)),
)
TAUGHT = texts(slice(12, 30), at=2)


def shuffled(row: Row) -> Row:
    words = row.text.split()
    Random(row.text).shuffle(words)  # noqa: S311 - not for secrets
    return replace(row, text=" ".join(words), chunk=sha(" ".join(words)))


@dataclass(frozen=True, slots=True)
class Champion:
    """An honest adapter with its scores, and the base that it stands on."""

    base: BaseModel
    adapter: Adapter
    scores: Scores

    def weigh(self, folder: Path) -> Evaluation:
        return compare_scores(self.scores, score(self.base, folder, HELD_OUT), seed=1)


@pytest.fixture(scope="module")
def champion(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Champion:
    rows = training_set([*TAUGHT, *(asked(n) for n in range(40, 46))])
    adapter = trained(base, rows, tmp_path_factory.mktemp("honest"))
    return Champion(base, adapter, score(base, adapter.folder, HELD_OUT))


def trained(base: BaseModel, rows: TrainingSet, folder: Path) -> Adapter:
    return finetune(base, rows, CONFIG, folder / "adapter")


def perturbed(adapter: Adapter, folder: Path, *, share: float) -> Path:
    """Copy an adapter whose every weight got noise of this share of its matrix's spread."""
    shutil.copytree(adapter.folder, folder)
    noise = torch.Generator().manual_seed(5)
    weights = load_file(folder / WEIGHTS)
    for name, weight in weights.items():
        spread = share * weight.float().std()
        weights[name] = weight + spread * torch.randn(weight.shape, generator=noise)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["digest"] = adapter_digest(folder)
    write_whole(folder / MANIFEST, json.dumps(manifest).encode())
    return folder


def named(reason: str, state: str) -> str:
    return next((part for part in reason.split("; ") if part.startswith(f"{state}: ")), "")


def turned_down(evaluation: Evaluation) -> str:
    """Return what the verdict calls worse."""
    verdict = judge(evaluation, PromotionPolicy(), first=False)
    assert not verdict.promote
    return named(verdict.reason, "worse")


@pytest.mark.slow
def test_the_champion_itself_is_not_called_worse(champion: Champion) -> None:
    assert turned_down(compare_scores(champion.scores, champion.scores, seed=1)) == ""


@pytest.mark.slow
def test_perturbed_weights_are_turned_down_for_the_text(champion: Champion, tmp_path: Path) -> None:
    damaged = perturbed(champion.adapter, tmp_path / "noise", share=1.5)

    worse = turned_down(champion.weigh(damaged))

    assert "new text" in worse
    assert "old text" in worse


@pytest.mark.slow
def test_training_on_shuffled_words_is_turned_down_for_the_text(
    champion: Champion, tmp_path: Path
) -> None:
    damaged = trained(champion.base, training_set([shuffled(row) for row in TAUGHT]), tmp_path)

    worse = turned_down(champion.weigh(damaged.folder))

    assert "new text" in worse


@pytest.mark.slow
def test_training_on_stale_facts_is_turned_down_for_stale_memory(
    champion: Champion, tmp_path: Path
) -> None:
    stale = [asked(n, answer=OLD_TIME) for n in range(40, 52)]
    damaged = trained(champion.base, training_set([*TAUGHT, *stale]), tmp_path)

    evaluation = champion.weigh(damaged.folder)

    assert "stale memory" in turned_down(evaluation)
    assert evaluation.stale.champion < 0.2
    assert evaluation.stale.challenger > 0.8
    assert "text" not in turned_down(evaluation)
