"""A folder's fingerprint changes with whatever a listing or a reading could notice, or is none."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.sources import folder_fingerprint as module
from retrieval.sources.folder import FolderSource
from retrieval.sources.folder_fingerprint import folder_fingerprint

OLD = 1_000_000_000_000_000_000  # in 2001, as nanoseconds


def nothing_skipped(_: str) -> bool:
    return False


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose changes of just now count as settled: ctime cannot be set back by a test."""
    monkeypatch.setattr(module, "SETTLED_NANOSECONDS", -60_000_000_000)
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.md").write_text("alpha")
    (root / "sub" / "b.md").write_text("beta")
    (root / "sub" / "link.md").symlink_to("b.md")
    (root / "broken").symlink_to("nowhere")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c.md").write_text("gamma")
    (root / "out").symlink_to(tmp_path / "outside")
    return root


def fingerprint(folder: Path) -> str:
    found = folder_fingerprint(str(folder), nothing_skipped)
    assert found is not None
    return found


def test_an_unchanged_folder_has_the_same_fingerprint(folder: Path):
    assert fingerprint(folder) == fingerprint(folder)


def rewrite_keeping_size_and_mtime(root: Path) -> None:
    path = root / "a.md"
    status = path.stat()
    path.write_text("ALPHA")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "new.md").write_text("new"), id="a-new-file"),
        pytest.param(lambda root: (root / "sub" / "b.md").write_text("beta!"), id="an-edit"),
        pytest.param(rewrite_keeping_size_and_mtime, id="an-edit-that-hides"),
        pytest.param(lambda root: os.utime(root / "a.md", ns=(OLD, OLD)), id="a-touch"),
        pytest.param(lambda root: (root / "a.md").chmod(0o600), id="a-permission"),
        pytest.param(lambda root: (root / "a.md").rename(root / "z.md"), id="a-rename"),
        pytest.param(lambda root: (root / "a.md").rename(root / "sub" / "a.md"), id="a-move"),
        pytest.param(lambda root: (root / "a.md").unlink(), id="a-removal"),
        pytest.param(lambda root: (root / "sub" / "empty").mkdir(), id="an-empty-folder"),
        pytest.param(lambda root: (root / "sub" / "deep").rmdir(), id="a-folder-less"),
        pytest.param(lambda root: (root / "nowhere").write_text("x"), id="a-link-comes-to-life"),
        pytest.param(
            lambda root: (root.parent / "outside").rename(root.parent / "gone"),
            id="what-a-link-leads-to",
        ),
    ],
)
def test_it_changes_with(folder: Path, change: Callable[[Path], object]):
    before = fingerprint(folder)

    change(folder)

    assert fingerprint(folder) != before


def test_two_files_that_change_places_change_it(folder: Path):
    (folder / "b.md").write_text("omega")
    before = fingerprint(folder)

    (folder / "a.md").rename(folder / "x.md")
    (folder / "b.md").rename(folder / "a.md")
    (folder / "x.md").rename(folder / "b.md")

    assert fingerprint(folder) != before


@pytest.mark.parametrize("name", [b"caf\xe9.md", "日本.md".encode(), b"n\nl.md"])
def test_any_name_is_covered(folder: Path, name: bytes):
    before = fingerprint(folder)

    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("any")

    assert fingerprint(folder) != before


def test_hidden_files_do_not_count(folder: Path):
    (folder / ".git").mkdir()
    before = fingerprint(folder)

    (folder / ".git" / "index").write_text("new")

    assert fingerprint(folder) == before


def test_what_is_skipped_does_not_count(folder: Path):
    def skipped(path: str) -> bool:
        return path == "sub/"

    before = folder_fingerprint(str(folder), skipped)
    (folder / "sub" / "b.md").write_text("beta, edited")

    assert folder_fingerprint(str(folder), skipped) == before
    assert folder_fingerprint(str(folder), nothing_skipped) != before


def test_a_link_to_a_folder_inside_is_followed_once_and_loops_end(folder: Path):
    (folder / "sub" / "loop").symlink_to(folder)
    before = fingerprint(folder)

    (folder / "sub" / "b.md").write_text("beta, edited")

    assert fingerprint(folder) != before


def test_a_folder_outside_is_not_walked(folder: Path):
    before = fingerprint(folder)

    (folder.parent / "outside" / "c.md").write_text("gamma, edited")

    assert fingerprint(folder) == before


def test_a_link_to_a_file_outside_is_watched(folder: Path):
    (folder / "c.md").symlink_to(folder.parent / "outside" / "c.md")
    before = fingerprint(folder)

    (folder.parent / "outside" / "c.md").write_text("gamma, edited")

    assert fingerprint(folder) != before


def test_a_change_of_just_now_has_no_fingerprint(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SETTLED_NANOSECONDS", 3_600_000_000_000)

    assert folder_fingerprint(str(folder), nothing_skipped) is None


def test_a_folder_that_is_not_there_has_no_fingerprint(folder: Path):
    assert folder_fingerprint(str(folder / "missing"), nothing_skipped) is None


def test_the_source_asks_with_its_patterns(folder: Path):
    source = FolderSource(folder, exclude=("sub/",))
    before = source.fingerprint()

    (folder / "sub" / "b.md").write_text("beta, edited")
    assert source.fingerprint() == before

    (folder / "a.md").write_text("alpha, edited")
    assert source.fingerprint() != before
