import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import fuse

KEYS = st.sampled_from("abcdef")


def test_a_chunk_found_both_ways_is_before_one_that_is_as_near_but_says_no_word():
    fused = fuse({"word": 0.8, "silent": 0.8, "far": 0.1}, {"word": 3.0})

    assert fused["word"] > fused["silent"] > fused["far"]


def test_without_a_full_text_score_the_nearest_is_first():
    fused = fuse({"near": 0.9, "far": 0.2, "between": 0.5}, {})

    assert sorted(fused, key=lambda key: -fused[key]) == ["near", "between", "far"]


def test_where_all_are_equally_near_the_words_decide():
    fused = fuse({"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 2.0})

    assert fused["b"] > fused["a"]


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_the_weight_is_the_part_that_a_nearest_chunk_without_a_word_gets(weight):
    fused = fuse({"near": 0.9, "word": 0.1}, {"word": 7.0}, similarity_weight=weight)

    assert fused == {"near": weight, "word": 1 - weight}


@pytest.mark.parametrize("weight", [-0.01, 1.01, float("nan")])
def test_a_weight_that_is_no_share_is_refused(weight):
    with pytest.raises(ValueError, match="share, 0 to 1"):
        fuse({}, {}, similarity_weight=weight)


def test_nothing_found_fuses_to_nothing():
    assert fuse({}, {}) == {}


@given(
    st.dictionaries(KEYS, st.floats(-1, 1), min_size=1),
    st.dictionaries(KEYS, st.floats(0, 1e6)),
)
def test_every_fused_score_lies_between_0_and_1(similarities, scores):
    known = {key: score for key, score in scores.items() if key in similarities}

    fused = fuse(similarities, known)

    assert fused.keys() == similarities.keys()
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())
