"""A whole comparison: signals with their verdicts, documents with their shares."""

import pytest

from monitors.changes import change_kinds
from monitors.decision.policy import Thresholds
from monitors.drift import measure_drift
from monitors.records import ChangeKind
from tests.monitors.builders import pair, prose

OLD = {f"{at}.md": [prose(at)] for at in range(10)}


def measure(new: dict[str, list[str]], thresholds: Thresholds | None = None):
    return measure_drift(
        pair(OLD, new),
        reference_name="docs@1",
        current_name="docs@2",
        thresholds=thresholds,
    )


def test_an_unchanged_corpus_has_no_staleness_and_no_documents():
    report = measure(OLD)

    assert report.staleness == 0.0
    assert report.documents == ()
    assert not any(signal.drifted for signal in report.signals)


def test_document_shares_add_up_to_one_and_come_largest_first():
    report = measure({**OLD, "0.md": [prose(0) + " " + prose(90, 10)], "new.md": [prose(91)]})

    shares = [document.share for document in report.documents]
    assert sum(shares) == pytest.approx(1.0)
    assert [document.uri for document in report.documents] == ["new.md", "0.md"]
    assert shares == sorted(shares, reverse=True)


def test_a_signal_drifts_from_its_threshold_on():
    score = measure({**OLD, "new.md": [prose(91)]}).signals[1].score
    assert score == pytest.approx(1 / 11)

    at, above = (
        measure({**OLD, "new.md": [prose(91)]}, Thresholds(changed_chunks=limit)).signals[1]
        for limit in (score, score + 1e-9)
    )

    assert at.drifted
    assert not above.drifted


def test_what_was_not_measured_is_not_called_calm():
    report = measure(OLD)

    signal = report.signal("novelty")
    assert signal is not None
    assert signal.score is None
    assert "not measured" in signal.reason


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ({"a": "1"}, {"a": "1"}, {}),
        ({"a": "1"}, {"a": "2"}, {"a": ChangeKind.EDITED}),
        ({}, {"a": "1"}, {"a": ChangeKind.NEW}),
        ({"a": "1"}, {}, {"a": ChangeKind.REMOVED}),
        ({"a": "1"}, {"b": "1"}, {"b": ChangeKind.MOVED}),
        ({"a": "1"}, {"a": "1", "b": "1"}, {"b": ChangeKind.NEW}),
        ({"a": "1"}, {"b": "1", "c": "1"}, {"b": ChangeKind.MOVED, "c": ChangeKind.NEW}),
        ({"a": "1", "b": "1"}, {"c": "1"}, {"c": ChangeKind.MOVED, "b": ChangeKind.REMOVED}),
    ],
    ids=["same", "edit", "add", "remove", "move", "copy", "move-and-copy", "two-become-one"],
)
def test_each_document_gets_the_name_of_what_happened_to_it(old, new, kinds):
    assert change_kinds(old, new) == kinds
