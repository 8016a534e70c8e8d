"""Revisions of a real git repository, with names that try to be options."""

import subprocess
from pathlib import Path

import pytest

from retrieval.errors import SourceUnreachableError
from retrieval.sources.git import export_revision, is_revision


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    done = subprocess.run(
        ["git", "-C", str(repository), *identity, *arguments],  # noqa: S607 git of the PATH
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "docs").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "docs" / "a.md").write_bytes(b"one\r\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    git(folder, "tag", "v1")
    (folder / "docs" / "a.md").write_bytes(b"two")
    (folder / "docs" / "new\nline.md").write_bytes(b"new")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "second")
    return folder


def test_a_revision_is_exported_byte_for_byte(repository: Path, tmp_path: Path):
    export_revision(repository, "v1", tmp_path / "old")
    export_revision(repository, "main", tmp_path / "new")

    assert files(tmp_path / "old") == {"docs/a.md": b"one\r\n"}
    assert files(tmp_path / "new") == {"docs/a.md": b"two", "docs/new\nline.md": b"new"}


def test_the_working_tree_has_no_part_in_it(repository: Path, tmp_path: Path):
    (repository / "docs" / "a.md").write_text("not committed")

    export_revision(repository, "HEAD", tmp_path / "new")

    assert files(tmp_path / "new")["docs/a.md"] == b"two"


def test_attributes_leave_nothing_out_and_run_nothing(repository: Path, tmp_path: Path):
    (repository / ".gitattributes").write_text("docs export-ignore\n*.md filter=evil\n")
    git(repository, "add", ".gitattributes")
    git(repository, "commit", "--quiet", "-m", "attributes")
    git(repository, "config", "filter.evil.smudge", f"touch {tmp_path / 'ran'}")

    export_revision(repository, "HEAD", tmp_path / "new")

    assert files(tmp_path / "new")["docs/a.md"] == b"two"
    assert not (tmp_path / "ran").exists()


def test_links_are_left_out(repository: Path, tmp_path: Path):
    (repository / "link.md").symlink_to("/etc/hostname")
    git(repository, "add", "link.md")
    git(repository, "commit", "--quiet", "-m", "link")

    export_revision(repository, "HEAD", tmp_path / "new")

    assert "link.md" not in files(tmp_path / "new")
    assert not (tmp_path / "new" / "link.md").is_symlink()


@pytest.mark.parametrize("text", ["main", "v1", "HEAD", "HEAD~1", "main^{commit}"])
def test_names_of_commits_are_revisions(repository: Path, text: str):
    assert is_revision(repository, text)
    assert is_revision(repository, git(repository, "rev-parse", "HEAD")[:8])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "HEAD~9",
        "docs",
        "HEAD:docs/a.md",
        "--upload-pack=touch x",
        "--output=x",
        "-h",
        "--all",
        "HEAD..v1",
        "ext::sh -c touch% x",
        "nul\0nul",
    ],
)
def test_what_is_no_commit_is_no_revision_and_runs_nothing(
    repository: Path, text: str, tmp_path: Path
):
    assert not is_revision(repository, text)
    with pytest.raises(SourceUnreachableError, match="is not a revision"):
        export_revision(repository, text, tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"repository"}


def test_a_folder_that_is_no_repository_has_no_revisions(tmp_path: Path):
    assert not is_revision(tmp_path / "nowhere", "HEAD")


def test_a_missing_object_is_told_and_not_skipped(repository: Path, tmp_path: Path):
    blob = git(repository, "rev-parse", "HEAD:docs/a.md")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(SourceUnreachableError, match=f"object {blob} is missing"):
        export_revision(repository, "HEAD", tmp_path / "new")
