"""Work pools on a Prefect server. One of three files that know Prefect."""

from __future__ import annotations

POOLS = ("driftline-cpu", "driftline-gpu")


def create_pools() -> None:
    """Create the work pools that prefect.yaml names, on the server of PREFECT_API_URL."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with get_client(sync_client=True) as client:
        for name in POOLS:
            try:
                client.create_work_pool(WorkPoolCreate(name=name, type="process"))
            except ObjectAlreadyExists:
                continue


if __name__ == "__main__":
    create_pools()
