"""A replay as a picture: staleness over time, and what each level costs.

One of two files that know matplotlib.

A static picture opens anywhere and offline; matplotlib is here already, for MLflow depends on it.
"""

from __future__ import annotations

import io
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from monitors.replaying.past import Schedule
from monitors.replaying.replay import Replay, TradeOff
from monitors.wording import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".html")

# Told apart by most who do not see all colours (Okabe and Ito, 2008), and by their line styles.
_POLICY, _CALENDAR, _HINDSIGHT, _LIMIT = "#0072B2", "#E69F00", "#009E73", "#666666"
_INCHES = (10.0, 8.0)
_DOTS_PER_INCH = 120
# More names than that overlap.
_NAMED = 14
_LONGEST_NAME = 16


def write_plot(replay: Replay, file: Path, *, title: str) -> None:
    """Draw a replay into a file, by its ending; raise ValueError for one that is not known.

    Without a past there is nothing but the reason.
    """
    if file.suffix not in ENDINGS:
        msg = f"Not a picture: {str(file)!r}. Its name ends in one of {', '.join(ENDINGS)}."
        raise ValueError(msg)
    from matplotlib import rc_context  # noqa: PLC0415 - half a second, for who wants a plot

    # A salt of our own, and no date: the same replay makes the same file.
    with rc_context({"svg.hashsalt": "driftline"}):
        figure = _drawn(replay, title)
        made = io.BytesIO()
        ending = "png" if file.suffix == ".png" else "svg"
        metadata = {} if ending == "png" else {"Date": None}
        figure.savefig(made, format=ending, dpi=_DOTS_PER_INCH, metadata=metadata)
    picture = made.getvalue()
    file.write_bytes(_page(picture.decode(), title) if file.suffix == ".html" else picture)


def _page(svg: str, title: str) -> bytes:
    """Return a picture as a page that loads nothing."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>Replay of {escape(title)}</title>\n"
        "<style>svg { max-width: 100%; height: auto; }</style>\n"
        f"{svg[svg.index('<svg') :]}</html>\n"
    ).encode()


def _drawn(replay: Replay, title: str) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    figure = Figure(figsize=_INCHES, layout="constrained")
    figure.suptitle(_plain(f"Replay of {title}"))
    if not replay.schedules:
        figure.text(0.5, 0.5, _plain(replay.reason), ha="center")
        return figure
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 2))
    _draw_time(upper, replay)
    _draw_trade_off(lower, replay)
    return figure


def _draw_time(axes: Axes, replay: Replay) -> None:
    policy = replay.schedules[0]
    if replay.calendars:
        _draw_line(axes, replay.calendars.typical, _CALENDAR, "a typical calendar")
    _draw_line(axes, policy, _POLICY, "policy")
    axes.axhline(100 * replay.level, color=_LIMIT, ls=":", lw=1, label="retrain level")
    if policy.retrainings <= _NAMED:
        for retraining in policy.retrained:
            axes.annotate(
                _plain(replay.versions[retraining.version].name)[:_LONGEST_NAME],
                (_number(retraining.time), 0),
                xytext=(2, -8),
                textcoords="offset points",
                rotation=-35,
                va="top",
                fontsize=7,
                color=_POLICY,
                annotation_clip=False,
            )
    axes.set_title("How stale the model was, and when it was retrained (triangles)", fontsize=10)
    axes.xaxis_date()
    axes.tick_params(axis="x", pad=26 if policy.retrainings <= _NAMED else 4)
    _finish(axes)


def _draw_line(axes: Axes, schedule: Schedule, colour: str, name: str) -> None:
    times = [_number(at) for at in (*(point.time for point in schedule.line), schedule.end)]
    stale = [100 * point.staleness for point in schedule.line]
    stale.append(stale[-1])
    label = f"{name}: mean {100 * schedule.mean:.1f} %, worst {100 * schedule.worst:.1f} %"
    # The calendar is drawn first and wider, so that it shows where both lines are one.
    style, width, marker = ("-", 1.4, "^") if colour == _POLICY else ("--", 3.0, "v")
    axes.plot(times, stale, drawstyle="steps-post", color=colour, ls=style, lw=width, label=label)
    marks = [_number(retraining.time) for retraining in schedule.retrained]
    axes.plot(marks, [0.0] * len(marks), ls="", marker=marker, ms=7, color=colour, clip_on=False)


def _draw_trade_off(axes: Axes, replay: Replay) -> None:
    curve = replay.tradeoff
    counts = [each.retrainings for each in curve]
    for name, style in (("worst", "o-"), ("mean", "o--")):
        shares = [100 * getattr(each, name) for each in curve]
        least = {count: min(s for s, c in zip(shares, counts, strict=True) if c == count)
                 for count in sorted(counts)}  # fmt: skip
        fill = _POLICY if name == "worst" else "white"
        axes.plot(counts, shares, ls="", marker=".", ms=4, color=_POLICY, alpha=0.35)
        axes.plot(list(least), list(least.values()), style, color=_POLICY, ms=5, lw=1, mfc=fill,
                  label=f"policy, {name}")  # fmt: skip
    if replay.calendars:
        found = replay.calendars
        spot = [found.retrainings, found.retrainings], [100 * found.worst, 100 * found.mean]
        axes.plot(
            *spot, ls="", marker="s", ms=6, color=_CALENDAR, label="calendars, worst and mean"
        )
    best = [schedule for schedule in replay.schedules if schedule.name.startswith("hindsight")]
    if best:
        count = best[0].retrainings
        shares = [100 * min(each.worst for each in best), 100 * min(each.mean for each in best)]
        axes.plot([count] * 2, shares, ls="", marker="*", ms=9, color=_HINDSIGHT,
                  label="hindsight, worst and mean")  # fmt: skip
    if replay.proposal:
        axes.axhline(100 * replay.proposal.budget, color=_LIMIT, ls=":", lw=1, label="budget")
    for count in sorted(set(counts)):
        best_at = min((each for each in curve if each.retrainings == count), key=_by_worst)
        axes.annotate(f"{best_at.level:g}", (count, 100 * best_at.worst), fontsize=7,
                      xytext=(4, 4), textcoords="offset points")  # fmt: skip
    axes.set_title("What a retrain level costs (numbers at the points are levels)", fontsize=10)
    axes.set_xlabel("retrainings")
    axes.set_xticks(range(0, max(counts) + 1, 1 + max(counts) // 20))
    _finish(axes)


def _by_worst(each: TradeOff) -> float:
    return each.worst


def _finish(axes: Axes) -> None:
    axes.set_ylabel("staleness (% of questions)")
    axes.set_ylim(0, 1.2 * axes.get_ylim()[1])  # room for the legend above the lines
    axes.grid(alpha=0.25)
    axes.legend(loc="upper center", fontsize=8, ncols=5)


def _number(time: datetime) -> float:
    """Return a time as matplotlib counts: days since 1970."""
    return time.timestamp() / 86_400


def _plain(text: str) -> str:
    """Return a name that is drawn as it is: a dollar sign would begin a formula."""
    return printable(text).replace("$", r"\$")
