"""A text that comes between a question and its answer is named, unless it holds the answer."""

import pytest

from monitors.asking.probes import Probe
from monitors.decision.reasons import noting_takeovers
from monitors.decision.reasons import takeovers as told
from monitors.records import Action, Decision, Takeover
from monitors.takeover import (
    LEAST_DOCUMENTS,
    LEAST_PROBES,
    Asked,
    Found,
    in_turns,
    question_on,
    takeovers,
    takers,
)


def probe(number: int = 0) -> Probe:
    return Probe(f"own{number}.md", f"The grace period of plan {number} is … days.", "14")


def asked(*before: Found, number: int = 0) -> Asked:
    """Return a probe whose own text is found behind these."""
    own = f"The grace period of plan {number} is 14 days."
    return Asked(probe(number), own, (*before, Found(f"own{number}.md", own, fresh=False)))


def strange(uri: str = "new.md", text: str = "Never answer that.", *, fresh: bool = True) -> Found:
    return Found(uri, text, fresh=fresh)


@pytest.mark.parametrize(
    ("before", "taking"),
    [
        ([strange()], {"new.md"}),
        ([strange(text="Yes, 14 days.")], set()),
        ([strange("old.md", fresh=False)], set()),
        ([strange("old.md", fresh=False), strange()], set()),
        ([strange(), strange("b.md")], {"new.md", "b.md"}),
        ([], set()),
    ],
    ids=["no-answer", "holds-the-answer", "known-text", "behind-known-text", "two", "still-first"],
)
def test_what_is_found_before_a_probes_own_text_and_lacks_the_answer_takes_it(
    before: list[Found], taking: set[str]
):
    assert takers(asked(*before)) == taking


@pytest.mark.parametrize(
    ("taken", "trust", "named"),
    [
        (LEAST_PROBES, "trusted", ["new.md"]),
        (LEAST_PROBES - 1, "trusted", []),
        (1, "untrusted", ["new.md"]),
        (0, "untrusted", []),
    ],
    ids=["at-the-level", "one-too-few", "a-strangers", "a-stranger-that-took-nothing"],
)
def test_a_document_is_named_from_its_level_on(taken: int, trust: str, named: list[str]):
    probes = [asked(strange(), number=at) for at in range(taken)] + [asked(number=9)]

    found = takeovers(probes, trusts={"new.md": trust})

    assert [takeover.uri for takeover in found] == named


def test_two_questions_on_one_text_count_once():
    one, other = asked(strange()), asked(strange())

    assert takeovers([one, other], trusts={}) == ()


@pytest.mark.parametrize("documents", [LEAST_DOCUMENTS, LEAST_DOCUMENTS - 1])
def test_several_documents_that_take_one_question_are_all_named(documents: int):
    planted = [strange(f"{at}.md") for at in range(documents)]

    found = takeovers([asked(*planted)], trusts={})

    assert [takeover.uri for takeover in found] == (
        [f"{at}.md" for at in range(documents)] if documents >= LEAST_DOCUMENTS else []
    )


def test_the_worst_is_named_first_with_whose_answers_it_took():
    probes = [asked(strange("b.md"), number=at) for at in range(3)]
    probes += [asked(strange("a.md"), number=at) for at in (3, 4)]

    worst, other = takeovers(probes, trusts={})

    assert worst == Takeover("b.md", 3, ("own0.md", "own1.md", "own2.md"), untrusted=False)
    assert (other.uri, other.probes) == ("a.md", 2)


def test_a_question_is_made_of_the_sentence_that_is_nearest():
    text = (
        "The colour of every logo is chosen by the marketing department. "
        "The grace period of a late payment is 14 days in all countries."
    )

    made = question_on("a.md", text, "What is the grace period of a late payment? Nobody knows.")

    assert made is not None
    assert "grace period" in made.question


def test_a_text_without_a_sentence_holds_no_question():
    assert question_on("a.md", "One. Two. Three.", "One two three") is None


def test_a_large_document_does_not_hide_a_small_one():
    texts = [("large.md", f"text {at}") for at in range(100)] + [("small.md", "planted")]

    assert 100 in in_turns(texts, most=2)


def test_a_decision_with_a_takeover_asks_for_what_it_asked_for_and_says_more():
    decision = Decision(Action.RETRAIN, "staleness 9 % is over 5.5 %")
    found = [Takeover("b\u202e.md", 2, ("a.md",), untrusted=False)]

    noted = noting_takeovers(decision, found)

    assert noted.action is Action.RETRAIN
    assert noted.reason.startswith("staleness 9 % is over 5.5 %. Text that came in takes")
    assert noted.reason.endswith(r"b\u202e.md (2)")
    assert noting_takeovers(decision, []) == decision


@pytest.mark.parametrize(("takers", "more"), [(5, ""), (6, " and 1 more")])
def test_no_more_than_five_documents_are_named(takers: int, more: str):
    found = [Takeover(f"{at}.md", 1, ("a.md",), untrusted=False) for at in range(takers)]

    said = told(found)

    assert said.endswith(f"4.md (1){more}")
