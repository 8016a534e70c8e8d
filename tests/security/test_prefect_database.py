"""What flows leave in Prefect's database: no planted secret, and no name that was erased."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import get_current_settings

import flows.deployments
from flows.errors import FlowError
from retrieval.errors import RetrievalError
from tests.flows.conftest import Place
from tests.security.planted import ENVIRONMENT, Seen
from tests.security.test_secrets import AWAY, UNREACHABLE

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Prefect's own key is for a server that asks for one.
PLANTED = {name: said for name, said in ENVIRONMENT.items() if not name.startswith("PREFECT_")}
TOKEN = "zqada7731kx"  # noqa: S105 - of a document
NAME = f"billing/{TOKEN}.md"


def rows() -> list[str]:
    """Return every row of Prefect's database, its table's name before it."""
    url = get_current_settings().server.database.connection_url
    assert url is not None
    file = Path(url.get_secret_value().partition(":///")[2])
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        tables = [name for (name,) in database.execute(query)]
        assert {"flow_run", "log", "artifact", "events"} <= set(tables)
        return [
            f"{table}: {row!r}"
            for table in tables
            for row in database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - its own name
        ]


def rows_with(text: str) -> list[str]:
    return [row for row in rows() if text in row]


@pytest.fixture
def here(place: Place, warm: None, prefect_server: None, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(place.folder)
    return place


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        pytest.param(UNREACHABLE["sql"], "SRC_UNREACHABLE", id="source"),
        pytest.param(AWAY["journal"][0], "JOURNAL_UNAVAILABLE", id="journal"),
    ],
)
def test_a_flow_that_fails_tells_prefect_no_secret(
    here: Place,
    settings: str,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    for name, said in PLANTED.items():
        monkeypatch.setenv(name, said)
    here.configure(settings)
    before, check, seen = set(rows()), flows.deployments.monitor, Seen()

    with pytest.raises((FlowError, RetrievalError)) as failed:
        check(kb="docs")

    told, error = set(rows()) - before, failed.value
    seen.add("Prefect's database", "\n".join(told))
    seen.add("log", caplog.text)
    seen.add_folder(here.folder / ".driftline")
    assert getattr(error, "code", "") == code
    assert any(failed.typename in row for row in told if row.startswith("flow_run_state:"))
    assert seen.leaks() == []


def test_a_run_of_forget_leaves_no_name(here: Place):
    (here.docs / NAME).write_text(f"# A keeper\n\nThe keeper {TOKEN} has every lid engraved.\n")
    assert here.run("refresh", "docs").status == 0
    asked: Any = {"kb": "docs", "uris": [NAME], "by": "Ada", "why": f"{TOKEN} asked for it"}
    here.configure('[kb.docs.source]\npath = "gone"\n[unknown\n')
    with pytest.raises(Exception, match=r"driftline\.toml"):
        flows.deployments.forget(**asked)
    failed = rows_with(TOKEN)
    here.configure('[kb.docs.source]\npath = "docs"\n[kb.docs.surprise]\npassages = 0\n')

    receipt: Any = flows.deployments.forget(**asked)

    assert any(row.startswith("flow_run:") for row in failed)
    assert rows_with(receipt)
    assert rows_with(TOKEN) == []
