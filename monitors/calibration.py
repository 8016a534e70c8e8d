"""From signals to staleness: one estimate that the policy decides by, and how it was fitted.

Formula: staleness = `per_fresh` * freshness * missed. Freshness is the mean of two shares that
measure the same, of unseen runs of words and of fresh probe-worthy sentences; missed is the share
of probes on fresh sentences that the reference cannot answer, drawn to what is usual where few
were asked. Without probes, staleness = `per_unseen` * share of unseen runs of words. Changed and
removed chunks are left out: fitted beside these on two projects, they rank the third no better.
The measurements behind it stand in docs/drift.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from monitors.signals.staleness import ProbedStaleness

# Of 300 questions on a version 220 are answered by it: a label cannot tell less from nothing.
RESOLUTION = 0.005
# Usually so much of what is asked on fresh sentences is missed: the mean over 128 pairs of
# releases that are not patches. It weighs as much as this many probes.
USUALLY_MISSED = 0.47
_WEIGHT = 20
# Under this share of unseen runs a label's noise no longer shrinks: nor does its weight grow.
_LEAST = 0.01


@dataclass(frozen=True, slots=True)
class Features:
    """What the estimate is made of. `probed` is None where no probes were asked."""

    unseen: float
    probed: ProbedStaleness | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A pair of versions with its staleness as asked of both, 0..1."""

    features: Features
    stale: float


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What `fit` fits. An estimate's 95 % interval is `spread` * its square root to each side."""

    per_fresh: float
    per_unseen: float
    spread: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The share of questions that the current text answers and the reference does not, 0..1."""

    share: float
    low: float
    high: float


# Fitted on 182 pairs of releases of Django, Scrapy and SQLAlchemy by `fit`; `spread` is what held
# 95 % of the labels in the worst of the three projects, each fitted without itself.
FITTED = Coefficients(per_fresh=0.93, per_unseen=0.56, spread=0.18)


def estimate(features: Features, fitted: Coefficients = FITTED) -> Estimate:
    """Return the staleness; 0 below what the labels behind it can tell from nothing.

    It grows with each feature, is 0 if nothing changed, and at most 1.

    >>> round(estimate(Features(unseen=0.15)).share, 3)
    0.084
    """
    share = _raw(features, fitted)
    if share == 0:
        return Estimate(0.0, 0.0, 0.0)
    half = fitted.spread * sqrt(max(share, RESOLUTION))
    held = share if share >= RESOLUTION else 0.0
    return Estimate(held, max(0.0, held - half), min(1.0, held + half))


def fit(pairs: Iterable[Labelled]) -> Coefficients:
    """Fit the coefficients to labelled pairs, each by least squares through the origin.

    A label's variance grows with it, so a pair weighs less the more of it is unseen. `spread`
    holds 95 % of the labels that were fitted. Raises ValueError where nothing has moved.
    """
    rows = list(pairs)
    stale = np.array([row.stale for row in rows])
    unseen = np.array([row.features.unseen for row in rows])
    asked = np.array([row.features.probed is not None for row in rows], bool)
    fresh = np.array([_fresh_and_missed(row.features) for row in rows])
    if not unseen.any():
        msg = "Nothing has moved in these pairs: no coefficient can be fitted."
        raise ValueError(msg)
    per_unseen = _slope(unseen, stale, unseen)
    per_fresh = _slope(fresh[asked], stale[asked], unseen[asked]) or per_unseen
    fitted = Coefficients(per_fresh, per_unseen, spread=0.0)
    made = np.array([_raw(row.features, fitted) for row in rows])
    apart = np.abs(stale - made) / np.sqrt(np.maximum(made, RESOLUTION))
    return Coefficients(per_fresh, per_unseen, spread=float(np.quantile(apart, 0.95)))


def _raw(features: Features, fitted: Coefficients) -> float:
    if features.probed is None:
        return min(1.0, fitted.per_unseen * features.unseen)
    return min(1.0, fitted.per_fresh * _fresh_and_missed(features))


def _fresh_and_missed(features: Features) -> float:
    """Return freshness times the share of probes that are missed; 0 without probes."""
    probed = features.probed
    if probed is None:
        return 0.0
    missed = (probed.stale + _WEIGHT * USUALLY_MISSED) / (probed.answered + _WEIGHT)
    return (features.unseen + probed.fresh_share) / 2 * missed


def _slope(
    measured: NDArray[np.float64], stale: NDArray[np.float64], unseen: NDArray[np.float64]
) -> float:
    """Return the weighted slope of the labels over what was measured; never under 0."""
    weights = 1 / np.maximum(unseen, _LEAST)
    squares = float((weights * measured**2).sum())
    return max(0.0, float((weights * measured * stale).sum()) / squares) if squares else 0.0
