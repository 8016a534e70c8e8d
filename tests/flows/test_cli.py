"""The command line: complete in its documents, quick to start, clear when it fails."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from flows import cli
from tests.flows.conftest import Place

DOCUMENT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
HEAVY = {"lancedb", "torch", "transformers", "peft", "mlflow", "prefect", "evidently"}


def commands() -> dict[str, click.Command]:
    context = click.Context(cli.app)
    found = {name: cli.app.get_command(context, name) for name in cli.COMMANDS}
    return {name: command for name, command in found.items() if command is not None}


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_documented_with_its_arguments(name: str):
    command = commands()[name]
    heading = next(line for line in DOCUMENT.splitlines() if f"## `driftline {name}" in line)

    leaves = command.commands.values() if isinstance(command, click.Group) else [command]
    options = {
        option
        for leaf in leaves
        for parameter in leaf.params
        for option in parameter.opts
        if option.startswith("--") and option not in {"--json", "--help"}
    }

    assert all(option in heading for option in options)
    for leaf in leaves:
        assert any("--json" in parameter.opts for parameter in leaf.params)
    assert command.help


def test_no_command_is_documented_that_does_not_exist():
    documented = {
        line.split()[2].rstrip("`") for line in DOCUMENT.splitlines() if line.startswith("## `")
    }

    assert documented == set(cli.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--help"], set()),
        (["status", "--json"], set()),
        (["history", "docs"], set()),
        (["history", "docs", "--promotions"], set()),
        (["compare", "docs", "docs"], set()),
        (["plan", "docs"], {"lancedb"}),
        (["refresh", "docs"], {"lancedb"}),
    ],
    ids=str,
)
def test_a_command_imports_no_framework_that_it_does_not_need(
    place: Place, arguments: list[str], needed: set[str]
):
    program = (
        "import sys; from flows.cli import run; "
        f"status = run({arguments!r}); "
        f"found = {HEAVY - needed!r} & set(sys.modules); "
        "sys.exit(f'{status} {found}' if status or found else 0)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_an_unforeseen_error_is_one_sentence_and_a_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object, **__: object) -> None:
        msg = "the disk caught fire"
        raise RuntimeError(msg)

    monkeypatch.setattr("flows.commands.status.look", broken)

    done = place.run("status", "--json")

    assert done.status == 1
    assert "RuntimeError: the disk caught fire" in done.json["error"]["message"]
    assert "Traceback" not in done.err + done.out
    log = Path(done.err.strip().removesuffix(".").rpartition(" ")[2])
    assert "the disk caught fire" in log.read_text()
    log.unlink()


def test_status_tells_what_answers(place: Place):
    status = place.run("status", "--json").json

    serving = place.history()[-1]
    assert status["docs"]["release"] == serving["release"]
    assert (status["docs"]["documents"], status["docs"]["last_check"]) == (10, None)


def test_every_table_for_people_can_be_shown(place: Place):
    shown = [
        place.run(*arguments).out
        for arguments in (
            ["plan", "docs"],
            ["refresh", "docs"],
            ["drift", "docs"],
            ["search", "docs", "grace period"],
            ["status"],
            ["history", "docs"],
        )
    ]

    assert all(text.strip() for text in shown)


def test_help_names_every_command(place: Place):
    assert all(name in place.run("--help").out for name in cli.COMMANDS)


def test_an_unknown_command_is_a_mistake_of_usage(place: Place):
    done = place.run("refesh")

    assert done.status == 2
    assert "refesh" in done.err
