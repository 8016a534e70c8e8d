"""Champion and challenger as a picture: every change with its interval, better to the right.

One of two files that know matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.tracking.model_cards import MEASURES, Measure
from training.weighing import Change, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by most who do not see all colours (Okabe and Ito, 2008).
_BETTER, _WORSE, _OPEN = "#0072B2", "#D55E00", "#999999"
_INCHES_WIDE, _INCHES_A_LINE, _INCHES_ELSE = 10.0, 0.42, 1.3
_DOTS_PER_INCH = 110


def write_weighing(evaluation: Evaluation, file: Path, *, title: str) -> None:
    """Draw an evaluation into a PNG: bits on the left in percent, shares and F1 on the right."""
    figure = _drawn(evaluation, title)
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH)


def _drawn(evaluation: Evaluation, title: str) -> Figure:
    from matplotlib.figure import Figure

    weighed = [(MEASURES[name], change) for name, change in evaluation.measures if change.rows]
    bits = [pair for pair in weighed if pair[0].relative]
    answers = [pair for pair in weighed if not pair[0].relative]
    lines = max(len(bits), len(answers), 1)
    figure = Figure(
        figsize=(_INCHES_WIDE, _INCHES_ELSE + _INCHES_A_LINE * lines), layout="constrained"
    )
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _draw(left, bits, "fewer bits, percent", scale=100.0)
    _draw(right, answers, "better, F1 or share", scale=1.0)
    return figure


def _draw(
    axes: Axes, measures: Sequence[tuple[Measure, Change]], label: str, *, scale: float
) -> None:
    """Draw one line a measure, turned so that to the right of zero is better."""
    for at, (measure, change) in enumerate(measures):
        sign = scale if measure.more else -scale
        mean, *ends = (
            sign * end for end in (change.change.mean, change.change.low, change.change.high)
        )
        low, high = sorted(ends)
        colour = _BETTER if low > 0 else _WORSE if high < 0 else _OPEN
        axes.plot([low, high], [at, at], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot([mean], [at], "o", color=colour)
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_yticks(range(len(measures)), [measure.label for measure, _ in measures], fontsize=8)
    axes.set_ylim(len(measures) - 0.5, -0.5)
    axes.set_xlabel(f"{label} (right of zero is better)")
