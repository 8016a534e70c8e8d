"""One markup in other marks: Markdown in another flavour, framed tables, footnotes, lists."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from monitors.corpus import Corpus
from monitors.hygiene.formatting import passages, same_in_other_flavour, same_in_other_markup
from monitors.hygiene.markup import plain
from tests.monitors.test_housekeeping import named, pair

Edit = Callable[[str], str]

PAGE = """\
# Meters in 2024

Read the **meter** as [the list](list.md) and [the law](https://example.org/a/2) say, not later
than on day 5, and only if 3 < y.

1. Open the lid.
2. Wait 40 s.

| model | limit |
|---|---|
| A 1 | 16 A |

```python
meter.read(timeout=30)
```
"""

FLAVOURS: dict[str, Edit] = {
    "underlined-heading": lambda text: re.sub(r"# (.+)", r"\1\n=====", text),
    "other-emphasis": lambda text: text.replace("**", "__"),
    "other-fence": lambda text: text.replace("```python", "~~~ {.python}").replace("```", "~~~"),
    "numbered-by-ones": lambda text: text.replace("2. Wait", "1. Wait"),
    "bare-table": lambda text: re.sub(r"(?m)^\|(.*)\|$", r"\1", text),
    "links-at-the-end": lambda text: (
        text.replace("(list.md)", "[1]").replace("(https://example.org/a/2)", "[2]")
        + "\n[1]: list.md\n[2]: https://example.org/a/2\n"
    ),
    "links-by-their-text": lambda text: (
        text.replace("(list.md)", "").replace("(https://example.org/a/2)", "[]")
        + "\n[the list]: list.md\n[the law]: https://example.org/a/2\n"
    ),
}
FACTS: dict[str, Edit] = {
    "number": lambda text: text.replace("40 s", "45 s"),
    "number-in-heading": lambda text: text.replace("2024", "2025"),
    "number-in-code": lambda text: text.replace("=30", "=31"),
    "numbers-swapped": lambda text: text.replace("| A 1 | 16 A |", "| A 16 | 1 A |"),
    "number-of-a-target": lambda text: text.replace("/a/2", "/a/3"),
    "target": lambda text: text.replace("list.md", "limit.md"),
    "comparison": lambda text: text.replace("3 < y", "3 > y"),
    "negation": lambda text: text.replace("not later", "later"),
}


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
def test_another_flavour_is_formatting(tmp_path: Path, flavour: Edit):
    assert flavour(PAGE) != PAGE
    assert named(pair(tmp_path, {"a.md": PAGE}, {"a.md": flavour(PAGE)})) == {
        "FORMATTING": ("a.md",)
    }


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
def test_no_flavour_hides_a_fact(tmp_path: Path, fact: Edit, flavour: Edit):
    assert fact(PAGE) != PAGE
    assert named(pair(tmp_path, {"a.md": PAGE}, {"a.md": flavour(fact(PAGE))})) == {}


def test_an_index_in_code_is_no_label_of_a_link():
    assert not same_in_other_flavour("Take `x[0][1]`.", "Take `x[0][2]`.")


FRAMED = """\
+-------+------------+---------+
| level | it means   | answer  |
+=======+============+=========+
| P 1   | danger to  | 30      |
|       | people     | minutes |
+-------+------------+---------+
"""


@pytest.mark.parametrize(
    ("row", "same"),
    [
        pytest.param("P 1|danger to people|30 minutes", True, id="same"),
        pytest.param("P 1|danger to people|40 minutes", False, id="number-changed"),
        pytest.param("P 30|danger to people|1 minutes", False, id="numbers-swapped"),
    ],
)
def test_the_cell_of_a_framed_table_is_read_across_its_lines(row: str, *, same: bool):
    other = f"level|it means|answer\n--|--|--\n{row}"

    assert same_in_other_markup(FRAMED, other) == same


def test_a_footnote_is_read_at_the_end_wherever_it_stands():
    old = plain("It is free [1]_.\n\n.. [1] For 30\n   days.\n\nThen it costs.")

    assert old.words == plain("It is free[^1].\n\nThen it costs.\n\n[^1]: For 30 days.").words
    assert old.words[-3:] == ("for", "30", "days")


def test_a_heading_that_a_chunk_had_no_room_for_is_read_once():
    trails = (("A", "B"), ("B", "C"), ("A", "D"))
    corpus = Corpus(("a.md",) * 3, ("1", "2", "3"), trails, ("x", "y", "z"), ("a",) * 3)

    assert [each.headings for each in passages(corpus, slice(0, 3))] == [
        ("A", "B"),
        ("C",),
        ("D",),
    ]


def test_a_number_that_counts_no_items_is_read():
    counted = plain("Do:\n\n1. this\n2. that\n\n   1. so\n\n3. then")

    assert counted.words == ("do", "this", "that", "so", "then")
    assert "31" in plain("The warranty ends after\n31. It is not\nrenewed.").words


def test_a_mark_without_its_end_does_not_take_the_next_paragraph_off():
    assert plain("A <class 'int\n\nIt takes 5 days > 4.").words[-4:] == ("takes", "5", "days", "4")
