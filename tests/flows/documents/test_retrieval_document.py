"""docs/retrieval.md: its examples are settings that load, its tables name every key and default."""

import json
import re
from pathlib import Path

import pytest

from flows.settings import source as sources
from flows.settings.knowledge_base import Keep, Limits
from flows.settings.settings import Embedder, load_settings
from retrieval.sources.patterns import DOCUMENTS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "retrieval.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
SHARED = {"kind", "trust", "max_bytes", "include", "exclude"}
TABLES: dict[str, type[sources.Table]] = {
    "Folder": sources.FolderSource,
    "Git": sources.GitSource,
    "Web": sources.WebSource,
    "SQL": sources.SqlSource,
    "Store": sources.StoreSource,
    "`[kb.NAME.limits]`": Limits,
    "`[kb.NAME.keep]`": Keep,
    "`[embedder]`": Embedder,
}


def section(heading: str) -> str:
    return DOCUMENT.split(f"\n### {heading}\n")[1].split("\n### ")[0]


def documented(heading: str) -> dict[str, str]:
    """Return key and default of each row of a table."""
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section(heading), flags=re.MULTILINE))


def shown(table: type[sources.Table], key: str) -> str:
    """Return a default as the tables show it."""
    field = table.model_fields[key]
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else f"`{json.dumps(value)}`"


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_settings_that_load(tmp_path: Path, text: str):
    file = tmp_path / "driftline.toml"
    source = "" if "source" in text else '[kb.docs.source]\npath = "docs"\n'
    file.write_text(source + text, encoding="utf-8")

    assert load_settings(file).kb["docs"].named_sources()


def test_there_is_an_example_of_every_kind_of_source():
    shown = re.findall(r'^kind = "(\w+)"', "".join(EXAMPLES), flags=re.MULTILINE)

    assert {"folder", *shown} == {*sources.KINDS}


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_documented_with_its_default(heading: str):
    table = TABLES[heading]
    shared = SHARED if "kind" in table.model_fields else set()

    own = table.model_fields.keys() - shared

    assert documented(heading) == {
        key: shown(table, key) for key in table.model_fields if key in own
    }


@pytest.mark.parametrize("key", ["kind", "trust", "max_bytes"])
def test_what_all_sources_have_is_documented_with_its_default(key: str):
    assert documented("Every source")[key] == shown(sources.FolderSource, key)


@pytest.mark.parametrize("pattern", DOCUMENTS)
def test_the_formats_that_are_taken_in_are_bold_in_the_table(pattern: str):
    bold = re.findall(r"^\| \*\*(.+?)\*\*", DOCUMENT, flags=re.MULTILINE)

    assert f"`{pattern.removeprefix('**/*')}`" in " ".join(bold).split()
