"""Where the journal is: a file by default, a team's PostgreSQL by setting; no password is shown."""

from pathlib import Path

import pytest

from flows.errors import SettingsError
from flows.journal.journal import open_journal
from flows.settings.settings import Settings, load_settings
from tests.flows.conftest import Place
from tests.flows.journal.journals import NOW
from tests.retrieval.postgres import Postgres, postgres  # noqa: F401 a fixture

SECRET = "s3cr3t-pass"  # noqa: S105 - planted


def settings(folder: Path, *lines: str) -> Settings:
    text = "\n".join(["[kb.docs]", 'source = {path = "docs"}', "[journal]", *lines])
    (folder / "driftline.toml").write_text(text, encoding="utf-8")
    return load_settings(folder / "driftline.toml")


def test_by_default_the_journal_is_a_file_in_home(tmp_path: Path):
    read = settings(tmp_path)

    assert read.journal_url == f"sqlite:///{tmp_path / '.driftline' / 'journal.db'}"


def test_a_url_without_a_password_is_taken_as_it_is(tmp_path: Path):
    url = "postgresql://ada@db.example:5432/journal"

    assert settings(tmp_path, f'url = "{url}"').journal_url == url


def test_a_variable_holds_the_whole_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    url = f"postgresql://ada:{SECRET}@db.example/journal"
    monkeypatch.setenv("TEAM_JOURNAL", url)

    read = settings(tmp_path, 'url_variable = "TEAM_JOURNAL"')

    assert read.journal_url == url
    assert SECRET not in repr(read)


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TEAM_JOURNAL", raising=False)

    with pytest.raises(SettingsError, match=r"\$TEAM_JOURNAL"):
        _ = settings(tmp_path, 'url_variable = "TEAM_JOURNAL"').journal_url


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([f'url = "postgresql://ada:{SECRET}@db/journal"'], "has a password in it"),
        ([f'url = "postgresql://ada@db/journal?password={SECRET}"'], "has a password in it"),
        ([f'url = "mysql://ada:{SECRET}@db/journal"'], "url is postgresql://"),
        ([f'url = "{SECRET}"'], "url is postgresql://"),
        (['url = "postgresql://ada@db/journal"', 'url_variable = "A"'], "either url or"),
        (['ulr = "a"'], "Did you mean 'url'"),
    ],
    ids=["a-password", "a-password-behind", "another-database", "no-url", "both", "a-typo"],
)
def test_what_cannot_be_is_refused_and_no_password_is_shown(
    tmp_path: Path, lines: list[str], said: str
):
    with pytest.raises(SettingsError, match=said) as told:
        settings(tmp_path, *lines)

    assert SECRET not in str(told.value)


def test_the_commands_work_on_a_journal_in_postgresql(
    postgres: Postgres,  # noqa: F811 the fixture
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    url = postgres.create_database("by_setting")
    monkeypatch.setenv("TEAM_JOURNAL", url)
    read = settings(tmp_path, 'url_variable = "TEAM_JOURNAL"')
    with open_journal(read.journal_url, head=read.journal_head) as journal:
        journal.append("docs", "note", {}, time=NOW)
    place = Place(tmp_path, capsys)

    status = place.run("status", "--json")
    verified = place.run("history", "--verify", "--json")
    with postgres.connect("by_setting") as server:
        server.execute(b"DELETE FROM entries")
    cut_off = place.run("history", "--verify")

    assert status.status == 0, status.err
    assert (verified.status, verified.json["entries"]) == (0, 1)
    assert (cut_off.status, cut_off.err.partition(":")[0]) == (5, "JOURNAL_CORRUPT")
    assert not (tmp_path / ".driftline" / "journal.db").exists()
