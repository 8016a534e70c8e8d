"""New words and other frequencies are seen; moved, copied and reordered text is not."""

import pytest

from monitors.pair import Pair, pair_of_tables
from monitors.signals.vocabulary import measure
from tests.monitors.builders import chunk_table, prose


def pair(old: dict[str, list[str]], new: dict[str, list[str]]) -> Pair:
    return pair_of_tables(chunk_table(old), chunk_table(new))


TEXTS = {f"{seed:02}.md": [prose(seed)] for seed in range(20)}


def test_the_share_of_unknown_words_is_counted_by_occurrence():
    # Six words are read now, three of which are one that stands nowhere in the reference.
    found = measure(
        pair({"a.md": ["one two three four"]}, {"a.md": ["one two six six", "six two"]})
    )

    assert found.unknown == pytest.approx(3 / 6)


def test_the_divergence_of_two_vocabularies_without_a_common_word_is_one():
    assert measure(pair({"a.md": ["one two"]}, {"a.md": ["six ten"]})).divergence == 1.0


def test_frequencies_count_where_no_word_is_new():
    # Shares 3/4 and 1/4 against 1/4 and 3/4: each is 3/4 log2(3/2) + 1/4 log2(1/2) from 1/2, 1/2.
    found = measure(pair({"a.md": ["one one one two"]}, {"a.md": ["one two two two"]}))

    assert found.unknown == 0.0
    assert found.divergence == pytest.approx(0.188722, abs=1e-6)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(TEXTS, id="equal"),
        pytest.param({f"new/{uri}": text for uri, text in TEXTS.items()}, id="moved"),
        pytest.param({uri: [text.upper() for text in texts] for uri, texts in TEXTS.items()},
                     id="capitals"),
    ],
)  # fmt: skip
def test_housekeeping_does_not_change_the_vocabulary(now: dict[str, list[str]]):
    found = measure(pair(TEXTS, now))

    assert (found.unknown, found.divergence) == (0.0, 0.0)


def test_both_grow_with_the_documents_that_changed():
    def changed(count: int) -> dict[str, list[str]]:
        others = {uri: [text.replace("word", "term") for text in texts]
                  for uri, texts in list(TEXTS.items())[:count]}  # fmt: skip
        return TEXTS | others

    found = [measure(pair(TEXTS, changed(count))) for count in (0, 2, 5, 10, 20)]

    assert [each.unknown for each in found] == pytest.approx([0.0, 0.1, 0.25, 0.5, 1.0])
    assert [each.divergence for each in found] == sorted(each.divergence for each in found)


def test_what_was_not_sampled_weighs_as_much_as_the_sample_says():
    # Of 400 documents one in four says everything in other words; of the others some are read.
    old = {f"{n:03}.md": [prose(n * 100 + at, words=20) for at in range(20)] for n in range(400)}
    others = {uri: [text.replace("word", "term") for text in old[uri]] for uri in list(old)[:100]}

    found = pair(old, old | others)

    assert 0 < len(found.steady) < 300 * 20
    assert measure(found).unknown == pytest.approx(0.25, abs=0.02)
