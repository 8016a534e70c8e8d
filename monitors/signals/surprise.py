"""Surprise: how much better the champion foretells text of its own snapshot than new text.

Formula: C(new) / B(new) - C(old) / B(old), where C and B are the mean bits per byte of passages
under the champion and under its bare base, which never saw the corpus. C / B is what the adapter
leaves of the bits, so the score is what it saves less on text that is new since its snapshot than
on text that its snapshot holds: text that is harder for both models cancels, and with it most of
the spread between passages.
A champion without an adapter has no such control. For it the score is C(new) / C(old) - 1, which
says how hard the text is, and never counts as drift.
Parameters: the 95 % interval is the 2.5th to 97.5th percentile of 2,000 bootstrap draws of
documents, one fewer than there are; drifted if all of the interval is over the threshold.
References: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; Rao and Wu,
"Resampling inference with complex survey data", JASA 83, 1988; Angrist and Pischke, "Mostly
Harmless Econometrics", 2009, section 5.2 (differences in differences).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.records import Signal

NAME = "surprise"
# Two adapters that differ in nothing but the seed differ by 0.1-0.5 % in bits per byte.
THRESHOLD = 0.005
# From 8 documents an interval misses the truth in 7-8 % of all cases instead of 5, from 5 in 9 %
# (simulated: up to three passages a document, half of the documents on both sides).
LEAST_PASSAGES = 12
LEAST_DOCUMENTS = 8
_DRAWS = 2_000
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits per byte of passages, parallel by position, with the document of each.

    `base` is what they cost the champion's bare base, None if the champion is the bare base.
    """

    documents: tuple[str, ...]
    champion: tuple[float, ...]
    base: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Surprise:
    """A relative surprise (0.04 is 4 %) with its 95 % interval; `saved` are shares of the bits.

    `saved_new` and `saved_old` are what the adapter saves against its bare base, None without one.
    """

    score: float
    low: float
    high: float
    new_bits: float
    old_bits: float
    saved_new: float | None
    saved_old: float | None


def measure(new: Bits, old: Bits, *, seed: int = 0) -> Surprise:
    """Compare the bits of new text with those of old text, none of them empty.

    Give passages and their own earlier versions as `new` and `old` to compare the same places:
    documents are drawn on both sides at once, so what they have in common cancels.

    >>> new = Bits(("a", "b"), (0.9, 0.9), base=(1.0, 1.0))
    >>> old = Bits(("a", "b"), (1.6, 1.6), base=(2.0, 2.0))
    >>> round(measure(new, old).score, 3)
    0.1
    """
    uris = sorted({*new.documents, *old.documents})
    draws = np.random.default_rng(seed).multinomial(
        max(1, len(uris) - 1), np.full(len(uris), 1 / len(uris)), size=_DRAWS
    )
    # The first row is the sample itself: every document once.
    counts = np.vstack([np.ones(len(uris)), draws])
    sides = [_means(side, uris, counts) for side in (new, old)]
    scores = _score(*sides)
    # A draw without any passage of one side tells nothing about it.
    low, high = np.quantile(scores[1:][np.isfinite(scores[1:])], (0.025, 0.975))
    (new_bits, *new_base), (old_bits, *old_base) = ([float(c[0]) for c in side] for side in sides)
    return Surprise(
        score=float(scores[0]),
        low=float(low),
        high=float(high),
        new_bits=new_bits,
        old_bits=old_bits,
        saved_new=1 - new_bits / new_base[0] if new_base else None,
        saved_old=1 - old_bits / old_base[0] if old_base else None,
    )


def signal(
    new: Bits, old: Bits, edited: Bits, was: Bits, *, threshold: float = THRESHOLD, seed: int = 0
) -> Signal:
    """Return the signal in words; `edited` are new passages whose earlier version is in `was`.

    The score is relative and may be under 0: then new text surprises less.
    """
    if short := shortage(new.documents, old.documents):
        return unmeasured(short, threshold=threshold)
    seen = measure(new, old, seed=seed)
    drifted = new.base is not None and seen.low > threshold
    places = (
        f"; {_places(edited, was, seed)}" if not shortage(edited.documents, was.documents) else ""
    )
    return Signal(
        NAME,
        seen.score,
        threshold,
        drifted,
        f"{_words(seen, threshold)}{places}",
        low=seen.low,
        high=seen.high,
    )


def shortage(new: Sequence[str], old: Sequence[str]) -> str:
    """Say what there is too little of, given the document of each passage; "" if it is enough.

    >>> shortage(["a.md", "b.md"] * 6, ["a.md"] * 12)
    '12 passages from 2 documents of new text, 12 from 8 are needed'
    """
    for side, what in ((new, "new"), (old, "old")):
        documents = len(set(side))
        if len(side) < LEAST_PASSAGES or documents < LEAST_DOCUMENTS:
            return (
                f"{len(side)} passages from {documents} documents of {what} text, "
                f"{LEAST_PASSAGES} from {LEAST_DOCUMENTS} are needed"
            )
    return ""


def unmeasured(why: str, *, threshold: float = THRESHOLD) -> Signal:
    """Return the signal of a champion that could not be weighed."""
    return Signal(NAME, None, threshold, drifted=False, reason=f"not measured: {why}")


def _means(side: Bits, uris: Sequence[str], counts: _Floats) -> list[_Floats]:
    """Return the mean bits under each model, for every draw (a row of `counts`)."""
    position = {uri: i for i, uri in enumerate(uris)}
    at = [position[uri] for uri in side.documents]
    passages = counts @ np.bincount(at, minlength=len(uris))
    columns = [side.champion] if side.base is None else [side.champion, side.base]
    with np.errstate(divide="ignore", invalid="ignore"):
        return [
            counts @ np.bincount(at, weights=bits, minlength=len(uris)) / passages
            for bits in columns
        ]


def _score(new: list[_Floats], old: list[_Floats]) -> _Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(new) == 1:
            return new[0] / old[0] - 1
        return new[0] / new[1] - old[0] / old[1]


def _words(seen: Surprise, threshold: float) -> str:
    bits = (
        f"{seen.new_bits:.3f} bits per byte of new text, "
        f"{seen.old_bits:.3f} of text of the champion's snapshot"
    )
    if seen.saved_new is None or seen.saved_old is None:
        return (
            f"{bits}: {_interval(seen)}; the bare base model learnt neither, so this says how hard "
            "the text is, not how stale the model"
        )
    relation = "surely over" if seen.low > threshold else "not surely over"
    return (
        f"{bits}; the adapter saves {_percent(seen.saved_new)} of its base's bits on new text and "
        f"{_percent(seen.saved_old)} on old: {_interval(seen)}, {relation} {_percent(threshold)}"
    )


def _places(edited: Bits, was: Bits, seed: int) -> str:
    seen = measure(edited, was, seed=seed)
    return f"in {len(edited.documents)} edited places, now against before: {_interval(seen)}"


def _interval(seen: Surprise) -> str:
    """Write a score with its interval.

    >>> _interval(Surprise(0.04, 0.01, 0.071, 1.0, 1.0, None, None))
    '+4.0 % [+1.0, +7.1]'
    """
    score, low, high = (f"{100 * share:+.1f}" for share in (seen.score, seen.low, seen.high))
    return f"{score} % [{low}, {high}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
