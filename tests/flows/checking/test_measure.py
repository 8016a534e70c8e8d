"""Measuring between two snapshots of an index, and what is decided where one is gone."""

import shutil
from datetime import timedelta

import pytest

from flows.checking.changes import read_pair
from flows.checking.measure import check_drift, drift
from flows.desk import Desk
from flows.monitor import monitor
from flows.refresh import refresh
from flows.steps import quietly
from monitors.decision.policy import History
from monitors.records import Action
from retrieval.errors import SnapshotMissingError
from retrieval.records import Snapshot
from tests.flows.conftest import HANDBOOK, Place

TIDES = "# Tides\n\nThe sea rises twice a day, in a slow rhythm that the moon sets.\n"


def reword(place: Place) -> None:
    (place.docs / "tides.md").write_text(TIDES, encoding="utf-8")


@pytest.mark.usefixtures("warm")
def test_a_pair_is_read_from_the_index_by_what_differs(place: Place, desk: Desk):
    first = desk.release().release.snapshot
    reword(place)
    second = refresh(desk, quietly).published.release.snapshot

    pair = read_pair(desk.index, Snapshot.parse(first), Snapshot.parse(second))

    assert set(pair.current.uris) == {"tides.md"}
    assert len(pair.reference) == 0
    assert pair.current_documents == pair.reference_documents + 1
    assert pair.nearest is not None
    assert pair.current.vectors is not None
    assert float(pair.nearest(pair.current.vectors)[0]) < 0.9
    assert pair.search_current is not None
    assert "twice a day" in pair.search_current(["when does the sea rise"])[0][0]


def test_one_snapshot_measured_against_itself_is_not_stale(desk: Desk):
    snapshot = desk.release().release.snapshot

    measured = drift(desk, quietly, snapshot, snapshot, History())

    assert measured.report.staleness == 0
    assert measured.decision.action is Action.NONE


@pytest.mark.usefixtures("warm")
def test_a_reference_that_was_cleaned_up_is_a_decision_in_words(place: Place, desk: Desk):
    reference = desk.release().release.trained_on
    reword(place)
    current = refresh(desk, quietly).published.release.snapshot
    later = desk.now + timedelta(days=30)
    desk.index.tidy([Snapshot.parse(current)], now=later)

    checked = monitor(desk, quietly).check

    assert not checked.report.signals
    assert checked.decision.action is Action.BLOCKED
    assert (
        f"{reference}, which the champion was trained on, is no longer" in checked.decision.reason
    )
    assert "driftline retrain docs" in checked.decision.reason


def test_a_reference_that_never_was_is_an_error(desk: Desk):
    with pytest.raises(SnapshotMissingError, match="docs@99"):
        drift(desk, quietly, "docs@99", desk.release().release.snapshot, History())


@pytest.fixture
def moved(place: Place) -> Place:
    """Put other documents beside the known ones, so that drift is told."""
    shutil.copytree(HANDBOOK / "devices", place.docs / "devices")
    return place


def said_of_surprise(place: Place, passages: int) -> str | None:
    """Return the reason of a check's surprise signal, None if it carries none."""
    surprise = f"[kb.docs.surprise]\npassages = {passages}\n"
    place.configure(f'[kb.docs.source]\npath = "docs"\n{surprise}')
    with place.desk() as desk:
        release = refresh(desk, quietly).published.release
        signal = check_drift(desk, quietly, release, History()).report.signal("surprise")
    return signal.reason if signal else None


@pytest.mark.usefixtures("warm")
def test_where_drift_is_told_the_champion_is_asked(moved: Place):
    # One passage is too few for a figure, so that no model is loaded to say so.
    said = said_of_surprise(moved, 1)

    assert said is not None
    assert said.startswith("not measured: 1 passage")


@pytest.mark.usefixtures("warm")
def test_no_passages_switch_the_question_off(moved: Place):
    assert said_of_surprise(moved, 0) == "not measured: it is switched off"


@pytest.mark.usefixtures("warm")
def test_where_nothing_is_told_the_champion_is_left_alone(place: Place):
    assert said_of_surprise(place, 1) is None


@pytest.mark.usefixtures("warm")
def test_a_measurement_by_hand_leaves_the_champion_alone(moved: Place):
    with moved.desk() as desk:
        reference = desk.release().release.trained_on
        current = refresh(desk, quietly).published.release.snapshot

        measured = drift(desk, quietly, reference, current, History())

    assert measured.decision.action is not Action.NONE
    assert measured.report.signal("surprise") is None
