"""The runbook is whole: every code, by what a person sees, with a cause, a cure, what answers."""

import re
from pathlib import Path

import pytest

from flows.cli import COMMANDS
from tests.flows.documents.test_errors import errors

DOCS = Path(__file__).parents[3] / "docs"
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
SECTIONS = {
    text.partition("\n")[0]: text for text in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
}


def rows() -> list[tuple[str, str, str]]:
    """Return code, cause and cure of every row that begins with a code."""
    return re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", RUNBOOK, flags=re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the name that a heading can be linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("error", errors(), ids=lambda error: error.code)
def test_every_code_stands_once_with_its_cause_and_its_cure(error):
    found = [(cause, cure) for code, cause, cure in rows() if code == error.code]

    assert len(found) == 1
    assert all(len(text) >= 15 for text in found[0])


def test_no_row_is_about_a_code_that_nobody_raises():
    assert {code for code, *_ in rows()} <= {error.code for error in errors()} | {"INTERRUPTED"}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_symptom_says_what_still_answers_and_where_to_look_first(title):
    assert "**Still answers:**" in SECTIONS[title]
    assert "**First look:**" in SECTIONS[title]


def test_every_symptom_is_found_from_the_first_table():
    linked = set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK.partition("\n## ")[0]))

    assert linked == {anchor(title) for title in SECTIONS}


@pytest.mark.parametrize("page", ["runbook.md", "operations.md", "errors.md"])
def test_every_command_and_every_link_of_the_pages_is_there(page: str):
    text = (DOCS / page).read_text(encoding="utf-8")

    named = set(re.findall(r"`driftline ([a-z-]+)", text))
    files = {target for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) if target}

    assert named <= set(COMMANDS)
    assert all((DOCS / target).exists() for target in files)


def test_errors_and_runbook_lead_to_one_another():
    assert "(runbook.md)" in (DOCS / "errors.md").read_text(encoding="utf-8")
    assert "(errors.md)" in RUNBOOK
