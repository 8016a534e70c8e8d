"""A replay as scripts read it (one object) and as people read it (a table)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.checking.past import Found, Origin
from flows.replay import ReplayOutcome
from monitors.decision.cost import duration
from monitors.replaying.past import Schedule, Version
from monitors.wording import printable

# What is worth a line; the object has all.
_TOLD = 6
_ORIGINS = {
    Origin.GIT: "its history in git",
    Origin.SNAPSHOTS: "its snapshots",
    Origin.FOLDERS: "the folders",
}


def found_line(kb: str, found: Found) -> str:
    """Say how many versions are about to be read, and from where."""
    count = len(found.versions)
    of = f" of {found.of}" if found.of > count else ""
    return f"Reading {count}{of} versions of {kb} from {_ORIGINS[found.origin]}."


def replay_object(outcome: ReplayOutcome) -> dict[str, Any]:
    """Return a replay: shares 0..1, times UTC, cost in seconds for all of a strategy's training."""
    replay = outcome.replay
    calendars = replay.calendars
    return {
        "kb": outcome.kb,
        "origin": outcome.origin.value,
        "versions": [
            {"name": version.name, "time": version.time.isoformat(), "chunks": version.chunks}
            for version in replay.versions
        ],
        "level": replay.level,
        "strategies": [_strategy(schedule, outcome) for schedule in replay.schedules],
        "calendars": None
        if calendars is None
        else {
            "schedules": calendars.schedules,
            "retrainings": calendars.retrainings,
            "mean": calendars.mean,
            "worst": calendars.worst,
            "met": calendars.met,
            "beaten": calendars.beaten,
        },
        "beats_the_calendar": replay.beats_the_calendar,
        "tradeoff": [asdict(each) for each in replay.tradeoff],
        "proposal": asdict(replay.proposal) if replay.proposal else None,
        "reason": replay.reason,
    }


def replay_view(outcome: ReplayOutcome) -> RenderableType:
    """Show the strategies, and what follows."""
    replay = outcome.replay
    lines = [_sentence(replay.reason)]
    if replay.proposal:
        lines.append(_sentence(replay.proposal.reason))
    lines.append(_sentence(f"cost: {outcome.cost.basis}"))
    if not replay.schedules:
        return Group(*map(Text, lines))
    table = Table()
    for column in ("strategy", "retrained", "mean", "worst", "cost", "on"):
        table.add_column(column, no_wrap=column != "on")
    for schedule in replay.schedules:
        table.add_row(
            schedule.name,
            str(schedule.retrainings),
            _share(schedule.mean),
            _share(schedule.worst),
            _cost(schedule, outcome),
            Text(_when(schedule, replay.versions)),
        )
        if schedule is replay.schedules[0] and replay.calendars:
            found = replay.calendars
            table.add_row(
                f"calendars, mean of {found.schedules}",
                str(found.retrainings),
                _share(found.mean),
                _share(found.worst),
                "",
                "",
            )
    return Group(table, *map(Text, lines))


def _strategy(schedule: Schedule, outcome: ReplayOutcome) -> dict[str, Any]:
    versions, seconds = outcome.replay.versions, outcome.cost.seconds
    return {
        "name": schedule.name,
        "retrainings": schedule.retrainings,
        "retrained": [
            {"version": versions[each.version].name, "time": each.time.isoformat()}
            for each in schedule.retrained
        ],
        "mean": schedule.mean,
        "worst": schedule.worst,
        "met": schedule.met,
        "cost_seconds": None if seconds is None else seconds * schedule.retrainings,
    }


def _cost(schedule: Schedule, outcome: ReplayOutcome) -> str:
    seconds, money = outcome.cost.seconds, outcome.cost.money
    if seconds is None:
        return ""
    paid = "" if money is None else f", {money * schedule.retrainings:,.2f} {outcome.cost.currency}"
    return duration(seconds * schedule.retrainings) + paid


def _when(schedule: Schedule, versions: Sequence[Version]) -> str:
    names = [printable(versions[each.version].name) for each in schedule.retrained]
    more = len(names) - _TOLD
    return ", ".join(names[:_TOLD]) + (f" and {more} more" if more > 0 else "")


def _share(share: float) -> str:
    return f"{share * 100:.1f} %"


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:]}."
