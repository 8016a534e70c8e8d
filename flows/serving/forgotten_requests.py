"""What runs of `forget` were asked, out of Prefect's database once it is done: names are data too.

Prefect keeps a run's parameters for as long as the run. Only this file rewrites them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from flows.erasing.traces import ERASED

_FLOW = "forget"
_PAGE = 200  # the most that a Prefect server hands out at once by default


def forget_requests(
    client: SyncPrefectClient, kb: str, uris: Collection[str], *, run: str | None
) -> int:
    """Take the erased names and reasons out of the parameters of runs; return of how many.

    `run` is the one that erased them; of others those that have ended. One that still waits is
    left as it is, or it would be asked for something else: it takes its own out when it ends.
    """
    changed = [
        (found.id, asked)
        for found in list(_runs(client))
        if str(found.id) == run or (found.state is not None and found.state.is_final())
        if (asked := without_names(found.parameters, kb, uris)) != found.parameters
    ]
    for run_id, asked in changed:
        client.update_flow_run(run_id, parameters=asked).raise_for_status()
    return len(changed)


def without_names(asked: Mapping[str, Any], kb: str, uris: Collection[str]) -> dict[str, Any]:
    """Return the parameters of a run without names that were erased, and without its reason.

    >>> without_names({"kb": "docs", "uris": ["ada.md", "b.md"], "why": "Ada"}, "docs", {"ada.md"})
    {'kb': 'docs', 'uris': ['[erased]', 'b.md'], 'why': '[erased]'}
    """
    named = asked.get("uris") or []
    if asked.get("kb") != kb or not set(uris) & set(named):
        return dict(asked)
    left = [ERASED if uri in uris else uri for uri in named]
    return {**asked, "uris": left, **({"why": ERASED} if "why" in asked else {})}


def _runs(client: SyncPrefectClient) -> Iterator[FlowRun]:
    named, offset = FlowFilter(name=FlowFilterName(any_=[_FLOW])), 0
    while page := client.read_flow_runs(
        flow_filter=named, sort=FlowRunSort.ID_DESC, limit=_PAGE, offset=offset
    ):
        yield from page
        offset += len(page)
