"""The past of a corpus as a replay sees it, and what a schedule of retrainings made of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from monitors.calibration import Features, estimate
from monitors.replaying.sketch import Shares, Sketch, compare


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a corpus: what it is called, since when it stood, how many chunks it had."""

    name: str
    time: datetime
    chunks: int


@dataclass(frozen=True, slots=True)
class Retraining:
    """A training on a version, given by its position, and when: at once unless it was held back."""

    version: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Point:
    """From this time to the next point's, the model was so stale, 0..1."""

    time: datetime
    staleness: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a strategy retrains, and how stale its model is for those who ask it.

    `mean` is weighted by time and `worst` is what stood for any time at all, both as users had it:
    after the retraining, where one was made at once. `met` is the worst that a check found,
    retrained or not; no schedule can bring it under the largest step from one version to the next.
    `line` holds the staleness over time, up to `end`.
    """

    name: str
    retrained: tuple[Retraining, ...]
    mean: float
    worst: float
    met: float
    line: tuple[Point, ...]
    end: datetime

    @property
    def retrainings(self) -> int:
        """How often it retrains."""
        return len(self.retrained)


@dataclass(frozen=True, eq=False)
class Past:
    """Versions in order of time, and how far each is from each earlier one.

    `staleness`, `unseen`, `changed` and `removed` are (reference, current), shares 0..1; only
    current at or after the reference is read. A model trained on the first version stands at its
    beginning.
    """

    versions: tuple[Version, ...]
    staleness: NDArray[np.float64]
    unseen: NDArray[np.float64]
    changed: NDArray[np.float64]
    removed: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.versions)

    @cached_property
    def end(self) -> datetime:
        """Until when the last version counts: as long as the median of those before it."""
        times = [version.time for version in self.versions]
        stood = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
        return times[-1] + timedelta(seconds=float(np.median(stood)) if stood else 0.0)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """How long each version stood, as shares of the whole; equal if all came at once."""
        times = [*(version.time for version in self.versions), self.end]
        stood = np.array([(until - since).total_seconds() for since, until in pairwise(times)])
        return stood / stood.sum() if stood.sum() else np.full(len(self), 1 / len(self))

    @cached_property
    def days(self) -> NDArray[np.float64]:
        """When each version came, in days since the first."""
        first = self.versions[0].time
        since = [(version.time - first).total_seconds() for version in self.versions]
        return np.array(since) / timedelta(days=1).total_seconds()

    def first(self, count: int) -> Past:
        """Return the past as it was when so many versions had come."""
        shares = (self.staleness, self.unseen, self.changed, self.removed)
        return Past(self.versions[:count], *(each[:count, :count] for each in shares))

    def at_once(self, positions: Sequence[int]) -> tuple[Retraining, ...]:
        """Return retrainings on these versions, each as soon as its version came."""
        return tuple(Retraining(at, self.versions[at].time) for at in positions)


def past_of(versions: Sequence[Version], sketches: Sequence[Sketch]) -> Past:
    """Compare every version with every earlier one; raise ValueError if they are out of order."""
    times = [version.time for version in versions]
    if times != sorted(times):
        msg = "The versions are not in the order of their times."
        raise ValueError(msg)
    count = len(versions)
    found = np.zeros((4, count, count))
    for reference in range(count):
        for current in range(reference + 1, count):
            shares = compare(sketches[reference], sketches[current])
            found[:, reference, current] = (
                staleness_of(shares),
                shares.unseen_shingles,
                shares.changed_chunks,
                shares.removed_chunks,
            )
    return Past(tuple(versions), *found)


def staleness_of(shares: Shares) -> float:
    """Estimate the share of questions that only the current version answers, without probes.

    >>> staleness_of(Shares(0.15, 0.3, 0.2))
    0.084
    """
    return estimate(Features(unseen=shares.unseen_shingles)).share


def score(past: Past, name: str, retrained: Sequence[Retraining]) -> Schedule:
    """Return what a schedule comes to; a retraining held back leaves its version's users waiting.

    `retrained` is ordered, and no version is in it twice.
    """
    on = {retraining.version: retraining for retraining in retrained}
    reference, met = 0, 0.0
    line: list[Point] = []
    for current, version in enumerate(past.versions):
        stale = float(past.staleness[reference, current])
        met = max(met, stale)
        retraining = on.get(current)
        if retraining is None or retraining.time > version.time:
            line.append(Point(version.time, stale))
        if retraining is not None:
            line.append(Point(retraining.time, float(past.staleness[current, current])))
            reference = current
    mean, worst = _summary(line, past.end)
    return Schedule(name, tuple(retrained), mean, worst, met, tuple(line), past.end)


def _summary(line: Sequence[Point], end: datetime) -> tuple[float, float]:
    """Return the mean over time and the worst that stood for any time."""
    times = [*(point.time for point in line), end]
    stood = np.array([(until - since).total_seconds() for since, until in pairwise(times)])
    stale = np.array([point.staleness for point in line])
    if not stood.sum():
        return float(stale.mean()), float(stale.max())
    return float(stale @ stood / stood.sum()), float(stale[stood > 0].max())
