"""Each kind of source through the settings and the command line, alone and beside others."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.refresh import refresh
from flows.steps import quietly
from tests.flows.conftest import Place
from tests.retrieval.test_git import git
from tests.retrieval.web_server import Site, serve_site

pytestmark = pytest.mark.usefixtures("warm")

QUESTION = "How long is the grace period?"
NAMED = '[kb.docs.sources.handbook]\npath = "docs"\n'


@pytest.fixture
def site() -> Iterator[Site]:
    with serve_site() as site:
        page = "<h1>{}</h1><p>{}</p>"
        site.html("/", page.format("Status page", "All systems work. <a href='/news'>News</a>"))
        site.html("/news", page.format("News", "The wall charger learned to count to eleven."))
        yield site


@pytest.fixture
def tickets(place: Place) -> Path:
    path = place.folder / "tickets.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE tickets (id INTEGER, subject TEXT, body TEXT)")
        rows = [(1, "Meter", "The meter blinks."), (2, "Relay", "The relay clicks at night.")]
        connection.executemany("INSERT INTO tickets VALUES (?, ?, ?)", rows)
    return path


def web(site: Site, name: str = "site") -> str:
    return (
        f'[kb.docs.sources.{name}]\nkind = "web"\nstarts = ["{site.root}/"]\n'
        "allow_private = true\ndelay_seconds = 0\n"
    )


def sql(address: str, name: str = "tickets") -> str:
    query = 'query = "SELECT * FROM tickets"\nkey = "id"\ntext = "body"\ntitle = "subject"\n'
    return f'[kb.docs.sources.{name}]\nkind = "sql"\n{address}\n{query}'


def repository(folder: Path) -> None:
    """Make the documents there the branch `main` of a repository, with another branch beside."""
    git(folder, "init", "--quiet", "--initial-branch=draft")
    (folder / "draft.md").write_text("Nobody is to read this yet.")
    git(folder, "add", "draft.md")
    git(folder, "commit", "--quiet", "-m", "draft")
    git(folder, "checkout", "--quiet", "--orphan", "main")
    git(folder, "rm", "--quiet", "--force", "draft.md")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "release")


def found(place: Place, text: str, *options: str) -> list[str]:
    hits = place.run("search", "docs", text, *options, "--json").json["hits"]
    return [hit["uri"] for hit in hits]


def counts(told: dict[str, Any]) -> tuple[int, int, int, int]:
    return told["added"], told["edited"], told["removed"], told["embedded"]


def test_the_branch_of_a_repository_is_the_source(place: Place):
    repository(place.docs)
    place.configure('[kb.docs.source]\nkind = "git"\nrepository = "docs"\nbranch = "main"\n')

    moved = place.run("refresh", "docs", "--json")
    place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21 days")
    uncommitted = place.run("plan", "docs", "--json")
    git(place.docs, "commit", "--quiet", "--all", "-m", "edit")
    committed = place.run("refresh", "docs", "--json")

    assert (moved.status, counts(moved.json)) == (0, (0, 0, 0, 0))
    assert counts(uncommitted.json) == (0, 0, 0, 0)
    assert (committed.status, counts(committed.json)) == (0, (0, 1, 0, 1))


def test_an_archive_beside_the_settings_is_a_source(place: Place):
    shutil.make_archive(str(place.folder / "docs"), "zip", place.docs)
    place.configure('[kb.docs.source]\nkind = "store"\nurl = "zip://docs.zip"\n')

    packed = place.run("refresh", "docs", "--json")
    place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21 days")
    shutil.make_archive(str(place.folder / "docs"), "zip", place.docs)
    edited = place.run("refresh", "docs", "--json")

    assert (packed.status, counts(packed.json)) == (0, (0, 0, 0, 0))
    assert (edited.status, counts(edited.json)) == (0, (0, 1, 0, 1))


def test_a_store_of_objects_is_a_source(place: Place):
    """In this process, since no other one sees its memory."""
    import fsspec  # noqa: PLC0415 of this test alone

    store = fsspec.filesystem("memory")
    store.pipe("/bucket/docs/one.md", b"# One\n\nThe wall charger hums.")
    place.configure(NAMED + '[kb.docs.sources.bucket]\nkind="store"\nurl="memory://bucket/docs"\n')

    with place.desk() as desk:
        outcome = refresh(desk, quietly)
    store.rm("/bucket", recursive=True)

    assert outcome.plan.added == ("bucket:one.md",)
    assert found(place, "What hums?")[0] == "bucket:one.md"


@pytest.mark.parametrize("address", ["sqlite:///{folder}/tickets.db", "sqlite:///tickets.db"])
def test_the_rows_of_a_query_are_documents(
    place: Place, tickets: Path, monkeypatch: pytest.MonkeyPatch, address: str
):
    monkeypatch.setenv("TICKETS_URL", address.format(folder=place.folder))
    place.configure(NAMED + sql('url_variable = "TICKETS_URL"'))

    done = place.run("refresh", "docs", "--json")

    assert (done.status, counts(done.json)) == (0, (2, 0, 0, 2))
    assert found(place, "Which part clicks at night?")[0] == "tickets:2"


def test_a_secret_that_is_not_set_is_named(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TICKETS_URL", raising=False)
    place.configure(NAMED + sql('url_variable = "TICKETS_URL"'))

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["error"]["code"]) == (2, "SETTINGS_INVALID")
    assert "$TICKETS_URL" in done.err


@pytest.mark.parametrize(
    ("address", "status"),
    [
        pytest.param("postgresql://reader:hunter2-17@127.0.0.1:9/tickets", 6, id="nobody-there"),
        pytest.param("nothing://reader:hunter2-17@127.0.0.1/tickets", 4, id="no-such-database"),
        pytest.param("reader:hunter2-17", 2, id="no-address"),
    ],
)
def test_a_secret_is_never_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch, address: str, status: int
):
    monkeypatch.setenv("TICKETS_URL", address)
    place.configure(NAMED + sql('url_variable = "TICKETS_URL"'))

    planned = place.run("plan", "docs", "--json")
    done = place.run("refresh", "docs")
    again = place.run("search", "docs", QUESTION)

    shown = "".join(ran.out + ran.err for ran in (planned, done, again))
    assert (planned.status, done.status) == (status, status)
    assert "hunter2-17" not in shown
    assert not any(b"hunter2-17" in path.read_bytes() for path in files(place))


def files(place: Place) -> list[Path]:
    return [path for path in (place.folder / ".driftline").rglob("*") if path.is_file()]


def test_sources_of_every_kind_stand_beside_each_other(place: Place, site: Site, tickets: Path):
    guide = place.folder / "guide"
    shutil.copytree(place.docs / "accounts", guide)
    repository(guide)
    (place.folder / "more").mkdir()
    (place.folder / "more" / "extra.md").write_text("Spare fuses lie under the lid.")
    shutil.make_archive(str(place.folder / "more"), "zip", place.folder / "more")
    place.configure(
        NAMED
        + '[kb.docs.sources.guide]\nkind="git"\nrepository="guide"\nbranch="main"\n'
        + '[kb.docs.sources.more]\nkind="store"\nurl="zip://more.zip"\n'
        + web(site)
        + sql('url = "sqlite:///tickets.db"')
    )

    planned = place.run("plan", "docs", "--json").json
    done = place.run("refresh", "docs", "--json")
    again = place.run("refresh", "docs", "--json")

    assert (planned["moved"], planned["removed"]) == (10, 0)  # an only source has no name
    assert {part["name"]: part["listed"] for part in planned["sources"] if part["configured"]} == {
        "handbook": 10,
        "guide": 5,
        "more": 1,
        "site": 2,
        "tickets": 2,
    }
    assert (done.status, counts(done.json)) == (0, (10, 0, 0, 5))
    assert (again.status, again.json["release"]) == (0, done.json["release"])
    assert (again.json["unchanged"], again.json["embedded"]) == (20, 0)
    assert found(place, "Where are spare fuses?")[0] == "more:extra.md"
    assert found(place, "Who learned to count to eleven?")[0] == f"site:{site.root}/news"


def test_giving_the_only_source_a_name_embeds_nothing(place: Place):
    place.configure(NAMED)

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["moved"], done.json["embedded"]) == (0, 10, 0)
    assert all(uri.startswith("handbook:") for uri in found(place, QUESTION))


def test_a_source_out_of_reach_keeps_its_documents_and_the_others_go_on(
    place: Place, tickets: Path
):
    place.configure(NAMED + sql('url = "sqlite:///tickets.db"'))
    place.run("refresh", "docs")
    tickets.rename(place.folder / "elsewhere.db")
    place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21 days")

    planned = place.run("plan", "docs")
    done = place.run("refresh", "docs", "--json")
    told = place.run("search", "docs", "Which part clicks at night?", "--json").json["hits"][0]

    assert planned.status == 6
    assert "tickets could not be listed" in planned.out
    assert (done.status, done.json["edited"], done.json["removed"]) == (6, 1, 0)
    assert (done.json["listing"], done.json["kept"]) == ("failed", 2)
    assert told["uri"] == "tickets:2"
    assert "tickets.db" in told["stale"]


def test_what_is_stale_has_the_reason_of_its_own_source(place: Place, tickets: Path, site: Site):
    place.configure(NAMED + web(site, "a-site") + sql('url = "sqlite:///tickets.db"'))
    place.run("refresh", "docs")
    tickets.rename(place.folder / "elsewhere.db")
    site.pages["/robots.txt"] = site.pages.pop("/")

    done = place.run("refresh", "docs", "--json")
    told = place.run("search", "docs", "Which part clicks at night?", "--json").json["hits"][0]

    assert (done.status, done.json["kept"] >= 2) == (6, True)
    assert told["uri"] == "tickets:2"
    assert "tickets.db" in told["stale"]


def test_each_source_is_guarded_for_itself(place: Place):
    shutil.copytree(place.docs / "accounts", place.folder / "small")
    place.configure(NAMED + '[kb.docs.sources.small]\npath = "small"\n')
    place.run("refresh", "docs")
    for path in sorted((place.folder / "small").iterdir())[:3]:
        path.unlink()

    blocked = place.run("refresh", "docs", "--json")

    assert (blocked.status, blocked.json["error"]["code"]) == (4, "MASS_DELETE_BLOCKED")
    assert "3 of 5 documents of source 'small'" in blocked.err


def test_a_source_taken_out_of_the_settings_asks_first(place: Place, tickets: Path):
    place.configure(NAMED + sql('url = "sqlite:///tickets.db"'))
    place.run("refresh", "docs")
    place.configure(NAMED)

    blocked = place.run("refresh", "docs", "--json")
    still = found(place, "Which part clicks at night?")
    digest = place.run("plan", "docs", "--json").json["digest"]
    accepted = place.run("refresh", "docs", "--accept", digest[:12], "--json")

    assert (blocked.status, blocked.json["error"]["code"]) == (4, "MASS_DELETE_BLOCKED")
    assert "settings no longer name" in blocked.err
    assert still[0] == "tickets:2"
    assert (accepted.status, accepted.json["removed"]) == (0, 2)
    assert "tickets:2" not in found(place, "Which part clicks at night?")


def test_trust_is_the_sources_and_may_change_without_embedding(place: Place, tickets: Path):
    outside = sql('url = "sqlite:///tickets.db"\ntrust = "untrusted"')
    place.configure(NAMED + outside)
    place.run("refresh", "docs")
    question = "Which part clicks at night?"

    anyone, trusted = found(place, question), found(place, question, "--trusted")
    place.configure(NAMED + sql('url = "sqlite:///tickets.db"'))
    flipped = place.run("refresh", "docs", "--json")

    assert anyone[0] == "tickets:2"
    assert trusted
    assert not any(uri.startswith("tickets:") for uri in trusted)
    assert (flipped.status, counts(flipped.json)) == (0, (0, 2, 0, 0))
    assert found(place, question, "--trusted")[0] == "tickets:2"
