"""Incoming documents are tested as a sample, and what was found is said in words."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from monitors.pair import Pair
from monitors.records import NewTopic
from monitors.sampling.incoming import SINGLE, incoming_content, measure_topic, play_null
from monitors.sampling.schedule import Look, OwnNull, permutations_for
from tests.monitors.builders import chunk_table, pair, pair_of, prose

KNOWN = {f"docs/{at:03}.md": [prose(at)] for at in range(60)}
FOREIGN = {
    f"new/{name}.md": [f"zebras graze {name}, zebras sleep beside {name} until morning"]
    for name in ("grass", "thorn", "clover")
}
FAMILIAR = {"new/more.md": [prose(1_000)], "new/again.md": [prose(1_001)]}
LATER = Look(number=3, level=0.0125, permutations=permutations_for(0.0125))


def changed(new: Mapping[str, list[str]], known: Mapping[str, list[str]] = KNOWN) -> Pair:
    return pair(dict(known), {**known, **new})


def measured(
    new: Mapping[str, list[str]], look: Look = SINGLE, null: OwnNull | None = None
) -> NewTopic:
    found = measure_topic(changed(new), look, null=null)
    assert found is not None
    return found


def test_documents_about_something_else_are_a_topic_that_the_reference_lacks():
    found = measured(FOREIGN)

    assert found.p_value is not None
    assert found.p_value <= 0.05
    assert found.reason.startswith("3 new documents: a topic that the reference lacks (p = ")
    assert found.reason.endswith(", at or under 0.05).")
    assert {document.uri for document in found.documents if document.unusual} == set(FOREIGN)
    assert "zebras" in found.words


def test_with_vectors_the_mix_of_subjects_is_told_beside_it():
    everything = {**KNOWN, **FOREIGN}
    points = np.random.default_rng(3).normal(size=(len(everything), 8))
    vectors = points / np.linalg.norm(points, axis=1, keepdims=True)
    known = [row for row, uri in enumerate(sorted(everything)) if uri in KNOWN]
    tables = chunk_table(KNOWN, vectors[known]), chunk_table(everything, vectors)

    found = measure_topic(pair_of(*tables), SINGLE)

    assert found is not None
    assert "Mix of subjects: p = " in found.reason
    assert "Mix of subjects" not in measured(FOREIGN).reason


def test_without_an_alarm_no_document_is_unusual_and_no_word_is_told():
    found = measured(FAMILIAR)

    assert found.reason.startswith("2 new documents: no new topic (p = ")
    assert ", over 0.05)." in found.reason
    assert not any(document.unusual for document in found.documents)
    assert found.words == ()
    assert {document.uri for document in found.documents} == set(FAMILIAR)


def test_the_same_far_document_is_unusual_only_where_the_test_alarms():
    one = {"new/grass.md": FOREIGN["new/grass.md"], **FAMILIAR}
    strict = Look(number=1, level=0.001, permutations=permutations_for(0.001))

    found, calm = measured(one), measured(one, strict)

    assert found.documents[0].unusual
    assert calm.documents[0] == replace(found.documents[0], unusual=False)


def test_the_farthest_document_comes_first():
    distances = [document.distance for document in measured({**FOREIGN, **FAMILIAR}).documents]

    assert distances == sorted(distances, reverse=True)


def test_a_look_of_a_schedule_says_which_one_it_is():
    assert ", at or under 0.013, look 3 of the schedule)." in measured(FOREIGN, LATER).reason
    assert "look" not in measured(FOREIGN, SINGLE).reason


def test_the_false_alarm_rate_that_was_played_stands_in_the_reason():
    null = OwnNull(level=0.05, draws=200, alarms=8, share=0.04, low=0.0201, high=0.0769)

    found = measured(FAMILIAR, null=null)

    assert found.reason.endswith(
        "Stated false-alarm rate 5 %; on 200 draws of this knowledge base's own documents 4 % "
        "[2 %, 8 %]."
    )


@pytest.mark.parametrize("known", [0, 2], ids=["an-empty-reference", "two-documents"])
def test_too_small_a_reference_is_said_and_is_no_alarm(known: int):
    few = dict(list(KNOWN.items())[:known])

    found = measure_topic(changed({"new/grass.md": FOREIGN["new/grass.md"]}, few), SINGLE)

    assert found is not None
    assert (found.p_value, found.words) == (None, ())
    assert found.reason.startswith("1 new document, not tested: not enough data: ")
    assert not any(document.unusual for document in found.documents)


def test_no_new_document_is_no_test():
    edited = {**KNOWN, "docs/000.md": ["zebras graze here too"]}

    assert measure_topic(pair(KNOWN, edited), SINGLE) is None
    assert incoming_content(pair(KNOWN, edited)) is None


def test_the_content_is_that_of_the_new_documents_alone():
    edited = {**KNOWN, **FAMILIAR, "docs/000.md": ["another text"]}
    other = {**FAMILIAR, "new/more.md": ["another text"]}

    assert incoming_content(pair(KNOWN, edited)) == incoming_content(changed(FAMILIAR))
    assert incoming_content(changed(other)) != incoming_content(changed(FAMILIAR))


def test_a_rate_is_played_for_as_many_documents_as_came_in():
    draws = iter([False] * 12 + [True])

    null = play_null(changed(FAMILIAR), out_of_time=lambda: next(draws))

    assert null is not None
    assert (null.draws, null.level) == (12, SINGLE.level)
    assert 0 <= null.low <= null.share <= null.high <= 1


def test_no_rate_is_played_on_too_few_documents():
    few = dict(list(KNOWN.items())[:2])

    assert play_null(changed(FAMILIAR, few), out_of_time=lambda: False) is None
