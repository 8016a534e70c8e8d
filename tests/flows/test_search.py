"""Searching through the command line: filters, words, earlier releases, and any question."""

from typing import Any

import pytest

from tests.flows.conftest import Place

pytestmark = pytest.mark.usefixtures("warm")

KEYS = {"uri", "chunk", "text", "similarity", "found_by", "also", "stale"}
LEAKED = "The key is AKIA2QZX7WJ4KLM8NPQR and nobody may know it."


def found(place: Place, text: str, *options: str) -> list[dict[str, Any]]:
    ran = place.run("search", "docs", text, *options, "--json")
    assert ran.status == 0, ran.err
    hits: list[dict[str, Any]] = ran.json["hits"]
    return hits


def uris(place: Place, text: str, *options: str) -> set[str]:
    return {hit["uri"] for hit in found(place, text, "--limit", "100", *options)}


def test_an_answer_has_the_keys_that_scripts_rely_on(place: Place):
    told = place.run("search", "docs", "How long is the grace period?", "--json").json

    assert told.keys() == {"release", "hits", "answer", "citations"}
    assert (told["answer"], told["citations"]) == (None, [])
    assert told["release"] == place.history()[-1]["release"]
    assert len(told["hits"]) == 5
    assert all(hit.keys() == KEYS for hit in told["hits"])
    assert all(-1 <= hit["similarity"] <= 1 for hit in told["hits"])


def test_an_exact_identifier_is_found_among_texts_that_are_nearer(place: Place):
    """Vectors see a question about payments; only words see the identifier."""
    (place.docs / "codes.md").write_text(
        "# Shop\n\nParcels are wrapped in brown paper. QX7731-B stands on the lid. "
        "Ribbons, wax and string are kept in the lower drawer with the spare scissors."
    )
    place.run("refresh", "docs")
    question = "Did the bank decline invoice QX7731-B?"

    hits = found(place, question)

    by_words = next(hit for hit in hits if hit["uri"] == "codes.md")
    assert "text" in by_words["found_by"]
    others = found(place, question, "--limit", "100")
    assert sum(hit["similarity"] > by_words["similarity"] for hit in others) >= 5


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param(["--uri", "billing/*"], lambda uri: uri.startswith("billing/"), id="folder"),
        pytest.param(["--uri", "accounts/"], lambda uri: uri.startswith("accounts/"), id="below"),
        pytest.param(["--uri", "**/*.txt"], lambda uri: uri.endswith(".txt"), id="ending"),
        pytest.param(["--type", "text/markdown"], lambda uri: uri.endswith(".md"), id="type"),
        pytest.param(
            ["--uri", "billing/*", "--type", "text/plain"],
            lambda uri: uri == "billing/vouchers.txt",
            id="both",
        ),
        pytest.param(
            ["--uri", "billing/v*", "--uri", "accounts/o*"],
            lambda uri: uri in {"billing/vouchers.txt", "accounts/ownership-transfer.txt"},
            id="either",
        ),
        pytest.param(["--trusted"], lambda _: True, id="trusted"),
        pytest.param(["--since", "2001-01-01"], lambda _: True, id="since"),
        pytest.param(["--until", "2001-01-01"], lambda _: False, id="until"),
        pytest.param(["--uri", "\udcff\ud83d*"], lambda _: False, id="half-a-character"),
        pytest.param(["--uri", 'it\'s "quoted" %_*'], lambda _: False, id="quotes"),
    ],
)
def test_a_filter_leaves_what_was_asked_for(place: Place, options: list[str], wanted: Any):
    everything = uris(place, "plan household payment account")

    assert uris(place, "plan household payment account", *options) == set(
        filter(wanted, everything)
    )


def test_a_heading_narrows_the_search(place: Place):
    (only,) = found(place, "What does the bank say?", "--heading", "codes on the payment")

    assert "B-04" in only["text"]


def test_flagged_text_is_found_unless_it_is_left_out(place: Place):
    (place.docs / "keys.md").write_text(f"# Keys\n\n{LEAKED}")
    place.run("refresh", "docs")
    question = "Which key may nobody know?"

    assert found(place, question)[0]["uri"] == "keys.md"
    assert "keys.md" not in uris(place, question, "--unflagged")


def test_a_source_that_is_none_is_named(place: Place):
    done = place.run("search", "docs", "text", "--source", "elsewhere", "--json")

    assert (done.status, done.json["error"]["code"]) == (2, "SETTINGS_INVALID")
    assert "'elsewhere'" in done.err


def test_a_time_that_is_none_is_a_mistake_of_usage(place: Place):
    assert place.run("search", "docs", "text", "--since", "yesterday").status == 2


def test_an_earlier_release_answers_with_its_own_text_and_filters(place: Place):
    place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21 days")
    (place.docs / "billing" / "vouchers.txt").unlink()
    place.run("refresh", "docs")
    first, second = place.history()

    then = found(place, "How long is the grace period?", "--as-of", first["release"][:6])
    now = found(place, "How long is the grace period?", "--as-of", second["release"][:6])

    assert "14 days" in then[0]["text"]
    assert not any("The grace period is 14 days" in hit["text"] for hit in now)
    earlier = ("--as-of", first["release"], "--uri", "**/vouchers.txt")
    assert uris(place, "voucher", *earlier) == {"billing/vouchers.txt"}
    assert not uris(place, "voucher", "--uri", "**/vouchers.txt")


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("the of and to", id="little-words-only"),
        pytest.param("?", id="no-word"),
        pytest.param("\"it's\" 'B-04' `x` \\", id="quotes"),
        pytest.param("uri = '' OR 1=1; DROP TABLE docs --", id="sql"),
        pytest.param("+title:(grace AND NOT period)^9 [* TO *] ~", id="query-language"),
        pytest.param("grace " * 1_333, id="8,000-characters"),
        pytest.param("x" * 8_000, id="one-word-of-8,000"),
        pytest.param("猫はいつ支払いますか。東京", id="japanese"),
        pytest.param("متى تنتهي المهلة؟", id="arabic"),
        pytest.param("e\u0301\u202e\u200b 👩\u200d👩\u200d👧", id="combining-bidi-emoji"),
        pytest.param("\ud83d grace", id="half-a-character"),
        pytest.param("grace\0period", id="nul"),
    ],
)
def test_any_question_is_answered(place: Place, question: str):
    assert found(place, question)


def test_a_text_that_many_documents_repeat_is_one_hit(place: Place):
    for name in ("one", "two", "three"):
        (place.docs / f"{name}.md").write_text("# Charger\n\nThe wall charger hums at night.")
    done = place.run("refresh", "docs", "--json")

    hits = found(place, "What hums at night?")

    assert done.json["embedded"] == 1
    assert (hits[0]["uri"], hits[0]["also"]) == ("one.md", ["three.md", "two.md"])
    assert len({hit["text"] for hit in hits}) == len(hits)
