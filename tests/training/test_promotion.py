"""Every branch of the verdict, and both sides of every limit."""

from dataclasses import replace

import pytest

from tests.training.builders import change, evaluation
from training.judging.promotion import PromotionPolicy, choose, judge
from training.weighing import Change, Evaluation, Interval, Verdict

POLICY = PromotionPolicy()
NOTHING = Change(0.0, 0.0, Interval(0.0, -0.01, 0.01), 48, 10)
EQUAL = Interval(0.0, 0.0, 0.0)
AS_MANY_F1 = change(0.0, -0.03, 0.03, rows=40)


def verdict(weighed: Evaluation, *, first: bool = False) -> Verdict:
    return judge(weighed, POLICY, first=first)


def gap(mean: float, low: float, high: float) -> Change:
    return Change(0.0, 0.0, Interval(mean, low, high), 48, 10)


def test_better_answers_and_no_loss_promote_a_first_adapter() -> None:
    seen = verdict(evaluation(learning=NOTHING), first=True)

    assert seen.promote
    assert seen.reason.startswith("better: answers 0.20 -> 0.50 (+0.30 [+0.20, +0.40], 40 rows)")


def test_learning_what_changed_alone_promotes_a_later_adapter() -> None:
    seen = verdict(evaluation(f1=AS_MANY_F1))

    assert seen.promote
    assert seen.reason.startswith("better: learnt what changed, new minus old text -2.0 %")


def test_learning_alone_does_not_promote_a_first_adapter() -> None:
    seen = verdict(evaluation(f1=AS_MANY_F1), first=True)

    assert not seen.promote
    assert seen.reason.startswith("no sure gain on answers: 0.50 -> 0.50")


def test_better_answers_alone_do_not_promote_a_later_adapter() -> None:
    """More questions about old text make any adapter answer better: that is the placebo."""
    seen = verdict(evaluation(learning=NOTHING))

    assert not seen.promote
    assert "no sure gain on what changed" in seen.reason


def test_better_answers_about_the_new_than_about_the_old_promote() -> None:
    seen = verdict(evaluation(learning=NOTHING, answer_learning=gap(0.2, 0.05, 0.35)))

    assert seen.promote
    assert "+0.20 [+0.05, +0.35] beyond those about the old" in seen.reason


def test_answers_about_the_old_that_get_worse_are_no_learning() -> None:
    """The gap opens from the wrong side: nothing new is answered better."""
    forgetting = evaluation(
        learning=NOTHING,
        answer_learning=gap(0.2, 0.05, 0.35),
        fresh_f1=change(0.0, -0.1, 0.1),
    )

    assert not verdict(forgetting).promote


def test_both_kinds_of_learning_are_both_named() -> None:
    reason = verdict(evaluation(answer_learning=gap(0.2, 0.05, 0.35))).reason

    assert "learnt what changed" in reason
    assert "answers about what changed" in reason


def test_the_placebo_is_refused() -> None:
    """More of the old text moves new and old bits alike: -1.4 % and -1.2 % as once measured."""
    placebo = evaluation(
        new=change(-0.014, -0.018, -0.010),
        old=change(-0.012, -0.016, -0.008),
        learning=gap(-0.002, -0.008, 0.003),
        f1=change(0.1, 0.05, 0.15, rows=64),
        fresh_f1=change(0.1, 0.02, 0.18),
        answer_learning=gap(0.0, -0.1, 0.1),
    )

    assert not verdict(placebo).promote


def test_equal_models_are_not_promoted() -> None:
    changes = {name: replace(measure, change=EQUAL) for name, measure in evaluation().measures}

    for first in (True, False):
        assert not verdict(evaluation(**changes), first=first).promote


@pytest.mark.parametrize(
    ("low", "promoted"), [(0.02, False), (0.0201, True)], ids=["at-the-margin", "above"]
)
def test_a_first_adapters_answers_count_only_beyond_their_margin(
    low: float, *, promoted: bool
) -> None:
    weighed = evaluation(f1=change(0.1, low, 0.2, rows=40))

    assert verdict(weighed, first=True).promote is promoted


@pytest.mark.parametrize(
    ("high", "promoted"),
    [(-0.0051, True), (-0.005, False), (0.0, False)],
    ids=["beyond-the-margin", "at-the-margin", "chance-reaches-zero"],
)
def test_learning_counts_where_chance_does_not_reach_the_noise_of_a_seed(
    high: float, *, promoted: bool
) -> None:
    assert verdict(evaluation(learning=gap(-0.02, -0.04, high))).promote is promoted


@pytest.mark.parametrize(
    ("mean", "low", "promoted"),
    [(0.02, 0.001, True), (0.0199, 0.001, False), (0.1, 0.0, False), (0.1, 0.001, True)],
    ids=["mean-at-the-margin", "mean-within", "chance-reaches-zero", "beyond-chance"],
)
@pytest.mark.parametrize("measure", ["answer_learning", "fresh_f1"])
def test_answers_about_the_new_count_beyond_chance_and_beyond_their_margin(
    measure: str, mean: float, low: float, *, promoted: bool
) -> None:
    clear = {"learning": NOTHING, "answer_learning": gap(0.2, 0.05, 0.35)}
    weighed = evaluation(**clear | {measure: change(mean, low, 0.3)})

    assert verdict(weighed).promote is promoted


@pytest.mark.parametrize(
    ("measure", "label", "margin"),
    [
        ("new", "new text", 0.01),
        ("old", "old text", 0.01),
        ("general", "general text", 0.03),
        ("refusals", "refusals of what is there", 0.25),
        ("stale", "stale memory", 0.30),
    ],
)
@pytest.mark.parametrize(
    ("beyond", "mean", "state"),
    [(0.0, 0.0, "not worse"), (0.0001, 0.0, "undecided"), (0.0001, 0.002, "worse")],
    ids=["at-the-margin", "beyond-it-perhaps", "beyond-it-surely"],
)
def test_a_rise_must_be_ruled_out(
    measure: str, label: str, margin: float, *, beyond: float, mean: float, state: str
) -> None:
    low = 0.001 if mean else -0.02
    seen = verdict(evaluation(**{measure: change(mean, low, margin + beyond)}))

    assert seen.promote is (beyond == 0)
    assert label in part_of(seen.reason, state)


@pytest.mark.parametrize(
    ("measure", "label", "margin"),
    [("f1", "answers", 0.15), ("abstention", "refusals of what is absent", 0.5)],
)
@pytest.mark.parametrize(
    ("beyond", "mean", "state"),
    [(0.0, 0.0, "not worse"), (0.0001, 0.0, "undecided"), (0.0001, -0.002, "worse")],
    ids=["at-the-margin", "beyond-it-perhaps", "beyond-it-surely"],
)
def test_a_fall_must_be_ruled_out(
    measure: str, label: str, margin: float, *, beyond: float, mean: float, state: str
) -> None:
    high = -0.001 if mean else 0.05
    seen = verdict(evaluation(**{measure: change(mean, -margin - beyond, high)}))

    assert seen.promote is (beyond == 0)
    assert label in part_of(seen.reason, state)


def part_of(reason: str, state: str) -> str:
    """Return what the reason names under one state."""
    return next((part for part in reason.split("; ") if part.startswith(f"{state}: ")), "")


@pytest.mark.parametrize(
    ("high", "promoted"), [(0.5, True), (0.5001, False)], ids=["at-the-margin", "beyond"]
)
def test_a_first_adapter_may_refuse_what_a_base_model_gets_wrong(
    high: float, *, promoted: bool
) -> None:
    """Nine of 32 refused, where the base refuses none, and F1 still four times the base's."""
    unsure = evaluation(refusals=change(0.28, 0.1, high, rows=32))

    assert verdict(unsure, first=True).promote is promoted
    assert not verdict(unsure).promote


def test_better_answers_do_not_buy_a_loss_elsewhere() -> None:
    """Trained on answers alone, bits rose by 4.5 % while F1 went from 0.14 to 0.74."""
    bought = evaluation(
        new=change(0.045, 0.035, 0.055), f1=Change(0.14, 0.74, Interval(0.6, 0.5, 0.7), 40, 10)
    )

    seen = verdict(bought, first=True)

    assert not seen.promote
    assert seen.reason.startswith("worse: new text +4.5 % [+3.5 %, +5.5 %] against 1.0 % allowed")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"new": change(-0.05, -0.07, -0.03, rows=11)}, "11 rows of new text of 12 needed"),
        ({"old": change(-0.05, -0.07, -0.03, rows=11)}, "11 rows of old text of 12 needed"),
        ({"f1": change(0.3, 0.2, 0.4, rows=19)}, "19 answers of 20 needed"),
        ({"documents": 4}, "4 documents of 5 needed"),
    ],
    ids=["new", "old", "answers", "documents"],
)
def test_one_too_few_decides_nothing(changed: dict[str, object], named: str) -> None:
    seen = verdict(evaluation(**changed))

    assert not seen.promote
    assert seen.reason == f"too little to weigh it on: {named}"


def test_the_least_that_is_needed_is_enough() -> None:
    least = evaluation(
        new=change(-0.05, -0.07, -0.03, rows=12),
        old=change(-0.03, -0.05, -0.01, rows=12),
        f1=change(0.3, 0.2, 0.4, rows=20),
        documents=5,
    )

    assert verdict(least).promote


@pytest.mark.parametrize("measure", ["general", "abstention", "refusals", "stale"])
@pytest.mark.parametrize(
    ("rows", "promoted", "said"),
    [(0, True, "(no rows)"), (9, True, "(9 rows of 10"), (10, False, "against")],
    ids=["none", "one-too-few", "enough"],
)
def test_a_part_with_too_few_rows_is_said_not_to_be_judged(
    measure: str, rows: int, said: str, *, promoted: bool
) -> None:
    open_either_way = change(0.0, -0.6, 0.6, rows=rows)

    seen = verdict(evaluation(**{measure: open_either_way}))

    assert seen.promote is promoted
    assert said in seen.reason
    assert ("not judged: " in seen.reason) is promoted


def test_a_sure_loss_on_few_rows_counts() -> None:
    seen = verdict(evaluation(stale=change(1.0, 0.4, 1.0, rows=5)))

    assert not seen.promote
    assert "stale memory" in part_of(seen.reason, "worse")


def test_where_nothing_old_is_left_answers_decide() -> None:
    none = Change()
    new_only = evaluation(old=none, learning=none, answer_learning=none)

    assert verdict(new_only).promote
    assert "old text (no rows)" in verdict(new_only).reason
    assert not verdict(replace(new_only, f1=AS_MANY_F1)).promote


def test_without_old_text_questions_about_it_tell_what_was_learnt() -> None:
    no_text = {"old": Change(), "learning": Change()}

    seen = verdict(evaluation(**no_text))

    assert not seen.promote
    assert "no old text to compare with" in seen.reason
    assert verdict(evaluation(**no_text, answer_learning=gap(0.2, 0.05, 0.35))).promote


def test_the_reason_is_read_at_a_glance_even_if_everything_is_worse() -> None:
    up = {name: change(0.55, 0.51, 0.99) for name in ("new", "old", "general", "refusals", "stale")}
    down = {name: change(-0.55, -0.99, -0.51) for name in ("f1", "abstention")}

    for first in (True, False):
        seen = verdict(evaluation(**up, **down, learning=NOTHING), first=first)

        assert part_of(seen.reason, "worse").count("against") == 7
        assert len(seen.reason) < 900


def weighed_twice(**changed: object) -> Evaluation:
    return evaluation(confidence=0.975, **changed)


def test_of_checkpoints_that_pass_the_one_with_the_largest_gain_is_chosen() -> None:
    small, large = gap(-0.01, -0.02, -0.001), gap(-0.03, -0.05, -0.01)
    either = [weighed_twice(learning=large), weighed_twice(learning=small)]

    assert choose(either, POLICY, first=False).index == 0
    assert choose(either[::-1], POLICY, first=False).index == 1


def test_gains_are_compared_in_units_of_their_margins() -> None:
    """-1 % is twice its margin of 0.5 %, and 0.20 ten times its margin of 0.02."""
    in_bits = weighed_twice(learning=gap(-0.01, -0.02, -0.006))
    in_answers = weighed_twice(learning=NOTHING, answer_learning=gap(0.2, 0.05, 0.35))

    assert choose([in_answers, in_bits], POLICY, first=False).index == 0


def test_a_checkpoint_that_fails_is_not_chosen_for_its_gain() -> None:
    failing = weighed_twice(learning=gap(-0.09, -0.1, -0.08), old=change(0.1, 0.09, 0.11))

    chosen = choose([failing, weighed_twice()], POLICY, first=False)

    assert (chosen.index, chosen.verdict.promote) == (1, True)


def test_of_equal_checkpoints_the_later_is_chosen() -> None:
    assert choose([weighed_twice(), weighed_twice()], POLICY, first=False).index == 1


def test_if_none_passes_the_last_one_speaks() -> None:
    worse, undecided = change(0.1, 0.09, 0.11), change(0.0, -0.02, 0.02)

    chosen = choose([weighed_twice(old=worse), weighed_twice(new=undecided)], POLICY, first=False)

    assert (chosen.index, chosen.verdict.promote) == (1, False)
    assert chosen.verdict.reason.startswith("none of 2 checkpoints passed, the last one: undecided")


def test_one_checkpoint_is_judged_as_it_is() -> None:
    assert choose([evaluation()], POLICY, first=True).verdict == verdict(evaluation(), first=True)


@pytest.mark.parametrize("checkpoints", [0, 2], ids=["none", "more-than-the-intervals-are-for"])
def test_a_choice_among_more_than_was_weighed_for_is_refused(checkpoints: int) -> None:
    with pytest.raises(ValueError, match=r"No checkpoint|looks=2"):
        choose([evaluation()] * checkpoints, POLICY, first=False)


@pytest.mark.parametrize(
    ("documents", "promoted"), [(5, False), (4, True)], ids=["enough", "one-too-few"]
)
def test_a_part_of_a_few_documents_is_not_judged(documents: int, *, promoted: bool) -> None:
    open_either_way = replace(change(0.0, -0.6, 0.6, rows=12), documents=documents)

    seen = verdict(evaluation(stale=open_either_way))

    assert seen.promote is promoted
    assert (f"from {documents} documents" in seen.reason) is promoted


@pytest.mark.parametrize(
    ("challenger", "promoted"), [(0.0, True), (0.1, False)], ids=["none-seen", "one-seen"]
)
def test_a_rise_is_ruled_out_where_the_challenger_does_none_of_it(
    challenger: float, *, promoted: bool
) -> None:
    """However wide the interval is: nobody gives the old fact less often than never."""
    wide = Change(0.0, challenger, Interval(challenger, -0.4, 0.4), 12, 8)

    seen = verdict(evaluation(stale=wide))

    assert seen.promote is promoted
    assert ("not worse" in seen.reason.split("stale memory", maxsplit=1)[0]) is promoted
