"""Traces of an erased text: found in any writing, and not in text that never had it."""

import html
import json
from urllib.parse import quote

import pytest

from retrieval.traces import Traces, traces_of

ERASED = (
    "The code of the vault under the harbour is kestrel88417zulu. Nobody but the two keepers may "
    "know it."
)
REMAINING = "Nobody but the two of us may know. The code of the vault is elsewhere."
NAME = "billing/the-vault_ledger.md"


@pytest.fixture(scope="module")
def traces() -> Traces:
    return traces_of(
        [ERASED], [REMAINING], names=[NAME, "17"], tails=["the-vault_ledger.md"],
        vectors=[b"\x00" * 16], salt="ab" * 16,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "they say: of the vault under the harbour",
        "OF THE   VAULT\nunder the harbour",
        "kestrel88417zulu",
        f"see {NAME}.",
        f"/var/docs/{NAME}",
        json.dumps({"note": f"ä {NAME}"}),
        quote(NAME, safe=""),
        html.escape("<b>vault</b> under the harbour is"),
        NAME.replace("_", "\\_").replace("-", "\\-"),
        "a new topic came in (p = 0.01; words: harbour, lamp)",
    ],
    ids=[
        "a-run", "another-case-and-space", "a-code", "a-uri", "a-path", "json", "percent-encoded",
        "html", "markdown", "a-word-in-a-list",
    ],
)  # fmt: skip
def test_a_trace_is_found_however_it_is_written(traces: Traces, text: str):
    assert traces.in_text(text) > 0


@pytest.mark.parametrize(
    "text",
    [
        "Nobody but the two of",
        "under the harbour is",
        "kestrel and harbour",
        "other-the-vault_ledger.md",
        "the-vault_ledger.mdx",
        "17",
        "",
    ],
    ids=[
        "a-run-that-remains", "four-words", "words-in-prose", "a-longer-name", "another-ending",
        "a-uri-too-plain-to-tell", "nothing",
    ],
)  # fmt: skip
def test_what_others_say_too_is_no_trace(traces: Traces, text: str):
    assert traces.in_text(text) == 0


def test_words_are_told_from_those_that_remain(traces: Traces):
    assert traces.in_words("harbour, vault, nobody") == 1


def test_vectors_are_found_by_their_bytes(traces: Traces):
    assert traces.in_vectors([b"\x00" * 16, b"\x01" * 16]) == 1


def test_nothing_of_the_text_can_be_read_from_its_traces(traces: Traces):
    written = repr(traces)

    assert "kestrel" not in written
    assert "harbour" not in written
