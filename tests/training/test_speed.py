"""Speed: measured once, kept, and turned into what a plan will take."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.builders import SMALL, answer_row, text_row, training_set
from tests.training.tiny import tiny_base
from training.examples.chunks import approximate_tokens
from training.fitting.speed import Speed, estimate, measure_speed
from training.records import BaseModel, Passage

PASSAGES = [Passage("Lids", "The red lid opens at noon."), Passage("Lamps", "The lamp is green.")]
QUESTION = answer_row("When does the red lid open?", "at noon", PASSAGES, source=1)
TEXT = text_row("The lid number 3 opens at noon.")
SPEED = Speed(
    text_tokens=100.0,
    answer_tokens=50.0,
    scoring_tokens=200.0,
    round_seconds=0.5,
    load_seconds=4.0,
    machine="a machine",
)


@pytest.mark.slow
def test_a_speed_is_measured_once(base: BaseModel, tmp_path: Path) -> None:
    tiny = tiny_base(base, tmp_path / "tiny")
    examples = training_set([TEXT, QUESTION] * 3)

    first = measure_speed(tiny, examples, SMALL, remembered_in=tmp_path)
    (kept,) = (tmp_path / "speeds").iterdir()
    kept.write_text(kept.read_text().replace(f"{first.machine}", "the kept one"))
    again = measure_speed(tiny, examples, replace(SMALL, epochs=9), remembered_in=tmp_path)
    other = measure_speed(tiny, examples, replace(SMALL, rank=8), remembered_in=tmp_path)

    assert again == replace(first, machine="the kept one")
    assert other.machine == first.machine
    assert len(list((tmp_path / "speeds").iterdir())) == 2
    assert min(first.text_tokens, first.answer_tokens, first.scoring_tokens) > 0


@pytest.mark.slow
def test_rows_of_one_kind_alone_have_a_speed(base: BaseModel, tmp_path: Path) -> None:
    tiny = tiny_base(base, tmp_path / "tiny")

    speed = measure_speed(tiny, training_set([TEXT] * 3), SMALL)

    assert speed.answer_tokens == speed.text_tokens > 0


def test_an_estimate_is_tokens_by_speed_and_the_load() -> None:
    examples = training_set([TEXT, TEXT, TEXT, QUESTION], texts=[TEXT], answers=[QUESTION] * 9)
    text, question = approximate_tokens(TEXT), approximate_tokens(QUESTION)
    config = replace(SMALL, batch_rows=2, epochs=2)

    told = estimate(examples, config, SPEED)

    assert told.tokens == 2 * (3 * text + question)
    assert told.steps == 2 * (2 + 1)
    assert told.train_seconds == pytest.approx(4 + 2 * (3 * text / 100 + question / 50), rel=0.05)
    # Nine answers are two batches, of 24 rounds each.
    assert told.evaluate_seconds == pytest.approx(
        4 + (text + 9 * question) / 200 + 2 * 24 * 0.5, rel=0.05
    )


def test_nothing_to_train_on_takes_no_steps() -> None:
    told = estimate(training_set([]), SMALL, SPEED)

    assert (told.tokens, told.steps) == (0, 0)
    assert told.train_seconds == told.evaluate_seconds == SPEED.load_seconds
