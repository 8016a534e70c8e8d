"""What makes a function a flow of ours: a form, a sentence for a name, a process that is noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import Flow, runtime

from flows.serving.abandoned import note_process
from flows.serving.parameters import explained
from flows.serving.run_names import name_of
from flows.serving.scheduled_work import scheduled_time

P = ParamSpec("P")
R = TypeVar("R")


def _named() -> str:
    """Return the name of the run that begins."""
    flow_name = str(runtime.flow_run.flow_name)
    return name_of(flow_name, runtime.flow_run.parameters or {}, scheduled_time())


def as_flow(work: Callable[P, R]) -> Flow[P, R]:
    """Return a flow that has a form, whose runs have a sentence as name and note their process."""
    name = work.__name__
    made = Flow(fn=work, name=name, flow_run_name=_named, on_running=[note_process])
    properties = explained(made.parameters.properties, work)
    made.parameters = made.parameters.model_copy(update={"properties": properties})
    return made
