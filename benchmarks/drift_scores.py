"""How good a drift score is on labelled pairs: what is decided, how it ranks, how far it is off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from drift_archive import ReleasePair
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from monitors.records import Action

# From this share of stale questions on, a pair is one that a score should tell.
STALE = 0.05
LEAST_RHO, LEAST_AUC = 0.94, 0.99
PATCH, MAJOR = "patch", "major"
_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair with the staleness that was estimated for it, and what was decided."""

    pair: ReleasePair
    staleness: float
    action: Action

    @property
    def told(self) -> bool:
        """Whether people are told."""
        return self.action in {Action.WATCH, Action.RETRAIN}


@dataclass(frozen=True, slots=True)
class Quality:
    """How some pairs were judged; nan where there were none to tell from.

    `error` is the mean absolute one, `bias` the mean of estimate less label. What the labels allow
    is what `rho` and `auc` would be, on average, if each estimate were the truth and its label
    drawn anew: 300 questions tell a share only so well.
    """

    pairs: int
    patches: int
    retrained_patches: int
    told_patches: int
    majors: int
    told_majors: int
    rho: float
    rho_allowed: float
    auc: float
    auc_allowed: float
    error: float
    bias: float


def quality(judged: Sequence[Judged]) -> Quality:
    """Count and correlate."""
    told = [each.pair.kind for each in judged if each.told]
    retrained = [each.pair.kind for each in judged if each.action is Action.RETRAIN]
    kinds = [each.pair.kind for each in judged]
    labels = [each.pair.stale for each in judged]
    scores = [each.staleness for each in judged]
    off = np.subtract(scores, labels)
    redrawn = [_relabelled(judged, seed) for seed in range(_DRAWS)]
    return Quality(
        pairs=len(judged),
        patches=kinds.count(PATCH),
        retrained_patches=retrained.count(PATCH),
        told_patches=told.count(PATCH),
        majors=kinds.count(MAJOR),
        told_majors=told.count(MAJOR),
        rho=rank_correlation(scores, labels),
        rho_allowed=float(np.mean([rank_correlation(scores, each) for each in redrawn])),
        auc=area_under_curve(scores, labels),
        auc_allowed=float(np.mean([area_under_curve(scores, each) for each in redrawn])),
        error=float(np.abs(off).mean()),
        bias=float(off.mean()),
    )


def rank_correlation(scores: Sequence[float], labels: Sequence[float]) -> float:
    """Return Spearman's rank correlation; nan where one side says the same of all.

    >>> round(rank_correlation([0.1, 0.2, 0.4, 0.3], [0.0, 0.1, 0.2, 0.3]), 3)
    0.8
    """
    if len(set(scores)) == 1 or len(set(labels)) == 1:
        return math.nan
    return float(spearmanr(scores, labels).statistic)


def area_under_curve(scores: Sequence[float], labels: Sequence[float]) -> float:
    """Return how often a pair that is stale scores higher than one that is not; nan of one kind.

    >>> area_under_curve([0.1, 0.2, 0.3, 0.4], [0.0, 0.06, 0.01, 0.3])
    0.75
    """
    stale = [label >= STALE for label in labels]
    if len(set(stale)) == 1:
        return math.nan
    return float(roc_auc_score(stale, scores))


def _relabelled(judged: Sequence[Judged], seed: int) -> list[float]:
    """Draw a label for each pair as if its estimate were the truth.

    As many of the answered questions are stale as chance has it; and a few are answered from one
    version and not from the other where nothing has changed: so many as on patch releases.
    """
    random = np.random.default_rng(seed)
    asked = np.array([each.pair.answered for each in judged])
    patches = [each.pair.stale for each in judged if each.pair.kind == PATCH]
    restless = float(np.sqrt(np.mean(np.square(patches)))) if patches else 0.0
    stale = random.binomial(asked, [each.staleness for each in judged])
    found: list[float] = ((stale + np.round(random.normal(0, restless * asked))) / asked).tolist()
    return found
