"""How a stated level holds over a whole schedule of tests, however long. Pure.

A test at 5 % each day raises a false alarm for certain. Here each look has a level of its own, and
all of them add up to the stated one, so that the chance of *any* false alarm on one reference is
at most the stated level at any number of looks (Bonferroni's inequality). That holds however the
looks depend on each other, and they do: all compare with the same reference. A product of e-values
would see slow changes better, but needs p-values that are independent given the past; with a fixed
reference its false alarms were 11 % at a stated 5 % (docs/drift.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import ceil, log2, sqrt

# The share of comparisons on which a false alarm is put up with, over the life of a reference.
LEVEL = 0.05
# A test with so many takes about a second; no look has a level that more would be needed for.
MOST_PERMUTATIONS = 99_999
_LEAST_PERMUTATIONS = 999
# p-values at the level itself are noise with 1 / level permutations, and steady with five times.
_STEADY = 5
# Two-sided 95 % of the normal distribution.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Spent:
    """What a schedule has spent since its reference was set; kept between checks.

    `tested` are the contents that were looked at: the same content is never tested twice.
    """

    level: float = LEVEL
    spent: float = 0.0
    tested: tuple[str, ...] = ()

    @property
    def looks(self) -> int:
        """How many tests were taken."""
        return len(self.tested)


@dataclass(frozen=True, slots=True)
class Look:
    """The next test: its level, and the permutations that it needs.

    Where `held_back` says why, no test is taken and nothing is spent.
    """

    number: int
    level: float
    permutations: int
    held_back: str = ""


@dataclass(frozen=True, slots=True)
class OwnNull:
    """How often the test alarmed where nothing moved; `low` and `high` are a 95 % interval."""

    level: float
    draws: int
    alarms: int
    share: float
    low: float
    high: float


def content_of(document_digests: Iterable[str]) -> str:
    """Return a short digest of what is tested, in any order.

    >>> content_of(["b", "a"]) == content_of(["a", "b"])
    True
    """
    return hashlib.sha256("\n".join(sorted(document_digests)).encode()).hexdigest()[:16]


def next_look(spent: Spent, content: str) -> Look:
    """Return the next look at this content.

    Formula: look k has level · (1/log2(k+1) - 1/log2(k+2)), which adds up to level · (1 -
    1/log2(k+2)): a third is spent on the first look and four fifths on the first thirty. Where
    that falls under what MOST_PERMUTATIONS can reach, looks have the least level that can be
    reached, until all is spent: 839 looks at 5 %. A new reference begins a new schedule.

    >>> round(next_look(Spent(), "a").level, 4), next_look(Spent(tested=("a",)), "a").held_back
    (0.0185, 'the same content was tested before')
    """
    number = spent.looks + 1
    if content in spent.tested:
        return Look(number, 0.0, 0, "the same content was tested before")
    falling = spent.level * (1 / log2(number + 1) - 1 / log2(number + 2))
    level = max(falling, 1 / (1 + MOST_PERMUTATIONS))
    if spent.spent + level > spent.level:
        return Look(number, 0.0, 0, _all_spent(spent))
    return Look(number, level, permutations_for(level))


def permutations_for(level: float) -> int:
    """Return how many permutations a test at this level needs, within the bounds.

    >>> permutations_for(0.05), permutations_for(0.001), permutations_for(1e-5)
    (999, 4999, 99999)
    """
    return max(_LEAST_PERMUTATIONS, min(MOST_PERMUTATIONS, ceil(_STEADY / level) - 1))


def after(spent: Spent, look: Look, content: str) -> Spent:
    """Return what is spent once the look was taken; a look held back spends nothing.

    Call it for a test that gave a p-value only: a test that could not reach its level saw nothing.
    """
    if look.held_back:
        return spent
    return replace(spent, spent=spent.spent + look.level, tested=(*spent.tested, content))


def alarms(look: Look, p_value: float) -> bool:
    """Say whether a p-value is an alarm at this look; the limit is included."""
    return not look.held_back and p_value <= look.level


def own_null(
    p_value: Callable[[int], float],
    *,
    level: float = LEVEL,
    draws: int = 200,
    out_of_time: Callable[[], bool] = lambda: False,
) -> OwnNull | None:
    """Return how often a test alarms where nothing moved; None if time was out before one draw.

    `p_value` plays one random draw of the reference as the current sample, by the draw's number,
    which is its seed. Stopping early because time is out biases nothing: draws are independent.

    >>> own_null(lambda number: number / 100, draws=100).alarms
    6
    """
    taken = found = 0
    while taken < draws and not out_of_time():
        found += p_value(taken) <= level
        taken += 1
    if not taken:
        return None
    low, high = wilson(found, taken)
    return OwnNull(level, taken, found, found / taken, low, high)


def wilson(found: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, 0..1 (E. B. Wilson, 1927).

    >>> [round(end, 3) for end in wilson(8, 200)]
    [0.02, 0.077]
    """
    share, spread = found / of, _Z**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _all_spent(spent: Spent) -> str:
    return (
        f"the level of {spent.level:.2g} is spent: {spent.looks} tests were taken against this "
        "reference, and a new reference begins a new schedule"
    )
