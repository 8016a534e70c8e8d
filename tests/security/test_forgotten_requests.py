"""What `forget` was asked for as a flow is in no row of Prefect's database when it has ended."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import get_current_settings
from prefect.testing.utilities import prefect_test_harness

import flows.deployments
from tests.flows.conftest import Place

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TOKEN = "zqada7731kx"  # noqa: S105 - of a document
NAME = f"billing/{TOKEN}.md"


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        with prefect_test_harness(server_startup_timeout=240):
            yield


def rows_with(text: str) -> list[str]:
    """Return the tables and rows of Prefect's database that hold a text, events and logs too."""
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
            if text in repr(row)
        ]


@pytest.fixture
def planted(place: Place, warm: None, monkeypatch: pytest.MonkeyPatch) -> Place:
    (place.docs / NAME).write_text(f"# A keeper\n\nThe keeper {TOKEN} has every lid engraved.\n")
    assert place.run("refresh", "docs").status == 0
    monkeypatch.chdir(place.folder)
    return place


def test_a_run_of_forget_leaves_no_name_in_prefect_s_database(planted: Place, server: None):
    asked: Any = {"kb": "docs", "uris": [NAME], "by": "Ada", "why": f"{TOKEN} asked for it"}
    planted.configure('[kb.docs.source]\npath = "gone"\n[unknown\n')
    with pytest.raises(Exception, match=r"driftline\.toml"):
        flows.deployments.forget(**asked)
    failed = rows_with(TOKEN)
    planted.configure('[kb.docs.source]\npath = "docs"\n[kb.docs.surprise]\npassages = 0\n')

    receipt: Any = flows.deployments.forget(**asked)

    assert any(row.startswith("flow_run:") for row in failed)
    assert rows_with(receipt)
    assert rows_with(TOKEN) == []
