"""The past of a real git repository, commit by commit."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Entry
from retrieval.sources.git_history import Commit, GitHistory, last_of_each_day


def git(repository: Path, *arguments: str, time: str = "2026-01-01T12:00:00Z") -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    done = subprocess.run(
        ["git", "-C", str(repository), *identity, *arguments],  # noqa: S607 git of the PATH
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time},
    )
    return done.stdout.strip()


def commit(repository: Path, text: str, *, day: int, name: str = "docs/a.md") -> None:
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", text, time=f"2026-01-{day:02}T12:00:00Z")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one", day=1)
    commit(folder, "beside the documents", day=2, name="src/code.py")
    commit(folder, "two", day=3)
    git(folder, "tag", "-a", "v2", "-m", "the second")
    return folder


def test_only_commits_that_changed_the_folder_are_its_past(repository: Path):
    commits = GitHistory(repository, folder="docs").commits()

    assert [commit.time for commit in commits] == [
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 3, 12, tzinfo=UTC),
    ]
    assert commits[0].name == f"2026-01-01 {commits[0].id[:8]}"
    assert commits[1].name == "v2"


def test_each_commit_is_read_as_it_was(repository: Path):
    history = GitHistory(repository, folder="docs")
    (repository / "docs" / "a.md").write_text("not committed")

    read = []
    for each in history.commits():
        source = history.at(each)
        (entry,) = source.list_documents().entries
        body = source.read(entry)
        assert body is not None
        read.append((entry.uri, body.data))
    history.close()

    assert read == [("a.md", b"one"), ("a.md", b"two")]


def test_an_equal_document_has_the_same_stamp_in_every_commit(repository: Path):
    commit(repository, "beside it", day=4, name="docs/b.md")
    history = GitHistory(repository, folder="docs")

    *_, before, after = (history.list_documents(each) for each in history.commits())

    assert after.entries[0] == before.entries[0]
    assert [entry.uri for entry in after.entries] == ["a.md", "b.md"]


def test_a_folder_in_a_work_tree_has_its_past(repository: Path):
    history = GitHistory.around(repository / "docs")

    assert history is not None
    assert len(history.commits()) == 2


def test_a_folder_outside_of_any_work_tree_has_none(tmp_path: Path):
    assert GitHistory.around(tmp_path) is None


def test_what_is_no_document_is_left_out(repository: Path):
    (repository / "docs" / "link.md").symlink_to("a.md")
    commit(repository, "hidden", day=4, name="docs/.drafts/b.md")
    commit(repository, "long" * 9, day=5, name="docs/long.md")
    history = GitHistory(repository, folder="docs", exclude=("old/",), max_bytes=35)
    commit(repository, "old", day=6, name="docs/old/c.md")

    listed = history.list_documents(history.commits()[-1])

    assert [entry.uri for entry in listed.entries] == ["a.md"]


def test_a_commit_without_the_folder_holds_nothing(repository: Path):
    history = GitHistory(repository, folder="elsewhere")
    (newest,) = GitHistory(repository, folder="docs").commits()[-1:]

    assert history.list_documents(newest).entries == ()


def test_time_that_runs_backwards_is_kept_in_order(repository: Path):
    commit(repository, "from a wrong clock", day=2)

    times = [each.time for each in GitHistory(repository, folder="docs").commits()]

    assert times == sorted(times)
    assert times[-1] == datetime(2026, 1, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize("branch", ["nowhere", None], ids=["no-such-branch", "no-commit-yet"])
def test_what_cannot_be_read_is_told(tmp_path: Path, branch: str | None):
    git(tmp_path, "init", "--quiet", "--initial-branch=main")

    with pytest.raises(SourceUnreachableError, match="in git cannot be read"):
        GitHistory(tmp_path, branch=branch).commits()


def test_a_document_that_is_too_big_is_refused(repository: Path):
    history = GitHistory(repository, folder="docs")
    (entry,) = history.list_documents(history.commits()[-1]).entries

    with pytest.raises(DocumentRefusedError):
        GitHistory(repository, max_bytes=2).read(entry.stamp or "")


def test_a_large_file_elsewhere_is_refused(repository: Path):
    commit(repository, "version https://git-lfs.github.com/spec/v1\noid x", day=4)
    history = GitHistory(repository, folder="docs")
    (newest,) = history.commits()[-1:]
    source = history.at(newest)
    (entry,) = source.list_documents().entries

    with pytest.raises(DocumentRefusedError, match="LFS"):
        source.read(entry)


def test_a_listed_document_is_not_read_again_for_the_same_stamp(repository: Path):
    history = GitHistory(repository, folder="docs")
    source = history.at(history.commits()[0])
    (entry,) = source.list_documents().entries

    assert source.read(entry, unless=entry.stamp) is None
    assert source.fingerprint() == history.commits()[0].id
    with pytest.raises(DocumentRefusedError):
        source.read(Entry("a.md", 1))


def test_the_last_commit_of_a_day_stands_for_it():
    def at(day: int, hour: int) -> Commit:
        return Commit(f"{day}-{hour}", datetime(2026, 1, day, hour, tzinfo=UTC))

    kept = last_of_each_day([at(1, 8), at(1, 23), at(2, 0), at(4, 1)])

    assert [commit.id for commit in kept] == ["1-23", "2-0", "4-1"]
