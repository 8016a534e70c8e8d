"""What else is on offer to tell drift from vectors: Evidently's embedding methods, and plain MMD.

Each takes the vectors of a reference and of a current sample, rows of unit length, with the limits
that it comes with. Nothing else here imports evidently.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from evidently.legacy.metrics.data_drift import embedding_drift_methods as evidently
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

PERMUTATIONS = 499
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Said:
    """What a detector says of two samples: how far apart, whether that is drift, at what cost."""

    score: float
    alarm: bool
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Samples:
    """The vectors of a reference and of a current sample: (rows, dimension) each."""

    reference: Vectors
    current: Vectors


Detector = Callable[[Samples], tuple[float, bool]]
"""Two samples in; a score that grows with the drift, and whether it is an alarm, out."""


def permutation_mmd(samples: Samples, *, permutations: int = PERMUTATIONS) -> tuple[float, bool]:
    """Test MMD² with a Gaussian kernel, its width the median distance, by permuting chunks.

    Reference: A. Gretton et al., "A kernel two-sample test", JMLR 13, 2012.
    """
    rows = np.vstack([samples.reference, samples.current]).astype(np.float64)
    norms = (rows**2).sum(axis=1)
    squared = np.maximum(0, norms[:, None] + norms - 2 * rows @ rows.T)
    apart = squared[np.triu_indices(len(rows), k=1)]
    kernel = np.exp(-squared / (2 * np.median(apart)))
    of_reference = np.arange(len(rows)) < len(samples.reference)
    random = np.random.default_rng(0)
    drawn = [of_reference, *(random.permutation(of_reference) for _ in range(permutations))]
    observed, *others = _mmd(kernel, np.array(drawn, np.float64).T)
    return float(observed), bool((1 + np.sum(others >= observed)) / (1 + permutations) <= LEVEL)


def ask(samples: Samples) -> dict[str, Said]:
    """Ask every detector about two samples, one after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: _timed(detector, samples) for name, detector in DETECTORS.items()}


def _timed(detector: Detector, samples: Samples) -> Said:
    began = time.process_time()
    score, alarm = detector(samples)
    return Said(score, alarm, time.process_time() - began)


def _by_evidently(method: Callable[..., Any], samples: Samples) -> tuple[float, bool]:
    # Frames of our own: `model` writes a column into those that it gets.
    current, reference = pd.DataFrame(samples.current), pd.DataFrame(samples.reference)
    score, alarm, _ = method(current, reference)
    return float(score), bool(alarm)


def _mmd(kernel: NDArray[np.float64], chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unbiased MMD² for each column of `chosen`, 1 where a row is of the reference."""
    count = chosen[:, 0].sum()
    rest = len(kernel) - count
    within = ((kernel @ chosen) * chosen).sum(axis=0)
    of_chosen = kernel.sum(axis=1) @ chosen
    across = of_chosen - within
    outside = kernel.sum() - of_chosen - across
    own, other = (within - count) / (count * (count - 1)), (outside - rest) / (rest * (rest - 1))
    found: NDArray[np.float64] = own + other - 2 * across / (count * rest)
    return found


DETECTORS: dict[str, Detector] = {
    "Evidently, model": partial(_by_evidently, evidently.model()),
    "Evidently, ratio": partial(_by_evidently, evidently.ratio()),
    "Evidently, distance": partial(_by_evidently, evidently.distance()),
    "Evidently, mmd": partial(_by_evidently, evidently.mmd()),
    "Evidently, mmd with bootstrap": partial(_by_evidently, evidently.mmd(bootstrap=True)),
    "MMD, chunks permuted": permutation_mmd,
}
