"""deploy."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from flows.commands.options import as_json_option, settings_of
from flows.serving.deploy import deploy as deploy_to
from flows.showing.display import emit


@click.command()
@as_json_option
@click.pass_context
def deploy(context: click.Context, *, as_json: bool) -> None:
    """Put work pools, deployments, schedules and automations on the server of PREFECT_API_URL."""
    done = deploy_to(settings_of(context), datetime.now(UTC))
    emit(done.payload(), "\n".join(done.lines()), as_json=as_json)
