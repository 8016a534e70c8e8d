"""The evidence of a period: all of it and nothing else, the same bytes, and any change is found."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.audit import ENTRY_FILES, Period, gather
from flows.audit_archive import verify_archive, write_archive
from flows.errors import ArchiveCorruptError
from flows.journal import lease
from flows.journal.journal import Journal, Line, open_journal
from tests.flows.conftest import Place
from tests.flows.journal.journals import release, sqlite_url

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
MONTH = Period(MARCH, APRIL)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(sqlite_url(tmp_path)) as opened:
        yield opened


@pytest.fixture
def told(journal: Journal) -> Journal:
    """A journal of a month, of two knowledge bases, with one entry before and one after it."""
    refresh = {"documents": 9, "chunks": 30, "sources": [], "moved": []}
    tried = {"actor": "flow retrain", "from": 1, "to": 2, "why": "worse", "outcome": "refused"}
    journal.append("docs", "check", {"action": "watch"}, time=MARCH - SECOND)
    journal.append("docs", "refresh", refresh, time=MARCH, key="c1")
    with lease.hold(journal, "docs") as fence:
        journal.publish(
            release(),
            kind="first",
            reason="first release",
            time=MARCH,
            fence=fence,
            expected_version=None,
            beside=[Line("freeze", {"frozen": True})],
        )
    journal.append("help", "check", {"action": "nothing", "secret": "of help"}, time=MARCH + DAY)
    others: dict[str, dict[str, Any]] = {
        "check": {"action": "nothing", "reason": "calm"},
        "verdict": {"version": 2, "promote": False},
        "promotion": tried,
        "guard": {"code": "SRC_EMPTY", "reason": "empty"},
        "erasure": {"documents": 1},
        "schedule": {"every": "day"},
    }
    for kind, payload in others.items():
        journal.append("docs", kind, payload, time=MARCH + 2 * DAY)
    journal.append("docs", "approval", {"approved": True}, time=APRIL - SECOND)
    journal.append("docs", "check", {"action": "retrain"}, time=APRIL)
    return journal


def export(journal: Journal, file: Path) -> Path:
    write_archive(file, gather(journal.rows(), "docs", MONTH), "docs", MONTH)
    return file


def read(file: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(file) as archive:
        return [json.loads(line) for line in archive.read(name).splitlines()]


def test_each_entry_of_the_period_is_in_the_file_of_its_kind_and_no_other_is(
    told: Journal, tmp_path: Path
):
    file = export(told, tmp_path / "march.zip")

    kinds = {name: [each["kind"] for each in read(file, name)] for name in ENTRY_FILES}
    assert kinds == {
        "releases.jsonl": ["release"],
        "decisions.jsonl": ["check"],
        "evaluations.jsonl": ["verdict"],
        "approvals.jsonl": ["freeze", "approval"],
        "refusals.jsonl": ["promotion", "guard"],
        "erasures.jsonl": ["erasure"],
        "refreshes.jsonl": ["refresh"],
        "other.jsonl": ["schedule"],
    }
    assert read(file, "decisions.jsonl")[0]["payload"]["action"] == "nothing"


def test_the_lineage_of_a_release_names_what_it_was_made_of(told: Journal, tmp_path: Path):
    (line,) = read(export(told, tmp_path / "march.zip"), "lineage.jsonl")

    assert line["release"] == release().id
    assert (line["snapshot"], line["base_digest"], line["documents"]) == ("docs@1", "b", 9)


def test_another_knowledge_base_is_there_by_its_digests_alone(told: Journal, tmp_path: Path):
    file = export(told, tmp_path / "march.zip")

    with zipfile.ZipFile(file) as archive:
        assert not any(b"of help" in archive.read(name) for name in archive.namelist())
    links = [each for each in read(file, "chain.jsonl") if "payload" not in each]
    assert [set(each) for each in links] == [{"sequence", "previous", "digest"}]


def test_the_same_period_gives_the_same_bytes_also_later(told: Journal, tmp_path: Path):
    first = export(told, tmp_path / "one.zip").read_bytes()
    told.append("docs", "check", {"action": "nothing"}, time=APRIL + DAY)

    assert export(told, tmp_path / "two.zip").read_bytes() == first


def test_an_archive_as_it_was_exported_is_verified(told: Journal, tmp_path: Path):
    found = verify_archive(export(told, tmp_path / "march.zip"))

    assert (found.kb, found.entries, found.redacted) == ("docs", 10, 0)
    assert (found.since, found.until) == (MARCH.isoformat(), APRIL.isoformat())


def test_a_period_without_entries_is_evidence_too(told: Journal, tmp_path: Path):
    period = Period(APRIL + DAY, APRIL + 2 * DAY)
    write_archive(tmp_path / "a.zip", gather(told.rows(), "docs", period), "docs", period)

    assert verify_archive(tmp_path / "a.zip").entries == 0


def test_what_was_erased_later_is_vouched_for(told: Journal, tmp_path: Path):
    def rewrite(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "reason": "[erased]"} if kind == "check" else payload

    with lease.hold(told, "docs") as fence:
        told.redact("docs", rewrite, actor="a", why="b", time=APRIL + DAY, fence=fence)

    file = export(told, tmp_path / "march.zip")

    assert verify_archive(file).redacted == 1
    assert read(file, "decisions.jsonl")[0]["payload"]["reason"] == "[erased]"


Change = Callable[[dict[str, bytes]], None]


def forged(file: Path, change: Change, *, manifest: bool) -> None:
    """Change the files of an archive, and its manifest to fit if asked."""
    with zipfile.ZipFile(file) as archive:
        texts = {name: archive.read(name) for name in archive.namelist()}
    change(texts)
    if manifest:
        listed = json.loads(texts["manifest.json"])
        listed["files"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest()}
            for name, data in texts.items()
            if name != "manifest.json"
        }
        texts["manifest.json"] = json.dumps(listed).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in texts.items():
            archive.writestr(name, data)


def changed(name: str, old: bytes, new: bytes) -> Change:
    def change(texts: dict[str, bytes]) -> None:
        assert old in texts[name]
        texts[name] = texts[name].replace(old, new, 1)

    return change


def without_line(name: str, at: int) -> Change:
    def change(texts: dict[str, bytes]) -> None:
        lines = texts[name].splitlines(keepends=True)
        texts[name] = b"".join(lines[:at] + lines[at + 1 :])

    return change


@pytest.mark.parametrize(
    ("change", "manifest", "said"),
    [
        (changed("decisions.jsonl", b"calm", b"wild"), False, "'decisions.jsonl' is not what"),
        (changed("README.txt", b"Evidence", b"evidence"), False, "'README.txt' is not what"),
        (lambda texts: texts.pop("refusals.jsonl"), False, "differ by 'refusals.jsonl'"),
        (lambda texts: texts.update({"more.txt": b""}), False, "differ by 'more.txt'"),
        (changed("decisions.jsonl", b"calm", b"wild"), True, "not as it is in 'chain.jsonl'"),
        (changed("chain.jsonl", b"calm", b"wild"), True, "is not as it was written"),
        (without_line("decisions.jsonl", 0), True, "it has 9 entries, its manifest says 10"),
        (without_line("chain.jsonl", 3), True, "entries before 6 are missing"),
        (lambda texts: texts.pop("chain.jsonl"), True, "not laid out as an archive"),
        (changed("manifest.json", b"{", b"["), False, "not laid out as an archive"),
    ],
    ids=[
        *("a-changed-line", "a-changed-word", "a-file-less", "a-file-more"),
        *("a-line-and-its-digest", "the-chain-and-its-digest", "a-line-less-and-its-digest"),
        *("a-link-less-and-its-digest", "no-chain", "no-manifest"),
    ],
)
def test_any_change_of_an_archive_is_found(
    told: Journal, tmp_path: Path, change: Change, said: str, *, manifest: bool
):
    file = export(told, tmp_path / "march.zip")
    forged(file, change, manifest=manifest)

    with pytest.raises(ArchiveCorruptError, match=said):
        verify_archive(file)


@pytest.mark.parametrize("data", [None, b"", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes | None):
    if data is not None:
        (tmp_path / "a.zip").write_bytes(data)

    with pytest.raises(ArchiveCorruptError, match=r"no such file|cannot be unpacked"):
        verify_archive(tmp_path / "a.zip")


@pytest.fixture
def place(told: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    bare = Place(tmp_path, capsys)
    bare.configure('home = "."\n[kb.docs]\nsource = {path = "docs"}\n')
    return bare


def test_the_commands_write_and_check_an_archive(place: Place):
    file = str(place.folder / "march.zip")
    asked = ("audit", "export", "docs", "--from", "2026-03-01", "--to", "2026-04-01", file)

    exported = place.run(*asked, "--json")
    checked = place.run("audit", "verify", file, "--json")
    Path(file).write_bytes(b"")
    emptied = place.run("audit", "verify", file)

    assert (exported.status, exported.json["entries"]) == (0, 10)
    assert (checked.status, checked.json["entries"], checked.json["kb"]) == (0, 10, "docs")
    assert (emptied.status, emptied.err.partition(":")[0]) == (5, "ARCHIVE_CORRUPT")


def test_a_damaged_journal_is_exported_as_it_is_and_told(place: Place, journal: Journal):
    with journal._database.writing() as connection:  # noqa: SLF001 - whoever can write the file
        connection.exec_driver_sql("UPDATE entries SET payload = 'torn' WHERE sequence = 3")
    file = place.folder / "march.zip"

    ran = place.run(
        *("audit", "export", "docs", "--from", "2026-03-01", "--to", "2026-04-01", str(file))
    )

    assert (ran.status, ran.err.partition(":")[0]) == (5, "JOURNAL_CORRUPT")
    with zipfile.ZipFile(file) as archive:
        assert b"Entry 3" in archive.read("README.txt")
    with pytest.raises(ArchiveCorruptError, match="entry 3 is not as it was written"):
        verify_archive(file)


@pytest.mark.parametrize(
    "period",
    [("2026-04-01", "2026-03-01"), ("2026-04-01", "2026-04-01"), ("April", "2026-04-01")],
    ids=["backwards", "no-time-at-all", "no-date"],
)
def test_a_period_that_is_none_is_refused(place: Place, period: tuple[str, str]):
    since, until = period

    ran = place.run("audit", "export", "docs", "--from", since, "--to", until, "a.zip")

    assert ran.status == 2
