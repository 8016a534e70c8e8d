"""Facts that changed inside otherwise equal sentences: found, named, and nothing else listed."""

import time

import pytest

from monitors.corpus import Corpus
from monitors.records import FactKind, FactualEdit
from monitors.signals.edits import LONGEST, FactualEdits, measure
from tests.monitors.builders import chunk_table

BEFORE = "The service answers within the limits given here."
AFTER = "Everything else stays as it was."


def compared(was: str, now: str) -> FactualEdits:
    """Compare a sentence with what became of it, between two that stayed."""
    return corpora({"a.md": [page(was)]}, {"a.md": [page(now)]})


def corpora(was: dict[str, list[str]], now: dict[str, list[str]]) -> FactualEdits:
    return measure(Corpus.from_table(chunk_table(was)), Corpus.from_table(chunk_table(now)))


def page(sentence: str) -> str:
    return f"{BEFORE}\n\n{sentence}\n\n{AFTER}"


def only(edits: FactualEdits) -> FactualEdit:
    assert len(edits.edits) == 1
    return edits.edits[0]


@pytest.mark.parametrize(
    ("was", "now", "kind", "said", "says"),
    [
        pytest.param("Keys expire after 30 days.", "Keys expire after 14 days.",
                     FactKind.NUMBER, "30 days", "14 days", id="number-with-its-unit"),
        pytest.param("Wait 30 seconds.", "Wait 30 minutes.",
                     FactKind.NUMBER, "30 seconds", "30 minutes", id="unit-alone"),
        pytest.param("Try two times.", "Try three times.",
                     FactKind.NUMBER, "two times", "three times", id="number-in-words"),
        pytest.param("TIMEOUT = 30", "TIMEOUT = 60",
                     FactKind.NUMBER, "TIMEOUT = 30", "TIMEOUT = 60", id="setting-in-code"),
        pytest.param("| retries | 3 | how often |", "| retries | 5 | how often |",
                     FactKind.NUMBER, "3", "5", id="cell-of-a-table"),
        pytest.param("* Up to 3 workers", "* Up to 4 workers",
                     FactKind.NUMBER, "3 workers", "4 workers", id="list-item"),
        pytest.param("It ended on May 2, 2016.", "It ended on June 3, 2016.",
                     FactKind.DATE, "May 2, 2016", "June 3, 2016", id="date-in-words"),
        pytest.param("It ended on 2016-05-02.", "It ended on 2017-05-02.",
                     FactKind.DATE, "2016-05-02", "2017-05-02", id="iso-date"),
        pytest.param("It needs Python 3.8 to run.", "It needs Python 3.10 to run.",
                     FactKind.VERSION, "Python 3.8", "Python 3.10", id="version-after-a-name"),
        pytest.param("It needs release 1.2.3 to run.", "It needs release 1.2.4 to run.",
                     FactKind.VERSION, "1.2.3", "1.2.4", id="version-of-three-parts"),
        pytest.param("Set ``max_age`` to be sure.", "Set ``max_idle`` to be sure.",
                     FactKind.NAME, "max_age", "max_idle", id="identifier"),
        pytest.param("Ask Contoso for a key, then.", "Ask Fabrikam for a key, then.",
                     FactKind.NAME, "Contoso", "Fabrikam", id="proper-name"),
        pytest.param("Read https://a.org/x for more.", "Read https://b.org/x for more.",
                     FactKind.NAME, "https://a.org/x", "https://b.org/x", id="address"),
        pytest.param("Write to help@a.org for more.", "Write to desk@a.org for more.",
                     FactKind.NAME, "help@a.org", "desk@a.org", id="mail"),
        pytest.param("Caching is allowed here.", "Caching is not allowed here.",
                     FactKind.NEGATION, "is allowed", "is not allowed", id="not-inserted"),
        pytest.param("You must not wait.", "You must wait.",
                     FactKind.NEGATION, "must not wait", "must wait", id="not-removed"),
        pytest.param("It works on weekdays.", "It does not work on weekdays.",
                     FactKind.NEGATION, "It works", "It does not work", id="with-its-auxiliary"),
        pytest.param("Requests can be retried.", "Requests cannot be retried.",
                     FactKind.NEGATION, "can be", "cannot be", id="cannot"),
        pytest.param("It is supported here.", "It isn't supported here.",
                     FactKind.NEGATION, "is supported", "isn't supported", id="contraction"),
        pytest.param("It is enabled at first.", "It is disabled at first.",
                     FactKind.NEGATION, "enabled", "disabled", id="opposite"),
        pytest.param("Clients must answer at once.", "Clients should answer at once.",
                     FactKind.NEGATION, "must", "should", id="duty"),
    ],
)  # fmt: skip
def test_a_changed_fact_is_listed(was: str, now: str, kind: FactKind, said: str, says: str):
    edit = only(compared(was, now))

    assert (edit.kind, edit.was, edit.now) == (kind, said, says)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        pytest.param(
            "Keys expire\nafter 30 days.", "Keys\nexpire after 30\ndays.", id="re-wrapped"
        ),
        pytest.param("Keys expire after 30 days.", "KEYS EXPIRE AFTER 30 DAYS.", id="case"),
        pytest.param("Keys expire after **30** days.", "Keys *expire* after 30 days.", id="markup"),
        pytest.param('Say "no" to it.', "Say \u2018no\u2019 to it.", id="quotes"),
        pytest.param("See :meth:`~a.b.run`.", "See `run`.", id="role-to-plain-code"),
        pytest.param("It takes 1,000 rows.", "It takes 1000 rows.", id="thousands"),
        pytest.param("It takes two rows.", "It takes 2 rows.", id="word-to-digit"),
        pytest.param("Since May 2, 2016.", "Since 2016-05-02.", id="another-way-to-write-a-date"),
        pytest.param("It is not here.", "It isn't here.", id="contracted"),
        pytest.param("Keys expire after 30 days.", "Keys expire after thirty days.", id="spelt"),
        pytest.param("1. Wait here.", "#. Wait here.", id="enumerator"),
    ],
)
def test_another_way_to_write_the_same_is_no_edit(was: str, now: str):
    assert compared(was, now).edits == ()


@pytest.mark.parametrize(
    ("was", "now"),
    [
        pytest.param(
            "Keys expire after 30 days.", "Old keys are renewed in 14 days.", id="rewritten"
        ),
        pytest.param("Keys expire.", "Keys expire. They last 14 days.", id="added-sentence"),
        pytest.param("Keys expire. They last 14 days.", "Keys expire.", id="removed-sentence"),
        pytest.param(
            "Use ``a_a`` or ``b_b``.", "Use ``a_a``, ``c_c`` or ``b_b``.", id="longer-list"
        ),
        pytest.param("Runs on 3.8, 3.9.", "Runs on 3.8, 3.9, 3.10.", id="more-versions"),
    ],
)
def test_what_was_said_otherwise_or_besides_is_no_edit(was: str, now: str):
    assert compared(was, now).edits == ()


def test_new_entries_of_a_changelog_are_additions():
    old = "* Fixed bug #1234 in the parser."
    new = "* Fixed bug #2345 in the parser.\n* Fixed bug #3456 in the parser."

    assert compared(old, f"{new}\n{old}").edits == ()


def test_a_moved_sentence_is_no_edit_and_an_edited_one_is_found_where_it_went():
    told = "Keys of this kind expire after {} days."

    edits = corpora(
        {"a.md": [f"{told.format(30)}\n\n{BEFORE}\n\n{AFTER}"]},
        {"a.md": [f"{AFTER}\n\n{BEFORE}\n\n{told.format(14)}"]},
    )

    assert only(edits).now == "14 days"


def test_a_fact_in_a_moved_document_is_found():
    text = "{}\n\n{}\n\nKeys expire after {} days.".format
    was = {"old.md": [text(BEFORE, AFTER, 30)]}

    edits = corpora(was, {"new.md": [text(BEFORE, AFTER, 14)]})

    assert only(edits).uri == "new.md"


def test_every_changed_number_of_a_document_is_found():
    was = [f"Limit number {at} is {at + 100} bytes wide." for at in range(50)]
    now = [f"Limit number {at} is {at + 900} bytes wide." for at in range(50)]

    edits = corpora({"a.md": was}, {"a.md": now})

    assert {edit.now for edit in edits.edits} == {f"{at + 900} bytes" for at in range(50)}


def test_a_sign_is_part_of_the_number():
    was, now = (
        Corpus(("a.md",), (text,), ((),), (text,), (text,))
        for text in ("The offset is -5 here.", "The offset is 5 here.")
    )

    assert (only(measure(was, now)).was, only(measure(was, now)).now) == ("-5", "5")


def test_a_heading_is_a_sentence():
    table = chunk_table({"a.md": [BEFORE]})
    old, new = Corpus.from_table(table), Corpus.from_table(table)
    headed = [
        Corpus(side.uris, side.texts, ((heading,),), side.normal_digests, (heading,))
        for side, heading in ((old, "Limits of 30 days"), (new, "Limits of 14 days"))
    ]

    assert only(measure(*headed)).was == "30 days"


def test_the_share_is_of_the_fresh_sentences():
    was = page("Keys expire after 30 days.")
    now = f"{page('Keys expire after 14 days.')}\n\nThis is news altogether."

    edits = corpora({"a.md": [was]}, {"a.md": [now]})

    assert (edits.share, edits.count, edits.fresh) == (0.5, 1, 2)


def test_nothing_to_compare_is_share_zero():
    assert corpora({}, {}) == FactualEdits(0.0, 0, 0, ())
    assert corpora({"a.md": [BEFORE]}, {"a.md": [BEFORE]}).share == 0.0


def test_negations_come_first_and_a_repeated_change_comes_last():
    was = {"a.md": [page("Use ``old_one`` now.")], "b.md": [page("Use ``old_one`` now.")],
           "c.md": [page("Caching is allowed.")]}  # fmt: skip
    now = {"a.md": [page("Use ``new_one`` now.")], "b.md": [page("Use ``new_one`` now.")],
           "c.md": [page("Caching is not allowed.")]}  # fmt: skip

    assert [edit.uri for edit in corpora(was, now).edits] == ["c.md", "a.md", "b.md"]


def test_values_are_cut_around_the_fact():
    long = "word " * 60

    edit = only(compared(f"{long}holds 30 days {long}", f"{long}holds 14 days {long}"))

    assert "30 days" in edit.sentence_was
    assert all(len(text) <= LONGEST for text in (edit.sentence_was, edit.sentence_now))
    assert edit.sentence_now.startswith("…")
    assert edit.sentence_now.endswith("…")


@pytest.mark.parametrize(
    "hostile",
    [" " * 10**6, ":a" * 500_000, "<a" * 500_000, "](a" * 300_000, "." + '"' * 10**6,
     "a." * 500_000, "`" * 10**6, "=" * 10**6, "not " * 250_000],
    ids=["spaces", "roles", "targets", "links", "quotes", "dots", "ticks", "rule", "negations"],
)  # fmt: skip
def test_hostile_text_takes_no_longer_than_its_length(hostile: str):
    started = time.process_time()

    corpora({"a.md": [hostile]}, {"a.md": [hostile + " not 5"]})

    # Linear work takes under half a second here; anything quadratic in 10**6 takes hours.
    assert time.process_time() - started < 10


def test_a_hash_is_told_after_what_people_act_on():
    was = "Fixed in commit ``5eddc68``.\n\nWait 30 days before you ask again."
    now = "Fixed in commit ``5eddc68b63``.\n\nWait 14 days before you ask again."

    found = compared(was, now)

    assert [edit.now for edit in found.edits] == ["14 days", "5eddc68b63"]
