"""The demo on our handbook, with a training too small to be promoted: its road and its end."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from flows.desk import open_desk
from flows.settings.settings import load_settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    path = Path(__file__).parents[3] / "examples" / "demo.py"
    spec = importlib.util.spec_from_file_location("demo", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module  # where its dataclasses look for themselves
    spec.loader.exec_module(module)
    return module


def test_the_close_version_is_not_retrained_the_far_one_is_and_a_second_run_costs_nothing(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {
        "BUDGET_TOKENS": 1600,
        "HOLDOUT_TEXT_ROWS": 2,
        "HOLDOUT_ANSWER_ROWS": 2,
    }.items():
        monkeypatch.setenv(f"DRIFTLINE_KB__HANDBOOK__TRAINING__{name}", str(value))
    file = tmp_path / "driftline.toml"
    file.write_text(demo.SETTINGS, encoding="utf-8")
    display = demo.Display()

    road = demo.run(demo.handbook(), tmp_path, file, display)
    (again,) = demo.run(demo.handbook(), tmp_path, file, display)
    demo.show([*road, again], demo.handbook(), tmp_path, file, 1.0)

    decisions = [step.outcome.check.decision for step in road]
    assert [decision.action.value for decision in decisions] == ["none", "none", "retrain"]
    assert "billing/plans-and-prices.md" in decisions[2].reason
    assert [step.outcome.check.refresh.is_new for step in road] == [True, True, True]
    assert road[2].outcome.retraining is not None
    assert "too little to weigh it on" in road[2].outcome.retraining.verdict.reason
    assert again.outcome.retraining is None
    assert again.outcome.check.refresh.refreshed.embedded == 0
    with open_desk(load_settings(file), "handbook") as desk:
        kinds = [published.kind for published in desk.journal.history("handbook")]
    assert kinds == ["first", "refresh", "refresh"]


def test_placing_a_version_touches_only_what_differs(demo: ModuleType, tmp_path: Path):
    one, two = (demo.ROOT / "examples" / "handbook" / version for version in ("v1", "v2"))
    demo.place(one, tmp_path / "live")
    touched = {path: path.stat().st_mtime_ns for path in (tmp_path / "live").rglob("*.*")}

    demo.place(two, tmp_path / "live")

    def contents(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    assert contents(tmp_path / "live") == contents(two)
    same = [
        path for path, when in touched.items() if path.exists() and path.stat().st_mtime_ns == when
    ]
    assert len(same) == 26


def test_without_the_network_the_demo_falls_back_to_the_handbook(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(demo, "fetch", lambda *_: False)

    assert demo.scrapy(tmp_path, demo.Display()) is None
