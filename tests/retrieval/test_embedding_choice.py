"""The engine is chosen by measuring: never an inexact one, never twice on the same machine."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedders import SAME_COSINE, Vectors, lowest_cosine, unit_length
from retrieval.embedders.choosing import (
    ChoiceFile,
    EngineChoice,
    EngineMeasure,
    choose,
    still_exact,
)
from retrieval.embedders.engines import Engine, Tokenized
from retrieval.embedding import MEASURE_FROM, LocalEmbedder
from retrieval.records import EngineName
from tests.retrieval.builders import HashingEmbedder, paragraph


@dataclass
class Turned:
    """An engine whose vectors have exactly `cosine` to the right ones, and a cost of its own."""

    name: EngineName
    cosine: float = 1.0
    seconds: float = 1.0
    batch: int = 8
    lanes: int = 1

    def embed_batch(self, texts: Sequence[Tokenized]) -> Vectors:
        right = HashingEmbedder().embed([text.text for text in texts])
        # What is left of a shifted row without its part along the right one stands across it.
        across = np.roll(right, 1, axis=1)
        across -= (across * right).sum(axis=1, keepdims=True) * right
        across = unit_length(across, right.shape)
        turned: Vectors = self.cosine * right + np.float32(1 - self.cosine**2) ** 0.5 * across
        return turned


class Work:
    """Embeds, and moves a clock by what the engine costs."""

    def __init__(self) -> None:
        self.now = 0.0

    def embed(self, engine: Engine, texts: Sequence[str]) -> Vectors:
        assert isinstance(engine, Turned)
        self.now += engine.seconds
        return engine.embed_batch([Tokenized(text, []) for text in texts])

    def choose(self, *engines: Turned) -> EngineChoice:
        reference = Turned("sentence-transformers", seconds=4.0)
        texts = [paragraph(f"t{at}") for at in range(12)]
        return choose(reference, engines, self.embed, texts, clock=lambda: self.now)


def test_the_fastest_of_the_exact_is_chosen():
    choice = Work().choose(Turned("torch-float32", seconds=3.0), Turned("torch-bfloat16"))

    assert choice.engine == "torch-bfloat16"
    assert choice.texts_per_cpu_second == pytest.approx(12.0)
    assert [each.texts_per_cpu_second for each in choice.measured] == pytest.approx([3, 4, 12])


def test_a_wrong_engine_is_refused_by_name_and_cosine(caplog: pytest.LogCaptureFixture):
    wrong = Turned("openvino-bfloat16", cosine=0.99, seconds=0.1)

    with caplog.at_level(logging.WARNING):
        choice = Work().choose(wrong, Turned("torch-float32", seconds=3.0))

    assert choice.engine == "torch-float32"
    assert "openvino-bfloat16 is not used" in caplog.text
    assert "0.990000" in caplog.text


@pytest.mark.parametrize(
    ("cosine", "used"),
    [
        pytest.param(0.99991, True, id="just-exact"),
        pytest.param(0.99989, False, id="just-not"),
    ],
)
def test_the_limit_is_four_nines(*, cosine: float, used: bool):
    choice = Work().choose(Turned("torch-bfloat16", cosine=cosine))

    assert (choice.engine == "torch-bfloat16") is used


def test_the_reference_does_the_work_when_no_other_may():
    choice = Work().choose(Turned("torch-bfloat16", cosine=0.9))

    assert (choice.engine, choice.cosine) == ("sentence-transformers", 1.0)


def test_an_engine_that_is_exact_but_slower_is_not_used():
    assert Work().choose(Turned("torch-bfloat16", seconds=9.0)).engine == "sentence-transformers"


@pytest.mark.parametrize("fault", [RuntimeError("no such instruction"), ValueError("no shape")])
def test_an_engine_that_fails_is_not_used(fault: Exception):
    class Failing(Turned):
        def embed_batch(self, texts: Sequence[Tokenized]) -> Vectors:
            raise fault

    assert Work().choose(Failing("torch-bfloat16")).engine == "sentence-transformers"


def test_a_choice_reads_back_as_it_was_written(tmp_path: Path):
    file = ChoiceFile(tmp_path / "new", "f" * 64, asked="auto", machine="here")
    choice = Work().choose(Turned("torch-bfloat16"))
    assert file.read() is None

    file.write(choice)

    back = file.read()
    assert back is not None
    assert (back.engine, back.measured) == (choice.engine, choice.measured)
    assert (back.probes == choice.probes).all()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"engine": "x", "measured": [], "probes": []}'])
def test_a_damaged_choice_is_made_again(text: str, tmp_path: Path):
    file = ChoiceFile(tmp_path, "f" * 64, asked="auto", machine="here")
    file.write(Work().choose())
    (path,) = tmp_path.iterdir()
    path.write_text(text)

    assert file.read() is None


def test_a_choice_holds_for_one_model_one_machine_and_one_wish(tmp_path: Path):
    ChoiceFile(tmp_path, "f" * 64, asked="auto", machine="here").write(Work().choose())

    assert ChoiceFile(tmp_path, "f" * 64, asked="auto", machine="there").read() is None
    assert ChoiceFile(tmp_path, "e" * 64, asked="auto", machine="here").read() is None
    assert ChoiceFile(tmp_path, "f" * 64, asked="torch-float32", machine="here").read() is None


@pytest.mark.parametrize(("cosine", "exact"), [(1.0, True), (0.99, False)])
def test_a_kept_choice_is_tried_on_three_texts(*, cosine: float, exact: bool):
    work = Work()
    choice = work.choose(Turned("torch-bfloat16"))

    assert still_exact(choice, Turned("torch-bfloat16", cosine=cosine), work.embed) is exact


# With the real model: `torch-bfloat16` is asked for, so that two engines are compared and not five.


TEXTS = [paragraph(f"t{at}") for at in range(MEASURE_FROM)]


@pytest.mark.slow
def test_engines_are_measured_once_for_a_machine_and_never_for_a_question(
    minilm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    times: list[str] = []

    def embedder(machine: str) -> LocalEmbedder:
        def counted(*args, **named):
            times.append(machine)
            return choose(*args, **named)

        monkeypatch.setattr("retrieval.embedding.choose", counted)
        return LocalEmbedder(
            minilm_folder, engine="torch-bfloat16", cache=tmp_path, machine=machine
        )

    first = embedder("here")
    question = first.embed(TEXTS[:1])
    assert (times, first.choice) == ([], None)

    vectors = first.embed(TEXTS)
    first.embed(TEXTS)
    again = embedder("here")
    again.embed(TEXTS[: MEASURE_FROM - 1])
    again.embed(TEXTS)
    embedder("elsewhere").embed(TEXTS)

    assert times == ["here", "elsewhere"]
    assert lowest_cosine(vectors[:1], question) >= SAME_COSINE
    assert first.choice is not None
    assert again.choice is not None
    assert again.choice.measured == first.choice.measured


@pytest.mark.slow
def test_a_kept_choice_that_no_longer_holds_is_measured_again(
    minilm_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    def embedder() -> LocalEmbedder:
        return LocalEmbedder(minilm_folder, engine="torch-float32", cache=tmp_path, machine="here")

    before = embedder()
    vectors = before.embed(TEXTS)
    (path,) = tmp_path.glob("engine-*.json")
    kept = EngineChoice.loads(path.read_text())
    name: EngineName = "torch-float32"
    claimed = (EngineMeasure(name, 1.0, 1e9),)
    path.write_text(EngineChoice(name, claimed, -kept.probes).dumps())

    after = embedder()
    again = after.embed(TEXTS)

    assert "no longer makes the vectors" in caplog.text
    assert after.choice is not None
    assert after.choice.texts_per_cpu_second < 1e9
    assert lowest_cosine(vectors, again) >= SAME_COSINE
