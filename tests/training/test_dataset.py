"""Which rows train and which weigh: disjoint, deterministic, fair to small documents."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.training.builders import SMALL, chunk_table, invented, text_row
from training.errors import EvalLeakError, NotEnoughTextError
from training.examples import dataset
from training.examples.answer_rows import clip, holding
from training.examples.changed_facts import ChangedFact
from training.examples.chunks import Chunk, approximate_tokens
from training.examples.dataset import CORRECTIONS_SHARE, select_examples
from training.examples.leaks import texts_of
from training.examples.parts import MOST_OF_A_DOCUMENT
from training.examples.questions import Question
from training.prompt import REFUSAL
from training.records import DocumentVersion, FinetuneConfig, Row, RowKind, TrainingSet, Turn

CONFIG = replace(SMALL, budget_tokens=8_000, holdout_answer_rows=12)


def selected(
    current: dict[str, list[str]],
    reference: dict[str, list[str]] | None = None,
    config: FinetuneConfig = CONFIG,
    *,
    trust: dict[str, str] | None = None,
    flags: dict[str, list[str]] | None = None,
) -> TrainingSet:
    return select_examples(
        None if reference is None else chunk_table(reference),
        chunk_table(current, trust=trust, flags=flags),
        config,
        reference_name="docs@1",
        current_name="docs@2",
    )


def everything(examples: TrainingSet) -> list[Row]:
    held = (*examples.holdout_new, *examples.holdout_old, *examples.holdout_answers)
    return [*examples.train, *held]


@pytest.fixture(scope="module")
def examples() -> TrainingSet:
    return selected(invented(edition=2), invented(edition=1))


def test_train_and_holdout_share_no_document(examples: TrainingSet) -> None:
    trained = {row.uri for row in examples.train}
    held = {row.uri for row in everything(examples)} - trained
    weighed = {*examples.holdout_new, *examples.holdout_old, *examples.holdout_answers}

    assert trained
    assert held
    assert not trained & {row.uri for row in weighed}


def test_no_held_out_text_reaches_a_training_row_even_as_a_distractor(
    examples: TrainingSet,
) -> None:
    weighed = (*examples.holdout_new, *examples.holdout_old)
    held_out = {line for row in weighed for line in row.text.splitlines()}
    seen = {p.text for row in examples.train for p in row.passages}

    assert held_out
    assert not any(line in text for line in held_out for text in seen if line)


def test_difference_is_new_text_and_replay_is_old_text(examples: TrainingSet) -> None:
    old = {text for texts in invented(edition=1).values() for text in texts}
    kinds = {
        kind: [row.text.split("\n\n", 1)[-1] for row in everything(examples) if row.kind is kind]
        for kind in (RowKind.DIFFERENCE, RowKind.REPLAY)
    }

    assert kinds[RowKind.DIFFERENCE]
    assert kinds[RowKind.REPLAY]
    assert not old & set(kinds[RowKind.DIFFERENCE])
    assert old >= set(kinds[RowKind.REPLAY])


def test_the_holdout_has_new_text_old_text_and_answers(examples: TrainingSet) -> None:
    assert {row.kind for row in examples.holdout_new} == {RowKind.DIFFERENCE}
    assert {row.kind for row in examples.holdout_old} == {RowKind.REPLAY}
    assert {row.kind for row in examples.holdout_answers} == {RowKind.CORRECTION, RowKind.ANSWER}


@pytest.mark.parametrize("reference", [None, "the same"], ids=["no-reference", "no-difference"])
def test_without_a_difference_the_whole_corpus_is_news(reference: str | None) -> None:
    seen = selected(invented(), invented() if reference else None)

    assert {row.kind for row in seen.train} == {RowKind.DIFFERENCE, RowKind.ANSWER}
    assert seen.holdout_old == ()


def test_the_same_tables_give_the_same_rows_and_digest(examples: TrainingSet) -> None:
    again = selected(invented(edition=2), invented(edition=1))
    shuffled = dict(reversed(invented(edition=2).items()))

    assert again == examples
    assert selected(shuffled, invented(edition=1)).digest == examples.digest


def test_the_digest_names_rows_config_and_snapshots(examples: TrainingSet) -> None:
    other_text = selected(invented(edition=3), invented(edition=1))
    other_config = selected(invented(edition=2), invented(edition=1), replace(CONFIG, rank=8))
    other_name = select_examples(
        chunk_table(invented(edition=1)),
        chunk_table(invented(edition=2)),
        CONFIG,
        reference_name="docs@1",
        current_name="docs@3",
    )

    digests = {examples.digest, other_text.digest, other_config.digest, other_name.digest}
    assert len(digests) == 4


def test_no_champion_was_trained_on_what_a_later_challenger_is_weighed_on() -> None:
    """As the corpus grows, and whatever the seed, a document stays on its side."""
    config = replace(CONFIG, holdout_share=0.5, budget_tokens=40_000)

    champion = selected(invented(40), None, replace(config, seed=17))
    later = selected(invented(80, edition=2), invented(40), replace(config, seed=18))

    weighed = (*later.holdout_new, *later.holdout_old, *later.holdout_answers)
    assert len({row.uri for row in champion.train}) > 10
    assert not {row.uri for row in champion.train} & {row.uri for row in weighed}


def test_another_seed_draws_other_rows(examples: TrainingSet) -> None:
    other = selected(invented(edition=2), invented(edition=1), replace(CONFIG, seed=18))

    assert [row.chunk for row in other.train] != [row.chunk for row in examples.train]


def test_a_chunk_that_stands_twice_is_one_row() -> None:
    corpus = invented()
    corpus["copy.md"] = [*corpus["device-00.md"], *corpus["device-01.md"]]

    texts = [row.text.split("\n\n", 1)[-1] for row in selected(corpus).train if not row.question]

    assert max(Counter(texts).values()) == 1


def test_text_that_is_not_trusted_is_never_trained_on_nor_shown() -> None:
    corpus = invented() | {"forum.md": ["The secret poison word costs 5 euro a month today."] * 3}

    seen = selected(corpus, trust={"forum.md": "untrusted"})

    assert "forum.md" not in {row.uri for row in everything(seen)}
    assert not any("poison" in p.text for row in everything(seen) for p in row.passages)


@pytest.mark.parametrize("flag", ["secret", "injection"])
def test_text_that_admission_flagged_is_never_trained_on_nor_shown(flag: str) -> None:
    corpus = invented() | {"forum.md": ["The secret poison word costs 5 euro a month today."] * 3}

    seen = selected(corpus, flags={"forum.md": [flag]})

    assert "forum.md" not in {row.uri for row in everything(seen)}
    assert not any("poison" in p.text for row in everything(seen) for p in row.passages)


def test_a_long_document_takes_no_more_than_its_share() -> None:
    config = replace(CONFIG, holdout_salt="other", budget_tokens=30_000)
    news = [
        f"In year {n} the lid of the northern workshop opens for a public visit."
        for n in range(400)
    ]

    rows = selected(invented() | {"news.md": news}, config=config).train

    tokens = [approximate_tokens(row) for row in rows if row.uri == "news.md" and not row.question]
    most = MOST_OF_A_DOCUMENT * config.difference_share * 30_000
    assert 0.9 * most < sum(tokens) <= most + max(tokens)


def test_the_budget_is_spent_by_its_shares() -> None:
    tight = replace(CONFIG, budget_tokens=3_000)

    rows = selected(invented(40, edition=2), invented(40), tight).train

    kinds = Counter(row.kind for row in rows)
    assert 0 < kinds[RowKind.REPLAY] < kinds[RowKind.DIFFERENCE] + kinds[RowKind.CORRECTION]
    assert sum(len(row.text.split()) for row in rows if not row.question) < 3_000


def test_the_right_passage_holds_the_answer_and_no_other_does(examples: TrainingSet) -> None:
    answered = [row for row in everything(examples) if row.source]

    assert answered
    for row in answered:
        holds = [number for number, p in enumerate(row.passages, 1) if row.text in p.text]
        assert holds == [row.source], row.question


def test_a_passage_that_answers_as_well_is_no_distractor() -> None:
    """Every document has a lid that opens for 20 seconds; only the neutral text may distract."""
    corpus = {
        f"{n}.md": [
            f"The lid of house {n} opens for 20 seconds.",
            f"House {n} stands at the end of a long and quiet street with many old trees.",
        ]
        for n in range(48)
    }

    answered = [row for row in everything(selected(corpus)) if row.text == "20 seconds"]

    assert len(answered) > 5
    for row in answered:
        assert sum("20 seconds" in p.text for p in row.passages) == 1


def test_a_passage_is_widened_until_it_holds_the_answer() -> None:
    lines = ["The long answer to it all is", "a number of", "some 42 apples.", *["And so on."] * 90]
    question = Question("What is it?", "some 42 apples", "The long answer to it all is a number")

    passage = holding("\n".join(lines), question, 30)

    assert "some 42 apples" in passage
    assert len(passage) < 300


def test_the_right_passage_stands_anywhere(examples: TrainingSet) -> None:
    places = Counter(row.source for row in everything(examples) if row.source)

    assert len(places) >= 3
    assert max(places.values()) < 0.7 * places.total()


def test_a_share_of_the_questions_has_no_answer_in_its_passages(examples: TrainingSet) -> None:
    answers = [row for row in examples.train if row.kind is RowKind.ANSWER]
    refused = [row for row in answers if row.source == 0]

    assert {row.text for row in refused} == {REFUSAL}
    # A question that is also a correction is left out afterwards.
    assert abs(len(refused) - len(answers) * CONFIG.refusal_share) <= 1


def test_no_question_is_asked_twice(examples: TrainingSet) -> None:
    for rows in (examples.train, examples.holdout_answers):
        asked = [row.question.casefold() for row in rows if row.question]
        assert len(asked) == len(set(asked))


def test_every_row_names_its_document_version(examples: TrainingSet) -> None:
    versions = {
        (row["uri"], row["document_digest"]) for row in chunk_table(invented(edition=2)).to_pylist()
    }

    assert {(row.uri, row.document_digest) for row in everything(examples)} <= versions


@pytest.mark.parametrize(
    ("corpus", "named"),
    [
        ({}, "documents with trusted text: 0 of 9"),
        ({"a.md": ["The lid opens for 5 seconds."] * 50}, "1 of 9"),
        ({f"{n}.md": ["The lid opens for 5 seconds a day."] for n in range(50)}, "1 of 9"),
        ({f"{n}.md": [f"word{n}"] for n in range(50)}, "questions to train on: 0 of 1"),
        (invented(8), "documents with trusted text: 8 of 9"),
    ],
    ids=["empty", "one-document", "all-identical", "no-sentences", "one-document-too-few"],
)
def test_too_little_text_is_said_with_what_is_needed(
    corpus: dict[str, list[str]], named: str
) -> None:
    with pytest.raises(NotEnoughTextError, match=named):
        selected(corpus)


def test_where_no_questions_are_wanted_none_are_needed() -> None:
    untaught = replace(CONFIG, answer_share=0.0, correction_share=0.0, replay_share=0.5)

    rows = selected(invented(edition=2), invented(edition=1), untaught).train

    assert {row.kind for row in rows} == {RowKind.DIFFERENCE, RowKind.REPLAY}


def test_just_enough_documents_are_enough() -> None:
    assert selected(invented(9)).holdout_answers


def test_a_passage_is_clipped_to_whole_lines_about_what_matters() -> None:
    text = "\n".join(f"line {n} about nothing" for n in range(50)) + "\nthe lid opens at noon\nend"

    clipped = clip(text, "when does the lid open at noon", 60)

    assert "the lid opens at noon" in clipped
    assert len(clipped) <= 60
    assert all(line in text.splitlines() for line in clipped.splitlines())


def test_one_endless_line_is_clipped_around_the_answer() -> None:
    text = "nothing here. " * 400 + "The lid opens for 20 seconds. " + "nothing there. " * 400

    clipped = clip(text, "The lid opens for 20 seconds.", 200)

    assert "20 seconds" in clipped
    assert len(clipped) <= 400


def test_corrections_teach_the_new_fact_where_the_old_one_was(examples: TrainingSet) -> None:
    corrections = [row for row in everything(examples) if row.kind is RowKind.CORRECTION]

    assert corrections
    for row in corrections:
        assert row.fresh
        assert row.stale not in {"", row.text}
        assert not any(row.stale in passage.text for passage in row.passages)
        assert bool(row.source) is (row.text != REFUSAL)


def test_the_old_answer_stands_in_no_passage_of_a_correction() -> None:
    """Every document says "20 seconds" of something else too: that may not distract."""
    lamp = "A lamp in street {n} glows red all night long, and {n} flies need 20 seconds to it."
    lid = (
        "The lid of house {n} opens for {s} seconds and rests at the end of street {n} until noon."
    )
    before = {f"{n}.md": [lid.format(n=n, s=20), lamp.format(n=n)] for n in range(24)}
    after = {f"{n}.md": [lid.format(n=n, s=30), lamp.format(n=n)] for n in range(24)}

    rows = [row for row in everything(selected(after, before)) if row.stale]

    assert len(rows) > 5
    assert {row.stale for row in rows} == {"20 seconds"}
    assert not any("20 seconds" in passage.text for row in rows for passage in row.passages)


def test_a_fact_that_is_gone_is_a_correction_with_the_refusal() -> None:
    before = invented()
    after = {uri: [*texts[:1], *texts[2:]] for uri, texts in before.items()}

    rows = [row for row in everything(selected(after, before)) if row.kind is RowKind.CORRECTION]

    assert rows
    assert {(row.text, row.source) for row in rows} == {(REFUSAL, 0)}
    assert all("seconds" in row.stale for row in rows)


@pytest.mark.parametrize(
    ("changed", "gone"), [(0, 2), (8, 2), (12, 3)], ids=["none-changed", "eight", "twelve"]
)
def test_facts_that_are_gone_teach_no_more_refusals_than_questions_do(
    changed: int, gone: int
) -> None:
    """One in five: two beside eight that changed, three beside twelve."""
    facts = [_fact(n, removed=False) for n in range(changed)]
    facts += [_fact(n, removed=True) for n in range(changed, changed + 30)]

    kept = dataset._mostly_there(facts, FinetuneConfig(refusal_share=0.2))  # noqa: SLF001

    assert sum(fact.removed for fact in kept) == gone
    assert sum(not fact.removed for fact in kept) == changed


def _fact(n: int, *, removed: bool) -> ChangedFact:
    chunk = Chunk(f"{n}.md", "t", (), "text", f"d{n}", "v", fresh=True)
    question = Question(f"What is number {n}?", "new", "It is new")
    return ChangedFact(question, "old", chunk, DocumentVersion(chunk.uri, "u"), removed)


def test_a_correction_names_both_versions_of_its_document(examples: TrainingSet) -> None:
    old = {row["document_digest"] for row in chunk_table(invented(edition=1)).to_pylist()}
    rows = [row for row in everything(examples) if row.kind is RowKind.CORRECTION]

    assert all({d.digest for d in row.documents if d.uri == row.uri} & old for row in rows)
    assert all(row.document_digest not in old for row in rows if row.source)


def test_every_row_names_the_documents_behind_its_distractors(examples: TrainingSet) -> None:
    for row in everything(examples):
        titles = {passage.title for passage in row.passages}
        assert titles <= {document.uri.removesuffix(".md") for document in row.documents}


def test_corrections_come_first_in_the_holdout_and_are_no_more_than_their_part() -> None:
    answers = selected(invented(40, edition=2), invented(40)).holdout_answers

    kinds = [row.kind is RowKind.CORRECTION for row in answers]
    assert sorted(kinds, reverse=True) == kinds
    assert 0 < sum(kinds) <= CORRECTIONS_SHARE * CONFIG.holdout_answer_rows


def test_what_a_part_cannot_fill_goes_to_the_others() -> None:
    """Without a reference there is no replay and no correction: their shares are spent too."""
    config = replace(CONFIG, budget_tokens=3_000)

    rows = selected(invented(40), None, config).train

    tokens = sum(min(approximate_tokens(row), config.max_row_tokens) for row in rows)
    assert {row.kind for row in rows} == {RowKind.DIFFERENCE, RowKind.ANSWER}
    assert 2_800 < tokens < 3_000 + 2 * config.max_row_tokens


def chat(text: str) -> Row:
    return Row(RowKind.CHAT, "chat.jsonl:1", "d", "d", text, turns=(Turn("user", "Tell me."),))


@pytest.mark.parametrize(("share", "taken"), [(0.0, 0), (0.1, 1)], ids=["no-share", "a-share"])
def test_conversations_take_their_share(share: float, taken: int) -> None:
    found = select_examples(
        None,
        chunk_table(invented()),
        replace(CONFIG, chat_share=share),
        reference_name="docs@1",
        current_name="docs@2",
        chat=[chat("The answer to that is a long story about the sea.")],
    )

    assert sum(row.kind is RowKind.CHAT for row in found.train) == taken


def test_a_conversation_that_holds_held_out_text_is_refused(examples: TrainingSet) -> None:
    leaked = examples.holdout_new[0].text.split("\n\n", 1)[-1]

    with pytest.raises(EvalLeakError, match=r"chat\.jsonl:1"):
        select_examples(
            chunk_table(invented(edition=1)),
            chunk_table(invented(edition=2)),
            replace(CONFIG, chat_share=0.1),
            reference_name="docs@1",
            current_name="docs@2",
            chat=[chat(leaked)],
        )


def test_a_training_chunk_that_nearly_repeats_a_held_out_one_is_left_out(
    examples: TrainingSet,
) -> None:
    held = examples.holdout_new[0].text.split("\n\n", 1)[-1]
    corpus = invented(edition=2)
    copies = {uri: [*texts, f"{held} So {uri} said."] for uri, texts in corpus.items()}

    found = selected(copies, invented(edition=1))

    assert examples.holdout_new[0].uri in {row.uri for row in found.holdout_new}
    assert not any(held in text for row in found.train for text in texts_of(row))


def test_a_cloze_row_asks_for_a_word_that_stands_nowhere_before(examples: TrainingSet) -> None:
    assert examples.holdout_cloze
    for row in examples.holdout_cloze:
        assert row.kind is RowKind.CLOZE
        assert row.text not in row.question.split()


def test_general_rows_are_cut_to_their_number() -> None:
    rows = [replace(text_row(f"general {n}", f"g/{n}"), kind=RowKind.GENERAL) for n in range(9)]

    found = select_examples(
        None,
        chunk_table(invented()),
        replace(CONFIG, holdout_general_rows=4),
        reference_name="docs@1",
        current_name="docs@2",
        general=rows,
    )

    assert list(found.holdout_general) == rows[:4]
