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


# The last two fall somewhere into writing and committing, which takes about 0.1 s here; wherever
# they fall, the claim must hold, so a machine of another speed only tests another moment.
@pytest.mark.parametrize("moment", ["while-embedding", "before-syncing", "0.02", "0.06"])
@pytest.mark.parametrize("first", [True, False], ids=["first-build", "later-refresh"])
def test_a_killed_refresh_run_again_ends_as_if_undisturbed(
    corpus: Corpus, tmp_path: Path, moment: str, first: bool
):
    corpus.write({"old.md": "old", "000.md": "old text"} if not first else {})
    if not first:
        corpus.refresh()
        corpus.delete("old.md")
    before = corpus.index.head()
    corpus.write(DOCUMENTS)
    undisturbed = Corpus(corpus.folder, Index(tmp_path / "other", KB), HashingEmbedder()).refresh()

    status = refresh_and_be_killed(tmp_path, moment)

    head = corpus.index.head()
    landed = head is not None and corpus.index.content_digest(head) == undisturbed.content_digest
    assert status in {-signal.SIGKILL, 0}
    assert landed or head == before
    assert landed or moment != "before-syncing"
    again = corpus.refresh()
    assert again.content_digest == undisturbed.content_digest
    assert again.embedded == 0 or not landed
    assert corpus.plan().changes_nothing
