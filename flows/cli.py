"""The command line: finds the command, turns every error into one sentence and an exit status.

A command's module is imported when that command runs, so that `driftline --help` starts at once.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from flows.errors import EXIT_OF_CODE, Exit, FlowError
from flows.full_disk import no_space
from flows.settings.redaction import redacted
from retrieval.errors import RetrievalError
from training.errors import TrainingError

# Where each command is, and its line in `driftline --help`.
COMMANDS = {
    "init": ("setup", "Write settings for a folder of documents."),
    "plan": ("index", "Show what a refresh would change; write nothing."),
    "refresh": ("index", "Bring the index up to date and publish a release."),
    "watch": ("watch", "Refresh whenever a folder changes."),
    "maintain": ("index", "Compact the index and drop versions that nothing needs."),
    "monitor": ("check", "Refresh, measure drift, decide, retrain if needed."),
    "compare": ("compare", "Measure drift between two folders, snapshots or git revisions."),
    "replay": ("replay", "Replay the policy over the corpus' own past."),
    "drift": ("check", "Measure drift since the snapshot the champion was trained on."),
    "retrain": ("model", "Train a challenger and promote it if it is better."),
    "promote": ("promotion", "Show the evidence on a challenger, or promote it."),
    "rollback": ("promotion", "Publish an earlier release again."),
    "resume": ("promotion", "Let refreshes publish again after a rollback."),
    "search": ("search", "Find chunks."),
    "ask": ("ask", "Answer a question from the documents, with citations."),
    "status": ("status", "Show what answers now, how fresh and how stale it is."),
    "history": ("history", "Show every release, newest last; or verify the whole journal."),
    "audit": ("audit", "Write or check the evidence of a period."),
    "metrics": ("metrics", "Print the figures of status for Prometheus."),
    "notify": ("notify", "Try out who is told, or deliver what waits."),
    "forget": ("forget", "Erase documents from every place, and prove it."),
    "failpoints": ("failpoints", "List the places where a run can be stopped to rehearse."),
    "deploy": ("deploy", "Put deployments and schedules on a Prefect server."),
    "verify": ("verify", "Look for damage; have what is whole answer."),
    "doctor": ("doctor", "Examine the machine, the settings and what they name."),
    "up": ("setup", "Start the Prefect server, MLflow and a runner."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"flows.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The settings file; by default the nearest driftline.toml upwards from here.",
)
@click.version_option(package_name="driftline")
@click.pass_context
def app(context: click.Context, config: Path | None) -> None:
    """Keep a RAG index and a fine-tuned model in step with a corpus that keeps changing."""
    context.obj = config


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its status."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; the boundary where every error ends."""
    as_json = "--json" in arguments
    try:
        status = app.main(arguments, prog_name="driftline", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return Exit.SETTINGS if isinstance(error, click.UsageError) else Exit.FAILED
    except (click.Abort, KeyboardInterrupt):
        return _tell(
            "INTERRUPTED", "Interrupted. Run it again to go on.", Exit.INTERRUPTED, as_json
        )
    except (FlowError, RetrievalError, TrainingError) as error:
        return _tell(error.code, str(error), EXIT_OF_CODE.get(error.code, Exit.FAILED), as_json)
    except Exception as error:  # noqa: BLE001 - the one boundary: a person gets a sentence
        if (full := no_space(error)) is not None:
            return _tell(full.code, str(full), Exit.FAILED, as_json)
        return _tell("FAILED", _unexpected(error), Exit.FAILED, as_json)
    return status if isinstance(status, int) else Exit.OK


def _tell(code: str, message: str, status: Exit, as_json: bool) -> int:  # noqa: FBT001
    message = redacted(message, os.environ)
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "message": message}}))
    click.echo(f"{code}: {message}", err=True)
    return status


def _unexpected(error: Exception) -> str:
    """Keep the traceback in a file and return one sentence about it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="driftline-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        told = io.StringIO()
        traceback.print_exception(error, file=told)
        log.write(redacted(told.getvalue(), os.environ))
    summary = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return (
        f"{type(error).__name__}: {summary} What answered before still answers. "
        f"The details are in {log.name}."
    )


if __name__ == "__main__":
    main()
