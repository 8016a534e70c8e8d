"""Runs of MLflow name one another, answer four questions, and are found by prepared views."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from flows.release import Published
from flows.tracking.run_figures import ANSWERS
from flows.tracking.run_views import SHARED, VIEWS
from flows.tracking.runs import Tracker
from tests.flows.checks import RELEASE
from tests.flows.tracking.test_model_cards import weighed
from tests.flows.tracking.test_tracking import CHECK, NOW, client, home, tracker

__all__ = ["client", "home", "tracker"]


def tags(client: MlflowClient, run_id: str) -> dict[str, str]:
    return dict(client.get_run(run_id).data.tags)


def links(client: MlflowClient, run_id: str) -> set[str]:
    """Return the runs that a description leads to."""
    note = tags(client, run_id)["mlflow.note.content"]
    return set(re.findall(r"\(#/experiments/\d+/runs/(\w+)\?", note))


def test_a_check_and_the_release_it_published_name_each_other(
    tracker: Tracker, client: MlflowClient
):
    check = tracker.record_check(CHECK, NOW)

    release = tags(client, check)["driftline.release_run"]
    assert tags(client, release)["driftline.check_run"] == check
    assert tags(client, release)["mlflow.parentRunId"] == check
    assert tags(client, release)["driftline.role"] == "release"
    assert (links(client, check), links(client, release)) == ({release}, {check})


def test_a_check_that_changed_nothing_names_the_release_that_was_there(
    tracker: Tracker, client: MlflowClient
):
    first = tracker.record_check(CHECK, NOW)

    second = tracker.record_check(replace(CHECK, number=2), NOW + timedelta(hours=1))

    release = tags(client, first)["driftline.release_run"]
    assert tags(client, second)["driftline.release_run"] == release
    assert tags(client, release)["mlflow.parentRunId"] == first


def test_a_check_that_is_repeated_takes_the_place_of_the_one_that_was_killed(
    tracker: Tracker, client: MlflowClient
):
    killed = tracker.record_check(CHECK, NOW)

    again = tracker.record_check(CHECK, NOW)

    assert tags(client, killed)["driftline.role"] == "superseded"
    release = tags(client, again)["driftline.release_run"]
    assert tags(client, release)["driftline.check_run"] == again
    assert links(client, release) == {again}


def test_a_training_and_the_check_that_asked_for_it_name_each_other(
    tracker: Tracker, client: MlflowClient
):
    check = tracker.record_check(CHECK, NOW)

    with tracker.training_run("training on docs@2", NOW, key="k", parent=check) as run:
        pass

    assert tags(client, run.run_id)["driftline.check_run"] == check
    assert tags(client, check)["driftline.training_run"] == run.run_id
    assert run.run_id in links(client, check)
    assert links(client, run.run_id) == {check}


def test_a_promotion_and_the_training_of_its_version_name_each_other(
    tracker: Tracker, client: MlflowClient
):
    check = tracker.record_check(CHECK, NOW)
    with tracker.training_run("training on docs@2", NOW, key="k", parent=check) as run:
        run.client.set_tag(run.run_id, "driftline.helped", "answers +0.310")
    name = tags(client, check)["driftline.kb"]
    version = register(client, name, run.run_id)
    release = replace(RELEASE, model_name=name, model_version=version)

    tracker.record_promotion(Published(9, NOW, "promotion", "answers better", release))

    training = tags(client, run.run_id)
    promotion = tags(client, training["driftline.promotion_run"])
    assert promotion["driftline.training_run"] == run.run_id
    assert promotion["mlflow.parentRunId"] == run.run_id
    assert promotion["driftline.helped"] == "answers +0.310"
    assert promotion["driftline.check_run"] == check
    assert tags(client, check)["driftline.promotion_run"] == training["driftline.promotion_run"]
    assert f"/versions/{version}?" in training["mlflow.note.content"]


def register(client: MlflowClient, name: str, run_id: str) -> int:
    client.create_registered_model(name)
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    Path(source.removeprefix("file://")).mkdir(parents=True)
    return int(client.create_model_version(name, source, run_id=run_id).version)


def test_who_asked_may_be_nobody_that_mlflow_knows(tracker: Tracker, client: MlflowClient):
    with tracker.training_run("training", NOW, key="k", parent="a person") as run:
        pass

    assert "driftline.check_run" not in tags(client, run.run_id)


def test_every_kind_of_run_answers_the_same_four_questions(tracker: Tracker, client: MlflowClient):
    check = tracker.record_check(CHECK, NOW)
    tracker.record_blocked("SRC_EMPTY", "the source is empty", NOW)
    tracker.record_promotion(Published(9, NOW, "rollback", "answers got worse", RELEASE))

    experiment = client.get_run(check).info.experiment_id
    runs = client.search_runs([experiment], "tags.`driftline.role` != 'timeline'")

    assert {run.data.tags["driftline.role"] for run in runs} == {"check", "release", "promotion"}
    assert all(set(ANSWERS) <= run.data.tags.keys() for run in runs)
    told = tags(client, check)
    assert told["driftline.moved"] == "all of it in a.md"
    assert told["driftline.decided"] == "watch: it moved"
    assert "a retraining would cost 120 s" in told["driftline.cost"]
    assert "50 % of the stale questions" in told["driftline.helped"]


def test_what_a_training_came_to_is_told_at_the_check_and_over_time(
    tracker: Tracker, client: MlflowClient
):
    tracker.record_check(CHECK, NOW)
    check = tracker.record_check(replace(CHECK, number=2), NOW + timedelta(hours=1))

    with tracker.training_run("training on docs@2", NOW, key="k", parent=check) as run:
        run._tell_others(weighed())  # noqa: SLF001 - the rows are no part of it

    (helped,) = client.get_metric_history(run.timeline, "helped/f1_change")
    assert (helped.step, helped.value) == (2, pytest.approx(0.3))
    (cost,) = client.get_metric_history(run.timeline, "cost/training_seconds")
    assert cost.value == 61.0
    assert tags(client, check)["driftline.helped"].startswith("promote a challenger: new text")
    assert tags(client, run.run_id)["driftline.decided"].startswith("promote: said ")


def test_the_experiment_says_how_to_read_it_and_its_links_lead_somewhere(
    tracker: Tracker, client: MlflowClient
):
    check = tracker.record_check(CHECK, NOW)

    experiment = client.get_experiment(client.get_run(check).info.experiment_id)

    note = experiment.tags["mlflow.note.content"]
    assert set(re.findall(r"viewStateShareKey=(\w+)", note)) == {view.key for view in VIEWS}
    (timeline,) = re.findall(r"/runs/(\w+)/model-metrics", note)
    assert tags(client, timeline)["driftline.role"] == "timeline"


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.key)
def test_a_view_finds_its_runs_and_its_columns_hold_figures(
    tracker: Tracker, client: MlflowClient, view: Any
):
    check = tracker.record_check(CHECK, NOW)
    with tracker.training_run("training on docs@2", NOW, key="k", parent=check):
        pass
    experiment = client.get_experiment(client.get_run(check).info.experiment_id)

    state = json.loads(experiment.tags[f"{SHARED}{view.key}"])

    found = client.search_runs([experiment.experiment_id], state["searchFilter"])
    assert {run.data.tags["driftline.role"] for run in found} <= set(view.roles)
    assert found
    assert all(re.fullmatch(r"(metrics|tags|params)\.`[\w./]+`", c) for c in view.columns)
