"""Servers, deployments and flow runs: what Prefect and `driftline up` need."""
