"""What is to be on a Prefect server: prefect.yaml, with the schedules of the settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import yaml

from flows.errors import SettingsError
from flows.settings.schedule import Begin, ClockChange, Kind, begins, clock_changes
from flows.settings.settings import Settings

# Here it is a link to the one at the top; a wheel has its copy.
FILE = Path(__file__).with_name("prefect.yaml")


@dataclass(frozen=True, slots=True)
class Declared:
    """One deployment as prefect.yaml declares it. `limit` counts runs at a time, None for any."""

    name: str
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Any]
    pool: str
    job_variables: Mapping[str, Any]
    limit: int | None
    begins: tuple[Begin, ...]


def declared(settings: Settings, file: Path = FILE) -> tuple[Declared, ...]:
    """Return the deployments with the schedules of the settings; raise SettingsError."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        read = [_read(each) for each in found["deployments"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        msg = f"The deployments in {str(file)!r} cannot be read: {type(error).__name__}: {error}."
        raise SettingsError(msg) from error
    scheduled = _scheduled(settings)
    return tuple(replace(each, begins=scheduled.get(each.name, ())) for each in read)


def notices(settings: Settings, now: datetime) -> tuple[str, ...]:
    """Return what a person should know of the schedules: clock changes that they fall into."""
    told = []
    for kind, all_of_kind in _scheduled(settings).items():
        for begin in all_of_kind:
            told += [_notice(kind, begin, change) for change in clock_changes(begin, now)]
    return tuple(told)


def _scheduled(settings: Settings) -> dict[str, tuple[Begin, ...]]:
    own = {name: kb.schedule for name, kb in settings.kb.items()}
    kinds: tuple[Kind, ...] = get_args(Kind)
    return {kind: begins(kind, settings.schedule, own) for kind in kinds}


def _read(table: dict[str, Any]) -> Declared:
    limit = table.get("concurrency_limit", {})
    pool = table["work_pool"]
    return Declared(
        name=table["name"],
        entrypoint=table["entrypoint"],
        description=table["description"].strip(),
        tags=tuple(table["tags"]),
        parameters=table.get("parameters", {}),
        pool=pool["name"],
        job_variables=pool.get("job_variables", {}),
        limit=limit.get("limit"),
        begins=(),
    )


def _notice(kind: str, begin: Begin, change: ClockChange) -> str:
    whose = f" of {begin.kb!r}" if begin.kb else ""
    when = f"{change.start:%Y-%m-%d}, from {change.start:%H:%M} to {change.end:%H:%M}"
    what = "every local time comes twice" if change.twice else "there is no local time"
    return (
        f"The schedule {begin.cron!r} for {kind}{whose} falls into a clock change of "
        f"{begin.timezone}: on {when}, {what}. Choose another hour, or the zone UTC, if it must "
        "run exactly once on that day."
    )
