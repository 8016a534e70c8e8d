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

    `error` is the mean absolute one, `bias` the mean of estimate less label.
    """

    pairs: int
    patches: int
    retrained_patches: int
    told_patches: int
    majors: int
    told_majors: int
    rho: float
    auc: float
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
    return Quality(
        pairs=len(judged),
        patches=kinds.count(PATCH),
        retrained_patches=retrained.count(PATCH),
        told_patches=told.count(PATCH),
        majors=kinds.count(MAJOR),
        told_majors=told.count(MAJOR),
        rho=rank_correlation(scores, labels),
        auc=area_under_curve(scores, labels),
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
