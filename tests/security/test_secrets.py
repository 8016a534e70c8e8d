"""No planted secret comes out: on no screen, in no log, error or journal, and not in MLflow."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.settings.redaction import redacted
from flows.settings.settings import load_settings
from flows.sources import feeds_of
from retrieval.scan_cache import ScanCache
from tests.flows.conftest import Place
from tests.security.planted import ENVIRONMENT, SECRETS, Seen

GIT = f"https://oauth2:{SECRETS['git-token'].replace('/', '%2F')}@127.0.0.1:1/team/docs.git"
STORE = f"""
[kb.docs.source]
kind = "store"
url = "s3://bucket/docs"
options.key = "{SECRETS["s3-key"]}"
options.secret = "{SECRETS["s3-secret"]}"
options.endpoint_url = "http://127.0.0.1:1"
"""
# Each kind of source as it stands in a settings file, with nothing at the other end.
UNREACHABLE = {
    "folder": '[kb.docs.source]\npath = "nowhere"\n',
    "git": f'[kb.docs.source]\nkind = "git"\nrepository = "{GIT}"\n',
    "sql": '[kb.docs.source]\nkind = "sql"\nurl_variable = "SQL_SOURCE"\n'
    'query = "SELECT 1"\nkey = "a"\ntext = "b"\n',
    "store": STORE,
    "web": '[kb.docs.source]\nkind = "web"\nstarts = ["http://127.0.0.1:1/"]\n'
    "allow_private = true\n",
}
# What people write in the wrong place.
MISTAKEN = {
    "web-with-a-user": '[kb.docs.source]\nkind = "web"\n'
    f'starts = ["http://me:{SECRETS["web-password"]}@127.0.0.1/"]\n',
    "web-with-a-token": '[kb.docs.source]\nkind = "web"\n'
    f'starts = ["http://127.0.0.1/?access_token={SECRETS["web-password"]}"]\n',
    "store-of-another-kind": '[kb.docs.source]\nkind = "store"\n'
    f'url = "ftp://me:{SECRETS["s3-secret"]}@host/docs"\n',
    "store-with-a-key": '[kb.docs.source]\nkind = "store"\n'
    f'url = "s3://{SECRETS["s3-key"].replace("/", "")}:{SECRETS["s3-secret"]}@bucket"\n',
    "git-of-another-kind": '[kb.docs.source]\nkind = "git"\n'
    f'repository = "ftp://me:{SECRETS["git-token"]}@host/docs.git"\n',
    "an-unknown-key": f'[kb.docs.source]\npath = "docs"\napi_key = "{SECRETS["embedder-key"]}"\n',
    "a-key-of-a-wrong-type": '[kb.docs.source]\nkind = "store"\nurl = "s3://bucket"\n'
    f'options.secret = ["{SECRETS["s3-secret"]}"]\n',
    "an-embedder-with-a-user": '[kb.docs.source]\npath = "docs"\n[embedder]\nmodel = "m"\n'
    f'max_tokens = 64\naddress = "https://me:{SECRETS["embedder-key"]}@127.0.0.1:1/v1"\n',
    "mlflow-with-a-password": '[kb.docs.source]\npath = "docs"\n[mlflow]\n'
    f'tracking_uri = "http://me:{SECRETS["mlflow-password"]}@127.0.0.1:1"\n',
}
EMBEDDER = (
    '[kb.docs.source]\npath = "docs"\n[embedder]\nmodel = "m"\nmax_tokens = 64\ndimension = 8\n'
    'address = "http://127.0.0.1:1/v1"\napi_key_variable = "EMBEDDER_API_KEY"\n'
    "retry_seconds = 0.1\n"
)
FOLDER = '[kb.docs.source]\npath = "docs"\n'
# What a run needs besides, with nothing at the other end, and the code that tells it.
AWAY = {
    "mlflow": (f'{FOLDER}[mlflow]\ntracking_uri = "http://127.0.0.1:1"\n', "TRACKING_UNAVAILABLE"),
    "journal": (f'{FOLDER}[journal]\nurl_variable = "JOURNAL"\n', "JOURNAL_UNAVAILABLE"),
}
TOLD = f"""{FOLDER}[kb.docs.surprise]
passages = 0
[notify.targets.team]
url_variable = "TEAM_CHAT"
allow_private = true
"""
COMMANDS = (("plan", "docs", "--json"), ("refresh", "docs", "--json"), ("refresh", "docs"))


@dataclass(frozen=True)
class Machine:
    """A place on a machine whose environment and home are full of secrets."""

    place: Place
    logged: Path
    caplog: pytest.LogCaptureFixture

    def try_all(self, settings: str, commands: Sequence[Sequence[str]] = COMMANDS) -> Seen:
        """Run commands with these settings; return all that could be read afterwards."""
        seen = Seen()
        self.place.configure(settings)
        for command in commands:
            ran = self.place.run(*command)
            seen.add(f"{' '.join(command)}: out", ran.out)
            seen.add(f"{' '.join(command)}: err", ran.err)
        seen.add("log", self.caplog.text)
        seen.add_folder(self.place.folder / ".driftline")
        seen.add_folder(self.logged)
        return seen


@pytest.fixture
def machine(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    warm: None,
) -> Machine:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "person"
    home.mkdir()
    (home / ".netrc").write_text(f"machine 127.0.0.1 login me password {SECRETS['netrc']}\n")
    logged = tmp_path / "logs"
    logged.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PREFECT_HOME", str(home / "prefect"))
    monkeypatch.setattr(tempfile, "tempdir", str(logged))
    caplog.set_level(logging.INFO)  # what botocore says to its own makers is for them
    for name in ("flows", "retrieval"):
        caplog.set_level(logging.DEBUG, logger=name)
    return Machine(place, logged, caplog)


@pytest.mark.parametrize("settings", UNREACHABLE.values(), ids=UNREACHABLE)
def test_a_source_out_of_reach_is_told_without_a_secret(machine: Machine, settings: str):
    seen = machine.try_all(settings)

    assert b"SRC_UNREACHABLE" in seen.places["refresh docs: err"]
    assert seen.leaks() == []


@pytest.mark.parametrize("settings", MISTAKEN.values(), ids=MISTAKEN)
def test_a_secret_in_the_wrong_place_is_not_read_out(machine: Machine, settings: str):
    seen = machine.try_all(settings)

    assert b"error" in seen.places["refresh docs --json: out"]
    assert seen.leaks() == []


def test_an_endpoint_that_is_down_is_told_without_its_key(machine: Machine):
    seen = machine.try_all(EMBEDDER)

    assert b"EMBEDDER_UNREACHABLE" in seen.places["refresh docs: err"]
    assert seen.leaks() == []


@pytest.mark.parametrize(("settings", "code"), AWAY.values(), ids=AWAY)
def test_a_service_that_is_away_is_told_without_its_password(
    machine: Machine, settings: str, code: str
):
    seen = machine.try_all(settings, [("monitor", "docs"), ("status", "docs"), ("doctor",)])

    assert code.encode() in seen.places["monitor docs: err"]
    assert seen.leaks() == []


def test_a_target_that_refuses_is_told_without_its_address(machine: Machine):
    commands = [("notify", "test"), ("rollback", "docs", "0000"), ("notify", "deliver")]

    seen = machine.try_all(TOLD, commands)

    assert b"team" in b"".join(seen.places.values())
    assert seen.leaks() == []


def test_runs_that_succeed_leave_no_secret(machine: Machine):
    machine.place.edit("billing/failed-payments.md", "a new card number", "a new number")

    seen = machine.try_all('[kb.docs.source]\npath = "docs"\n[kb.docs.surprise]\npassages = 0\n')

    assert b'"release"' in seen.places["refresh docs --json: out"]
    assert any(place.endswith("mlflow.db, read") for place in seen.places)
    assert any(place.endswith("journal.db, read") for place in seen.places)
    assert seen.leaks() == []


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_what_a_refresh_notes_down_of_its_settings_holds_no_key(machine: Machine, kind: str):
    machine.place.configure(UNREACHABLE[kind])
    settings = load_settings(machine.place.folder / "driftline.toml")
    seen = Seen()

    for feed in feeds_of(
        settings, settings.kb["docs"], folder=machine.logged, cache=ScanCache(None)
    ):
        seen.add("feed", repr(feed))

    assert seen.leaks() == []


def test_a_foreign_error_is_told_without_a_secret(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    said = " ".join(ENVIRONMENT.values()) + f" {GIT} http://h/?token={SECRETS['web-password']}"

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr("flows.desk.open_journal", fail)

    seen = machine.try_all('[kb.docs.source]\npath = "docs"\n')

    assert b"RuntimeError" in seen.places["refresh docs: err"]
    assert [place for place in seen.places if place.endswith(".log")]
    assert seen.leaks() == []


def test_the_search_for_leaks_finds_them(tmp_path: Path):
    seen = Seen()
    for name, secret in SECRETS.items():
        seen.add(name, f"… {secret} …")
    seen.add("address", ENVIRONMENT["SQL_SOURCE"])

    assert {name for name, _ in seen.leaks()} == set(SECRETS)
    assert ("sql-password", "address") in seen.leaks()
    assert len(SECRETS) >= 12


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_the_border_knows_every_secret_of_the_environment(name: str):
    told = redacted(f"cannot use {ENVIRONMENT[name]}: refused", ENVIRONMENT)
    seen = Seen()
    seen.add(name, told)

    assert seen.leaks() == []
    assert told.endswith(": refused")
