"""Changes made on purpose, through `compare`: what is only housekeeping, and what is never that."""

import re
import tarfile
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitors.pair import pair_of_tables
from monitors.sampling.incoming import SINGLE, measure_topic
from retrieval.folder_table import read_chunk_table
from retrieval.sources.folder import FolderSource
from tests.flows import changes
from tests.flows.changes import Change, Plant, Planted, read_folder, write_folder
from tests.flows.conftest import HANDBOOK, Place
from tests.flows.test_compare import CORPORA

Documents = dict[str, str]

# In nearly all documents: one of two lines without any markup is only moved by a conversion.
NEARLY_ALL = 0.95
FOUND = 0.9

HOUSEKEEPING = {
    "wrapped-at-40": Change("formatting", changes.rewrapped(40)),
    "wrapped-at-140": Change("formatting", changes.rewrapped(140)),
    "other-adornments": Change("formatting", changes.other_adornments),
    "other-bullets": Change("formatting", changes.other_bullets),
    "trailing-spaces": Change("formatting", lambda text: text.replace("\n", "  \n")),
    "windows-line-ends": Change("formatting", lambda text: text.replace("\n", "\r\n")),
    "tabs": Change("formatting", lambda text: text.replace("    ", "\t")),
    "other-markdown": Change("formatting", changes.other_markdown),
    "rst-to-md": Change("formatting", changes.markdown, (partial(changes.renamed, ".md"),)),
    "moved": Change("moved", names=(changes.elsewhere,)),
    "duplicated": Change("duplicated", names=(str, changes.elsewhere)),
    "utf-8-read-as-latin-1": Change("encoding fault", changes.misread("latin-1")),
    "utf-8-read-as-cp1252": Change("encoding fault", changes.misread("cp1252")),
}


def _days_later(match: re.Match[str]) -> str:
    return (date.fromisoformat(match[0]) + timedelta(days=9)).isoformat()


MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
FACTS = {
    "numbers": Plant("number", r"(?<![\w.,:/-])\d{1,3}(?= [a-z])", lambda m: f"{int(m[0]) + 1}"),
    "not": Plant("negation", r"\b(?:is|are|must|can|may) (?!no)(?=[a-z])", "{0[0]}not ".format, 9),
    "iso-dates": Plant("date", r"\b20\d\d-\d\d-\d\d\b", _days_later),
    "days-of-months": Plant(
        "date", rf"\b\d\d?(?= (?:{MONTHS})\b)", lambda m: f"{int(m[0]) % 28 + 1}"
    ),
}

FOREIGN = {
    "rye.md": "# Rye bread\n\nA sourdough starter of rye flour ferments overnight in a crock. "
    "Knead the dough by hand, fold it twice, and let the loaf rise beneath a linen cloth.\n\n"
    "## Crust\n\nScore the loaf with a razor and bake it on a hot stone. Steam keeps the crust "
    "thin; caraway seeds and salt are scattered over the crumb while it cools.\n",
    "tides.md": "# Tides\n\nThe moon lifts the ocean into a bulge, and the coast turns beneath it. "
    "Spring tides follow a full moon, neap tides a half one.\n\n## Mudflats\n\nWading birds feed "
    "on worms and cockles at low water. Eelgrass holds the sediment, and herring spawn in it.\n",
    "cello.md": "# The cello\n\nFour strings are stretched over a maple bridge and bowed with "
    "horsehair. Rosin makes the hair grip.\n\n## Suites\n\nEach suite opens with a prelude; the "
    "sarabande is slow, the gigue lively. Casals found the manuscript in a harbour shop.\n",
}


@pytest.fixture(scope="module", params=["handbook", "scrapy"])
def documents(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Documents:
    """Return a small corpus: Markdown with a few other files, and reStructuredText."""
    if request.param == "handbook":
        return read_folder(HANDBOOK)
    if not CORPORA.is_dir():
        pytest.skip("the archive of releases is not beside the tree")
    folder = tmp_path_factory.mktemp("archive")
    with tarfile.open(CORPORA / "scrapy.tar.xz") as archive:
        for member in archive:
            if member.name.startswith("scrapy/2.13.0/docs/"):
                archive.extract(member, folder, filter="data")
    found = read_folder(folder / "scrapy" / "2.13.0")
    return {uri: text for uri, text in found.items() if uri.endswith(".rst")}


@pytest.fixture
def drift_of(place: Place, tmp_path: Path) -> Callable[[Documents, Documents], Any]:
    """Return what `compare --json` says of two sets of documents."""

    def compared(old: Documents, new: Documents) -> Any:
        sides = [write_folder(tmp_path / side, held) for side, held in (("a", old), ("b", new))]
        done = place.run("compare", *map(str, sides), "--json")
        assert done.status == 0, done.err
        return done.json

    return compared


def kinds(drift: Any) -> dict[str, str]:
    """Return uri → the kind of housekeeping by which it was named."""
    return {uri: each["kind"] for each in drift["housekeeping"] for uri in each["uris"]}


def found(planted: Planted, edits: list[dict[str, str]]) -> bool:
    """Tell whether a planted change is among the edits, as it was and as it is."""
    was, now = (rf"(?<!\w){re.escape(fact.strip())}(?!\w)" for fact in (planted.was, planted.now))
    return any(
        edit["uri"] == planted.uri
        and (edit["kind"] == "negation" or re.search(was, edit["was"]))
        and re.search(now, edit["now"])
        for edit in edits
    )


@pytest.mark.parametrize("change", HOUSEKEEPING.values(), ids=HOUSEKEEPING)
def test_housekeeping_is_named_and_asks_for_nothing(
    documents: Documents, drift_of: Callable[[Documents, Documents], Any], change: Change
):
    new = change.applied(documents)
    touched = [uri for uri, text in new.items() if documents.get(uri) != text]
    if not touched:
        pytest.skip("nothing here looks another way")

    drift = drift_of(documents, new)

    assert drift["decision"]["action"] == "none"
    named = kinds(drift)
    assert sum(named.get(uri) == change.kind for uri in touched) >= NEARLY_ALL * len(touched)
    assert drift["edits_found"] == 0


@pytest.mark.parametrize("plant", FACTS.values(), ids=FACTS)
def test_facts_that_changed_are_listed_and_never_excused(
    documents: Documents, drift_of: Callable[[Documents, Documents], Any], plant: Plant
):
    new, planted = plant.applied(documents)
    if not planted:
        pytest.skip("nothing here is said that way")

    drift = drift_of(documents, new)

    edits = [edit for edit in drift["edits"] if edit["kind"] == plant.kind]
    assert not kinds(drift).keys() & {each.uri for each in planted}
    assert sum(found(each, edits) for each in planted) >= FOUND * len(planted)
    assert drift["edits_found"] <= len(planted)


def test_every_digit_changed_is_never_excused(
    documents: Documents, drift_of: Callable[[Documents, Documents], Any]
):
    new = {uri: re.sub(r"\d", lambda m: f"{(int(m[0]) + 1) % 10}", text)
           for uri, text in documents.items()}  # fmt: skip

    drift = drift_of(documents, new)

    changed = {uri for uri, text in new.items() if documents[uri] != text}
    assert not kinds(drift).keys() & changed
    assert drift["edits_found"] >= len(changed)


def test_a_few_foreign_documents_are_a_new_topic(
    documents: Documents, drift_of: Callable[[Documents, Documents], Any]
):
    count = round(0.05 * len(documents))
    foreign = dict(list(FOREIGN.items())[:count])

    drift = drift_of(documents, documents | foreign)

    assert drift["topic"]["p_value"] <= 0.05
    assert {each["uri"] for each in drift["topic"]["documents"] if each["unusual"]} == set(foreign)
    assert drift["decision"]["action"] != "none"


def test_a_few_foreign_documents_are_a_new_topic_by_their_vectors_too(place: Place, warm: None):
    write_folder(place.docs, read_folder(HANDBOOK))
    place.run("refresh", "docs")
    foreign = dict(list(FOREIGN.items())[:2])
    write_folder(place.docs, foreign)
    place.run("refresh", "docs")

    drift = place.run("compare", "docs@3", "docs@4", "--json").json

    assert next(s["score"] for s in drift["signals"] if s["name"] == "novelty") > 0
    assert drift["topic"]["p_value"] <= 0.05
    assert {each["uri"] for each in drift["topic"]["documents"] if each["unusual"]} == set(foreign)


def most_alarms(draws: int, level: float) -> int:
    """Return how many alarms at the level chance makes in 99 of 100 such series at most."""
    seen, alarms = 0.0, -1
    while seen < 0.99:
        alarms += 1
        seen += comb(draws, alarms) * level**alarms * (1 - level) ** (draws - alarms)
    return alarms


def without(table: pa.Table, uris: list[str]) -> pa.Table:
    return table.filter(pa.compute.invert(pa.compute.is_in(table["uri"], pa.array(uris))))


def test_more_documents_of_the_same_kind_are_no_new_topic():
    table = read_chunk_table(FolderSource(HANDBOOK))[0]
    uris = sorted(set(table["uri"].to_pylist()))
    generator = np.random.default_rng(4)

    p_values = []
    for _ in range(200):
        arrived = generator.choice(uris, size=2, replace=False).tolist()
        topic = measure_topic(pair_of_tables(without(table, arrived), table), SINGLE)
        assert topic is not None
        assert topic.p_value is not None
        p_values.append(topic.p_value)

    assert sum(p_value <= SINGLE.level for p_value in p_values) <= most_alarms(200, SINGLE.level)


ODD = {
    "nothing": {},
    "blank": {"a.md": "\n\n"},
    "binary": {"image.png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a.bin": "\x00\x01\x02" * 99},
    "one-short": {"a.md": "# Hours\n\nOpen from 8 to 12.\n"},
}


@pytest.mark.parametrize(
    ("sides", "action", "said"),
    [
        pytest.param(("nothing", "many"), "blocked", "holds no text", id="nothing-before"),
        pytest.param(("many", "nothing"), "blocked", "holds no text", id="nothing-now"),
        pytest.param(("nothing", "nothing"), "blocked", "holds no text", id="nothing-ever"),
        pytest.param(("blank", "many"), "blocked", "holds no text", id="blank"),
        pytest.param(("binary", "many"), "blocked", "holds no text", id="binary-before"),
        pytest.param(("many", "binary"), "blocked", "holds no text", id="binary-now"),
        pytest.param(("many", "one-short"), "none", "not enough text to judge", id="one-document"),
        pytest.param(("one-short", "many"), "retrain", "staleness", id="one-document-before"),
        pytest.param(("many", "many"), "none", "nothing is said now", id="equal"),
    ],
)
def test_an_odd_corpus_gets_a_decision_in_words(
    place: Place, tmp_path: Path, sides: tuple[str, str], action: str, said: str
):
    corpora = ODD | {"many": read_folder(HANDBOOK)}
    old, new = (write_folder(tmp_path / f"{at}", corpora[side]) for at, side in enumerate(sides))

    done = place.run("compare", str(old), str(new), "--json")

    assert done.status == 0
    assert done.json["decision"]["action"] == action
    assert said in done.json["decision"]["reason"]
