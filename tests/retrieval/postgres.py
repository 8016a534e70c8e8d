"""A PostgreSQL server of the test session's own. Import the fixture `postgres` to use it."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

_NOBODY = "postgres"  # initdb refuses root


@dataclass(frozen=True)
class Postgres:
    """Where it listens. The superuser is `owner`, with a password."""

    port: int
    password: str = "s3cr:t/p@ss"  # noqa: S105 a server that lives as long as the tests

    def url(self, database: str, *, user: str = "owner", password: str | None = None) -> str:
        written = (self.password if password is None else password).replace("%", "%25")
        for character, code in ((":", "%3A"), ("/", "%2F"), ("@", "%40")):
            written = written.replace(character, code)
        return f"postgresql://{user}:{written}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url(database), autocommit=True)

    def create_database(self, name: str, *statements: str, encoding: str = "UTF8") -> str:
        """Create a database anew, execute the statements in it, return its url."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            made = f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING '{encoding}'"
            connection.execute(made.encode())
        with self.connect(name) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return self.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a server on a free loopback port; about two seconds."""
    programs = _programs()
    user = _NOBODY if os.getuid() == 0 else None
    if user is not None and user not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("the server refuses root, and there is no user 'postgres' to run it as")
    # Not below tmp_path: only root may enter that, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="driftline-postgres-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        started = Postgres(_free_port())
        _initialise(programs, folder, user, started.password)
        server = _start(programs, folder, user, started.port)
        _wait(programs, started.port)
        yield started
    finally:
        if server is not None:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the server's programs; some systems keep it off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("postgres"):
        folders.append(Path(found).parent)
    for folder in folders:
        if {"initdb", "postgres", "pg_isready"} <= {path.name for path in folder.iterdir()}:
            return folder
    return pytest.skip("no PostgreSQL server is installed")


def _initialise(programs: Path, folder: Path, user: str | None, password: str) -> None:
    word = folder / "password"
    word.write_text(password)
    if user is not None:
        shutil.chown(folder, user)
        shutil.chown(word, user)
    done = subprocess.run(
        [
            *(programs / "initdb", "--pgdata", folder / "data", "--username", "owner"),
            *("--pwfile", word, "--auth", "scram-sha-256", "--encoding", "UTF8"),
            *("--locale", "C", "--no-sync"),
        ],
        user=user,
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def _start(programs: Path, folder: Path, user: str | None, port: int) -> "subprocess.Popen[bytes]":
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    written = (part for name, value in options.items() for part in ("-c", f"{name}={value}"))
    return subprocess.Popen(
        [programs / "postgres", "-D", folder / "data", "-p", str(port), *written],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait(programs: Path, port: int) -> None:
    ready = [str(programs / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
    for _ in range(100):
        # Each try waits for itself: no sleep.
        if subprocess.run([*ready, "--timeout=1"], check=False).returncode == 0:
            return
        subprocess.run(["sleep", "0.1"], check=True)  # noqa: S607
    pytest.fail("PostgreSQL did not start")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port
