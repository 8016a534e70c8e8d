"""The normal form: blind to formatting, not to what is said."""

import pytest

from retrieval.normal_form import normal_digest, normalise

TEXT = "The timeout is -5 seconds by default, and max_size is 3 of 10."


@pytest.mark.parametrize(
    "reformatted",
    [
        pytest.param("The timeout is -5 seconds\nby default, and max_size\nis 3 of 10.", id="wrap"),
        pytest.param(
            "  The\ttimeout is -5  seconds by default, and max_size is 3 of 10.\r\n", id="space"
        ),
        pytest.param(
            "The **timeout** is *-5* seconds by default, and `max_size` is 3 of 10.", id="markdown"
        ),
        pytest.param(
            "The __timeout__ is _-5_ seconds by default, and ``max_size`` is 3 of 10.", id="rst"
        ),
        pytest.param(
            "> The timeout is -5 seconds\n> by default, and max_size is 3 of 10.", id="quote"
        ),
        pytest.param(
            "- The timeout is -5 seconds by default,\n  and max_size is 3 of 10.", id="bullet"
        ),
        pytest.param(
            "## The timeout is -5 seconds by default, and max_size is 3 of 10.", id="heading"
        ),
        pytest.param(
            "The timeout is -5 seconds by default, and max\\_size is 3 of 10.", id="escape"
        ),
        pytest.param(
            "| The timeout | is -5 seconds |\n|---|:---:|\n"
            "| by default, and | max_size is 3 of 10. |",
            id="table",
        ),
        pytest.param(
            "=====\nThe timeout is -5 seconds by default, and max_size is 3 of 10.\n=====",
            id="adornment",
        ),
        pytest.param("THE TIMEOUT is -5 seconds by default, and max_size is 3 of 10.", id="case"),
        pytest.param(
            "\ufeffThe timeout is -5\u00a0seconds by\u200b default, and max_size is 3 of 10.",
            id="invisible",
        ),
    ],
)
def test_formatting_changes_nothing(reformatted: str):
    assert normal_digest(reformatted) == normal_digest(TEXT)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(TEXT.replace("-5", "5"), id="sign"),
        pytest.param(TEXT.replace("-5", "-6"), id="number"),
        pytest.param(TEXT.replace("is 3", "is not 3"), id="not"),
        pytest.param(TEXT.replace("3 of 10", "10 of 3"), id="order"),
        pytest.param(TEXT.replace("max_size", "maxsize"), id="underscore-in-a-name"),
        pytest.param(TEXT.replace("is 3", ">= 3"), id="comparison"),
        pytest.param(TEXT.replace("10.", "1.0"), id="decimal-point"),
        pytest.param(TEXT + " See below.", id="addition"),
    ],
)
def test_a_change_of_what_is_said_shows(changed: str):
    assert normal_digest(changed) != normal_digest(TEXT)


@pytest.mark.parametrize(
    ("one", "other"), [("x >= 3", "x < 3"), ("a == b", "a != b"), ("1-2", "12")]
)
def test_operators_stay(one: str, other: str):
    assert normalise(one) != normalise(other)


def test_straight_and_curly_quotes_are_one():
    assert normalise("it\u2019s \u201cthis\u201d") == normalise('it\'s "this"')


def test_composed_and_decomposed_letters_are_one():
    assert normalise("caf\u00e9") == normalise("cafe\u0301")


@pytest.mark.parametrize("unit", ["_", "*", "=", "-", "#", ">", ":-", "\\", "`", "a_"])
def test_a_run_of_marks_takes_linear_time(unit: str):
    text = "a" + unit * 200_000 + "b"

    assert normalise(text)
