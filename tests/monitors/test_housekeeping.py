"""What is only housekeeping is named as such, and no factual edit ever is."""

import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from monitors.hygiene.folders import Folders, whole_folders
from monitors.hygiene.housekeeping import find_housekeeping
from monitors.hygiene.markup import tokens
from monitors.hygiene.mojibake import faults, repaired, same_but_for_encoding
from monitors.pair import Pair, pair_of_tables
from monitors.records import HousekeepingKind
from monitors.signals import shingles
from retrieval.folder_table import read_chunk_table
from retrieval.sources.folder import FolderSource

Texts = dict[str, str]
Edit = Callable[[str], str]

GUIDE = """\
.. _billing-guide:

===============
Billing in 2024
===============

Invoices are sent on day 5 of a month. The caf\u00e9 pays -3 percent, \u201crounded\u201d,
na\u00efvely, and the limit is <= 250 for :class:`~billing.Account` in
`the list <https://example.org/a/2>`_.

.. note::
   A reminder is sent after 14 days; see :ref:`the terms <payment-terms>` for the rest.

Refunds
-------

* Refunds are paid within 30 days.
* They must be asked for by mail.

Use the client:

.. code-block:: python

    client.refund(amount=12.50, note="late")

Then wait for the answer of the bank.
"""
OTHER = """\
Shipping
========

Parcels leave the northern store every morning, except when the roads are closed by snow.
"""


def pair(tmp_path: Path, old: Texts, new: Texts) -> Pair:
    """Write two folders, read them as the product does, and compare them."""
    tables = []
    for side, texts in (("old", old), ("new", new)):
        for uri, text in texts.items():
            path = tmp_path / side / uri
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        tables.append(read_chunk_table(FolderSource(tmp_path / side))[0])
    return pair_of_tables(*tables)


def named(found: Pair, *, folders: Folders | None = None) -> dict[str, tuple[str, ...]]:
    """Return what was named: kind to uris."""
    return {each.kind.name: each.uris for each in find_housekeeping(found, folders=folders)}


def rewrapped(text: str, *, width: int = 50) -> str:
    """Fill every paragraph of prose anew."""
    blocks = text.split("\n\n")
    filled = [
        textwrap.fill(" ".join(block.split("\n")), width, break_on_hyphens=False)
        if re.match(r"[A-Z]", block) and "\n--" not in block
        else block
        for block in blocks
    ]
    return "\n\n".join(filled)


def markdown(text: str) -> str:
    """Convert what GUIDE uses of reStructuredText to Markdown."""
    text = re.sub(r"(?m)^\.\. _[\w-]+:\n\n", "", text)
    text = re.sub(r"(?m)^=+\n(.+)\n=+$", r"# \1", text)
    text = re.sub(r"(?m)^(\w.*)\n-{3,}$", r"## \1", text)
    text = re.sub(r"(?m)^\.\. note::\n +", "> **Note:** ", text)
    text = re.sub(r"(?m)^\.\. code-block:: (\w+)\n\n((?: {4}.*\n)+)", r"```\1\n\2```\n", text)
    text = re.sub(r":ref:`([^`<]+) <([^`>]+)>`", r"[\1](#\2)", text)
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"`([^`<]+) <([^`>]+)>`_", r"[\1](\2)", text)


LOOKS: dict[str, Edit] = {
    "narrower": rewrapped,
    "wider": lambda text: rewrapped(text, width=120),
    "windows-line-ends": lambda text: text.replace("\n", "\r\n"),
    "trailing-spaces": lambda text: text.replace("\n", "  \n"),
    "tabs": lambda text: text.replace("    ", "\t"),
    "other-bullets": lambda text: text.replace("* ", "- "),
    "other-heading-marks": lambda text: text.replace("=" * 15, "#" * 15).replace("-" * 7, "~" * 7),
    "plain-quotes": lambda text: text.replace("\u201c", '"').replace("\u201d", '"'),
    "headings-in-capitals": lambda text: text.replace("Refunds\n--", "REFUNDS\n--"),
    "code-after-two-colons": lambda text: text.replace(":\n\n.. code-block:: python", "::"),
    "other-role": lambda text: text.replace(":class:", ":py:class:"),
}
FACTS: dict[str, Edit] = {
    "number": lambda text: text.replace("30 days", "31 days"),
    "number-in-heading": lambda text: text.replace("2024", "2025"),
    "number-in-code": lambda text: text.replace("12.50", "12.60"),
    "point-moved": lambda text: text.replace("12.50", "125.0"),
    "numbers-swapped": lambda text: (
        text.replace("14 days", "x").replace("30 days", "14 days").replace("x;", "30 days;")
    ),
    "sign": lambda text: text.replace("-3 percent", "3 percent"),
    "comparison": lambda text: text.replace("<= 250", ">= 250"),
    "negation": lambda text: text.replace("must be", "must not be"),
    "name": lambda text: text.replace("northern", "southern").replace("the bank", "the court"),
    "accent": lambda text: text.replace("caf\u00e9", "cafe"),
    "sentence-gone": lambda text: text.replace("* They must be asked for by mail.\n", ""),
    "everything-said-twice": lambda text: text + text.partition("Use the client")[2],
}
every_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
every_fact = pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)


@every_look
def test_another_look_is_formatting(tmp_path: Path, look: Edit):
    found = pair(tmp_path, {"a.rst": GUIDE}, {"a.rst": look(GUIDE)})

    assert look(GUIDE) != GUIDE
    assert named(found) == {"FORMATTING": ("a.rst",)}


@every_fact
def test_a_fact_that_changed_is_never_excused(tmp_path: Path, fact: Edit):
    assert fact(GUIDE) != GUIDE
    assert named(pair(tmp_path, {"a.rst": GUIDE}, {"a.rst": fact(GUIDE)})) == {}


@every_look
@every_fact
def test_no_look_hides_a_fact(tmp_path: Path, fact: Edit, look: Edit):
    assert named(pair(tmp_path, {"a.rst": GUIDE}, {"a.rst": look(fact(GUIDE))})) == {}


def test_a_document_converted_to_markdown_is_formatting_under_both_names(tmp_path: Path):
    old = {"guide/billing.rst": GUIDE, "other.rst": OTHER}

    found = pair(tmp_path, old, {"guide/billing.md": markdown(GUIDE), "other.rst": OTHER})

    assert named(found) == {"FORMATTING": ("guide/billing.md", "guide/billing.rst")}


def test_a_document_converted_under_the_same_name_is_formatting(tmp_path: Path):
    assert named(pair(tmp_path, {"README": GUIDE}, {"README": GUIDE})) == {}
    assert named(pair(tmp_path, {"a.txt": GUIDE}, {"a.txt": markdown(GUIDE)})) == {
        "FORMATTING": ("a.txt",)
    }


@every_fact
def test_no_conversion_hides_a_fact(tmp_path: Path, fact: Edit):
    found = pair(tmp_path, {"a.rst": GUIDE}, {"a.md": markdown(fact(GUIDE))})

    assert named(found) == {}


def test_a_document_that_changed_markup_and_folder_is_found_by_its_words(tmp_path: Path):
    old = {"a.rst": GUIDE, "b.rst": OTHER}

    found = pair(tmp_path, old, {"x/one.md": markdown(GUIDE), "x/two.md": markdown(OTHER)})

    assert set(named(found)["FORMATTING"]) >= {"a.rst", "x/one.md"}
    assert find_housekeeping(found)
    assert not found.without([u for h in find_housekeeping(found) for u in h.uris]).kinds


def test_a_move_is_named_by_the_new_name(tmp_path: Path):
    assert named(pair(tmp_path, {"a.rst": GUIDE}, {"b/a.rst": GUIDE})) == {"MOVED": ("b/a.rst",)}


def test_a_move_of_rewrapped_text_is_named_by_both_names(tmp_path: Path):
    found = pair(tmp_path, {"a.rst": GUIDE}, {"b/a.rst": rewrapped(GUIDE)})

    assert named(found) == {"MOVED": ("a.rst", "b/a.rst")}


def test_a_copy_is_a_duplicate_and_so_is_its_removal(tmp_path: Path):
    one, two = {"a.rst": GUIDE}, {"a.rst": GUIDE, "copy of a.rst": GUIDE}

    assert named(pair(tmp_path / "made", one, two)) == {"DUPLICATED": ("copy of a.rst",)}
    assert named(pair(tmp_path / "lost", two, one)) == {"DUPLICATED": ("copy of a.rst",)}


def test_a_copy_with_one_number_changed_is_new(tmp_path: Path):
    found = pair(tmp_path, {"a.rst": GUIDE}, {"a.rst": GUIDE, "b.rst": FACTS["number"](GUIDE)})

    assert named(found) == {}


MISREAD: dict[str, Edit] = {
    "latin-1": lambda text: text.encode().decode("latin-1"),
    "windows-1252": lambda text: text.encode().decode("cp1252", errors="replace"),
    "windows-1252-with-holes": lambda text: text.encode().decode("cp1252", errors="ignore"),
    "twice": lambda text: text.encode().decode("latin-1").encode().decode("latin-1"),
    "not-utf-8": lambda text: text.encode("latin-1", "replace").decode("utf-8", "replace"),
}
every_fault = pytest.mark.parametrize("misread", MISREAD.values(), ids=MISREAD)


@every_fault
def test_an_encoding_fault_is_named_when_it_comes_and_when_it_goes(tmp_path: Path, misread: Edit):
    sound, broken = {"a.rst": GUIDE, "b.rst": OTHER}, {"a.rst": misread(GUIDE), "b.rst": OTHER}

    assert named(pair(tmp_path / "came", sound, broken)) == {"ENCODING": ("a.rst",)}
    assert named(pair(tmp_path / "went", broken, sound)) == {"ENCODING": ("a.rst",)}


@every_fault
@every_fact
def test_no_encoding_fault_hides_a_fact(tmp_path: Path, fact: Edit, misread: Edit):
    assert named(pair(tmp_path, {"a.rst": GUIDE}, {"a.rst": misread(fact(GUIDE))})) == {}


def test_text_in_another_script_is_compared_by_what_can_be_repaired():
    text = "\u4e0d\u8981\u5220\u9664\u8fd9\u4e2a\u6587\u4ef6"

    assert same_but_for_encoding(text, text.encode().decode("latin-1"))
    assert not same_but_for_encoding(text, text[1:].encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("text", "count", "sound"),
    [
        pytest.param("plain", 0, "plain", id="ascii"),
        pytest.param("na\u00efve caf\u00e9", 0, "na\u00efve caf\u00e9", id="accents"),
        pytest.param("caf\u00c3\u00a9", 1, "caf\u00e9", id="latin-1"),
        pytest.param("it\u00e2\u20ac\u2122s", 1, "it\u2019s", id="windows-1252"),
        pytest.param("\u00c3\u0192\u00c2\u00a9", 2, "\u00e9", id="twice"),
    ],
)
def test_faults_are_counted_and_repaired(text: str, count: int, sound: str):
    assert faults(text) == count
    assert repaired(text) == sound


def test_what_is_excused_leaves_nothing_to_measure(tmp_path: Path):
    old = {"a.rst": GUIDE, "b.rst": OTHER, "c.rst": GUIDE.upper()}
    new = {"a.md": markdown(GUIDE), "d/b.rst": OTHER, "c.rst": rewrapped(GUIDE).upper()}
    found = pair(tmp_path, old, new)

    left = found.without([uri for each in find_housekeeping(found) for uri in each.uris])

    assert left.kinds == {}
    assert shingles.measure(left).share == 0.0


def test_equal_sides_and_empty_sides_have_nothing_to_name(tmp_path: Path):
    assert named(pair(tmp_path, {"a.rst": GUIDE}, {"a.rst": GUIDE})) == {}


def test_the_reason_counts_the_documents(tmp_path: Path):
    found = pair(tmp_path, {"a.rst": GUIDE}, {"a.rst": rewrapped(GUIDE)})

    (only,) = find_housekeeping(found)

    assert only.kind is HousekeepingKind.FORMATTING
    assert only.reason == "1 document: set another way, with the same words"


def uris(folder: str, count: int) -> list[str]:
    return [f"{folder}/{number}.md" for number in range(count)]


@pytest.mark.parametrize(
    ("new", "documents", "whole"),
    [
        pytest.param(uris("legal", 5), 100, 5, id="top-exactly-at-both-limits"),
        pytest.param(uris("legal", 4), 10, 0, id="one-document-too-few"),
        pytest.param(uris("legal", 5), 101, 0, id="top-share-too-small"),
        pytest.param(uris("docs/legal", 10), 100, 10, id="below-exactly-at-the-limit"),
        pytest.param(uris("docs/legal", 10), 101, 0, id="below-share-too-small"),
        pytest.param(uris("docs", 50), 60, 0, id="known-folder"),
        pytest.param([f"{n}.md" for n in range(50)], 60, 0, id="no-folder"),
        pytest.param(uris("legal/a", 3) + uris("legal/b", 3), 20, 6, id="counted-at-the-top"),
    ],
)
def test_a_folder_counts_as_a_whole_from_its_limits_on(
    new: Iterable[str], documents: int, whole: int
):
    assert len(whole_folders(new, frozenset({"docs"}), documents=documents)) == whole


def many(folder: str, word: str) -> Texts:
    return {f"{folder}/{n}.md": f"# {word} {n}\n\nThe {word} number {n} is red." for n in range(6)}


def folders(old: Texts, new: Texts) -> Folders:
    return Folders.of(old, new)


def test_a_folder_taken_in_or_lost_is_named(tmp_path: Path):
    one, two = many("docs", "car"), many("docs", "car") | many("legal", "law")

    came = named(pair(tmp_path / "came", one, two), folders=folders(one, two))
    went = named(pair(tmp_path / "went", two, one), folders=folders(two, one))

    assert came == {"FOLDER_ADDED": tuple(many("legal", "law"))}
    assert went == {"FOLDER_LOST": tuple(many("legal", "law"))}


def test_a_renamed_folder_is_moved_not_lost_and_added(tmp_path: Path):
    one, two = many("docs", "car"), many("handbook", "car")

    assert set(named(pair(tmp_path, one, two), folders=folders(one, two))) == {"MOVED"}


def test_folders_are_not_judged_where_they_are_not_known(tmp_path: Path):
    one, two = many("docs", "car"), many("docs", "car") | many("legal", "law")

    assert named(pair(tmp_path, one, two)) == {}


def test_tokens_keep_what_makes_a_fact():
    assert list(tokens("- -5.0 <= x, 3 < y; 1,000 $ \u2013 `a_b` _c_ 10:30")) == [
        "-5.0", "<=", "x", "3", "<", "y", "1,000", "$", "a_b", "c", "10:30",
    ]  # fmt: skip
