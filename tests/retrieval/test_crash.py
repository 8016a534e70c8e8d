"""Killed at any moment and run again, a refresh ends where an undisturbed one ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.store import Index
from tests.retrieval.builders import KB, Corpus, HashingEmbedder, paragraph

DOCUMENTS: dict[str, str | bytes] = {
    f"{at:03}.md": f"# T{at}\n\n" + "\n\n".join(paragraph(f"{at} {p}") for p in range(8))
    for at in range(60)
}


def refresh_and_be_killed(root: Path, moment: str) -> int:
    command = [sys.executable, "-m", "tests.retrieval.crashing_refresh", str(root), moment]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.fixture(params=["first-build", "later-refresh"])
def stale(request: pytest.FixtureRequest, corpus: Corpus) -> Corpus:
    """A corpus with much to refresh: everything, or all but a little that was there before."""
    if request.param == "later-refresh":
        corpus.write({"old.md": "old", "000.md": "old text"})
        corpus.refresh()
        corpus.delete("old.md")
    corpus.write(DOCUMENTS)
    return corpus


@pytest.fixture
def undisturbed(stale: Corpus, tmp_path: Path) -> str:
    """The content that a refresh of the same folder has if nothing happens to it."""
    elsewhere = Corpus(stale.folder, Index(tmp_path / "other", KB), HashingEmbedder())
    return elsewhere.refresh().content_digest


def content(corpus: Corpus) -> str | None:
    head = corpus.index.head()
    return corpus.index.content_digest(head) if head else None


def test_killed_while_embedding_nothing_landed(stale: Corpus, tmp_path: Path, undisturbed: str):
    before = content(stale)

    assert refresh_and_be_killed(tmp_path, "while-embedding") == -signal.SIGKILL

    assert content(stale) == before
    assert stale.refresh().content_digest == undisturbed


def test_killed_before_it_could_say_so_the_commit_has_landed_and_is_adopted(
    stale: Corpus, tmp_path: Path, undisturbed: str
):
    assert refresh_and_be_killed(tmp_path, "before-syncing") == -signal.SIGKILL

    head = stale.index.head()
    assert content(stale) == undisturbed
    assert stale.plan().changes_nothing
    assert stale.refresh().snapshot == head


# These fall somewhere into writing, which takes about 0.1 s here; a machine of another speed tests
# another moment, and the claim holds at every one.
@pytest.mark.parametrize("seconds", ["0.02", "0.05", "0.08"])
def test_killed_at_any_moment_it_is_old_or_new_and_a_rerun_makes_it_new(
    stale: Corpus, tmp_path: Path, undisturbed: str, seconds: str
):
    before = content(stale)

    refresh_and_be_killed(tmp_path, seconds)

    assert content(stale) in {before, undisturbed}
    assert stale.refresh().content_digest == undisturbed
    assert stale.plan().changes_nothing
