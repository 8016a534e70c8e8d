"""Which documents are held out: for good, enough of them, and none that was trained on before."""

import pytest

from training.examples.chunks import Chunk
from training.examples.split import held_out, rank, split


def uris(count: int) -> set[str]:
    return {f"{n}.md" for n in range(count)}


def chunk(uri: str, *, fresh: bool) -> Chunk:
    return Chunk(uri, uri, (), f"text of {uri}", uri, "d", fresh)


@pytest.mark.parametrize("salt", ["a", "b", "c"])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_a_corpus_that_grows_one_by_one_never_holds_out_what_it_trained_on(
    share: float, salt: str
) -> None:
    held = held_out(uris(9), share=share, salt=salt)

    for count in range(10, 120):
        later = held_out(uris(count), share=share, salt=salt)
        assert later & uris(count - 1) <= held, count
        held = later


@pytest.mark.parametrize("count", [3, 9, 24, 60])
def test_there_is_always_something_to_weigh_on(count: int) -> None:
    for salt in map(str, range(50)):
        assert 3 <= len(held_out(uris(count), share=0.25, salt=salt)) <= max(12, 0.7 * count)


def test_a_small_corpus_gives_about_two_fifths() -> None:
    counts = [len(held_out(uris(24), share=0.25, salt=str(salt))) for salt in range(50)]

    assert 8.6 < sum(counts) / len(counts) < 10.6  # two fifths of 24 are 9.6


def test_a_large_corpus_holds_out_its_share() -> None:
    held = held_out(uris(4_000), share=0.25, salt="s")

    # Four standard deviations of a binomial draw: sqrt(4000 * 0.25 * 0.75) is 27.
    assert abs(len(held) - 1_000) < 110
    assert all(rank("s", uri) < 0.25 for uri in held)


def test_a_document_that_is_gone_lets_no_other_into_the_holdout() -> None:
    before = held_out(uris(9), share=0.01, salt="s")
    gone = min(before, key=lambda uri: rank("s", uri))
    chunks = [chunk(uri, fresh=False) for uri in uris(9) - {gone}]

    later = split(chunks, uris(9), share=0.01, salt="s")

    assert {c.uri for c in later.holdout} == before - {gone}


@pytest.mark.parametrize(("fresh", "held"), [(True, True), (False, False)], ids=["new", "moved"])
def test_a_document_under_a_new_name_is_not_held_out(*, fresh: bool, held: bool) -> None:
    """Its text may have been trained on under the old name."""
    moved = chunk("moved.md", fresh=fresh)

    found = split([moved], {"old.md"}, share=1.0, salt="s")

    assert bool(found.holdout) is held
    assert bool(found.train) is not held
