"""Which rows are behind which measure, the topics, and what is too little to compare."""

import math
from dataclasses import replace

import pytest

from tests.training.builders import scores
from training.errors import EvalIncompleteError
from training.judging.comparison import compare_scores
from training.judging.topics import topics
from training.records import RowKind
from training.weighing import Change, RowScore, Scores

NAN = math.nan


def answered(uri: str, **told: object) -> RowScore:
    """Return an answer row that is right, unless told otherwise."""
    right = RowScore(uri, f"{uri}#0", 1.0, RowKind.ANSWER, f1=1.0, exact=True, refused=False)
    return replace(right, **told)  # type: ignore[arg-type]


def both(*rows: tuple[RowScore, RowScore]) -> tuple[Scores, Scores]:
    before, after = zip(*rows, strict=True)
    return Scores((), (), before), Scores((), (), after)


def test_fewer_bits_are_a_negative_change_and_more_f1_a_positive_one() -> None:
    champion = scores({"a": [1.0], "b": [2.0]}, {}, {"a": [0.2], "b": [0.4]})
    challenger = scores({"a": [0.9], "b": [1.8]}, {}, {"a": [0.5], "b": [0.7]})

    seen = compare_scores(champion, challenger, seed=1)

    assert seen.new.change.mean == pytest.approx(-0.10)
    assert seen.f1.change.mean == pytest.approx(0.30)
    assert seen.new.change.high < 0


def test_more_training_that_moves_new_and_old_text_alike_is_no_learning() -> None:
    values = {f"{n}": [1.0 + n / 10, 1.2] for n in range(8)}
    less = {uri: [0.92 * value for value in of] for uri, of in values.items()}

    seen = compare_scores(scores(values, values), scores(less, less), seed=1)

    assert seen.new.change.high < -0.05
    assert seen.learning.change.low == pytest.approx(0.0, abs=1e-9)


def test_answers_are_grouped_by_what_they_ask_about() -> None:
    gone = {"kind": RowKind.CORRECTION, "answerable": False}
    rows = [
        answered("old"),
        answered("fresh", fresh=True),
        answered("changed", kind=RowKind.CORRECTION, fresh=True, stale=False),
        answered("gone", stale=True, f1=0.0, exact=None, **gone),
        answered("absent", answerable=False, fresh=True, f1=0.0, exact=None),
    ]

    seen = compare_scores(*both(*((row, row) for row in rows)), seed=1)

    counts = {name: measure.rows for name, measure in seen.measures if measure.rows}
    assert counts == {
        "f1": 5,
        "changed_f1": 2,
        "fresh_f1": 3,
        "answer_learning": 4,
        "exact": 3,
        "abstention": 2,
        "refusals": 3,
        "stale": 2,
    }
    assert (seen.changed_f1.champion, seen.stale.champion) == (0.5, 0.5)


def test_refusing_counts_for_what_is_absent_and_against_what_is_there() -> None:
    there, absent = answered("a"), answered("b", answerable=False, f1=0.0, exact=None)
    refusing = both(
        (there, replace(there, f1=0.0, exact=False, refused=True)),
        (absent, replace(absent, f1=1.0, refused=True)),
    )

    seen = compare_scores(*refusing, seed=1)

    assert (seen.abstention.champion, seen.abstention.challenger) == (0.0, 1.0)
    assert (seen.refusals.champion, seen.refusals.challenger) == (0.0, 1.0)
    assert (seen.exact.challenger, seen.f1.challenger) == (0.0, 0.5)


def test_answers_that_get_better_on_new_and_old_alike_are_no_learning() -> None:
    rows = [answered(f"{n}", fresh=n % 2 == 0, f1=0.2) for n in range(48)]

    seen = compare_scores(*both(*((row, replace(row, f1=0.6)) for row in rows)), seed=1)

    assert seen.fresh_f1.change.low > 0
    assert seen.answer_learning.change.mean == pytest.approx(0.0)


def test_answers_that_get_better_on_new_text_only_are_learning() -> None:
    rows = [answered(f"{n}", fresh=n % 2 == 0, f1=0.2) for n in range(24)]
    learnt = [replace(row, f1=1.0 if row.fresh else 0.2) for row in rows]

    seen = compare_scores(*both(*zip(rows, learnt, strict=True)), seed=1)

    assert seen.answer_learning.change.mean == pytest.approx(0.8)
    assert seen.answer_learning.change.low > 0


def test_paragraphs_of_general_text_are_documents_of_their_own() -> None:
    paragraphs = scores({}, general={"general.txt": [1.0, 2.0, 3.0]})

    assert compare_scores(paragraphs, paragraphs, seed=1).general.documents == 3


def test_counts_and_means_are_those_of_the_rows() -> None:
    champion = scores({"a": [1.0, 2.0], "b": [3.0]}, {"c": [1.0]}, {"a": [0.5], "d": [0.1]})

    seen = compare_scores(champion, champion, seed=1)

    assert (seen.new.rows, seen.old.rows, seen.f1.rows, seen.documents) == (3, 1, 2, 4)
    assert (seen.new.champion, seen.f1.champion) == pytest.approx((2.0, 0.3))
    assert seen.new.documents == 2


def test_an_answer_costs_what_all_of_them_cost_divided_by_their_count() -> None:
    rows = scores({}, {}, {"a": [0.5, 0.5]})
    slow = replace(rows, answer_seconds=6.0, answer_tokens=20, seconds=9.0)

    seen = compare_scores(replace(rows, seconds=1.0), slow, seed=1)

    assert (seen.challenger_answer_seconds, seen.challenger_answer_tokens) == (3.0, 10.0)
    assert (seen.champion_answer_seconds, seen.seconds) == (0.0, 10.0)


def test_no_rows_at_all_are_zeros() -> None:
    seen = compare_scores(scores({}), scores({}), seed=1)

    assert all(measure == Change() for _, measure in seen.measures)
    assert (seen.documents, seen.scored, seen.topics) == (0, 1.0, ())


def test_other_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="same rows"):
        compare_scores(scores({"a": [1.0]}), scores({"b": [1.0]}), seed=1)


@pytest.mark.parametrize("side", [0, 1], ids=["champion", "challenger"])
def test_rows_without_a_finite_score_from_both_are_left_out(side: int) -> None:
    whole = {f"{n}": [1.0] for n in range(20)}
    sides = [scores(whole), scores(whole)]
    sides[side] = scores(whole | {"7": [NAN]})

    seen = compare_scores(sides[0], sides[1], seed=1)

    assert (seen.new.rows, seen.scored) == (19, 0.95)
    assert (seen.new.champion, seen.new.challenger) == (1.0, 1.0)


def test_under_nineteen_of_twenty_finite_scores_compare_nothing() -> None:
    whole = {f"{n}": [1.0] for n in range(20)}
    damaged = whole | {"7": [NAN], "8": [math.inf]}

    with pytest.raises(EvalIncompleteError, match=r"Only 18 of 20 rows \(90 %\)"):
        compare_scores(scores(whole), scores(damaged), seed=1)


def test_more_looks_ask_for_more_confidence() -> None:
    before = scores({f"{n}": [1.0] for n in range(12)})
    after = scores({f"{n}": [1.0 + 0.01 * n] for n in range(12)})

    one = compare_scores(before, after, seed=1)
    two = compare_scores(before, after, seed=1, looks=2)

    assert (one.confidence, two.confidence) == pytest.approx((0.95, 0.975))
    assert two.new.change.low < one.new.change.low
    assert two.new.change.high > one.new.change.high


@pytest.mark.parametrize(
    ("uris", "named"),
    [
        (["ref/a", "faq/b", "c"], ["ref", "faq", "c"]),
        (["docs/ref/a", "docs/faq/b"], ["ref", "faq"]),
        (["docs/a", "docs/b"], ["a", "b"]),
        (["a", "a"], ["a", "a"]),
        (["https://x.org/ref/a", "https://x.org/faq/b"], ["ref", "faq"]),
        ([], []),
    ],
    ids=["folders", "below-what-all-share", "one-folder", "one-document", "web", "none"],
)
def test_a_topic_is_the_first_folder_that_sets_documents_apart(
    uris: list[str], named: list[str]
) -> None:
    assert topics(uris) == named


def test_topics_carry_both_models_means() -> None:
    champion = scores({"ref/a": [1.0], "faq/b": [2.0]}, {"ref/a": [3.0]}, {"faq/b": [0.2]})
    challenger = scores({"ref/a": [0.5], "faq/b": [2.0]}, {"ref/a": [2.5]}, {"faq/b": [0.6]})

    faq, ref = compare_scores(champion, challenger, seed=1).topics

    assert (ref.topic, ref.texts, ref.champion_bits, ref.challenger_bits) == ("ref", 2, 2.0, 1.5)
    assert (faq.answers, faq.champion_f1, faq.challenger_f1) == (1, 0.2, 0.6)


def test_only_the_ten_biggest_topics_are_told_and_never_a_single_one() -> None:
    many = scores({f"{n:02}/a": [1.0] * (n + 1) for n in range(12)})
    single = scores({"a": [1.0]}, {"a": [1.0]})

    told = [topic.topic for topic in compare_scores(many, many, seed=1).topics]

    assert told == [f"{n:02}" for n in range(11, 1, -1)]
    assert compare_scores(single, single, seed=1).topics == ()
