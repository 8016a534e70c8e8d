"""Twenty processes promote at once: one wins, nineteen are told, and the history has it all."""

import multiprocessing
from collections import Counter
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from flows.errors import FlowError
from flows.promote import promote
from flows.promoting.evidence import evidence_of
from flows.promoting.promotions import attempts
from flows.steps import quietly
from tests.flows.challengers import alias_of, build, opened

RACERS = 20
PATIENCE_SECONDS = 120.0

pytestmark = pytest.mark.slow


def _race(folder: str, version: int, evidence: str, start: Barrier, told: str) -> None:
    """Promote a version when all the others are ready too, and write down what came of it."""
    with opened(Path(folder)) as desk:
        start.wait()
        try:
            promote(
                desk,
                quietly,
                version=version,
                expected=1,
                actor=f"person {Path(told).name}",
                why="a race",
                evidence=evidence,
                patience_seconds=PATIENCE_SECONDS,
            )
            came = f"promoted {version}"
        except FlowError as error:
            came = error.code
    Path(told).write_text(came, encoding="utf-8")


@pytest.mark.parametrize(
    "challengers", [pytest.param(1, id="the-same"), pytest.param(5, id="different-ones")]
)
def test_one_of_twenty_promotions_wins_and_nineteen_are_told(tmp_path: Path, challengers: int):
    folder, told = build(tmp_path / "place", challengers=challengers), tmp_path / "told"
    told.mkdir()
    with opened(folder) as desk:
        seen = {v: evidence_of(desk, v).digest for v in range(2, 2 + challengers)}
    # One process imports MLflow for all of them: twenty times some seconds otherwise.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow", "flows.promote", "tests.flows.challengers"])
    start = context.Barrier(RACERS)
    versions = [2 + number % challengers for number in range(RACERS)]

    racers = [
        context.Process(target=_race, args=(str(folder), v, seen[v], start, str(told / str(n))))
        for n, v in enumerate(versions)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    came = Counter(file.read_text() for file in told.iterdir())
    [winner] = [name for name in came if name.startswith("promoted")]
    assert came == {winner: 1, "PROMOTE_CONFLICT": RACERS - 1}
    with opened(folder) as desk:
        history = attempts(desk.journal, "docs")
        assert len(history) == RACERS
        assert Counter(each.outcome.value for each in history) == {
            "promoted": 1,
            "refused": RACERS - 1,
        }
        assert len({each.actor for each in history}) == RACERS
        champion = desk.release().release.model_version
        assert winner == f"promoted {champion}"
        assert alias_of(desk) == champion
        assert len(desk.journal.history("docs")) == 2
        assert desk.journal.first_broken() is None
