"""What a run that died left in MLflow is ended and made good by the next one, once."""

from dataclasses import replace
from typing import Any

import pytest
from mlflow import MlflowClient

from flows.desk import Desk
from flows.failpoints import arm
from flows.journal import lease
from flows.journal.holders import Holder, myself, write_holder
from flows.leftovers import is_abandoned, owed, put_in_order
from flows.refresh import refresh
from flows.release import Published
from flows.steps import quietly
from tests.flows.conftest import Place

ME = myself()
GONE = replace(ME, begun="1")
ELSEWHERE = Holder("elsewhere", 7, 0.0, boot="another", space="its own", begun="9")
OTHER = replace(ELSEWHERE, pid=8)


@pytest.mark.parametrize(
    ("process", "holder", "abandoned"),
    [
        pytest.param(ME, ME, False, id="it-is-me"),
        pytest.param(ME, None, False, id="it-runs-here-past-its-lease"),
        pytest.param(GONE, GONE, True, id="it-died-here"),
        pytest.param(ELSEWHERE, ELSEWHERE, False, id="elsewhere-with-its-lease"),
        pytest.param(ELSEWHERE, OTHER, True, id="elsewhere-and-another-has-the-lease"),
        pytest.param(ELSEWHERE, ME, True, id="elsewhere-and-i-have-the-lease"),
        pytest.param(ELSEWHERE, None, True, id="elsewhere-and-the-lease-is-free"),
        pytest.param(None, ME, True, id="of-an-older-driftline-and-i-have-the-lease"),
        pytest.param(None, None, True, id="of-an-older-driftline-and-the-lease-is-free"),
        pytest.param(None, OTHER, False, id="of-an-older-driftline-and-somebody-has-the-lease"),
    ],
)
def test_a_run_is_abandoned_once_its_process_or_its_lease_is_gone(
    process: Holder | None, holder: Holder | None, *, abandoned: bool
):
    assert is_abandoned(process, holder, me=ME) is abandoned


def runs(desk: Desk) -> dict[str, Any]:
    """Return the runs of the knowledge base in MLflow, by id."""
    client = MlflowClient(desk.settings.tracking_uri)
    experiment = client.get_experiment_by_name(f"driftline-{desk.name}")
    return {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}


def left_by(desk: Desk, process: Holder | None, role: str = "check") -> str:
    """Return the id of a run that says it is running."""
    known = desk.tracker.known
    tags = {"driftline.role": role, "driftline.kb": desk.name}
    tags |= {"driftline.process": write_holder(process)} if process else {}
    return str(known.client.create_run(known.experiment, tags=tags).info.run_id)


def ordered(desk: Desk) -> tuple[tuple[str, ...], tuple[int, ...]]:
    with lease.hold(desk.journal, desk.name):
        done = put_in_order(desk)
    return done.ended, done.written


def test_a_run_whose_process_died_is_ended_as_killed_and_says_so_once(desk: Desk):
    ordered(desk)
    dead, alive = left_by(desk, GONE), left_by(desk, ME)

    ended, again = ordered(desk)[0], ordered(desk)[0]

    found = runs(desk)
    assert (ended, again) == ((dead,), ())
    assert (found[dead].info.status, found[alive].info.status) == ("KILLED", "RUNNING")
    assert f"process {GONE.pid} on {GONE.host} died" in found[dead].data.tags["driftline.ended"]


def test_a_training_elsewhere_goes_on_while_it_holds_its_lease(desk: Desk):
    training = left_by(desk, ELSEWHERE, "training")
    fence = desk.journal.take_lease(
        f"{desk.name}:training", holder=write_holder(ELSEWHERE), now=0.0, expected=None
    )
    assert fence is not None

    during = ordered(desk)[0]
    desk.journal.free_lease(fence)
    after = ordered(desk)[0]

    assert (during, after) == ((), (training,))


def test_a_timeline_that_was_cut_short_is_finished_and_goes_on(desk: Desk):
    timeline = left_by(desk, GONE, "timeline")

    ordered(desk)

    run = runs(desk)[timeline]
    assert run.info.status == "FINISHED"
    assert "driftline.ended" not in run.data.tags


def test_a_release_whose_process_died_before_mlflow_knew_gets_its_run_with_its_counts(
    place: Place, desk: Desk
):
    ordered(desk)
    place.edit("billing/failed-payments.md", "14 days", "21 days")
    arm("release.published=full")
    with pytest.raises(OSError, match="No space left"):
        refresh(desk, quietly)
    arm("")
    (missing,) = owed(desk)

    written, again = ordered(desk)[1], ordered(desk)[1]

    (run,) = [run for run in runs(desk).values() if is_of(run, missing)]
    assert (written, again) == ((missing.sequence,), ())
    assert (run.info.status, run.data.tags["driftline.role"]) == ("FINISHED", "release")
    assert (run.data.metrics["refresh/edited"], run.data.metrics["index/documents"]) == (1, 10)
    assert "died before it wrote this run" in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize("kind", ["promotion", "rollback", "manual"])
def test_a_promotion_whose_process_died_before_mlflow_knew_gets_its_run(desk: Desk, kind: str):
    ordered(desk)
    published = publish(desk, kind)

    written, again = ordered(desk)[1], ordered(desk)[1]

    (run,) = [run for run in runs(desk).values() if is_of(run, published)]
    assert (written, again) == ((published.sequence,), ())
    assert (run.info.status, run.data.tags["driftline.role"]) == ("FINISHED", "promotion")
    assert run.data.tags["driftline.decided"].startswith(f"{kind}: version")


def test_a_promotion_that_a_killed_process_half_wrote_is_written_anew_and_shown_once(desk: Desk):
    published = publish(desk, "promotion")
    half = left_by(desk, GONE, "promotion")
    number = str(published.sequence)
    desk.tracker.known.client.set_tag(half, "driftline.publication", number)

    ordered(desk)

    of_it = [run for run in runs(desk).values() if is_of(run, published)]
    shown = [run for run in of_it if run.data.tags["driftline.role"] == "promotion"]
    assert [run.info.status for run in shown] == ["FINISHED"]
    assert runs(desk)[half].data.tags["driftline.role"] == "superseded"


def test_what_came_before_an_erasure_is_not_written_again(desk: Desk):
    publish(desk, "promotion")
    publish(desk, "erasure")

    assert owed(desk) == ()


def publish(desk: Desk, kind: str) -> Published:
    release = desk.release().release
    with lease.hold(desk.journal, desk.name) as fence:
        return desk.journal.publish(
            release,
            kind=kind,
            reason="answers better",
            time=desk.now,
            fence=fence,
            expected_version=release.model_version,
        )


def is_of(run: Any, published: Published) -> bool:
    return bool(run.data.tags.get("driftline.publication") == str(published.sequence))
