"""The tables of `recipes.py`, each a title, a header and rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from tables import verdict

from training.weighing import Change, Evaluation, Verdict

Row = tuple[str, ...]

LEAST_GAIN = 0.07  # in bits per byte of new text, against the base model
LEAST_TIMES = 3.0  # the base model's token F1
MOST_PLACEBOS, LEAST_REAL = 0.05, 0.90
RECIPE, PLACEBO = "recipe", "placebo"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run did: beside the bare base model, and beside the champion that it challenged."""

    pair: str
    recipe: str
    seed: int
    tokens: int
    beside_base: Evaluation
    beside_champion: Evaluation | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Table:
    """What `tables.show` takes."""

    title: str
    header: Row
    rows: Sequence[Row]


def recipes(outcomes: Sequence[Outcome]) -> Table:
    """Return every recipe beside the bare base model, the means over its seeds."""
    header = (
        *("releases", "recipe", "runs", "tokens", "new text", "old text", "general text"),
        *("F1", "F1, changed", "old fact", "refuses absent", "refuses present", "verdict"),
    )
    return Table("What each recipe buys, beside the base model", header, list(_recipes(outcomes)))


def _recipes(outcomes: Sequence[Outcome]) -> Iterable[Row]:
    for pair, recipe in dict.fromkeys((each.pair, each.recipe) for each in outcomes):
        runs = [each for each in outcomes if (each.pair, each.recipe) == (pair, recipe)]
        weighed = [each.beside_base for each in runs]
        bits = ([getattr(each, part) for each in weighed] for part in ("new", "old", "general"))
        parts = ("f1", "changed_f1", "stale", "abstention", "refusals")
        shares = ([getattr(each, part) for each in weighed] for part in parts)
        yield (
            pair,
            recipe,
            str(len(runs)),
            f"{mean(each.tokens for each in runs):,.0f}",
            *(f"{mean(each.change.mean for each in part):+.1%}" for part in bits),
            *(f"{mean(each.challenger for each in part):.2f}" for part in shares),
            _limits(recipe, weighed),
        )


def _limits(recipe: str, weighed: Sequence[Evaluation]) -> str:
    """Say whether the recipe holds what is asked of it against the base model, in every run."""
    if recipe != RECIPE:
        return ""
    holds = {
        "new text": all(each.new.change.mean <= -LEAST_GAIN for each in weighed),
        "general text": all(each.general.change.low <= 0 for each in weighed),
        "F1": all(each.f1.challenger >= LEAST_TIMES * each.f1.champion for each in weighed),
    }
    short = [name for name, held in holds.items() if not held]
    return verdict(holds=not short) + (f": {', '.join(short)}" if short else "")


def against_champion(outcomes: Sequence[Outcome]) -> Table:
    """Return every run that challenged the champion, one by one."""
    header = (
        *("releases", "recipe", "seed", "new text", "old text", "new minus old", "F1"),
        *("F1, changed, champion → run", "promoted", "why"),
    )
    rows = [_challenge(each, each.beside_champion) for each in outcomes if each.beside_champion]
    return Table("Beside the champion of the older release", header, rows)


def _challenge(outcome: Outcome, beside: Evaluation) -> Row:
    changed = beside.changed_f1
    return (
        outcome.pair,
        outcome.recipe,
        str(outcome.seed),
        f"{beside.new.change.mean:+.1%}",
        f"{beside.old.change.mean:+.1%}",
        _interval(beside.learning),
        f"{beside.f1.change.mean:+.2f}",
        f"{changed.champion:.2f} → {changed.challenger:.2f} ({changed.rows})",
        "yes" if outcome.verdict.promote else "no",
        outcome.verdict.reason.partition(";")[0],
    )


def _interval(change: Change) -> str:
    """Return a relative change with its interval.

    >>> from training.weighing import Interval
    >>> _interval(Change(change=Interval(-0.01, -0.02, 0.0)))
    '-1.0% [-2.0%, +0.0%]'
    """
    ends = change.change
    return f"{ends.mean:+.1%} [{ends.low:+.1%}, {ends.high:+.1%}]"


def gate(outcomes: Sequence[Outcome]) -> Table:
    """Return how often each kind of challenger was promoted, by how much it was trained."""
    kinds = (
        ("real difference", RECIPE, f">= {LEAST_REAL:.0%}"),
        ("placebo", PLACEBO, f"<= {MOST_PLACEBOS:.0%}"),
    )
    rows = []
    for name, recipe, limit in kinds:
        runs = [each for each in outcomes if each.recipe.endswith(recipe)]
        for size in dict.fromkeys(each.recipe for each in runs):
            of_size = [each for each in runs if each.recipe == size]
            tokens = mean(each.tokens for each in of_size)
            rows.append(_gate(f"{name}, {tokens:,.0f} tokens", recipe, limit, of_size))
        rows.append(_gate(f"{name}, all", recipe, limit, runs))
    header = ("challenger", "runs", "promoted", "share", "limit", "verdict")
    return Table("The gate, over every run that challenged a champion", header, rows)


def _gate(name: str, recipe: str, limit: str, runs: Sequence[Outcome]) -> Row:
    promoted = sum(each.verdict.promote for each in runs)
    share = promoted / max(1, len(runs))
    holds = share >= LEAST_REAL if recipe == RECIPE else share <= MOST_PLACEBOS
    return name, str(len(runs)), str(promoted), f"{share:.0%}", limit, verdict(holds=holds)
