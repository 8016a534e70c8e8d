"""Killed at any moment and run again, a refresh ends where an undisturbed one ends.

More than two hundred real processes die here: at every failpoint of a refresh and at moments drawn
by chance, in each of five scenes.
"""

import random
import shutil
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from retrieval import failpoints
from retrieval.refresh import EMBED_BATCH
from tests.faults.forking import PROCESSES
from tests.faults.tally import IN_A_REFRESH, IN_A_REFRESH_BY_CHANCE, TALLY
from tests.retrieval.builders import KnowledgeBase
from tests.retrieval.crashing_refresh import (
    SCENES,
    SIGKILLED,
    CountingEmbedder,
    Documents,
    embedded_in,
    knowledge_base,
    refresh,
)

pytestmark = pytest.mark.slow

LONGEST_SECONDS = 60

ONCE = (
    *("listed", "planned", "embedded", "committing", "committed"),
    *("settled", "indexed", "noted", "cleared"),
)
FAILPOINTS = (
    *(f"refresh.{name}" for name in ONCE),
    *(f"refresh.document:{time}" for time in (1, 2, 7, 13, 20, 27, 33, 36)),
    *("refresh.batch:1", "refresh.batch:2"),
)
CHANCES = tuple(f"chance-{at}" for at in range(24))
KILLS = [(scene, moment) for scene in SCENES for moment in (*FAILPOINTS, *CHANCES)]


@dataclass(frozen=True)
class Stage:
    """A scene on disk, and what an undisturbed refresh makes of it.

    `digests` are of all that a reader may see, `needed` counts the texts to be embedded.
    """

    sources: Path
    before: Path
    digests: set[str | None]
    expected: str
    tables: set[str]
    needed: int
    seconds: float


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory):
    return cache(lambda scene: set_up(scene, tmp_path_factory.mktemp(scene)))


def set_up(scene: str, folder: Path) -> Stage:
    setting, sources, before = SCENES[scene], folder / "sources", folder / "before"
    before.mkdir()
    write(sources, setting.before)
    if setting.before:
        kb = knowledge_base(scene, sources, before)
        kb.embedder = CountingEmbedder(setting.embedder_before, file=folder / "not-counted")
        kb.max_tokens = None
        kb.refresh()
    write(sources, setting.after)
    undisturbed = folder / "undisturbed"
    shutil.copytree(before, undisturbed)
    began = time.perf_counter()
    assert refresh_in_a_process(scene, sources, undisturbed) == 0
    seconds = time.perf_counter() - began
    ended = knowledge_base(scene, sources, undisturbed)
    old, new = knowledge_base(scene, sources, before).rows_digest(), ended.rows_digest()
    assert new is not None
    assert new != old
    return Stage(
        sources=sources,
        before=before,
        digests={old, new},
        expected=new,
        tables=tables(ended),
        needed=embedded_in(undisturbed),
        seconds=seconds,
    )


def write(sources: Path, content: dict[str, Documents]) -> None:
    """Make the sources hold this; files that hold it already are left alone."""
    for name, documents in content.items():
        folder = sources / (name or "docs")
        wanted = {folder / uri: text for uri, text in documents.items()}
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        for path in folder.rglob("*.md"):
            if path not in wanted:
                path.unlink()
        if not wanted:
            shutil.rmtree(folder)


def tables(kb: KnowledgeBase) -> set[str]:
    return {path.name for path in (kb.folder / "index").iterdir()}


def refresh_in_a_process(
    scene: str, sources: Path, state: Path, failpoint: str = "", after: float | None = None
) -> int | None:
    """Return how the process ended; it is killed after so many seconds if it is still there."""
    process = PROCESSES.Process(target=refresh, args=(scene, sources, state, failpoint))
    process.start()
    process.join(LONGEST_SECONDS if after is None else after)
    process.kill()
    process.join()
    return process.exitcode


def kill_at(moment: str, scene: str, stage: Stage, state: Path) -> None:
    """Start from before the refresh and see it die, at a failpoint or at a moment of its work."""
    failpoint = moment if moment in FAILPOINTS else ""
    share = random.Random(f"{scene} {moment}").random()  # noqa: S311 no secret
    ended: int | None = 0
    while ended != SIGKILLED:
        assert not failpoint or not state.exists(), f"{failpoint} was not reached"
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(stage.before, state)
        after = None if failpoint else share * stage.seconds
        ended = refresh_in_a_process(scene, stage.sources, state, failpoint, after)
        assert ended in {0, SIGKILLED}
        share *= 0.7  # it was done before


@pytest.mark.parametrize(("scene", "moment"), KILLS)
def test_killed_at_any_moment_and_run_again_it_ends_as_if_undisturbed(
    stages, tmp_path: Path, scene: str, moment: str
):
    stage, state = stages(scene), tmp_path / "state"
    kill_at(moment, scene, stage, state)
    kb = knowledge_base(scene, stage.sources, state)

    seen = kb.rows_digest()
    kb.refresh()

    TALLY[IN_A_REFRESH if moment in FAILPOINTS else IN_A_REFRESH_BY_CHANCE] += 1
    assert seen in stage.digests
    assert kb.rows_digest() == stage.expected
    assert kb.plan().changes_nothing
    assert embedded_in(state) <= stage.needed + EMBED_BATCH
    assert tables(kb) == stage.tables
    # Killed just after SQLite made its journal, it is cold and goes with the next write.
    left = {path.name for path in state.iterdir()} - {"scan.db-journal"}
    assert left == {"index", "scan.db", "embedded"}


def test_there_are_kills_enough_and_at_every_failpoint_of_a_refresh():
    listed = {name for name in failpoints.FAILPOINTS if name.startswith("refresh.")}

    assert len(KILLS) >= 200
    assert {failpoint.partition(":")[0] for failpoint in FAILPOINTS} == listed


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_embeds_more_than_a_batch_and_a_rerun_only_what_is_left(
    stages, tmp_path: Path, scene: str
):
    """Else the kills within embedding would prove nothing."""
    stage, state = stages(scene), tmp_path / "state"
    kill_at("refresh.batch:2", scene, stage, state)

    knowledge_base(scene, stage.sources, state).refresh()

    assert stage.needed > EMBED_BATCH
    assert embedded_in(state) == stage.needed
