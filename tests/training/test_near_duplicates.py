"""Shingles: what counts as seen, and what does not."""

import pytest

from training.examples.near_duplicates import Seen, found_among, share_seen, shingles

TWELVE = "one two three four five six seven eight nine ten eleven twelve"  # eight runs of five


def test_letter_case_signs_and_markup_make_no_difference() -> None:
    assert shingles("The ``relay``, it OPENS: now!") == shingles("the relay it opens now")


@pytest.mark.parametrize(
    ("text", "share"),
    [(TWELVE, 1.0), ("a b c d e f", 0.0), ("", 0.0), (f"{TWELVE} a b c d e f g h", 0.5)],
    ids=["all", "nothing", "no-words", "half"],
)
def test_the_share_is_of_the_text_that_is_looked_at(text: str, share: float) -> None:
    assert share_seen(shingles(text), shingles(TWELVE)) == share


def test_only_what_is_wanted_is_held_in_memory() -> None:
    assert found_among(shingles("a b c d e"), [TWELVE, "x a b c d e y"]) == shingles("a b c d e")


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        (TWELVE, True),
        (f"before it {TWELVE} and a good deal of other text after it", True),
        ("one two three four five six seven eight nine ten eleven TWO", True),  # 7 of 8 runs
        ("one two three four five six seven eight nine ten ELF ZWOELF", False),  # 6 of 8 runs
        ("four five six seven eight nine ten", False),  # all of it, but too short to tell
        ("", False),
    ],
    ids=["same", "held-by-a-longer", "seven-eighths", "six-eighths", "short-piece", "no-words"],
)
def test_a_text_repeats_another_from_the_share_on(text: str, *, repeated: bool) -> None:
    assert Seen([TWELVE]).repeats(text, share=0.8) is repeated


def test_a_piece_of_a_longer_text_repeats_it() -> None:
    assert Seen([f"before it {TWELVE} and more after it"]).repeats(TWELVE, share=0.8)


def test_pieces_of_many_texts_are_no_repetition() -> None:
    """Pages made from one template each share a little with every other."""
    seen = Seen([f"{word} {TWELVE[:23]} {word}" for word in ("a", "b")])

    assert not seen.repeats(f"{TWELVE[:23]} x y z u v w r s t", share=0.8)
