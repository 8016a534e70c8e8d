"""Batches of a refresh as tasks on one of Prefect's task runners: threads, Dask or Ray.

One of the files that know Prefect, and the only one that knows its runners' engines. A task takes
names and paths; what opens a model or a parser is made by the worker itself, from the settings.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext, SettingsContext
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.batch_worker import end_parsers, work_off_here
from flows.errors import SettingsError
from flows.reaching import require_cluster
from flows.settings.scale import Scale
from flows.settings.settings import Settings
from retrieval.errors import RetrievalError
from retrieval.fan_out import FanOut, Here, OverWorkers, WorkerError
from retrieval.fan_out_files import Job
from retrieval.fan_out_worker import Tools

_LOOPBACK = "127.0.0.1"
# Dask's profiler looks at the frames of all threads a hundred times a second; Python before 3.11.8
# hangs for ever where a collection of garbage begins meanwhile (gh-106883).
_NO_PROFILES = {"distributed.worker.profile.enabled": False}


@contextmanager
def fan_out_of(settings: Settings, scale: Scale, folder: Path, here: Tools) -> Iterator[FanOut]:
    """Yield what spreads a refresh over the runner of the settings, which starts on first use.

    The caller holds the writer's lease: what an earlier, killed run left in `folder` is removed.
    """
    if scale.address is not None:
        require_cluster(scale.address)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    # A name of its own: a batch of that earlier run may still be under way on some worker.
    mine = Path(tempfile.mkdtemp(dir=folder))
    with ExitStack() as stack:
        # Its own folder alone: a run that lost its lease must not take the next one's away.
        stack.callback(shutil.rmtree, mine, ignore_errors=True)
        workers = _PrefectWorkers(scale, settings.file, stack)
        yield FanOut(OverWorkers(workers, Here(here), scale.attempts), mine)


def within_a_flow() -> bool:
    """Return whether a flow of Prefect runs here: only there are tasks seen, logged and counted."""
    return FlowRunContext.get() is not None


@task(
    name="batch",
    task_run_name="{kind} {name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,  # a batch that is lost is handed over again, whoever had it
)
def batch(kind: Any, name: str, file: str, max_tokens: int, config: str) -> str:
    """Work off one batch in whichever process this runs; return its receipt."""
    del name  # for the run's own
    return work_off_here(kind, file, max_tokens, config)


@flow(name="spread")
def spread() -> None:
    """Stand, on a worker, for the flow whose batches it works off: there nothing else of it is."""


@dataclass(frozen=True)
class _PrefectWorkers:
    """Hands batches over as task runs of the flow that runs here."""

    scale: Scale
    config: Path
    stack: ExitStack

    @property
    def at_once(self) -> int:
        """As many again as are at work, so that nobody waits for us."""
        return 2 * self.scale.workers

    def hand_over(self, job: Job) -> _Handed:
        parameters = {
            "kind": job.kind,
            "name": Path(job.file).name,
            "file": job.file,
            "max_tokens": job.max_tokens,
            "config": str(self.config),
        }
        seen = FlowRunContext.get(), SettingsContext.get()
        # A context of its own: what a runner sends along of this one would be the step that runs
        # here, with all its clients.
        return _Handed(Context().run(self._submit, parameters, *seen))

    def _submit(
        self,
        parameters: dict[str, Any],
        flow_run: FlowRunContext | None,
        settings: SettingsContext | None,
    ) -> PrefectFuture[str]:
        with ExitStack() as stack:
            if settings is not None:
                stack.enter_context(settings.model_copy())
            if flow_run is not None:
                stack.enter_context(flow_run.model_copy(update={"flow": spread, "parameters": {}}))
            future: PrefectFuture[str] = self._runner.submit(batch, parameters)
        return future

    @cached_property
    def _runner(self) -> TaskRunner[Any]:
        self.stack.callback(end_parsers)
        runner: TaskRunner[Any] = self.stack.enter_context(_runner_of(self.scale))
        return runner


@dataclass(frozen=True)
class _Handed:
    future: PrefectFuture[str]

    def receipt(self) -> str:
        try:
            return self.future.result()
        except RetrievalError:
            raise
        except Exception as error:
            # The border to a foreign engine: whatever it says, this batch was not worked off.
            told = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            raise WorkerError(told[:300]) from error


def _runner_of(scale: Scale) -> TaskRunner[Any]:
    if scale.runner == "threads":
        return ThreadPoolTaskRunner(max_workers=scale.workers)
    try:
        return _dask(scale) if scale.runner == "dask" else _ray(scale)
    except ImportError as error:
        msg = (
            f"[scale] runner = {scale.runner!r} needs another package: "
            f"pip install 'driftline[{scale.runner}]'."
        )
        raise SettingsError(msg) from error


def _dask(scale: Scale) -> TaskRunner[Any]:
    import dask
    from prefect_dask.task_runners import DaskTaskRunner

    if scale.address is not None:
        return DaskTaskRunner(address=scale.address)
    # One thread each: a process has one model, and Python's lock lets one thread parse.
    cluster = {"n_workers": scale.workers, "threads_per_worker": 1, "host": _LOOPBACK}
    dask.config.set(_NO_PROFILES)
    return DaskTaskRunner(cluster_kwargs={**cluster, "dashboard_address": None})


def _ray(scale: Scale) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    started = {"num_cpus": scale.workers, "include_dashboard": False, "_node_ip_address": _LOOPBACK}
    place = {"address": scale.address} if scale.address is not None else {"init_kwargs": started}
    runner: TaskRunner[Any] = RayTaskRunner(**place)
    return runner
