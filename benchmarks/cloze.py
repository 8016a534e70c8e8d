"""Questions with known answers, out of any folder of documents: cloze sentences, said otherwise."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

_ENDINGS = frozenset({".md", ".rst", ".txt"})
_WORDS = re.compile(r"[A-Za-z][A-Za-z_'-]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*:\"'(])")
_SHORTEST, _LONGEST = 10, 40  # words: below it is hardly a question, above it is a paragraph
_BLANKED_SHARE = 0.25  # of a sentence's distinct words, the rarest: names and literals, mostly
_LITTLE_WORDS = 100  # the most frequent of a corpus: nobody repeats them as they stood
_OTHER_WORDS_TABLE = """
add=append added=appended allow=permit allows=permits allowed=permitted always=invariably
argument=parameter arguments=parameters automatically=unprompted available=accessible
avoid=prevent behavior=conduct call=invoke called=invoked calling=invoking change=alter
changed=altered changes=alterations check=verify checks=verifies code=program contain=include
contains=includes correct=right create=make created=made creates=makes creating=making
current=present custom=bespoke data=information default=standard define=specify defined=specified
delete=remove deleted=removed different=other directory=folder directories=folders display=show
documentation=manual ensure=guarantee error=failure errors=failures example=illustration
exist=occur existing=present fail=break fails=breaks file=document files=documents following=next
function=routine functions=routines handle=manage happen=occur happens=occurs implement=build
information=details install=setup large=big list=enumeration load=read loaded=read
method=operation methods=operations multiple=several name=label names=labels need=require
needed=required needs=requires number=count object=instance objects=instances old=previous
option=choice options=choices page=screen pages=screens pass=hand passed=handed performance=speed
possible=feasible prevent=stop problem=trouble provide=supply provided=supplied provides=supplies
raise=throw raised=thrown raises=throws receive=get remove=drop removed=dropped replace=substitute
required=mandatory return=yield returned=yielded returns=yields run=execute running=executing
save=store saved=stored section=part select=choose send=transmit set=assign setting=option
settings=options several=multiple show=display simple=easy single=sole specific=particular
specified=given specify=state start=begin support=handle supported=handled table=relation
test=trial tests=trials type=kind types=kinds use=employ used=employed user=person users=people
using=employing usually=normally value=content values=contents version=edition want=wish
web=online work=function works=functions write=compose written=composed
"""
_OTHER_WORDS = dict(re.findall(r"(\w+)=(\w+)", _OTHER_WORDS_TABLE))
"""As another person would say it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is left of a sentence, in other words where there are some, and the sentence whole."""

    text: str
    answer_sentence: str
    uri: str


def questions(corpus_folder: Path, count: int, seed: int) -> list[Question]:
    """Return `count` questions, fewer where the corpus has fewer; the same for the same seed.

    A sentence is of prose (no heading, list, table or code), on its own in the whole corpus, and
    at most one of a document while there are enough documents. `uri` is the path in the folder.
    """
    documents = {
        path.relative_to(corpus_folder).as_posix(): path.read_text("utf-8", errors="replace")
        for path in sorted(corpus_folder.rglob("*"))
        if path.suffix in _ENDINGS and path.is_file()
    }
    seen = Counter(word for text in documents.values() for word in _words(text))
    whole = Counter(each for text in documents.values() for each in set(_sentences(text)))
    little = frozenset(word for word, _ in seen.most_common(_LITTLE_WORDS))
    drawn = _drawn(documents, whole, Random(seed))  # noqa: S311 a draw of questions, not a secret
    return [
        Question(_asked(sentence, seen, little), sentence, uri) for uri, sentence in drawn[:count]
    ]


def rank(question: Question, found: Iterable[tuple[str, str]]) -> int | None:
    r"""Return the place, from 1, of the first (uri, text) that answers; None if none does.

    >>> rank(Question("a ___", "a  b", "x.md"), [("y.md", "a b"), ("x.md", "so a\nb it is")])
    2
    """
    sentence = one_line(question.answer_sentence)
    for place, (uri, text) in enumerate(found, 1):
        if uri == question.uri and sentence in one_line(text):
            return place
    return None


def recall(ranks: Sequence[int | None], *, depth: int = 5) -> float:
    """Return the share of questions that were answered within the first `depth` places.

    >>> recall([1, 6, None, 5])
    0.5
    """
    return sum(place is not None and place <= depth for place in ranks) / len(ranks)


def mean_reciprocal_rank(ranks: Sequence[int | None]) -> float:
    """Return the mean of 1 / place, 0 where there is none.

    >>> mean_reciprocal_rank([1, 2, None])
    0.5
    """
    return sum(1 / place for place in ranks if place is not None) / len(ranks)


def one_line(text: str) -> str:
    r"""Return the text with each run of white space as one space.

    >>> one_line(" a\n  b ")
    'a b'
    """
    return " ".join(text.split())


def _drawn(documents: dict[str, str], whole: Counter[str], random: Random) -> list[tuple[str, str]]:
    """Return (uri, sentence) in rounds over the documents, each time another sentence of each."""
    pools = []
    for uri, text in documents.items():
        pool = [(uri, each) for each in dict.fromkeys(_sentences(text)) if whole[each] == 1]
        random.shuffle(pool)
        pools.append(pool)
    random.shuffle(pools)
    rounds = range(max(map(len, pools), default=0))
    return [pool[at] for at in rounds for pool in pools if at < len(pool)]


def _sentences(text: str) -> list[str]:
    """Return the sentences of the paragraphs that start at the margin and hold nothing else."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.strip("\n").split("\n")
        if any(re.match(r"\s|\.\.|[-*+#=|>~^:]|\d+\.", line) for line in lines if line):
            continue
        found += [one_line(each) for each in _SENTENCE_END.split(" ".join(lines))]
    return [each for each in found if _SHORTEST <= len(_words(each)) <= _LONGEST]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(text)]


def _asked(sentence: str, seen: Counter[str], little: frozenset[str]) -> str:
    """Return the sentence's words without the rarest and the most frequent, said otherwise.

    Somebody who knew a sentence's rare names would not need to ask, and no one asks in the very
    words of the answer: full text alone would find those.
    """
    distinct = sorted(set(_words(sentence)) - little, key=lambda word: (seen[word], word))
    blanked = frozenset(distinct[: round(len(distinct) * _BLANKED_SHARE)])
    kept = [word for word in dict.fromkeys(_words(sentence)) if word not in blanked | little]
    return " ".join(_OTHER_WORDS.get(word, word) for word in kept)
