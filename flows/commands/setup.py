"""init and up."""

from __future__ import annotations

import signal
from dataclasses import asdict
from pathlib import Path

import click

from flows.commands.options import as_json_option, settings_of
from flows.initialise import initialise
from flows.serving.up import serving
from flows.showing.display import emit


@click.command()
@click.argument(
    "directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False)
)
@as_json_option
def init(directory: Path, *, as_json: bool) -> None:
    """Write a commented driftline.toml here for the documents in DIR, and say what is next."""
    file, name = initialise(directory, Path.cwd())
    steps = {
        f"driftline plan {name}": "shows what would be indexed; writes nothing",
        f"driftline monitor {name}": "indexes it, publishes the first release, checks it",
        f"driftline status {name}": "says what answers, how fresh, how stale, and what comes next",
        "driftline up": "runs it on a schedule, with pages to look at, until Ctrl-C",
    }
    width = max(map(len, steps))
    told = [f"  {command:<{width}}  {what}" for command, what in steps.items()]
    said = [
        f"Wrote {file} with knowledge base {name!r}. Next:",
        *told,
        "Whom to tell, and when to run, stands in that file under [notify] and [schedule].",
    ]
    emit({"kb": name, "file": str(file), "next": list(steps)}, "\n".join(said), as_json=as_json)


@click.command()
@as_json_option
@click.pass_context
def up(context: click.Context, *, as_json: bool) -> None:
    """Start the Prefect server, MLflow and a runner, with all deployments; Ctrl-C stops all."""
    settings = settings_of(context)
    # A service manager says SIGTERM, a closed terminal SIGHUP; a shell's background job is born
    # deaf to SIGINT.
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.default_int_handler)
    with serving(settings, lambda line: click.echo(line, err=True)) as (served, wait):
        where = served.addresses
        payload = {
            **asdict(where),
            "changes": list(served.changes),
            "notices": list(served.notices),
        }
        said = [
            f"Prefect  {where.prefect}   deployments, runs, schedules",
            f"MLflow   {where.mlflow}/?workflowType=machine_learning   history and models",
            *served.notices,
            "Ctrl-C stops everything.",
        ]
        emit(payload, "\n".join(said), as_json=as_json)
        try:
            wait()
        except KeyboardInterrupt:
            click.echo("Stopping …", err=True)
