"""Staleness, asked: which questions on the current text can the reference not answer?

Formula: f * s / a, where f is the share of probe-worthy sentences that are fresh, a how many
probes on fresh sentences full-text search over the current side answers (one of the five chunks
found holds the answer), and s how many of those it does not answer over the reference. What is not
fresh stands in the reference word for word, and is as answerable as it was. The interval is
Wilson's, for as many probes as the documents behind them are worth: neighbours in a document are
stale together.
Reference: E. Wilson, "Probable inference, the law of succession, and statistical inference",
1927; for probes that come in documents, the design effect, L. Kish, "Survey Sampling", 1965.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from monitors.asking import probes as cloze
from monitors.pair import Pair

# Two-sided 95 % of the normal distribution.
_Z = 1.96


@dataclass(frozen=True, slots=True)
class ProbedStaleness:
    """The share of questions that only the current text answers, 0..1, with its 95 % interval.

    Of the `probes` on fresh sentences, search over the reference leaves `unanswered`; search over
    the current side answers `answered`, and `stale` of these are among the unanswered.
    """

    share: float
    low: float
    high: float
    fresh_share: float
    probes: int
    answered: int
    stale: int
    unanswered: int

    @property
    def cured(self) -> float:
        """What the refreshed index answers of what the reference cannot, 0..1; 1 of nothing."""
        return self.stale / self.unanswered if self.unanswered else 1.0


def measure(pair: Pair, *, probes: int = cloze.MOST, seed: int = 0) -> ProbedStaleness | None:
    """Ask the probes of both sides; None without search, or if nothing that is new can be asked.

    >>> from monitors.corpus import Corpus
    >>> from monitors.asking.full_text import search_in
    >>> def corpus(*texts):
    ...     n = len(texts)
    ...     return Corpus(("a.md",) * n, texts, ((),) * n, texts, ("d",) * n)
    >>> was = corpus("Every account is closed after a grace period of 14 days.")
    >>> now = corpus("Every account is closed after a grace period of 30 days.")
    >>> sides = (frozenset(was.texts), frozenset(now.texts), 1, 1, 1, 1)
    >>> ask = {"search_reference": search_in(was.texts), "search_current": search_in(now.texts)}
    >>> measure(Pair({}, was, now, corpus(), *sides, **ask)).share
    1.0
    """
    if pair.search_reference is None or pair.search_current is None:
        return None
    asked = cloze.draw(pair, most=probes, seed=seed)
    if not asked.drawn:
        return None if asked.fresh_share or pair.fresh else _NOTHING
    questions = [probe.question for probe in asked.drawn]
    before = _answered(asked.drawn, pair.search_reference(questions))
    now = _answered(asked.drawn, pair.search_current(questions))
    documents = [probe.uri for probe, answered in zip(asked.drawn, now, strict=True) if answered]
    missed = [not known for known, answered in zip(before, now, strict=True) if answered]
    bounds = _interval(missed, documents)
    return ProbedStaleness(
        share=asked.fresh_share * sum(missed) / max(1, len(missed)),
        low=asked.fresh_share * bounds.low,
        high=asked.fresh_share * bounds.high,
        fresh_share=asked.fresh_share,
        probes=len(before),
        answered=len(missed),
        stale=sum(missed),
        unanswered=before.count(False),
    )


_NOTHING = ProbedStaleness(0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Interval:
    low: float
    high: float


def _answered(asked: Sequence[cloze.Probe], found: Sequence[Sequence[str]]) -> list[bool]:
    return [probe.answered_by(texts) for probe, texts in zip(asked, found, strict=True)]


def _interval(missed: Sequence[bool], documents: Sequence[str]) -> _Interval:
    """Return Wilson's 95 % interval of the share that was missed; 0..1 if nothing was asked.

    >>> round(_interval([True] * 5 + [False] * 5, [str(n) for n in range(10)]).low, 3)
    0.237
    """
    if not missed:
        return _Interval(0.0, 1.0)
    share = sum(missed) / len(missed)
    worth = len(missed) / _design_effect(missed, documents)
    middle = (share + _Z**2 / (2 * worth)) / (1 + _Z**2 / worth)
    spread = sqrt(share * (1 - share) / worth + (_Z / (2 * worth)) ** 2)
    half = _Z * spread / (1 + _Z**2 / worth)
    return _Interval(max(0.0, middle - half), min(1.0, middle + half))


def _design_effect(missed: Sequence[bool], documents: Sequence[str]) -> float:
    """Return by how much the variance is larger than that of as many separate documents."""
    share, clusters = sum(missed) / len(missed), len(set(documents))
    if share in {0.0, 1.0} or clusters == 1:
        return 1.0
    apart: defaultdict[str, float] = defaultdict(float)
    for miss, uri in zip(missed, documents, strict=True):
        apart[uri] += miss - share
    between = sum(total**2 for total in apart.values()) * clusters / (clusters - 1)
    return max(1.0, between / (len(missed) ** 2 * share * (1 - share) / (len(missed) - 1)))
