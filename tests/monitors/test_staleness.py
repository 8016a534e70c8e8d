"""Staleness, asked: what counts as stale, and how sure that is."""

from dataclasses import replace

import pytest

from monitors.asking.full_text import search_in
from monitors.pair import Pair
from monitors.signals.staleness import ProbedStaleness, _interval, measure
from tests.monitors.builders import pair

RULE = "An account that is closed in {} waits for {} days before it is removed."
PLACES = ["Berlin", "Lisbon", "Madrid", "Oslo", "Paris", "Prague", "Rome", "Vienna"]


def corpus(days: int, changed: int = 0) -> dict[str, list[str]]:
    """Return a rule for each place, the first `changed` of them with another number of days."""
    return {
        f"{place}.md": [RULE.format(place, days * (at + 1) + (1_000 if at < changed else 0))]
        for at, place in enumerate(PLACES)
    }


def searched(old: dict[str, list[str]], new: dict[str, list[str]]) -> Pair:
    """Return a pair that can be searched, as `compare` does."""
    sides = ([text for texts in side.values() for text in texts] for side in (old, new))
    reference, current = (search_in(side) for side in sides)
    return replace(pair(old, new), search_reference=reference, search_current=current)


def measured(old: dict[str, list[str]], new: dict[str, list[str]]) -> ProbedStaleness:
    found = measure(searched(old, new))
    assert found is not None
    return found


def test_a_corpus_is_not_stale_against_itself():
    found = measured(corpus(10), corpus(10))

    assert (found.share, found.low, found.high, found.probes) == (0.0, 0.0, 0.0, 0)


def test_every_question_on_a_corpus_of_its_own_is_stale():
    assert measured({}, corpus(10)).share == 1.0


def test_staleness_is_the_share_of_questions_whose_answer_changed():
    found = measured(corpus(10), corpus(10, changed=2))

    assert found.share == pytest.approx(2 / 8)
    assert (found.probes, found.answered, found.stale) == (2, 2, 2)


def test_an_answer_that_the_reference_holds_in_other_words_is_not_stale():
    old = {"a.md": ["Removal of a closed account in Rome takes place after 77 days of waiting."]}
    new = {"a.md": [RULE.format("Rome", 77)]}

    found = measured(old, new)

    assert (found.share, found.stale, found.unanswered) == (0.0, 0, 0)
    assert found.high > 0.0


def test_staleness_grows_with_what_changed():
    shares = [measured(corpus(10), corpus(10, changed=n)).share for n in (0, 1, 3, 8)]

    assert shares == sorted(set(shares))


def test_the_share_lies_in_its_interval():
    found = measured(corpus(10), corpus(10, changed=5))

    assert 0.0 < found.low < found.share <= found.high <= 1.0


def test_what_search_over_the_current_side_finds_is_cured():
    both = searched(corpus(10), corpus(10, changed=4))
    blind = replace(both, search_current=search_in(["nothing that helps"]))

    cured, left = measure(both), measure(blind)

    assert cured is not None
    assert left is not None
    assert (cured.unanswered, cured.cured) == (4, 1.0)
    assert (left.unanswered, left.cured) == (4, 0.0)


def test_questions_that_the_current_side_cannot_answer_say_nothing_of_staleness():
    both = searched(corpus(10), corpus(10, changed=4))

    found = measure(replace(both, search_current=search_in(["nothing that helps"])))

    assert found is not None
    assert (found.share, found.answered) == (0.0, 0)
    assert (found.low, found.high) == (0.0, found.fresh_share)


def test_without_search_nothing_is_measured():
    assert measure(pair(corpus(10), corpus(20))) is None


def test_new_text_that_cannot_be_asked_about_is_not_called_fresh():
    assert measure(searched(corpus(10), {**corpus(10), "new.md": ["a b c d"]})) is None


def test_no_more_is_asked_than_the_budget():
    found = measure(searched({}, corpus(10)), probes=3)

    assert found is not None
    assert found.probes == 3


def test_probes_of_one_document_are_worth_less_than_those_of_many():
    missed = [True] * 10 + [False] * 10

    apart = _interval(missed, [f"{at}.md" for at in range(20)])
    together = _interval(missed, ["a.md"] * 10 + ["b.md"] * 10)

    assert together.high - together.low > 1.5 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("missed", "low", "high"),
    [([True] * 5 + [False] * 5, 0.2366, 0.7634), ([False] * 10, 0.0, 0.2775), ([], 0.0, 1.0)],
    ids=["half-of-ten", "none-of-ten", "nothing-asked"],
)
def test_the_interval_is_wilsons(missed: list[bool], low: float, high: float):
    found = _interval(missed, [f"{at}.md" for at in range(len(missed))])

    assert found.low == pytest.approx(low, abs=1e-4)
    assert found.high == pytest.approx(high, abs=1e-4)
