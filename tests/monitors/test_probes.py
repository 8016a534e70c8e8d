"""Cloze probes: what is left out of a sentence, and which sentences are asked about."""

import pytest

from monitors.asking.probes import MOST, Probe, draw, probe_of
from tests.monitors.builders import pair

KEPT = "Every account that is closed waits for `{}` before it is removed."
KEPT_TEXTS = [KEPT.format(f"kept_{at}") for at in range(3)]


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("Set ``DEBUG`` to false before you open the site.", "DEBUG"),
        ("Set `debug mode` to false before you open the site.", "debug mode"),
        ("Call ``close()`` when you are done with all of it.", "close"),
        ("Use ``django.views.debug.Reporter`` to change what all of them see.", "Reporter"),
        ("Open ``settings.py`` and then change what you want to change.", "settings.py"),
        ("You have to set grace_period to what you want it to be.", "grace_period"),
        ("You have to give onError to what you want it to be.", "onError"),
        ("You have to ask QuerySet for what you want it to be.", "QuerySet"),
        ("You have to ask wait() for what you want it to be.", "wait"),
        ("An account waits for 14 days before it is removed.", "14"),
        ("It is new as of 3.2.1 and went away soon after that.", "3.2.1"),
        ("You may write to Helga before the end of the week.", "Helga"),
        ("We may ask every supervisor before the end of the week.", "supervisor"),
    ],
    ids=[
        "literal", "literal-of-two-words", "called-literal", "qualified-name", "file-name",
        "snake-case", "camel-case", "cap-words", "call", "number", "version", "proper-name",
        "long-word",
    ],
)  # fmt: skip
def test_the_telling_word_is_left_out(sentence: str, answer: str):
    probe = probe_of("a.md", sentence)

    assert probe is not None
    assert probe.answer == answer
    assert answer not in probe.question


def test_a_literal_is_more_telling_than_a_number():
    probe = probe_of("a.md", "Set ``grace`` to 14 days or to whatever you want.")

    assert probe == Probe("a.md", "Set … to 14 days or to whatever you want.", "grace")


def test_which_answer_of_one_kind_is_left_out_is_drawn():
    sentence = "Set ``DEBUG`` to false before ``ALLOWED_HOSTS`` and ``KEY`` are set."

    drawn = [probe_of("a.md", sentence, seed=seed) for seed in range(20)]

    assert {probe.answer for probe in drawn if probe} == {"DEBUG", "ALLOWED_HOSTS", "KEY"}


@pytest.mark.parametrize(
    "sentence",
    [
        "We go out and come in by and by.",
        "It is 14 or 14 that you may set it to here.",
        "We may see Q here or then we may not.",
        "Set ``grace`` as you want.",
    ],
    ids=["nothing-telling", "the-answer-stands-twice", "one-letter", "too-few-words-left"],
)
def test_a_sentence_that_cannot_be_asked_makes_no_probe(sentence: str):
    assert probe_of("a.md", sentence) is None


def test_what_stands_between_two_literals_is_no_literal():
    probe = probe_of("a.md", "The ``x`` and the words between and ``y`` are for 14 days.")

    assert probe is not None
    assert probe.answer == "14"


@pytest.mark.parametrize(("words", "made"), [(5, False), (6, True)])
def test_a_question_keeps_six_words(words: int, *, made: bool):
    assert (probe_of("a.md", "14 " + "aa " * words) is not None) is made


@pytest.mark.parametrize(
    ("text", "answered"),
    [("for 14 days", True), ("for 140 days", False), ("for 1.14 days", True), ("", False)],
    ids=["stands-there", "part-of-a-word", "beside-a-point", "empty"],
)
def test_an_answer_is_found_as_a_whole_word(text: str, *, answered: bool):
    assert Probe("a.md", "Wait for … days", "14").answered_by(["other", text]) is answered


def test_an_answer_is_found_in_any_case():
    assert Probe("a.md", "Set … to yes", "Debug").answered_by(["DEBUG = yes"])


def test_only_what_the_reference_never_said_is_asked_about():
    old = {"a.md": [KEPT.format("first_name") + "\n\n" + KEPT.format("second_name")]}
    new = {"a.md": [KEPT.format("first_name") + "\n\n" + KEPT.format("third_name")]}

    probes = draw(pair(old, new))

    assert [probe.answer for probe in probes.drawn] == ["third_name"]
    assert probes.fresh_share == 0.5


def test_text_that_moved_to_another_document_is_not_asked_about():
    old = {"a.md": [KEPT.format("moved_name")], "b.md": KEPT_TEXTS}
    new = {"b.md": [*KEPT_TEXTS[:2], KEPT_TEXTS[2] + "\n\n" + KEPT.format("moved_name")]}

    assert draw(pair(old, new)).drawn == ()


def test_the_same_sentence_in_two_documents_is_asked_once():
    new = {"a.md": [KEPT.format("new_name")], "b.md": ["Also.\n\n" + KEPT.format("new_name")]}

    found = draw(pair({"c.md": KEPT_TEXTS}, {"c.md": KEPT_TEXTS, **new}))

    assert len(found.drawn) == 1
    assert found.fresh_share == 0.25


def test_the_share_of_fresh_sentences_counts_documents_that_were_not_read():
    same = {"same.md": KEPT_TEXTS}

    probes = draw(pair(same, {**same, "new.md": [KEPT.format("new_name")]}))

    assert probes.fresh_share == 0.25


def test_nothing_is_asked_of_a_corpus_that_is_the_same():
    same = {"same.md": KEPT_TEXTS}

    probes = draw(pair(same, same))

    assert (probes.drawn, probes.fresh_share) == ((), 0.0)


def test_from_nothing_everything_is_fresh():
    probes = draw(pair({}, {"a.md": KEPT_TEXTS}))

    assert len(probes.drawn) == 3
    assert probes.fresh_share == 1.0


@pytest.mark.parametrize(("most", "drawn"), [(0, 0), (1, 1), (39, 39), (40, 40), (41, 40)])
def test_no_more_probes_are_drawn_than_asked_for(most: int, drawn: int):
    new = {"new.md": [KEPT.format(f"name_{at}") for at in range(40)]}

    assert len(draw(pair({}, new), most=most).drawn) == drawn


def test_the_budget_holds_however_much_is_new():
    new = {f"{at}.md": [KEPT.format(f"name_{at}")] for at in range(3 * MOST)}

    assert len(draw(pair({}, new)).drawn) == MOST


def test_a_seed_draws_the_same_probes_and_another_one_others():
    new = {"new.md": [KEPT.format(f"name_{at}") for at in range(100)]}

    first, again, other = (draw(pair({}, new), most=30, seed=seed).drawn for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_the_next_check_asks_most_of_the_probes_again():
    texts = [KEPT.format(f"name_{at}") for at in range(100)]
    before = draw(pair({}, {"new.md": texts}), most=30)

    after = draw(pair({}, {"new.md": [*texts, KEPT.format("one_more")]}), most=30)

    assert len({*before.drawn} & {*after.drawn}) >= 29


@pytest.mark.parametrize(("filler", "asked"), [(979, 1), (980, 0)])
def test_what_is_longer_than_any_sentence_is_not_asked_about(filler: int, asked: int):
    sentence = "Wait for 14 a a a a " + "x" * filler + "."

    assert len(sentence) == 21 + filler
    assert len(draw(pair({}, {"a.md": [sentence]})).drawn) == asked


@pytest.mark.parametrize(("words", "asked"), [(59, 1), (60, 0)])
def test_what_has_more_words_than_any_sentence_is_not_asked_about(words: int, asked: int):
    assert len(draw(pair({}, {"a.md": ["14 " + "aa " * words]})).drawn) == asked
