"""Facts that differ between two chunk tables: what the reference said, and what is said now.

Pure, and by rule: a pair that may be two facts instead of one that changed is left out, because a
wrong pair teaches a wrong answer. Documents that are the same in both tables are not looked at.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

import pyarrow as pa

from training.examples.chunks import Chunk, read_chunks
from training.examples.near_duplicates import found_among, share_seen, shingles, spoken
from training.examples.questions import Question, fill_in, is_name, list_questions
from training.examples.sentences import code_lines, plain, sentences
from training.prompt import REFUSAL
from training.records import DocumentVersion

# Fewer words around the gap say too little about which fact it is.
_FRAME_WORDS = 5
_MOST_WORDS = 40
_MOST_CHANGED = 4
# From so many words in common on, a statement may be the earlier version of another.
_ALIKE = 0.6
# A section with more statements on one side was written anew: nothing in it can be paired.
_MOST_STATEMENTS = 120
# From so much of a sentence in the current text on, it was moved or cut and not removed.
_STILL_SAID = 0.5
_SAME_STATEMENT = 0.6
_LITERAL = re.compile(r"(?::[a-z:]+:)?`{1,2}[^`\n]+`{1,2}")
# Hashes, keys and signatures are no facts.
_NOISE = re.compile(r"[0-9a-f]{7,40}|(?=\S*\d)[\w-]{25,}")
_VALUES = re.compile(
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|"
    r"sixty|ninety|hundred|thousand|none|true|false"
)


@dataclass(frozen=True, slots=True)
class ChangedFact:
    """A question that the reference answered otherwise.

    `question` holds the answer of the current text, and `chunk` is where it stands. If the fact
    is `removed`, they are those of the reference, and the right answer is the refusal. `stale` is
    what the reference answered, `was` its document.
    """

    question: Question
    stale: str
    chunk: Chunk
    was: DocumentVersion
    removed: bool = False

    @property
    def answer(self) -> str:
        """What is right now."""
        return REFUSAL if self.removed else self.question.answer


def changed_facts(reference: pa.Table, current: pa.Table) -> list[ChangedFact]:
    """Return the facts that changed, then those that are gone, each question once.

    Changed are: the same question in the same document with another answer, and a statement of the
    same section in which a name or a number is another. Gone is what was asked of a text that
    nothing in the current table repeats. Linear in the text of the documents that differ, with one
    look at the words of the rest.
    """
    changed: list[ChangedFact] = []
    gone: list[ChangedFact] = []
    for old, new in _differing(reference, current):
        changed += [*_asked_again(old, new), *_said_anew(old, new)]
        gone += _gone(old, new)
    texts: list[str] = current.column("text").to_pylist()
    kept: dict[str, ChangedFact] = {}
    for fact in (*changed, *_not_repeated(gone, texts)):
        kept.setdefault(fact.question.text.casefold(), fact)
    return list(kept.values())


@dataclass(frozen=True, slots=True)
class _Statement:
    """A sentence or a line of code, and where it stands."""

    text: str
    chunk: Chunk
    code: bool

    @property
    def words(self) -> list[re.Match[str]]:
        return list(re.finditer(r"[\w.]*\w|[^\w\s]" if self.code else r"\S+", self.text))


class _Version:
    """What one version of a document says. Only chunks that the other lacks are asked about."""

    def __init__(self, chunks: Sequence[Chunk], other: Sequence[Chunk]) -> None:
        same = {(chunk.trail, chunk.text) for chunk in other}
        self.chunks = chunks
        self.statements: dict[str, _Statement] = {}
        self.sections: dict[str, list[_Statement]] = defaultdict(list)
        self.questions: dict[str, list[tuple[Question, Chunk]]] = defaultdict(list)
        self.literals: set[str] = set()
        self._kept = [chunk for chunk in chunks if (chunk.trail, chunk.text) in same]
        for chunk in chunks:
            self._read(chunk)
            if (chunk.trail, chunk.text) not in same:
                for text, question in _asked(chunk):
                    self.questions[text].append((question, chunk))

    def _read(self, chunk: Chunk) -> None:
        said = [_Statement(sentence, chunk, code=False) for sentence in sentences(chunk.text)]
        said += [_Statement(line, chunk, code=True) for line in code_lines(chunk.text)]
        for statement in said:
            if self.statements.setdefault(spoken(statement.text), statement) is statement:
                self.sections[chunk.trail].append(statement)
        self.literals |= {plain(literal) for literal in _LITERAL.findall(chunk.text)}

    @cached_property
    def still_asked(self) -> set[str]:
        """The questions of the chunks that both versions have."""
        return {text for chunk in self._kept for text, _ in _asked(chunk)}

    @cached_property
    def _said(self) -> list[tuple[str, set[str]]]:
        texts = [spoken(chunk.text) for chunk in self.chunks]
        return [(f" {text} ", set(text.split())) for text in texts]

    def holds(self, question: Question) -> bool:
        """Return True if the answer stands in this version, or most words of its sentence do."""
        answer, evidence = f" {spoken(question.answer)} ", set(spoken(question.evidence).split())
        least = _SAME_STATEMENT * len(evidence)
        return any(answer in text or len(evidence & words) >= least for text, words in self._said)


def _asked(chunk: Chunk) -> Iterator[tuple[str, Question]]:
    for question in list_questions(chunk.title, chunk.headings, chunk.text):
        yield question.text.casefold(), question


def _differing(reference: pa.Table, current: pa.Table) -> Iterator[tuple[_Version, _Version]]:
    """Yield both versions of every document of the reference whose bytes are others or gone."""
    was, now = _by_document(reference), _by_document(current)
    for uri, old in sorted(was.items()):
        new = now.get(uri, [])
        if not new or new[0].document_digest != old[0].document_digest:
            yield _Version(old, new), _Version(new, old)


def _by_document(table: pa.Table) -> dict[str, list[Chunk]]:
    chunks: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in read_chunks(table, set()):
        chunks[chunk.uri].append(chunk)
    return chunks


def _version_of(chunk: Chunk) -> DocumentVersion:
    return DocumentVersion(chunk.uri, chunk.document_digest)


def _asked_again(old: _Version, new: _Version) -> Iterator[ChangedFact]:
    """Yield the questions that both versions answer, each with one answer, and differently."""
    for text, now in new.questions.items():
        was = old.questions.get(text, [])
        if any(len({spoken(found.answer) for found, _ in side}) != 1 for side in (was, now)):
            continue
        (then, before), (question, chunk) = was[0], now[0]
        if spoken(then.evidence) in new.statements or question.gap:
            continue
        literals = old.literals | new.literals
        if question.evidence.startswith(".."):  # a signature: every word of it is a name
            literals = literals | set(re.split(r"\W+", f"{then.answer} {question.answer}"))
        other = _another(then.answer, question.answer, literals)
        if other and text not in new.still_asked:
            yield ChangedFact(question, then.answer, chunk, _version_of(before))


def _said_anew(old: _Version, new: _Version) -> Iterator[ChangedFact]:
    """Yield what is another name or number in a statement that is else about the same."""
    literals = old.literals | new.literals
    natural: dict[str, list[Question]] = defaultdict(list)
    for asked in new.questions.values():
        for question in (q for q, _ in asked if not q.gap):
            natural[question.evidence].append(question)
    for was, now in _edited(old, new):
        for stale, start, end in _swapped(was, now):
            answer = now.text[start:end]
            if not _another(stale, answer, literals):
                continue
            gap = _in_code(now, start, end) if now.code else fill_in(now.text, start, end)
            found = [q for q in natural[now.text] if answer in q.answer]
            if found:
                stale_answer = found[0].answer.replace(answer, stale)
                yield ChangedFact(found[0], stale_answer, now.chunk, _version_of(was.chunk))
            elif gap:
                yield ChangedFact(gap, stale, now.chunk, _version_of(was.chunk))
            break


def _in_code(line: _Statement, start: int, end: int) -> Question | None:
    gap = fill_in(line.text, start, end)
    if gap is None:
        return None
    held = gap.text.split(": ", 1)[1]
    asked = f"In the code of {line.chunk.trail}, what belongs in the gap: {held}"
    return Question(asked, gap.answer, gap.evidence, gap=True)


def _edited(old: _Version, new: _Version) -> Iterator[tuple[_Statement, _Statement]]:
    """Yield statements of the same section, each the only one that is like the other."""
    for section, now in new.sections.items():
        was = old.sections.get(section, [])
        if max(len(was), len(now)) > _MOST_STATEMENTS:
            continue
        for statement in now:
            if spoken(statement.text) in old.statements or not _framed(statement):
                continue
            like = [other for other in was if _alike(other, statement)]
            if len(like) != 1 or spoken(like[0].text) in new.statements:
                continue
            if sum(_alike(like[0], other) for other in now) == 1:
                yield like[0], statement


def _framed(statement: _Statement) -> bool:
    return _FRAME_WORDS < len(statement.words) <= _MOST_WORDS


def _alike(one: _Statement, other: _Statement) -> bool:
    """Return True if two statements have most words in common (Dice 1945)."""
    words, others = (Counter(word[0] for word in side.words) for side in (one, other))
    shared = 2 * (words & others).total()
    return one.code == other.code and shared >= _ALIKE * (words.total() + others.total())


def _swapped(was: _Statement, now: _Statement) -> Iterator[tuple[str, int, int]]:
    """Yield what was swapped for what: the old words, and where the new ones start and end."""
    before, after = was.words, now.words
    matcher = SequenceMatcher(None, [w[0] for w in before], [w[0] for w in after], autojunk=False)
    for kind, i, j, start, end in matcher.get_opcodes():
        if kind == "replace" and max(j - i, end - start) <= _MOST_CHANGED:
            yield (
                _bare(was.text, before[i].start(), before[j - 1].end())[0],
                *_bare(now.text, after[start].start(), after[end - 1].end())[1:],
            )


def _bare(text: str, start: int, end: int) -> tuple[str, int, int]:
    """Return a piece of a text without the stops and quotes about it."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip("\"'([{"))
    end -= len(piece) - len(piece.rstrip(".,;:\"')]}"))
    return text[start:end], start, end


def _another(was: str, now: str, literals: set[str]) -> bool:
    """Return True if two answers name different things, and not one thing in other words."""
    old, new = _singular(was), _singular(now)
    if not old.strip() or not new.strip() or old in new or new in old:
        return False
    return all(
        any(_telling(word, literals) for word in _only(*sides))
        for sides in ((was, now), (now, was))
    )


def _singular(text: str) -> str:
    return f" {' '.join(word.rstrip('s') for word in spoken(text).split())} "


def _only(one: str, other: str) -> list[str]:
    others = set(spoken(other).split())
    return [word for word in one.split() if not set(spoken(word).split()) <= others]


def _telling(word: str, literals: set[str]) -> bool:
    bare = word.strip(".,;:\"'()[]")
    named = is_name(bare) or _VALUES.fullmatch(bare.casefold()) or bare in literals
    return not _NOISE.fullmatch(bare) and bool(named or re.search(r"\d", bare))


def _gone(old: _Version, new: _Version) -> Iterator[ChangedFact]:
    """Yield the questions of the old version that the new one neither asks nor can answer."""
    for text, asked in old.questions.items():
        question, chunk = asked[0]
        added = question.evidence.lstrip().startswith("..")  # still true, and no longer said
        if text in new.questions or added or new.holds(question):
            continue
        if text not in new.still_asked:
            yield ChangedFact(question, question.answer, chunk, _version_of(chunk), removed=True)


def _not_repeated(facts: Sequence[ChangedFact], texts: Iterable[str]) -> Iterator[ChangedFact]:
    """Yield the facts whose statement no text repeats in the main."""
    wanted = [shingles(fact.question.evidence) for fact in facts]
    seen = found_among(set().union(*wanted), texts)
    for fact, evidence in zip(facts, wanted, strict=True):
        if share_seen(evidence, seen) < _STILL_SAID:
            yield fact
