"""Stored rows: the same back, or a sentence that says why not."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.training.builders import SMALL, answer_row, text_row, training_set
from training.errors import ExamplesCorruptError
from training.examples.example_files import (
    MANIFEST,
    ROWS,
    as_table,
    examples_digest,
    read_examples,
    write_examples,
)
from training.records import DocumentVersion, Passage, Row, RowKind, TrainingSet, Turn


def sealed(examples: TrainingSet) -> TrainingSet:
    return replace(examples, digest=examples_digest(examples, SMALL))


def full() -> TrainingSet:
    answer = answer_row("Why?", "so", [Passage("T", "x"), Passage("", "ü\n")], source=2)
    correction = replace(
        answer,
        kind=RowKind.CORRECTION,
        stale="no",
        fresh=True,
        others=(DocumentVersion("b.md", "9"), DocumentVersion("c.md", "8")),
    )
    chat = Row(RowKind.CHAT, "c:1", "d", "d", "yes", turns=(Turn("user", "a"), Turn("user", "b")))
    return sealed(training_set([text_row("one"), correction, chat], texts=[text_row("two")]))


@pytest.mark.parametrize(
    "examples",
    [full(), sealed(training_set([])), sealed(training_set([text_row("one")]))],
    ids=["every-field", "no-row", "one-row"],
)
def test_rows_come_back_as_they_were(tmp_path: Path, examples: TrainingSet) -> None:
    write_examples(examples, tmp_path / "rows", config=SMALL)

    assert read_examples(tmp_path / "rows") == examples


def test_writing_the_same_rows_again_touches_no_file(tmp_path: Path) -> None:
    write_examples(full(), tmp_path, config=SMALL)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}

    write_examples(full(), tmp_path, config=SMALL)

    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before
    assert set(before) == {ROWS, MANIFEST}


def test_other_rows_take_the_place_of_the_first(tmp_path: Path) -> None:
    other = sealed(training_set([text_row("other")]))
    write_examples(full(), tmp_path, config=SMALL)

    write_examples(other, tmp_path, config=SMALL)

    assert read_examples(tmp_path) == other


def test_a_kill_between_the_files_leaves_rows_that_were_never_finished(tmp_path: Path) -> None:
    write_examples(full(), tmp_path, config=SMALL)
    (tmp_path / MANIFEST).unlink()

    with pytest.raises(ExamplesCorruptError, match="never finished"):
        read_examples(tmp_path)
    write_examples(full(), tmp_path, config=SMALL)
    assert read_examples(tmp_path) == full()


def _flip(folder: Path) -> None:
    content = bytearray((folder / ROWS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / ROWS).write_bytes(bytes(content))


def _changed(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_bytes()) | changes
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_flip, "not the file that"),
        (lambda folder: (folder / ROWS).unlink(), "cannot be read"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "cannot be read"),
        (lambda folder: (folder / MANIFEST).write_text("[]"), "not a manifest"),
        (_changed(format=2), "not a manifest"),
        (_changed(digest=7), "not a manifest"),
        (_changed(digest="0" * 64), "another digest"),
        (_changed(current="docs@9"), "another digest"),
        (_changed(config=asdict(replace(SMALL, seed=1))), "another digest"),
        (_changed(prompt="0" * 64), "another prompt"),
    ],
    ids=[
        "flipped-byte",
        "no-rows",
        "half-a-manifest",
        "list",
        "format",
        "type",
        "digest",
        "snapshot",
        "config",
        "prompt",
    ],
)
def test_anything_off_is_refused_with_the_cure(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    write_examples(full(), tmp_path, config=SMALL)
    damage(tmp_path)

    with pytest.raises(ExamplesCorruptError, match="Remove the folder") as caught:
        read_examples(tmp_path)

    assert said in str(caught.value)


def test_the_digest_covers_every_part_and_the_config() -> None:
    examples = full()
    row = (text_row("more"),)
    parts = ["train", "holdout_new", "holdout_old", "holdout_answers"]
    parts += ["holdout_cloze", "holdout_general"]
    others = [replace(examples, **{part: row}) for part in parts]  # type: ignore[arg-type]

    digests = {examples_digest(each, SMALL) for each in [examples, *others]}

    assert len(digests) == 1 + len(parts)
    assert examples_digest(examples, replace(SMALL, rank=8)) not in digests


def test_the_table_names_the_part_of_every_row() -> None:
    assert as_table(full()).column("part").to_pylist() == ["train"] * 3 + ["holdout_new"]
