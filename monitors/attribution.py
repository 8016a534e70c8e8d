"""What is behind the drift: documents, parts of the corpus, words. Shares add up to one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, takewhile

from monitors.corpus import Corpus, words
from monitors.pair import Pair
from monitors.records import ChangeKind, DocumentDrift, Part, PartDrift, WordDrift
from monitors.signals.shingles import UnseenShingles

# So many of each way are named; what is left stands together, so that the shares still add up.
PARTS = 20
WORDS = 20
ELSEWHERE = "elsewhere"
# A passage with more than half of its runs of words unseen says something new.
_MOSTLY = 0.5
# A word came if this many new texts have it, and it stands in so many times more than before.
_TEXTS = 2
_TIMES = 3
_LETTERS = 3
_STOP_WORDS = frozenset((
    "about", "above", "after", "all", "also", "and", "any", "are", "because", "been", "before",
    "being", "below", "between", "both", "but", "can", "could", "did", "does", "done", "down",
    "each", "else", "for", "from", "further", "had", "has", "have", "having", "here", "how",
    "into", "its", "itself", "just", "like", "may", "might", "more", "most", "must", "not", "now",
    "off", "once", "only", "other", "our", "out", "over", "own", "same", "see", "should", "since",
    "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "those", "through", "too", "under", "until", "upon", "use", "used", "using", "very",
    "was", "way", "were", "what", "when", "where", "which", "while", "who", "will", "with",
    "within", "would", "you", "your",
))  # fmt: skip


def documents(kinds: dict[str, ChangeKind], unseen: UnseenShingles) -> tuple[DocumentDrift, ...]:
    """Return every changed document, largest share of the unseen text first, then by uri.

    An unseen run of words that several documents hold is counted for the first of them, so the
    shares add up to one (or to zero where nothing is unseen).
    """
    total = unseen.unseen or 1
    drifted = (
        DocumentDrift(uri, unseen.by_document.get(uri, 0) / total, kind)
        for uri, kind in kinds.items()
    )
    return tuple(sorted(drifted, key=lambda document: (-document.share, document.uri)))


def parts(pair: Pair, unseen: UnseenShingles) -> tuple[PartDrift, ...]:
    """Divide the unseen text up by folder, by section and by kind of change, largest part first.

    The shares of each way add up to one; where nothing is unseen there are no parts. A section is
    a document and the outermost heading that not all of it stands under.
    """
    carriers = [at for at in range(len(pair.current)) if unseen.by_chunk[at]]
    counts = {at: int(unseen.by_chunk[at]) for at in carriers}
    sections = _sections(pair.current)

    def change(at: int) -> str:
        if pair.kinds.get(pair.current.uris[at]) is ChangeKind.NEW:
            return "new documents"
        new = unseen.by_chunk[at] > _MOSTLY * unseen.shingles[at]
        return "new passages in edited documents" if new else "edited passages"

    ways: tuple[tuple[Part, Callable[[int], str]], ...] = (
        (Part.FOLDER, lambda at: f"{pair.current.uris[at].rpartition('/')[0] or '.'}/"),
        (Part.SECTION, lambda at: sections[at]),
        (Part.CHANGE, change),
    )
    return tuple(
        drift for part, named in ways for drift in _divided(part, pair.current, counts, named)
    )


def words_moved(pair: Pair) -> tuple[tuple[WordDrift, ...], tuple[WordDrift, ...]]:
    """Return the words that came and those that went, most telling first, at most WORDS of each.

    Counted in distinct texts of the documents that changed and of the sample of the others. A word
    came if at least two new texts have it and it stands in three times as many texts as before;
    ranked by the texts it came to times the logarithm of how many times more they are.
    """
    came, went = _texts_with(pair.current, pair.fresh), _texts_with(pair.reference, pair.gone)
    before = _texts_with(pair.reference, _distinct(pair.reference))
    before.update(_texts_with(pair.steady, _distinct(pair.steady)))
    now = Counter(before)
    now.subtract(went)
    now.update(came)
    first, last = _telling(came, before, now), _telling(went, now, before)
    return (
        tuple(WordDrift(word, before[word], now[word]) for word in first),
        tuple(WordDrift(word, before[word], now[word]) for word in last),
    )


def _telling(texts: Counter[str], few: Counter[str], many: Counter[str]) -> list[str]:
    """Return the words that many texts hold on one side and few on the other, most telling first.

    `texts` counts those that the word came to, or left.
    """
    telling = {
        word: held * math.log((many[word] + 0.5) / (few[word] + 0.5))
        for word, held in texts.items()
        if held >= _TEXTS and many[word] >= _TIMES * few[word] and _tells(word)
    }
    return sorted(telling, key=lambda word: (-telling[word], word))[:WORDS]


def _tells(word: str) -> bool:
    return len(word) >= _LETTERS and not word.isdigit() and word not in _STOP_WORDS


def _texts_with(corpus: Corpus, positions: Iterable[int]) -> Counter[str]:
    """Count for each word the texts at these positions that hold it."""
    return Counter(chain.from_iterable(_named_in(corpus.texts[at]) for at in positions))


def _named_in(text: str) -> set[str]:
    """Return the words of a text; underscores around one are markup as often as not."""
    found = set(words(text))
    return {word.strip("_") for word in found} if "_" in text else found


def _distinct(corpus: Corpus) -> Iterable[int]:
    """Return a position of every distinct text."""
    return {digest: at for at, digest in enumerate(corpus.normal_digests)}.values()


def _sections(corpus: Corpus) -> list[str]:
    """Return for each chunk its document, and the outermost heading that tells it from others."""
    sections: list[str] = []
    for uri, chunks in corpus.documents():
        # The title stands over all of the document and tells nothing.
        trails = [trail for trail in corpus.headings[chunks] if trail]
        levels = takewhile(lambda level: len(set(level)) == 1, zip(*trails, strict=False))
        depth = sum(1 for _ in levels)
        sections += (" > ".join((uri, *trail[depth : depth + 1]))
                     for trail in corpus.headings[chunks])  # fmt: skip
    return sections


def _divided(
    part: Part, corpus: Corpus, counts: dict[int, int], named: Callable[[int], str]
) -> Iterator[PartDrift]:
    """Yield the largest parts, and what is left as one more."""
    unseen: Counter[str] = Counter()
    uris: defaultdict[str, set[str]] = defaultdict(set)
    for at, count in counts.items():
        unseen[named(at)] += count
        uris[named(at)].add(corpus.uris[at])
    total = unseen.total()
    ordered = sorted(unseen, key=lambda name: (-unseen[name], name))
    for name in ordered[:PARTS]:
        yield PartDrift(part, name, unseen[name] / total, len(uris[name]))
    if rest := ordered[PARTS:]:
        share = sum(unseen[name] for name in rest) / total
        yield PartDrift(part, ELSEWHERE, share, len(set().union(*(uris[name] for name in rest))))
