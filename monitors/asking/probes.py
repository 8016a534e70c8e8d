r"""Cloze probes: sentences of the current text with one telling word left out. No model is asked.

What is left out is, first come first served, a literal (`` `x` ``), an API name, a number, a
proper name, or a long word; the answer stands once in its sentence, and enough words are left to
ask by. Text that the reference holds word for word it can answer from, so probes are drawn from
fresh sentences only, and how many sentences are fresh is counted.
Reference: W. Taylor, "Cloze procedure: a new tool for measuring readability", 1953.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.corpus import Corpus, words
from monitors.facts.sentences import plain, sentences
from monitors.pair import Pair
from monitors.signals.shingles import SIZE, hashes

# A share of one half is then known to within 0.09 (1.96 * sqrt(0.25 / 120)); where a tenth of the
# text is fresh, staleness to within one question in a hundred.
MOST = 120
# So many fresh chunks are read for sentences at most: they tell the share of fresh ones to 3 %.
_READ = 1_200
# Of chunks that are not fresh, so many: they tell how many sentences stand in the rest to 7 %.
_COUNTED = 300
# Fewer words hold no question; longer "sentences" are tables and lists.
_FEWEST_WORDS, _MOST_WORDS = 6, 60
# A minified file is no sentence either, and would make the patterns below slow.
_MOST_CHARACTERS = 1_000
# An answer of one letter stands everywhere.
_SHORTEST = 2

# What may be left out, by kind, the most telling first. Group 1 is the answer.
_ANSWERS = (
    # A literal of reStructuredText or Markdown, or what a role names.
    re.compile(r"(?<![`\w])`{1,2}[~!.]?([^\s`](?:[^`]{0,58}[^\s`])?)`{1,2}(?![`\w])"),
    # Dotted, snake_case, camelCase, CapWords and called names.
    re.compile(
        r"(?<![\w./])([A-Za-z_]\w*(?:\.[A-Za-z_]\w+)+|[A-Za-z0-9]+_\w+|[a-z]+[A-Z]\w+"
        r"|[A-Z]\w{0,40}[a-z]\w{0,40}[A-Z]\w*|\w{2,}(?=\(\)))"
    ),
    # Numbers, versions, dates and times of at least two digits.
    re.compile(r"(?<![\w.])(\d[\d.,:/-]*\d)(?!\w)"),
    # A proper name or acronym that does not begin the sentence.
    re.compile(r"(?<=[a-z,] )([A-Z]\w{2,})"),
    # A long word: in prose it carries what a sentence is about.
    re.compile(r"(?<![\w-])([^\W\d_]{9,})(?![\w-])"),
)
_QUALIFIED = re.compile(r"(?:[A-Za-z_]\w*\.){2,}(\w{3,})")


@dataclass(frozen=True, slots=True)
class Probe:
    """A question with its answer, made from the corpus: a sentence with one word left out."""

    uri: str
    question: str
    answer: str

    def answered_by(self, texts: Iterable[str]) -> bool:
        """Return whether the answer stands in one of these texts, as whole words.

        >>> Probe("a.md", "The grace period is days.", "14").answered_by(["within 14 days"])
        True
        """
        return any(_occurrences(self.answer, text) for text in texts)


@dataclass(frozen=True, slots=True)
class Probes:
    """Probes on fresh sentences; `fresh_share` of all probe-worthy sentences are fresh, 0..1."""

    drawn: tuple[Probe, ...]
    fresh_share: float


def draw(pair: Pair, *, most: int = MOST, seed: int = 0) -> Probes:
    """Draw probes from what the current side says and the reference does not, word for word.

    Sentences are drawn by their digest, so that the next check asks most of them again.
    """
    read = sorted(pair.fresh, key=pair.current.normal_digests.__getitem__)[:_READ]
    worthy = _worthy(pair.current, read, seed)
    new = _unheard(tuple(worthy), pair.reference.take(pair.gone))
    fresh = [probe for probe, unheard in zip(worthy.values(), new, strict=True) if unheard]
    scale = len(pair.fresh) / max(1, len(read))
    total = scale * len(worthy) + _elsewhere(pair, seed)
    share = min(1.0, scale * len(fresh) / total) if total else 0.0
    drawn = sorted(fresh, key=lambda probe: _drawn(seed, f"{probe.question} {probe.answer}"))[:most]
    return Probes(tuple(drawn), share)


def probe_of(uri: str, sentence: str, *, seed: int = 0) -> Probe | None:
    """Make a probe of a sentence, None if nothing telling stands in it once.

    Of several answers of one kind it is drawn which: taking the longest ranked real releases worse.

    >>> probe_of("a.md", "Set ``grace_period`` to the number of days to wait.")
    Probe(uri='a.md', question='Set … to the number of days to wait.', answer='grace_period')
    """
    for pattern in _ANSWERS:
        for match in sorted(pattern.finditer(sentence), key=lambda m: _drawn(seed, m[1])):
            answer = _name(match[1])
            if len(answer) < _SHORTEST or _occurrences(answer, sentence) != 1:
                continue
            question = f"{sentence[: match.start()]}…{sentence[match.end() :]}"
            if len(words(question)) >= _FEWEST_WORDS:
                return Probe(uri, question, answer)
    return None


def _name(found: str) -> str:
    """Return what a literal is known by: of a long dotted path, its last part."""
    bare = found.strip(" ~!.,:;").removesuffix("()")
    qualified = _QUALIFIED.fullmatch(bare)
    return qualified[1] if qualified else bare


def _occurrences(answer: str, text: str) -> int:
    """Count an answer as whole words; by hand, since each would be a pattern to compile."""
    wanted, said = answer.casefold(), text.casefold()
    found, at = 0, said.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        found += not (_in_word(said[at - 1 : at]) or _in_word(said[end : end + 1]))
        at = said.find(wanted, end)
    return found


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _worthy(corpus: Corpus, positions: Sequence[int], seed: int) -> dict[str, Probe]:
    """Return the sentences of some chunks that a probe can be made of, each once, with it."""
    found: dict[str, Probe] = {}
    for at in positions:
        for sentence in sentences(plain(corpus.texts[at])):
            if sentence in found or not _is_sentence(sentence):
                continue
            if probe := probe_of(corpus.uris[at], sentence, seed=seed):
                found[sentence] = probe
    return found


def _is_sentence(text: str) -> bool:
    spoken = len(words(text)) if len(text) <= _MOST_CHARACTERS else 0
    return _FEWEST_WORDS < spoken <= _MOST_WORDS


def _unheard(spoken: tuple[str, ...], gone: Corpus) -> NDArray[np.bool_]:
    """Tell for each sentence whether a run of five words in it is not in what is gone."""
    if not spoken:
        return np.zeros(0, bool)
    numbers: dict[str, int] = {}
    known = hashes(gone, numbers)
    names = tuple(f"{at:09}" for at in range(len(spoken)))
    told = hashes(Corpus(names, spoken, ((),) * len(spoken), names, names), numbers)
    runs = [len(words(sentence)) - SIZE + 1 for sentence in spoken]
    unknown = ~np.isin(told, known)
    return np.logical_or.reduceat(unknown, np.concatenate([[0], np.cumsum(runs)[:-1]]))


def _elsewhere(pair: Pair, seed: int) -> float:
    """Return about how many probe-worthy sentences stand in chunks that are not fresh.

    Those of documents that were edited, and of others, differ in length: each is sampled.
    """
    digests = pair.current.normal_digests
    kept = [at for at, digest in enumerate(digests) if digest in pair.reference_digests]
    unread = max(0, pair.current_chunks - len(pair.current))
    beside = _worthy_per_chunk(pair.current, sorted(kept, key=digests.__getitem__), seed)
    if not len(pair.steady):
        return beside * (len(kept) + unread)
    spread = range(0, len(pair.steady), max(1, len(pair.steady) // _COUNTED))
    return beside * len(kept) + _worthy_per_chunk(pair.steady, spread, seed) * unread


def _worthy_per_chunk(corpus: Corpus, positions: Sequence[int], seed: int) -> float:
    counted = positions[:_COUNTED]
    return len(_worthy(corpus, counted, seed)) / max(1, len(counted))


def _drawn(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed} {text}".encode()).digest()
