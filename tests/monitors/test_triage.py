"""What the refreshed index has cured, and what is left to the weights."""

import pytest

from monitors.decision.triage import ENOUGH, advice, triage


@pytest.mark.parametrize(
    ("stale", "answered", "cured", "said"),
    [
        (0, 0, 1.0, "no probe is stale, so nothing is left to the weights"),
        (9, 0, 0.0, "the refreshed index answers none of the stale questions, all are left to the"),
        (9, 9, 1.0, "the refreshed index answers every one of the stale questions already"),
        (4, 1, 0.25, "answers 25 % of the stale questions already; 75 % are left to the weights"),
        (500, 499, 0.998, "answers over 99 % of the stale questions already; under 1 % are left"),
        (500, 1, 0.002, "answers under 1 % of the stale questions already; over 99 % are left"),
        (100, 1, 0.01, "answers 1 % of the stale questions already; 99 % are left"),
        (100, 99, 0.99, "answers 99 % of the stale questions already; 1 % are left"),
    ],
    ids=[
        "none-stale",
        "none-cured",
        "all-cured",
        "some",
        "nearly-all",
        "hardly-any",
        "one",
        "one-left",
    ],
)
def test_what_was_cured_and_what_is_left_is_said(
    stale: int, answered: int, cured: float, said: str
):
    found = triage(stale, answered)

    assert found.stale_probes == stale
    assert found.cured == pytest.approx(cured)
    assert said in found.reason


@pytest.mark.parametrize(("stale", "answered"), [(3, 4), (3, -1), (-1, -1)])
def test_counts_that_cannot_be_are_refused(stale: int, answered: int):
    with pytest.raises(ValueError, match=f"{answered} of {stale} stale probes"):
        triage(stale, answered)


@pytest.mark.parametrize(
    ("answered", "enough"), [(90, True), (89, False)], ids=["at-the-limit", "one-too-few"]
)
def test_the_index_is_enough_from_nine_in_ten(answered: int, *, enough: bool):
    said = advice(triage(100, answered), "docs@1", stale=False)

    assert ENOUGH == 0.9
    assert ("enough for now" in said) == enough
    assert ("look at what the search does not find" in said) == (not enough)


def test_at_the_retrain_level_the_weights_are_named_however_much_is_cured():
    for answered in (0, 100):
        said = advice(triage(100, answered), "docs@1", stale=True)

        assert said.endswith("; without a passage the weights still answer from docs@1")
        assert "enough" not in said


@pytest.mark.parametrize("stale", [True, False])
def test_what_was_not_measured_is_said_and_not_guessed(*, stale: bool):
    said = advice(None, "docs@1", stale=stale)

    assert said.startswith("how much of it the refreshed index has cured was not measured")
    assert "enough" not in said


def test_where_no_probe_is_stale_there_is_nothing_to_look_at():
    assert advice(triage(0, 0), "docs@1", stale=False) == (
        "no probe is stale, so nothing is left to the weights"
    )
