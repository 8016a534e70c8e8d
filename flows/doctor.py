"""Examine what Driftline runs on, in under ten seconds: a table of small checks, all at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flows.errors import FlowError
from flows.examining import (
    machine_checks,
    model_checks,
    place_checks,
    service_checks,
    training_room,
)
from flows.examining.examination import Observation, failed, ok
from flows.settings.settings import Settings, load_settings

OF_THE_MACHINE: tuple[Callable[[], Observation], ...] = (
    machine_checks.check_python,
    machine_checks.check_libraries,
    machine_checks.check_torch,
    machine_checks.check_processor,
    machine_checks.check_memory,
    machine_checks.check_clock,
)
OF_THE_PLACE: tuple[Callable[[Settings], Observation], ...] = (
    place_checks.check_room,
    place_checks.check_file_system,
    place_checks.check_writing,
    place_checks.check_file_times,
    training_room.check_training_room,
    service_checks.check_journal,
    service_checks.check_database_clock,
    service_checks.check_leases,
    model_checks.check_base,
    model_checks.check_embedder,
    service_checks.check_mlflow,
    service_checks.check_prefect,
    service_checks.check_ports,
)
"""In the order they are shown. Those about a place need settings that can be read."""

_AT_ONCE = 8


def examine(file: Path | None = None) -> tuple[Observation, ...]:
    """Return what was observed, the machine first; without settings nothing about the place."""
    settings, about_them = _settings(file)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        machine = [pool.submit(check) for check in OF_THE_MACHINE]
        place = [pool.submit(check, settings) for check in OF_THE_PLACE if settings is not None]
        return (
            *(each.result() for each in machine),
            about_them,
            *(each.result() for each in place if settings is not None),
        )


def _settings(file: Path | None) -> tuple[Settings | None, Observation]:
    try:
        settings = load_settings(file)
    except FlowError as error:
        cure = "correct them, or write some with `driftline init DIR`"
        return None, failed("settings", str(error), cure)
    names = ", ".join(sorted(settings.kb))
    return settings, ok("settings", f"{settings.file}: {names}")
