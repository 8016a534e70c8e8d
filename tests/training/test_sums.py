"""Digests beside files: every wrong bit is found, in a file and in the list itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

from training.sums import (
    SUMS,
    BrokenFile,
    broken_page,
    check_sums,
    keep_sum,
    pages_with_sums,
    write_sums,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "artifacts").mkdir(parents=True)
    (made / "MLmodel").write_bytes(b"flavors: {}\n")
    (made / "artifacts" / "weights").write_bytes(bytes(range(64)))
    write_sums(made)
    return made


def test_a_folder_as_it_was_written_has_nothing_broken(folder: Path):
    assert check_sums(folder) == ()


def test_a_folder_without_a_list_is_not_judged(tmp_path: Path):
    assert check_sums(tmp_path) is None


@pytest.mark.parametrize("name", ["MLmodel", "artifacts/weights", SUMS])
def test_every_single_bit_is_found_and_names_its_file(folder: Path, name: str):
    file = folder / name
    before = file.read_bytes()
    missed = []
    for bit in range(8 * len(before)):
        damaged = bytearray(before)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        if [broken.path for broken in check_sums(folder) or ()] != [file]:
            missed.append(bit)

    assert missed == []


def test_a_file_that_is_gone_is_broken_and_a_new_one_is_not(folder: Path):
    (folder / "MLmodel").unlink()
    (folder / "registered_model_meta").write_text("MLflow writes this on loading")

    assert check_sums(folder) == (BrokenFile(folder / "MLmodel", "it is gone"),)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum on this system")
def test_sha256sum_reads_the_list(folder: Path):
    done = subprocess.run(["sha256sum", "--check", SUMS], cwd=folder, check=False)  # noqa: S607

    assert done.returncode == 0


def test_a_page_is_found_with_its_digest_and_one_that_was_removed_is_not(tmp_path: Path):
    for name in ("a.html", "b.html"):
        (tmp_path / name).write_text(name)
        keep_sum(tmp_path / name)
    (tmp_path / "b.html").unlink()

    assert [page.name for page in pages_with_sums(tmp_path)] == ["a.html"]
    assert broken_page(tmp_path / "a.html") == ""
    (tmp_path / "a.html").write_text("c")
    assert "a.html.sha256" in broken_page(tmp_path / "a.html")
