"""Every engine makes the reference's vectors, whatever the text; too little memory is survived."""

import importlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from retrieval.embedders import Vectors, lowest_cosine
from retrieval.embedders.engines import (
    Engine,
    Tokenized,
    embed_all,
    memory_errors,
)
from retrieval.embedders.local_engines import LocalEngines
from retrieval.embedders.model_files import ModelFiles
from retrieval.errors import EmbedderMemoryError
from retrieval.records import EngineName
from tests.retrieval.builders import paragraph

ENGINES: list[EngineName] = [
    "torch-float32",
    "torch-bfloat16",
    "openvino-float32",
    "openvino-bfloat16",
]
TEXTS = [
    "",
    " \n\t ",
    "a",
    "Übergrößenträger naïve ﬁ 東京 Москва 🙂",
    "if x >= 3.14:\n    return {'a': [1, 2]}",
    "\u200b\u0301",
    "UPPER lower  two  blanks ",
    *[paragraph(f"text {at}", words=at * 5) for at in range(1, 20)],
    "much more than the window holds " * 200,
]


@pytest.fixture(scope="module")
def files(minilm_folder: Path) -> ModelFiles:
    return ModelFiles(minilm_folder)


@pytest.fixture(scope="module")
def engines(files: ModelFiles, tmp_path_factory: pytest.TempPathFactory) -> LocalEngines:
    return LocalEngines(files, tmp_path_factory.mktemp("cache"), threads=None)


def embed(engine: Engine, files: ModelFiles, texts: Sequence[str]) -> Vectors:
    tokenized = [Tokenized(*pair) for pair in zip(texts, files.tokenize(texts), strict=True)]
    return embed_all(engine, tokenized, count=len(texts), dimension=files.dimension)


@pytest.fixture(scope="module")
def wanted(engines: LocalEngines, files: ModelFiles) -> Vectors:
    return embed(engines.reference(), files, TEXTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_makes_the_references_vectors(
    name: EngineName, engines: LocalEngines, files: ModelFiles, wanted: Vectors
):
    if name.startswith("openvino") and find_spec("openvino") is None:
        pytest.skip("the extra openvino is not installed")
    engine = engines.make(name)
    assert engine is not None

    made = embed(engine, files, TEXTS)

    assert engine.name == name
    assert lowest_cosine(made, wanted) >= 0.9999


@pytest.mark.slow
def test_a_damaged_converted_model_is_removed_and_made_again(files: ModelFiles, tmp_path: Path):
    pytest.importorskip("openvino")
    engines = LocalEngines(files, tmp_path, threads=1)
    assert engines.make("openvino-float32") is not None
    (converted,) = tmp_path.glob("*.xml")
    converted.write_text("<net")

    assert engines.make("openvino-float32") is None
    assert engines.make("openvino-float32") is not None


def test_openvino_is_left_out_without_a_folder_to_keep_its_model(files: ModelFiles):
    assert LocalEngines(files, None, threads=None).make("openvino-float32") is None


def test_openvino_cannot_tell_its_maker():
    pytest.importorskip("openvino")
    script = (
        "import sys; from retrieval.embedders import openvino_engine\n"
        "openvino_engine._openvino(); import openvino\n"
        "told = [n for n, m in sys.modules.items() if 'openvino_telemetry' in n and m]\n"
        "print(told)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@dataclass
class TinyMemory:
    """An engine for which a batch above `most` is too large; its vectors say which text it was."""

    most: int
    name: EngineName = "torch-float32"
    batch: int = 8
    lanes: int = 1
    sizes: list[int] = field(default_factory=list)

    def embed_batch(self, texts: Sequence[Tokenized]) -> Vectors:
        self.sizes.append(len(texts))
        if len(texts) > self.most:
            raise MemoryError
        return np.array([[1.0, float(text.text)] for text in texts], dtype=np.float32)


def numbered(count: int) -> list[Tokenized]:
    return [Tokenized(str(at), [0] * (1 + at * 7 % 5)) for at in range(count)]


def test_a_batch_too_large_for_memory_is_halved_until_it_fits():
    engine = TinyMemory(most=2)

    made = embed_all(engine, numbered(8), count=8, dimension=2)

    assert engine.sizes == [8, 4, 2, 2, 4, 2, 2]
    assert np.allclose(made[:, 1] / made[:, 0], range(8))


def test_one_text_too_large_for_memory_is_an_error_with_its_size():
    with pytest.raises(EmbedderMemoryError, match="One text of 5 tokens"):
        embed_all(TinyMemory(most=0), numbered(8), count=8, dimension=2)


@pytest.mark.parametrize("lanes", [1, 3])
def test_vectors_come_in_the_order_asked_and_progress_is_told(
    lanes: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("retrieval.embedders.engines._HELD", 20)
    told: list[tuple[int, int]] = []

    made = embed_all(
        TinyMemory(most=8, lanes=lanes),
        iter(numbered(50)),
        count=50,
        dimension=2,
        on_progress=lambda done, all_of_it: told.append((done, all_of_it)),
    )

    assert np.allclose(made[:, 1] / made[:, 0], range(50))
    assert [done for done, _ in told] == [8, 16, 20, 28, 36, 40, 48, 50]


def test_torchs_own_words_for_no_memory_are_understood():
    with pytest.raises(MemoryError), memory_errors():
        torch.empty(10**15)


def test_another_error_of_torch_stays_what_it_is():
    with pytest.raises(RuntimeError, match="size"), memory_errors():
        torch.ones(2) + torch.ones(3)


def test_the_modules_import_no_model_library_and_no_client():
    names = [
        f"retrieval.embedders.{name}"
        for name in ("local_engines", "choosing", "openai_endpoint", "canary")
    ]
    script = (
        f"import sys, importlib; [importlib.import_module(name) for name in {names}]\n"
        "heavy = {'torch', 'openvino', 'sentence_transformers', 'transformers', 'tenacity'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert all(importlib.import_module(name) for name in names)

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
