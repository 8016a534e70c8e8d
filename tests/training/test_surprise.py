"""Which passages a champion is weighed on, and that no text is weighed twice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import pyarrow as pa
import pytest

from tests.training.builders import chunk_table, invented, text_row, training_set
from training.judging.evaluate import score
from training.judging.passages import (
    MOST_OF_A_DOCUMENT,
    MOST_TOKENS,
    Model,
    PassageBits,
    Passages,
    assemble,
    draw_passages,
    missing,
    shared_words,
    tokens_of,
)
from training.judging.surprise import measure_surprise
from training.records import Adapter, BaseModel

OLD, NEW = invented(), invented(edition=2)
EDITED = [uri for uri in OLD if OLD[uri] != NEW[uri]]


def drawn(
    old: Mapping[str, Sequence[str]],
    new: Mapping[str, Sequence[str]],
    *,
    most: int = 100,
    seed: int = 0,
    **given: Any,
) -> Passages:
    """Draw from two editions, as a comparison of them would read them."""
    changed = {uri for uri in (*old, *new) if old.get(uri) != new.get(uri)}

    def part(documents: Mapping[str, Sequence[str]], *, of_changed: bool) -> pa.Table:
        kept = {uri: t for uri, t in documents.items() if (uri in changed) is of_changed}
        return chunk_table(kept, **given)

    return draw_passages(
        part(old, of_changed=True),
        part(new, of_changed=True),
        part(new, of_changed=False),
        known=set(chunk_table(old)["normal_digest"].to_pylist()),
        most=most,
        seed=seed,
    )


def texts(rows: Sequence[Any]) -> set[str]:
    """Return the texts of rows without the line that says where they stand."""
    return {row.text.partition("\n\n")[2] for row in rows}


def killed(*_: object) -> Never:
    raise KeyboardInterrupt


def test_new_is_what_the_snapshot_lacks_and_old_what_it_holds_unchanged() -> None:
    before = {text for document in OLD.values() for text in document}

    passages = drawn(OLD, NEW)

    assert texts(passages.new) == {t for uri in EDITED for t in NEW[uri] if t not in before}
    assert passages.old
    assert texts(passages.old) <= before & {t for document in NEW.values() for t in document}


def test_there_are_no_more_old_passages_than_new_ones_and_no_more_than_asked_for() -> None:
    passages = drawn(OLD, NEW, most=7)

    assert (len(passages.new), len(passages.old)) == (7, 7)


def test_a_long_document_gives_no_more_than_its_part() -> None:
    new = NEW | {
        EDITED[0]: [f"{text} It is number {n}." for n in range(9) for text in NEW["device-01.md"]]
    }

    passages = drawn(OLD, new)

    assert sum(row.uri == EDITED[0] for row in passages.new) == MOST_OF_A_DOCUMENT


def test_old_text_comes_from_the_documents_that_have_new_text_if_they_have_some() -> None:
    passages = drawn(OLD, NEW, most=len(EDITED))

    homes = {row.uri for row in passages.new}
    unchanged = {uri for uri in homes if set(OLD[uri]) & set(NEW[uri])}
    assert unchanged <= {row.uri for row in passages.old}


def test_documents_take_turns() -> None:
    passages = drawn(OLD, NEW, most=len(EDITED))

    assert {row.uri for row in passages.new} == set(EDITED)


def test_the_order_of_rows_does_not_matter() -> None:
    def turned(table: pa.Table) -> pa.Table:
        return table.take(list(range(len(table)))[::-1])

    before, now = (chunk_table({uri: edition[uri] for uri in EDITED}) for edition in (OLD, NEW))
    steady = chunk_table({uri: text for uri, text in OLD.items() if uri not in EDITED})
    known = set(chunk_table(OLD)["normal_digest"].to_pylist())

    one = draw_passages(before, now, steady, known=known, most=8)
    other = draw_passages(turned(before), turned(now), turned(steady), known=known, most=8)

    assert one == other


def test_a_corpus_that_moves_on_a_little_keeps_nearly_all_of_the_sample() -> None:
    added = {"news.md": ["Ten words that nobody wrote before stand here, and two more of them."]}

    before, after = drawn(OLD, NEW, most=12), drawn(OLD, NEW | added, most=12)

    assert len(set(before.new) - set(after.new)) <= 1


def test_another_seed_draws_other_passages() -> None:
    assert drawn(OLD, NEW, most=8, seed=1).new != drawn(OLD, NEW, most=8, seed=2).new


@pytest.mark.parametrize(
    "given",
    [{"trust": dict.fromkeys(OLD, "unknown")}, {"flags": {uri: ["secret"] for uri in OLD}}],
    ids=["not-trusted", "flagged"],
)
def test_what_must_not_be_trained_on_is_not_weighed_either(given: Any) -> None:
    assert drawn(OLD, NEW, **given).rows == ()


def test_nothing_new_means_nothing_to_weigh() -> None:
    assert drawn(OLD, OLD).rows == ()


def test_an_edited_passage_stands_beside_its_own_earlier_version() -> None:
    passages = drawn(OLD, NEW)

    assert len(passages.edited) == len(passages.was) > 0
    assert set(passages.edited) <= set(passages.new)
    for row, was in zip(passages.edited, passages.was, strict=True):
        (place,) = (at for at, text in enumerate(NEW[row.uri]) if texts([row]) == {text})
        assert texts([was]) == {OLD[row.uri][place]}


@pytest.mark.parametrize(
    ("kept", "found"), [(6, 1), (5, 0)], ids=["half-of-the-words-in-common", "one-word-fewer"]
)
def test_a_text_is_an_earlier_version_from_half_of_the_words_on(kept: int, found: int) -> None:
    was = [f"word{n}" for n in range(12)]
    now = [*was[:kept], *(f"other{n}" for n in range(12 - kept))]
    old, new = ({"a.md": [" ".join(words)]} for words in (was, now))

    assert len(drawn(old, new).was) == found


def test_an_earlier_version_belongs_to_one_passage_only() -> None:
    was = " ".join(f"word{n}" for n in range(14))
    new = {"a.md": [f"{was} one", f"{was} two"]}

    assert len(drawn({"a.md": [was]}, new).was) == 1


def test_a_passage_of_another_document_is_no_earlier_version() -> None:
    was = " ".join(f"word{n}" for n in range(14))

    assert drawn({"a.md": [was]}, {"b.md": [f"{was} one"]}).was == ()


def test_words_in_common_are_counted_as_often_as_they_stand() -> None:
    assert shared_words("go go go", "go") == pytest.approx(2 / 4)
    assert shared_words("", "") == 0


def test_a_passage_costs_no_more_tokens_than_are_read_of_it() -> None:
    assert tokens_of([text_row("word " * 900), text_row("Wait 30 seconds.")]) == MOST_TOKENS + 6


def test_a_text_is_kept_by_all_that_its_bits_depend_on() -> None:
    model, row = Model("base", "adapter"), text_row("A text.")
    keys = {
        model.key(row),
        model.key(replace(row, text="Another text.")),
        replace(model, adapter_digest="other").key(row),
        replace(model, base_digest="other").key(row),
    }

    assert len(keys) == 4
    assert model.key(row) == model.key(replace(row, uri="moved.md", chunk="", document_digest=""))


def test_only_an_adapter_has_a_control() -> None:
    assert Model("base", "adapter").control == Model("base")
    assert Model("base").control is None


def test_bits_are_put_together_from_both_models() -> None:
    one, two = text_row("One.", "one.md"), text_row("Two.", "two.md")
    champion, base = Model("base", "adapter"), Model("base")
    known = {champion.key(one): 0.8, base.key(one): 1.0, champion.key(two): 0.9, base.key(two): 1.2}

    seen = assemble(champion, Passages((one,), (two,)), known)

    assert seen.new == (PassageBits("one.md", 0.8, 1.0),)
    assert seen.old == (PassageBits("two.md", 0.9, 1.2),)
    assert assemble(base, Passages((one,), (two,)), known).new == (
        PassageBits("one.md", 1.0, None),
    )
    assert missing(champion, [one, text_row("Three.")], known) == [text_row("Three.")]


def test_what_is_known_already_loads_no_model() -> None:
    passages = drawn(OLD, NEW, most=4)
    gone = BaseModel("gone", Path("no-such-folder"), "digest")
    known = {Model("digest").key(row): 1.5 for row in passages.rows}

    seen = measure_surprise(gone, None, passages, known=known, keep=killed)

    assert {p.champion for side in (seen.new, seen.old, seen.was) for p in side} == {1.5}


PASSAGES = drawn(OLD, NEW, most=5)


@pytest.mark.slow
def test_bits_are_those_by_which_a_challenger_is_weighed(base: BaseModel, adapter: Adapter) -> None:
    rows = PASSAGES.rows
    champion = score(base, adapter.folder, training_set([], texts=rows)).new
    control = score(base, None, training_set([], texts=rows)).new

    seen = measure_surprise(base, adapter.folder, Passages(rows, ()), known={}, keep=lambda _: None)

    assert [p.champion for p in seen.new] == pytest.approx([row.bits for row in champion])
    assert [p.base for p in seen.new] == pytest.approx([row.bits for row in control])


@pytest.mark.slow
def test_a_run_that_was_killed_is_not_paid_for_twice(base: BaseModel) -> None:
    kept: dict[str, float] = {}
    told: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        measure_surprise(base, None, PASSAGES, known=kept, keep=kept.update, on_progress=killed)
    first = dict(kept)

    measure_surprise(
        base, None, PASSAGES, known=kept, keep=kept.update, on_progress=lambda *at: told.append(at)
    )

    left = len(PASSAGES.rows) - len(first)
    assert first
    assert told[-1] == (left, left)
    assert first.items() <= kept.items()


@pytest.mark.slow
def test_the_bare_base_is_not_weighed_again_for_another_adapter(
    base: BaseModel, adapter: Adapter
) -> None:
    known = {Model(base.digest).key(row): 1.5 for row in PASSAGES.rows}
    kept: dict[str, float] = {}

    seen = measure_surprise(base, adapter.folder, PASSAGES, known=known, keep=kept.update)

    assert {p.base for p in seen.new} == {1.5}
    assert kept.keys() == {Model(base.digest, adapter.digest).key(row) for row in PASSAGES.rows}
