"""Rows to train on and rows to weigh on, drawn from two chunk tables. Knows Arrow, no model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest

import pyarrow as pa

from training.errors import NotEnoughTextError
from training.examples.answer_rows import AnswerRows
from training.examples.changed_facts import ChangedFact, changed_facts
from training.examples.chunks import Chunk, read_chunks
from training.examples.cloze_rows import cloze_rows
from training.examples.example_files import examples_digest
from training.examples.leaks import held_rows, require_no_leak, without_leaks
from training.examples.near_duplicates import Seen
from training.examples.new_text import marked, most_novel
from training.examples.parts import Part, spend
from training.examples.split import Split, rank, split
from training.records import ASKED, FinetuneConfig, Row, RowKind, TrainingSet

LEAST_DOCUMENTS = 9
LEAST_TRAIN_ROWS = 8
MOST_QUESTIONS = 40  # of one document
MOST_CORRECTIONS = 10  # likewise
FEW_FACTS = 8  # so that two facts that are gone are taught where none has changed
MOST_ASKED_CHUNKS = 5_000  # a second or two, however large the corpus
# Under a half, pages made from one template would count as one page.
MOST_KNOWN = 0.8
# Of a document with new and old text, so many of both; of any other, so many.
HELD_OF_A_DOCUMENT, OTHERS_OF_A_DOCUMENT = 5, 3
# Short rows of many documents tell more in the same time than long ones of few.
HELD_CHARACTERS = 520
# Of the held-out questions: the rest says whether all else is still answered.
CORRECTIONS_SHARE = 0.4
# Likewise those without an answer, whatever is trained on: two recipes are weighed on the same.
HELD_REFUSALS_SHARE = 0.20


@dataclass(frozen=True, slots=True)
class _Holdout:
    new: list[Row]
    old: list[Row]
    answers: list[Row]
    cloze: list[Row]
    general: list[Row]


def select_examples(
    reference: pa.Table | None,
    current: pa.Table,
    config: FinetuneConfig,
    *,
    reference_name: str,
    current_name: str,
    chat: Sequence[Row] = (),
    general: Sequence[Row] = (),
) -> TrainingSet:
    """Return the rows of one retraining: the difference, replay, answers, corrections and chat.

    The difference is the text that the reference lacks; without a reference, or where nothing
    differs, it is the whole corpus. Held-out documents are drawn by a hash of their uri, so a
    champion has not seen them either. Training text that nearly repeats held-out text is left out.
    Documents take turns, so that a long one does not crowd out the others. The same tables and
    config give the same rows in the same order. Raises NotEnoughTextError, and EvalLeakError if
    `chat` or `general` hold what is weighed on.
    """
    chunks = _fresh_marked(reference, current)
    known = set() if reference is None else set(reference.column("uri").to_pylist())
    halves = split(chunks, known, share=config.holdout_share, salt=config.holdout_salt)
    facts = [] if reference is None else changed_facts(reference, current)
    held = _holdout(halves, [f for f in facts if f.chunk.uri in halves.held], config, general)
    learnt = [fact for fact in facts if fact.chunk.uri not in halves.held]
    old = [] if reference is None else reference.column("text").to_pylist()
    train = _train_rows(_unrepeated(halves), old, learnt, chat, config)
    draft = TrainingSet(
        reference=reference_name,
        current=current_name,
        train=tuple(train),
        holdout_new=tuple(held.new),
        holdout_old=tuple(held.old),
        holdout_answers=tuple(held.answers),
        holdout_cloze=tuple(held.cloze),
        holdout_general=tuple(held.general),
        digest="",
    )
    examples = replace(draft, train=tuple(without_leaks(train, held_rows(draft))))
    _require(halves, examples, config)
    require_no_leak(examples)
    return replace(examples, digest=examples_digest(examples, config))


def _fresh_marked(reference: pa.Table | None, current: pa.Table) -> list[Chunk]:
    """Return the chunks, with the lines that the reference lacks where they are fresh."""
    if reference is None:
        return list(read_chunks(current, set()))
    chunks = list(read_chunks(current, set(reference.column("normal_digest").to_pylist())))
    if not any(chunk.fresh for chunk in chunks):
        return list(read_chunks(current, set()))
    return marked(chunks, reference.column("text").to_pylist())


def _unrepeated(halves: Split) -> list[Chunk]:
    """Return the chunks to train on that repeat neither a held-out one nor one another."""
    held, seen = Seen(chunk.text for chunk in halves.holdout), Seen()
    kept: list[Chunk] = []
    for chunk in halves.train:
        if not any(texts.repeats(chunk.text, share=MOST_KNOWN) for texts in (held, seen)):
            kept.append(chunk)
            seen.add(chunk.text)
    return kept


def _train_rows(
    chunks: Sequence[Chunk],
    old: Sequence[str],
    facts: Sequence[ChangedFact],
    chat: Sequence[Row],
    config: FinetuneConfig,
) -> list[Row]:
    """Return the rows of every part, as many as its share of the tokens allows.

    `old` are the texts of the reference; without any, new text is taken as it comes.
    """
    turns = [chunk for chunk in _in_turns(chunks, config.seed) if chunk.wordy]
    rows = AnswerRows(chunks, config, passage_characters=(120, 260), passages=(2, 3))
    asked = rows.in_turns(
        _asked(chunks, config.seed),
        most_a_document=MOST_QUESTIONS,
        refusal_share=config.refusal_share,
    )
    fresh = [chunk for chunk in turns if chunk.fresh]
    news = chain(most_novel(fresh, old) if old else fresh, (c for c in turns if c.edited))
    difference = (chunk.as_row(RowKind.DIFFERENCE) for chunk in news)
    replay = (c.as_row(RowKind.REPLAY) for c in turns if not c.fresh and not c.edited)
    talks = sorted(chat, key=lambda row: rank(str(config.seed), row.document_digest))
    candidates: tuple[tuple[Iterable[Row], float], ...] = (
        (difference, config.difference_share),
        (replay, config.replay_share),
        (asked, config.answer_share),
        (rows.of_facts(_mostly_there(facts, config)), config.correction_share),
        (talks, config.chat_share),
    )
    parts = [Part(part, share, most_a_row=config.max_row_tokens) for part, share in candidates]
    spend(parts, config.budget_tokens)
    corrected = {row.question.casefold() for row in parts[3].kept}
    kept = chain.from_iterable(part.kept for part in parts)
    return [
        row
        for row in kept
        if row.kind is not RowKind.ANSWER or row.question.casefold() not in corrected
    ]


def _holdout(
    halves: Split, facts: Sequence[ChangedFact], config: FinetuneConfig, general: Sequence[Row]
) -> _Holdout:
    """Return text, answers with those about changed facts first, key words and general text."""
    wordy = [chunk for chunk in _in_turns(halves.holdout, 0) if chunk.wordy]
    new, old = _text_beside(wordy, config.holdout_text_rows)
    cloze = cloze_rows(chunk for chunk in wordy if chunk.fresh)
    return _Holdout(
        new=[chunk.as_held(RowKind.DIFFERENCE, HELD_CHARACTERS) for chunk in new],
        old=[chunk.as_held(RowKind.REPLAY, HELD_CHARACTERS) for chunk in old],
        answers=_holdout_answers(halves.holdout, facts, config),
        cloze=list(islice(cloze, config.holdout_cloze_rows)),
        general=list(general[: config.holdout_general_rows]),
    )


def _text_beside(turns: Sequence[Chunk], most: int) -> tuple[list[Chunk], list[Chunk]]:
    """Return new text and old text to hold against it: as much of both from the same documents.

    Learning is told by the difference within a document, so the documents that have both come
    first, each with as many of one as of the other. The rest fills up.
    """
    new, old = (
        _of_documents(c for c in turns if c.fresh),
        _of_documents(c for c in turns if not c.fresh and not c.edited),
    )
    even = {
        uri: min(len(of_new), len(old.get(uri, ())), HELD_OF_A_DOCUMENT)
        for uri, of_new in new.items()
    }
    return _evenly(new, even, most), _evenly(old, even, most)


def _of_documents(chunks: Iterable[Chunk]) -> dict[str, list[Chunk]]:
    of_document: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        of_document[chunk.uri].append(chunk)
    return of_document


def _evenly(
    of_document: Mapping[str, list[Chunk]], even: Mapping[str, int], most: int
) -> list[Chunk]:
    """Return chunks, documents in turns: those that have a counterpart, then all others."""
    placed = [
        (at >= even.get(uri, 0), at, chunk)
        for uri, chunks in of_document.items()
        for at, chunk in enumerate(chunks[: max(even.get(uri, 0), OTHERS_OF_A_DOCUMENT)])
    ]
    return [chunk for *_, chunk in sorted(placed, key=lambda place: place[:2])][:most]


def _holdout_answers(
    chunks: Sequence[Chunk], facts: Sequence[ChangedFact], config: FinetuneConfig
) -> list[Row]:
    """Return corrections, then questions about new text, then about old; some with no answer."""
    if not chunks:
        return []
    # As long and as many as a search returns, so that the weighing is like the serving.
    rows = AnswerRows(chunks, config, passage_characters=(600, 900), passages=(3, 4))
    count = config.holdout_answer_rows
    refusals = round(HELD_REFUSALS_SHARE * count)
    gone = [fact for fact in facts if fact.removed][:refusals]
    told = [fact for fact in facts if not fact.removed or fact in gone]
    corrections = list(rows.of_facts(_facts_in_turns(told, 0)))[: int(CORRECTIONS_SHARE * count)]
    left = refusals - sum(not row.source for row in corrections)
    asked = rows.in_turns(
        _asked(chunks, 0),
        most_a_document=max(1, count // 5),
        refusal_share=max(0.0, left / max(1, count - len(corrections))),
    )
    corrected = {row.question.casefold() for row in corrections}
    others = (row for row in asked if row.question.casefold() not in corrected)
    return list(islice(chain(corrections, others), count))


def _mostly_there(facts: Sequence[ChangedFact], config: FinetuneConfig) -> list[ChangedFact]:
    """Return facts to correct, no more of them gone than may be refusals.

    Twice as many facts go as change. Taught as they come, they taught Scrapy's challenger to refuse
    39 % of what its passages answered, where the champion refused 18 %.
    """
    turns = list(_facts_in_turns(facts, config.seed))
    there = [fact for fact in turns if not fact.removed]
    among = max(len(there), FEW_FACTS)
    most = round(among * config.refusal_share / max(1e-9, 1 - config.refusal_share))
    gone = [fact for fact in turns if fact.removed][:most]
    kept = {id(fact) for fact in (*there, *gone)}
    return [fact for fact in turns if id(fact) in kept]


def _facts_in_turns(facts: Sequence[ChangedFact], seed: int) -> Iterator[ChangedFact]:
    """Yield facts so that documents take turns, in each those that changed before those gone."""
    of_document: dict[str, list[ChangedFact]] = defaultdict(list)
    for fact in sorted(facts, key=lambda fact: rank(str(seed), fact.question.text)):
        of_document[fact.chunk.uri].append(fact)
    order = sorted(of_document, key=lambda uri: rank(str(seed), uri))
    ranked = (sorted(of_document[uri], key=lambda fact: fact.removed) for uri in order)
    rounds = zip_longest(*(facts_[:MOST_CORRECTIONS] for facts_ in ranked))
    return (fact for facts_ in rounds for fact in facts_ if fact is not None)


def _in_turns(chunks: Iterable[Chunk], seed: int) -> list[Chunk]:
    """Return chunks so that each document gives one in every round, both in a seeded order."""
    of_document: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in sorted(chunks, key=lambda chunk: rank(str(seed), chunk.digest, chunk.uri)):
        of_document[chunk.uri].append(chunk)
    order = sorted(of_document, key=lambda uri: rank(str(seed), uri))
    rounds = zip_longest(*(of_document[uri] for uri in order))
    return [chunk for chunks_ in rounds for chunk in chunks_ if chunk is not None]


def _asked(chunks: Sequence[Chunk], seed: int) -> list[Chunk]:
    """Return the chunks to make questions of: documents in turns, those with new text first."""
    turns = _in_turns(chunks, seed)
    return sorted(turns, key=lambda chunk: not chunk.fresh)[:MOST_ASKED_CHUNKS]


def _require(halves: Split, examples: TrainingSet, config: FinetuneConfig) -> None:
    documents = len({chunk.uri for chunk in (*halves.train, *halves.holdout)})
    asked = sum(row.kind in ASKED for row in examples.train)
    needs = {
        "documents with trusted text": (documents, LEAST_DOCUMENTS),
        "rows to train on": (len(examples.train), LEAST_TRAIN_ROWS),
        "questions to train on": (asked, int(config.answer_share > 0)),
        "rows of held-out text": (len(examples.holdout_new), 1),
        "held-out questions": (len(examples.holdout_answers), 1),
    }
    short = [
        f"{what}: {there} of {least}" for what, (there, least) in needs.items() if there < least
    ]
    if short:
        msg = (
            f"Too little text to train and to weigh on: {'; '.join(short)}. "
            "Add documents; the index keeps answering without an adapter."
        )
        raise NotEnoughTextError(msg)
