"""init and up."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from flows.commands.options import as_json_option, settings_of
from flows.display import emit
from flows.initialise import initialise
from flows.up import serving


@click.command()
@click.argument(
    "directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False)
)
@as_json_option
def init(directory: Path, *, as_json: bool) -> None:
    """Write a commented driftline.toml here for the documents in DIR, and say what is next."""
    file, name = initialise(directory, Path.cwd())
    commands = [f"driftline plan {name}", f"driftline monitor {name}", "driftline up"]
    said = (
        f"Wrote {file} with knowledge base {name!r}.\n"
        f"Next: `{commands[0]}` shows what would be indexed, `{commands[1]}` does the first "
        f"check, `{commands[2]}` runs it on a schedule."
    )
    emit({"kb": name, "file": str(file), "next": commands}, said, as_json=as_json)


@click.command()
@as_json_option
@click.pass_context
def up(context: click.Context, *, as_json: bool) -> None:
    """Start the Prefect server, MLflow and workers, with all deployments; Ctrl-C stops all."""
    settings = settings_of(context)
    # A service manager says SIGTERM; a shell's background job is born deaf to SIGINT.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    with serving(settings, lambda line: click.echo(line, err=True)) as (addresses, wait):
        payload = {"prefect": addresses.prefect, "mlflow": addresses.mlflow}
        said = (
            f"Prefect  {addresses.prefect}   deployments, runs, schedules\n"
            f"MLflow   {addresses.mlflow}/?workflowType=machine_learning   history and models\n"
            "Ctrl-C stops everything."
        )
        emit(payload, said, as_json=as_json)
        try:
            wait()
        except KeyboardInterrupt:
            click.echo("Stopping …", err=True)
