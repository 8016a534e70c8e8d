"""What a check measured is taken by the next one that finds nothing new."""

import json
from pathlib import Path

import pytest

from flows.checking.kept_report import KeptReport, is_damaged, keep, key_of, read_kept
from flows.desk import Desk
from flows.monitor import monitor
from flows.steps import quietly
from monitors.decision.policy import Thresholds
from monitors.drift import measure_drift
from tests.flows.conftest import Place
from tests.monitors.builders import pair, prose


def kept(key: str = "this") -> KeptReport:
    old = {f"{at}.md": [prose(at)] for at in range(10)}
    new = old | {"0.md": [f"{prose(0)} It expires after 14 days."], "new.md": [prose(90)]}
    return KeptReport(key, measure_drift(pair(old, new), reference_name="a@1", current_name="a@2"))


def test_a_kept_report_is_read_back_as_it_was(tmp_path: Path):
    keep(tmp_path / "kb" / "measured.json", kept())

    assert read_kept(tmp_path / "kb" / "measured.json", "this") == kept()


def test_a_figure_that_was_changed_on_disk_decides_nothing(tmp_path: Path):
    file = tmp_path / "measured.json"
    keep(file, kept())
    written = file.read_text()
    staleness = json.loads(written)["kept"]["report"]["staleness"]

    file.write_text(written.replace(f'"staleness":{staleness}', '"staleness":0.001', 1))

    assert file.read_text() != written
    assert is_damaged(file)
    assert read_kept(file, "this") is None


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b'{"key": "this"}', b"\xff\x00"],
    ids=["none", "empty", "cut", "of-another-shape", "binary"],
)
def test_a_file_that_is_missing_or_damaged_keeps_nothing(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "measured.json").write_bytes(content)

    assert read_kept(tmp_path / "measured.json", "this") is None


def test_what_was_measured_of_something_else_is_not_taken(tmp_path: Path):
    keep(tmp_path / "measured.json", kept("that"))

    assert read_kept(tmp_path / "measured.json", "this") is None


def test_other_thresholds_measure_anew(desk: Desk):
    release = desk.release().release

    keys = {key_of(release, levels) for levels in (Thresholds(), Thresholds(novelty=0.4))}

    assert len(keys) == 2


@pytest.mark.usefixtures("warm")
def test_a_check_that_finds_nothing_new_measures_nothing_and_says_the_same(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    (place.docs / "tides.md").write_text("# Tides\n\nThe sea rises twice a day.\n", "utf-8")
    first = monitor(desk, quietly, ask=lambda _: "run").check
    monkeypatch.setattr(
        "flows.checking.measure.read_changes", lambda *_: pytest.fail("measured again")
    )

    second = monitor(desk, quietly, ask=lambda _: "run").check

    assert second.report == first.report
    assert second.decision.action is first.decision.action


@pytest.mark.usefixtures("warm")
def test_an_edit_measures_anew(place: Place, desk: Desk):
    monitor(desk, quietly)
    (place.docs / "tides.md").write_text("# Tides\n\nThe sea rises twice a day.\n", "utf-8")

    report = monitor(desk, quietly, ask=lambda _: "run").check.report

    assert [document.uri for document in report.documents] == ["tides.md"]
