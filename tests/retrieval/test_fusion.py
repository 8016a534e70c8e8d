import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import CLOSENESS_WEIGHT, SIMILARITY_WEIGHT, WINDOW, closeness, fuse

GAP = " and" * WINDOW


def test_of_two_as_near_the_one_that_says_a_word_is_first():
    word, silent, far = fuse([0.8, 0.8, 0.1], [3.0, None, None], [0.0] * 3, all_listed=True)

    assert word > silent > far


def test_without_a_word_the_nearest_is_first():
    near, far, between = fuse([0.9, 0.2, 0.5], [None] * 3, [0.0] * 3, all_listed=True)

    assert near > between > far


def test_where_all_are_equally_near_the_words_decide_alone():
    assert fuse([0.5, 0.5], [1.0, 2.0], [0.5, 0.0], all_listed=True) == [
        1.0 + CLOSENESS_WEIGHT * 0.5,
        2.0,
    ]


def test_a_deviation_of_the_cosines_counts_as_much_whatever_the_embedder_s_scale():
    wide, narrow = (
        fuse(cosines, [None] * 2, [0.0] * 2, all_listed=True)
        for cosines in ([1.0, -1.0], [0.81, 0.79])
    )

    assert wide == pytest.approx([SIMILARITY_WEIGHT, -SIMILARITY_WEIGHT])
    assert narrow == pytest.approx(wide)


def test_a_rare_word_outweighs_a_cosine_and_common_ones_do_not():
    cosines = [0.6, 0.4]

    rare, common = (
        fuse(cosines, scores, [0.0, 0.0], all_listed=True) for scores in ([1.0, 14.0], [1.0, 2.0])
    )

    assert rare[1] > rare[0]
    assert common[0] > common[1]


@pytest.mark.parametrize(
    ("all_listed", "expected"),
    [
        pytest.param(True, 0.0, id="has-no-word-of-the-question"),
        pytest.param(False, 7.0, id="did-not-fit-into-the-list"),
    ],
)
def test_what_full_text_did_not_list_is_under_the_lowest_that_it_did(all_listed, expected):
    scores = [12.0, 10.0, None]

    fused = fuse([0.5] * 3, scores, [0.0] * 3, all_listed=all_listed)

    assert fused == [12.0, 10.0, pytest.approx(expected)]


def test_nothing_found_fuses_to_nothing():
    assert fuse([], [], [], all_listed=True) == []


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.none() | st.floats(0, 1e3), st.floats(0, 1e2))),
    st.booleans(),
)
def test_more_of_anything_never_places_a_candidate_lower(candidates, all_listed):
    candidates = [(0.5, 5.0, 1.0), *candidates]
    cosines, scores, closenesses = map(list, zip(*candidates, strict=True))
    plain = fuse(cosines, scores, closenesses, all_listed=all_listed)

    better = fuse(cosines, [9.0, *scores[1:]], [2.0, *closenesses[1:]], all_listed=all_listed)

    assert better[0] > plain[0]
    assert len(better) == len(candidates)


def test_words_that_stand_together_are_closer_than_the_same_words_apart():
    together, apart, one, none = closeness(
        "flush cache", ["Flush the cache.", f"flush{GAP} cache", "a cache", "other"]
    )

    assert together > apart >= one > none == 0


@pytest.mark.parametrize(
    ("between", "together"),
    [
        pytest.param(WINDOW - 2, True, id="first-and-last-of-a-window"),
        pytest.param(WINDOW - 1, False, id="one-word-further"),
    ],
)
def test_a_window_has_25_words(between, together):
    near, far = closeness("flush cache", [f"flush{' x' * between} cache", f"flush{GAP} cache"])

    assert (near > far) is together


def test_the_densest_window_counts_wherever_it_stands():
    texts = [f"{GAP} flush cache{GAP}", f"flush{GAP} flush cache", "flush cache", "none", "none"]

    first, later, alone, *_ = closeness("flush cache", texts)

    assert first == later == alone


def test_a_word_counts_once_and_more_the_fewer_texts_have_it():
    rare, common, repeated, *_ = closeness(
        "zanzibar cache", ["zanzibar", "cache", "cache cache cache", "a cache", "-"]
    )

    assert rare > common == repeated


def test_words_are_the_same_in_any_case_and_next_to_any_sign():
    plain, signed, quoted, joined = closeness(
        "flush cache", ["flush cache", "FLUSH, (Cache)!", "“Flush” — cache…", "flush_cache"]
    )

    assert plain == signed == quoted == joined > 0


@pytest.mark.parametrize("question", ["", "?!", "\ud800"], ids=["empty", "signs", "surrogate"])
def test_a_question_without_words_is_close_to_nothing(question):
    assert closeness(question, ["some text", ""]) == [0.0, 0.0]


@given(st.text(), st.lists(st.text()))
def test_closeness_is_never_negative(question, texts):
    assert all(weight >= -1e-9 for weight in closeness(question, texts))
