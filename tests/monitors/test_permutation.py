"""Whole documents are permuted: the level holds where chunks of a document are alike."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from monitors.sampling import permutation
from monitors.sampling.permutation import PermutationTest, bounded, clustered_mmd, permutation_test

# Bin(200, 0.05) lies outside 2..20 once in 2,000 times: what 200 draws at 5 % can show.
DRAWS, FEWEST, MOST = 200, 2, 20
CHUNKS, WIDTH = 6, 16


def documents(
    generator: np.random.Generator, count: int, *, moved: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the rows of documents whose chunks differ a tenth as much as documents do."""
    middles = generator.standard_normal((count, 1, WIDTH))
    middles[:, :, 0] += moved
    rows = middles + 0.1 * generator.standard_normal((count, CHUNKS, WIDTH))
    return rows.reshape(-1, WIDTH).astype("f4"), np.repeat(np.arange(count), CHUNKS)


def measured(seed: int, *, current: int = 15, moved: float = 0.0) -> PermutationTest:
    generator = np.random.default_rng(seed)
    return clustered_mmd(
        *documents(generator, 40),
        *documents(generator, current, moved=moved),
        permutations=999,
        seed=seed,
    )


def test_the_level_holds_where_chunks_of_a_document_are_alike():
    alarms = sum((measured(seed).p_value or 0) <= 0.05 for seed in range(DRAWS))

    assert FEWEST <= alarms <= MOST


def test_permuting_chunks_would_alarm_on_nearly_every_draw():
    alarms = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        (old, _), (new, _) = documents(generator, 40), documents(generator, 15)
        found = clustered_mmd(
            old, np.arange(len(old)), new, np.arange(len(new)), permutations=999, seed=seed
        )
        alarms += (found.p_value or 0) <= 0.05

    assert alarms >= 19


def test_a_moved_mean_is_found():
    assert all((measured(seed, moved=3.0).p_value or 1) <= 0.001 for seed in range(10))


def test_the_statistic_is_the_squared_distance_between_the_means_of_documents():
    # Documents weigh the same: (1, 0) against the mean of (1, 0) and (0, 1), which is (1/2, 1/2),
    # and not (2/3, 1/3), as of rows.
    old = np.array([[1, 0], [1, 0], [0, 1]], dtype="f4")
    new = np.array([[1, 0], [1, 0]], dtype="f4")

    found = clustered_mmd(
        old, np.array([0, 0, 1]), new, np.array([0, 0]), permutations=99, level=0.5
    )

    assert found.statistic == pytest.approx(0.5)
    assert (found.reference_clusters, found.current_clusters) == (2, 1)


def test_the_order_of_rows_and_the_numbers_of_documents_do_not_matter():
    generator = np.random.default_rng(3)
    (old, owners), (new, new_owners) = documents(generator, 30), documents(generator, 9)
    shuffled = generator.permutation(len(old))

    found = clustered_mmd(old, owners, new, new_owners, permutations=99)
    again = clustered_mmd(old[shuffled], owners[shuffled] * 7 + 1, new, new_owners, permutations=99)

    assert again.statistic == pytest.approx(found.statistic, rel=1e-5)


def test_the_same_seed_gives_the_same_p_value():
    assert measured(5) == measured(5)


def largest(drawn: NDArray[np.intp]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = drawn.max(axis=1, keepdims=True).astype(np.float64)
    return found


def test_a_p_value_is_never_zero():
    # One arrangement in 4,950 has both largest clusters and one in 50 the largest: p about 0.02.
    found = permutation_test(largest, np.array([98, 99]), clusters=100, permutations=999)
    least = permutation_test(
        lambda drawn: -largest(drawn), np.array([0, 1]), clusters=100, permutations=999
    )

    assert found.p_value == pytest.approx(0.02, abs=0.014)  # three standard errors of 999 draws
    assert least.p_value == pytest.approx(1 / 1_000, abs=0.0021)
    assert least.p_value is not None
    assert least.p_value >= 1 / 1_000


def test_a_p_value_is_that_of_all_arrangements():
    # The largest of three among six is 5 in C(5, 2) = 10 of C(6, 3) = 20 arrangements.
    found = permutation_test(
        largest, np.array([0, 2, 5]), clusters=6, permutations=9_999, level=0.2
    )

    assert found.p_value == pytest.approx(0.5, abs=0.11)  # three standard errors of 199 draws


@pytest.mark.parametrize("telling", [0, 1], ids=["the-first", "the-second"])
def test_one_telling_statistic_of_two_is_enough(telling: int):
    def statistics(drawn: NDArray[np.intp]) -> NDArray[np.float64]:
        both = [drawn.sum(axis=1), drawn.sum(axis=1) * 7_919 % 101]
        return np.stack(both if telling == 0 else both[::-1], axis=1).astype(float)

    found = permutation_test(statistics, np.arange(40, 50), clusters=50, permutations=999)

    assert found.p_value is not None
    assert found.p_value <= 0.005


def test_two_statistics_are_one_test_at_one_level():
    def noise(drawn: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.stack([drawn.sum(axis=1), (drawn**2 % 17).sum(axis=1)], axis=1).astype(float)

    alarms = 0
    for seed in range(DRAWS):
        current = np.random.default_rng(seed).choice(60, size=12, replace=False)
        found = permutation_test(noise, current, clusters=60, permutations=999, seed=seed)
        alarms += (found.p_value or 0) <= 0.05

    assert FEWEST <= alarms <= MOST


def test_more_permutations_are_drawn_only_where_the_first_ones_leave_room():
    dull = permutation_test(largest, np.array([0]), clusters=100, permutations=9_999)
    telling = permutation_test(largest, np.array([99]), clusters=100, permutations=9_999)

    assert (dull.permutations, telling.permutations) == (199, 9_999)


@pytest.mark.parametrize(
    ("clusters", "current", "reached"),
    [(20, 1, True), (19, 1, False), (7, 3, True), (6, 3, False)],
    ids=["one-in-twenty", "one-in-nineteen", "three-of-seven", "two-equal-halves"],
)
def test_too_few_documents_are_not_enough_data_and_never_no_drift(
    clusters: int, current: int, *, reached: bool
):
    found = permutation_test(
        largest, np.arange(clusters - current, clusters), clusters=clusters, permutations=99
    )

    assert (found.p_value is not None) == reached
    assert found.reason.startswith("not enough data") != reached


@pytest.mark.parametrize("current", [[], [0, 1, 2]], ids=["nothing-came", "no-reference"])
def test_an_empty_side_has_no_p_value(current: list[int]):
    found = permutation_test(largest, np.array(current, dtype=np.intp), clusters=3, permutations=99)

    assert (found.statistic, found.p_value) == (None, None)
    assert found.reason


@pytest.mark.parametrize(("permutations", "enough"), [(19, True), (18, False)])
def test_permutations_that_cannot_reach_the_level_are_refused(permutations: int, *, enough: bool):
    if enough:
        assert permutation_test(
            largest, np.array([0]), clusters=50, permutations=permutations
        ).p_value
    else:
        with pytest.raises(ValueError, match="at least 19"):
            permutation_test(largest, np.array([0]), clusters=50, permutations=permutations)


def test_bounded_keeps_whole_documents_and_a_few_rows_of_each():
    clusters = np.repeat(np.arange(50), 9)

    kept = clusters[bounded(clusters, most=20, rows=4)]

    names, counts = np.unique(kept, return_counts=True)
    assert len(names) == 20
    assert set(counts) == {4}


def test_nothing_is_left_out_of_what_is_within_the_bounds():
    clusters = np.array([3, 1, 1, 2])

    assert bounded(clusters, most=3, rows=2).tolist() == [0, 1, 2, 3]


def test_a_large_knowledge_base_costs_no_more_than_the_bounds():
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((20_000, 64)).astype("f4")

    started = time.process_time()
    found = clustered_mmd(
        rows, np.arange(20_000) // 4, rows[:8_000] + 1, np.arange(8_000) // 4, permutations=4_999
    )

    assert found.reference_clusters == permutation.REFERENCE_CLUSTERS
    assert found.current_clusters == permutation.CURRENT_CLUSTERS
    assert time.process_time() - started < 3  # about 0.3 alone on a core
