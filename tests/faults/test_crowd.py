"""Four runs at once have one effect; eight readers never see two releases in one answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.search import search
from flows.steps import quietly
from tests.faults.acting import Act, act, looked
from tests.faults.harness import Workshop, ended, perform, said, start
from tests.faults.place import bare, copied, stand_in
from tests.faults.tally import ANSWERS, RUNS_AT_ONCE, TALLY
from tests.flows.tiny_place import TinyPlace
from tests.retrieval.builders import HashingEmbedder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RUNS, READERS, REFRESHES = 4, 8, 20
OK, BUSY = 0, 3
EDITION = "edition {}"


@pytest.mark.parametrize("scene", ["first", "refresh", "monitor"])
def test_four_runs_at_once_have_one_effect(scene: str, workshop: Workshop, tmp_path: Path):
    stage = workshop.stage(scene)
    folder = stage.copy(tmp_path / "place")

    runs = [start(act, stage.act(folder)) for _ in range(RUNS)]
    came = sorted(ended(run) for run in runs)
    perform(Act(folder, ("status",), looks=True))
    seen = looked(folder)

    TALLY[RUNS_AT_ONCE] += RUNS
    assert set(came) <= {OK, BUSY}, said(folder)
    assert OK in came
    assert seen.broken == ()
    assert seen.outcome == stage.undisturbed.outcome


def write_edition(docs: Path, number: int) -> None:
    """Have every document say which edition it is of."""
    for at in range(12):
        text = f"# Document {at}\n\nThis is {EDITION.format(number)} of document {at}."
        (docs / f"{at:02}.md").write_text(text)


def refresh_again_and_again(folder: Path) -> None:
    """Publish twenty editions, one after another."""
    stand_in()
    place = TinyPlace(folder)
    for number in range(1, REFRESHES + 1):
        write_edition(folder / "docs", number)
        place.run_json("refresh", "docs")


class Reader:
    """Asks again and again until it is told to stop, as a process of its own would."""

    def __init__(self, folder: Path, done: threading.Event) -> None:
        self._place, self._done = TinyPlace(folder), done
        self.seen: list[tuple[str, frozenset[str]]] = []

    def read(self) -> list[tuple[str, frozenset[str]]]:
        while not self._done.is_set():
            with self._place.desk() as desk:
                published, hits = search(desk, "edition", quietly, limit=12)
            editions = {hit.text.partition(" of document")[0] for hit in hits}
            self.seen.append((published.release.id, frozenset(editions)))
        return self.seen


def test_eight_readers_beside_twenty_refreshes_get_answers_of_one_release_each(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("flows.desk.open_embedder", lambda _: HashingEmbedder())
    folder = copied(workshop.built((bare,)), tmp_path / "place")
    for path in (folder / "docs").iterdir():
        path.unlink()
    write_edition(folder / "docs", 0)
    assert perform(Act(folder, ("refresh", "docs"))) == OK, said(folder)
    done = threading.Event()
    readers = [Reader(folder, done) for _ in range(READERS)]

    with ThreadPoolExecutor(READERS) as threads:
        reading = [threads.submit(reader.read) for reader in readers]
        writer = start(refresh_again_and_again, folder)
        try:
            assert ended(writer) == OK
        finally:
            done.set()
        seen = [answer for each in reading for answer in each.result()]

    TALLY[ANSWERS] += len(seen)
    by_release: dict[str, set[frozenset[str]]] = {}
    for release, editions in seen:
        by_release.setdefault(release, set()).add(editions)
    assert all(len(editions) == 1 for _, editions in seen), "an answer mixes editions"
    assert all(len(found) == 1 for found in by_release.values()), "a release answered two ways"
    assert len(by_release) > 1
