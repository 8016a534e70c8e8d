"""What is reported done is on the disk: files first, then the folders that name them."""

import os
from pathlib import Path

import pytest

from retrieval.durability import make_durable
from tests.retrieval.builders import Corpus

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="asks Linux which file a handle is of"
)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that are synced, in order; the real call is made too."""
    paths: list[Path] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        paths.append(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    return paths


def test_every_file_is_synced_before_the_first_folder(tmp_path: Path, synced: list[Path]):
    (tmp_path / "table" / "data").mkdir(parents=True)
    (tmp_path / "table" / "data" / "rows").write_text("rows")
    (tmp_path / "table" / "manifest").write_text("manifest")

    make_durable(tmp_path / "table")

    assert synced[-2:] == [tmp_path, tmp_path.parent]
    below = [path.relative_to(tmp_path).as_posix() for path in synced[:-2]]
    assert set(below[:2]) == {"table/data/rows", "table/manifest"}
    assert below[2:] == ["table/data", "table"]


def test_a_refresh_is_synced_whole_before_it_returns(
    corpus: Corpus, synced: list[Path], tmp_path: Path
):
    corpus.write({"a.md": "alpha"})

    corpus.refresh()

    written = {path for path in (tmp_path / "index").rglob("*") if path.is_file()}
    assert len(written) >= 2
    # The seal is synced before it gets its name.
    assert written <= {path.with_name(path.name.removesuffix(".part")) for path in synced}


def test_an_unchanged_refresh_syncs_what_a_killed_run_may_have_left(
    corpus: Corpus, synced: list[Path], tmp_path: Path
):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    synced.clear()

    corpus.refresh()

    # Whatever has the seal's name was synced before it got it.
    left = {path for path in (tmp_path / "index").rglob("*") if path.is_file()}
    assert left - {tmp_path / "index" / "docs.seal"} <= set(synced)
    assert tmp_path / "index" in synced
