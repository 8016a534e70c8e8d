"""Questions put among passages, the right one at a seeded place. Pure: chunks in, rows out."""

from __future__ import annotations

import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from random import Random

from training.examples.changed_facts import ChangedFact
from training.examples.chunks import Chunk
from training.examples.near_duplicates import share_seen, shingles, spoken
from training.examples.questions import Question, list_questions
from training.examples.sentences import plain
from training.prompt import REFUSAL
from training.records import DocumentVersion, FinetuneConfig, Passage, Row, RowKind

_TRIES = 12
_SHORT_ANSWER_WORDS = 6
_SAME_STATEMENT = 0.6


class AnswerRows:
    """Makes answer rows from `chunks`, which are also where distractors come from.

    So train rows must be made from train chunks only, or held-out text leaks in as a distractor.
    `passage_characters` and `passages` are ranges, both ends included.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        config: FinetuneConfig,
        *,
        passage_characters: tuple[int, int],
        passages: tuple[int, int],
    ) -> None:
        self._chunks = chunks
        self._config = config
        self._characters = passage_characters
        self._passages = passages
        self._of_document: dict[str, list[Chunk]] = defaultdict(list)
        for chunk in chunks:
            self._of_document[chunk.uri].append(chunk)

    def in_turns(
        self, chunks: Iterable[Chunk], *, most_a_document: int, refusal_share: float
    ) -> Iterator[Row]:
        """Yield rows document by document in turns, each question once.

        Within a document new text is asked about first, and gaps come last.
        """
        of_document: dict[str, list[tuple[Chunk, Question]]] = defaultdict(list)
        for chunk in chunks:
            questions = list_questions(chunk.title, chunk.headings, chunk.text)
            of_document[chunk.uri] += [(chunk, question) for question in questions]
        picked = (_one_a_chunk(pairs)[:most_a_document] for pairs in of_document.values())
        seen: set[str] = set()
        for pair in (pair for turn in zip_longest(*picked) for pair in turn if pair):
            if (text := pair[1].text.casefold()) not in seen:
                seen.add(text)
                at = len(seen)
                refused = int(at * refusal_share) > int((at - 1) * refusal_share)
                yield self._row(*pair, refused=refused)

    def of_facts(self, facts: Iterable[ChangedFact]) -> Iterator[Row]:
        """Yield a correction for each fact; what the reference said stands in none of its passages.

        A fact that is gone is asked about among passages that do not hold it.
        """
        for fact in facts:
            row = self._row(fact.chunk, fact.question, refused=fact.removed, stale=fact.stale)
            others = tuple(dict.fromkeys((*row.others, fact.was)))
            yield replace(row, kind=RowKind.CORRECTION, others=others, fresh=True)

    def _row(self, chunk: Chunk, question: Question, *, refused: bool, stale: str = "") -> Row:
        # Not for secrets: the same question gets the same passages in every run.
        random = Random(f"{self._config.seed}\0{chunk.digest}\0{question.text}")  # noqa: S311
        count = random.randint(*self._passages)
        unwanted = [question, replace(question, answer=stale)] if stale else [question]
        others = self._distractors(chunk, unwanted, random, count if refused else count - 1)
        passages = [
            Passage(other.trail, self._clipped(other.text, question.text, random))
            for other in others
        ]
        source = 0
        if not refused:
            source = random.randint(1, len(passages) + 1)
            characters = random.randint(*self._characters)
            passages.insert(
                source - 1, Passage(chunk.trail, holding(chunk.text, question, characters))
            )
        return Row(
            kind=RowKind.ANSWER,
            uri=chunk.uri,
            document_digest=chunk.document_digest,
            chunk=chunk.digest,
            text=REFUSAL if refused else question.answer,
            question=question.text,
            passages=tuple(passages),
            source=source,
            fresh=_is_new(chunk, question),
            stale=stale,
            others=tuple(dict.fromkeys(_version_of(other) for other in others)),
        )

    def _distractors(
        self, chunk: Chunk, unwanted: Sequence[Question], random: Random, count: int
    ) -> list[Chunk]:
        """Return chunks that do not answer the question, one from the same document first."""
        near = [other for other in self._of_document.get(chunk.uri, ()) if other is not chunk]
        found: list[Chunk] = []
        used = {chunk.digest}
        # A fact can be gone where nothing is left that may be trained on.
        for attempt in range(_TRIES * count if self._chunks else 0):
            other = random.choice(near if near and attempt < _TRIES and not found else self._chunks)
            if other.digest not in used and not any(_answers(other.text, q) for q in unwanted):
                used.add(other.digest)
                found.append(other)
            if len(found) == count:
                break
        random.shuffle(found)
        return found

    def _clipped(self, text: str, around: str, random: Random) -> str:
        return clip(text, around, random.randint(*self._characters))


def _is_new(chunk: Chunk, question: Question) -> bool:
    """Return True if the question is about new lines of a chunk, not about an old one in it."""
    if not (chunk.fresh and chunk.news):
        return chunk.fresh
    seen = shingles(plain(chunk.news))
    return share_seen(shingles(question.evidence), seen) >= _SAME_STATEMENT


def _version_of(chunk: Chunk) -> DocumentVersion:
    return DocumentVersion(chunk.uri, chunk.document_digest)


def _one_a_chunk(pairs: Sequence[tuple[Chunk, Question]]) -> list[tuple[Chunk, Question]]:
    """Return questions so that chunks take turns: first of new text, gaps after all the rest."""
    most_gaps, gaps = max(2, sum(not question.gap for _, question in pairs) // 3), 0
    asked: Counter[str] = Counter()
    ranked: list[tuple[tuple[bool, bool, int], tuple[Chunk, Question]]] = []
    for chunk, question in pairs:
        gaps += question.gap
        if question.gap and gaps > most_gaps:
            continue
        old = not _is_new(chunk, question)
        ranked.append(((question.gap, old, asked[chunk.digest]), (chunk, question)))
        asked[chunk.digest] += 1
    return [pair for _, pair in sorted(ranked, key=lambda entry: entry[0])]


def _answers(text: str, question: Question) -> bool:
    """Return True if a text might answer the question too: it holds the answer or the statement."""
    said, answer = spoken(text), spoken(question.answer)
    short = len(answer.split()) <= _SHORT_ANSWER_WORDS
    evidence = _words(question.evidence)
    shared = len(evidence & _words(text))
    return (short and f" {answer} " in f" {said} ") or shared >= _SAME_STATEMENT * len(evidence)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.casefold()))


def holding(text: str, question: Question, characters: int) -> str:
    """Return the text clipped about the evidence, wider until it holds the answer."""
    answer = spoken(plain(question.answer))
    while characters < len(text):
        clipped = clip(text, question.evidence, characters)
        if answer in spoken(plain(clipped)):
            return clipped
        characters *= 2
    return text.strip("\n")


def clip(text: str, around: str, characters: int) -> str:
    r"""Return whole lines of a text about the one nearest in words to `around`.

    >>> clip("one\ntwo apples\nthree", "two apples", 12)
    'two apples'
    """
    lines = [piece for line in text.strip("\n").splitlines() for piece in _pieces(line, characters)]
    wanted = _words(around)
    best = max(range(len(lines)), key=lambda i: (len(wanted & _words(lines[i])), -i))
    first = last = best
    room = characters - len(lines[best])
    while room > 0 and (first > 0 or last < len(lines) - 1):
        down = last < len(lines) - 1 and (last - best <= best - first or first == 0)
        line = lines[last + 1] if down else lines[first - 1]
        room -= len(line) + 1
        if room < 0:
            break
        first, last = (first, last + 1) if down else (first - 1, last)
    return "\n".join(lines[first : last + 1])


def _pieces(line: str, characters: int) -> list[str]:
    """Return a line as it is, or one that is too long for a passage in pieces that are not."""
    if len(line) <= characters:
        return [line]
    return textwrap.wrap(line, max(1, characters // 2))
