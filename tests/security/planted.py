"""Twelve secrets, where people put them, and every place where one could come out."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote


def _word(name: str) -> str:
    """Return a secret that no library makes up, with a letter that addresses must escape."""
    return f"Pl4nted/{name}-9f3c"


SECRETS = {
    name: _word(name)
    for name in (
        "sql-password",
        "git-token",
        "s3-key",
        "s3-secret",
        "web-password",
        "embedder-key",
        "notify-token",
        "journal-password",
        "mlflow-password",
        "mlflow-token",
        "prefect-key",
        "servers-auth",
        "netrc",
    )
}

# What a machine's environment holds, whatever is run on it.
ENVIRONMENT = {
    "SQL_SOURCE": f"postgresql://reader:{quote(SECRETS['sql-password'], safe='')}@127.0.0.1:1/db",
    "EMBEDDER_API_KEY": SECRETS["embedder-key"],
    "JOURNAL": "postgresql+psycopg://keeper:"
    f"{quote(SECRETS['journal-password'], safe='')}@127.0.0.1:1/journal",
    "TEAM_CHAT": f"json://bot:{quote(SECRETS['notify-token'], safe='')}@127.0.0.1:1/hook",
    "MLFLOW_TRACKING_PASSWORD": SECRETS["mlflow-password"],
    "MLFLOW_TRACKING_TOKEN": SECRETS["mlflow-token"],
    "PREFECT_API_KEY": SECRETS["prefect-key"],
    "PREFECT_API_AUTH_STRING": f"admin:{SECRETS['servers-auth']}",
    "SERVERS_AUTH": f"admin:{SECRETS['servers-auth']}",
}


def spellings(secret: str) -> tuple[bytes, ...]:
    """Return a secret as it may be written: as it is, and as addresses have it."""
    return tuple({secret.encode(), quote(secret).encode(), quote(secret, safe="").encode()})


@dataclass
class Seen:
    """Everything that runs left behind: bytes, by the name of where they were."""

    places: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, content: str | bytes) -> None:
        self.places[name] = content.encode() if isinstance(content, str) else content

    def add_folder(self, folder: Path) -> None:
        """Add every file, and what databases hold, pages that are free included."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.add(str(file), file.read_bytes())
                if file.suffix == ".db":
                    self.add(f"{file}, read", "\n".join(_rows(file)))

    def leaks(self) -> list[tuple[str, str]]:
        return [
            (name, place)
            for name, secret in SECRETS.items()
            for place, content in self.places.items()
            if any(spelt in content for spelt in spellings(secret))
        ]


def _rows(file: Path) -> Iterator[str]:
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master")]
        for table in tables:
            try:
                yield from map(repr, database.execute(f'SELECT * FROM "{table}"'))  # noqa: S608
            except sqlite3.DatabaseError:
                continue  # an index, or a table of another extension
    finally:
        database.close()
