"""docs/drift.md: every signal, and every key of the settings that decide, with its default."""

import json
import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from flows.settings.policy import Cost, Policy, Questions, Surprise
from flows.settings.settings import load_settings
from flows.settings.source import Table
from monitors.calibration import FITTED, RESOLUTION
from monitors.decision.policy import RetrainPolicy, Thresholds
from monitors.drift import measure_drift
from monitors.signals import surprise
from tests.monitors.builders import pair

DOCUMENT = (Path(__file__).parents[3] / "docs" / "drift.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
THRESHOLDS = asdict(Thresholds())
# These are tests on samples, at the level that a schedule has left for each look.
TESTED = {"new_topics", "questions"}
TABLES: dict[str, type[Table]] = {
    "policy": Policy,
    "cost": Cost,
    "questions": Questions,
    "surprise": Surprise,
}


def section(heading: str) -> str:
    return re.split(r"\n##+ ", DOCUMENT.split(f" {heading}\n")[1])[0]


def documented(table: str) -> dict[str, str]:
    """Return key and default of each row of a table of settings."""
    rows = section(f"`[kb.NAME.{table}]`")
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", rows, flags=re.MULTILINE))


def shown(table: type[Table], key: str) -> str:
    """Return a default as the tables show it."""
    field = table.model_fields[key]
    if field.is_required():
        return "needed"
    return "none" if field.default is None else f"`{json.dumps(field.default)}`"


def signals() -> dict[str, str]:
    """Return name and threshold of each row of the table of signals."""
    rows = section("The signals").split("\n\n")[0]
    found = re.findall(r"^\| `(\w+)` \|.*?\| (.*?) \|", rows, flags=re.MULTILINE)
    return {name: threshold.partition(",")[0] for name, threshold in found}


@pytest.mark.parametrize("table", TABLES)
def test_every_key_that_decides_is_documented_with_its_default(table: str):
    settings = TABLES[table]

    keys = settings.model_fields.keys() - THRESHOLDS.keys()

    assert documented(table) == {
        key: shown(settings, key) for key in settings.model_fields if key in keys
    }


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_signals_threshold_is_documented_with_its_default(name: str):
    assert signals()[name] == f"`{json.dumps(THRESHOLDS[name])}`"


def test_every_signal_is_documented_and_no_other():
    text = {"a.md": ["The grace period of an account is thirty days."]}

    measured = measure_drift(pair({}, text), reference_name="docs@1", current_name="docs@2")

    names = {signal.name for signal in measured.signals} | {surprise.NAME} | TESTED
    assert signals().keys() == names


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_settings_that_load(tmp_path: Path, text: str):
    file = tmp_path / "driftline.toml"
    file.write_text('[kb.docs.source]\npath = "docs"\n' + text, encoding="utf-8")

    assert load_settings(file).knowledge_base("docs").model_fields_set > {"source"}


def test_the_formula_has_the_numbers_that_estimate():
    formula = " ".join(section("Staleness").split())

    assert f"= {FITTED.per_fresh} " in formula
    assert f"= {FITTED.per_unseen} " in formula
    assert f"{FITTED.spread} " in formula
    assert f"Under {RESOLUTION} " in formula


def test_the_level_of_watch_is_told():
    watch = f"{RetrainPolicy().watch_level:.3f}"

    assert f"so {watch} |" in section("`[kb.NAME.policy]`")


def test_every_file_that_is_linked_is_there():
    links = re.findall(r"\]\(([\w./-]+)", DOCUMENT)

    assert links
    assert all((Path(__file__).parents[3] / "docs" / link).is_file() for link in links)


def test_the_tables_are_those_of_the_records():
    deciding = {field.name for field in fields(RetrainPolicy)} - {"cooldown"}

    assert deciding <= documented("policy").keys()
