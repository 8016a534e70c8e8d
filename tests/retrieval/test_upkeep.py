import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lancedb
import pytest
from lancedb.table import LanceTable

from retrieval.table_indices import build_indices
from retrieval.table_search import Query, find
from retrieval.table_upkeep import GRACE, remove_leftovers, tidy
from tests.retrieval.tables import Row, arrow, many, table_of, unit

NONE = timedelta(0)


def opened(folder: Path, version: int | None = None) -> LanceTable:
    table = lancedb.connect(folder).open_table("docs")
    if version is not None:
        table.checkout(version)
    return table


def content(folder: Path, version: int | None = None) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = opened(folder, version).to_arrow().sort_by("id").to_pylist()
    return rows


def versions(folder: Path) -> list[int]:
    return [each["version"] for each in opened(folder).list_versions()]


def newest_at(folder: Path) -> datetime:
    made_at: datetime = opened(folder).list_versions()[-1]["timestamp"]
    return made_at.astimezone(UTC)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def grown(folder: Path, commits: int) -> LanceTable:
    """Return a table after many small commits, each of which changes rows and adds some."""
    table = table_of(folder, many(300))
    for at in range(commits):
        rows = [Row(f"d{at % 60:05}.md", text=f"again {at} {n}", vector=(1, at)) for n in range(3)]
        (
            table.merge_insert("id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(f"uri = 'd{at % 60:05}.md'")
            .execute(arrow(rows))
        )
        if at % 40 == 0:
            build_indices(table)
    return table


def test_after_200_commits_the_disk_holds_the_live_rows_and_the_pins(tmp_path):
    grown(tmp_path, 200)
    pins = versions(tmp_path)[20::40][:5]
    before = {version: content(tmp_path, version) for version in pins}
    pinned = sum(needed(tmp_path, version) for version in pins)
    expected = content(tmp_path)

    done = tidy(tmp_path / "docs.lance", pins, now=newest_at(tmp_path), grace=NONE)

    assert done.compacted
    assert done.bytes_after == size(tmp_path / "docs.lance") < done.bytes_before
    assert (
        done.bytes_after
        <= 3 * needed(tmp_path, versions(tmp_path)[-1]) + pinned
        < done.bytes_before
    )
    assert set(pins) < set(versions(tmp_path))
    assert len(versions(tmp_path)) == done.versions_left <= len(pins) + 3
    assert {version: content(tmp_path, version) for version in pins} == before
    assert content(tmp_path) == expected
    for version in pins:
        assert len(find(opened(tmp_path, version), Query("topic3 again", unit(1, 2)))) == 5


def needed(folder: Path, version: int) -> int:
    """Return the bytes of the data and index files that a version reads."""
    table = opened(folder, version)
    (made,) = (each for each in table.list_versions() if each["version"] == version)
    indices: int = sum(index.size_bytes for index in table.list_indices())
    return int(made["metadata"]["total_files_size"]) + indices


def test_after_compaction_it_can_be_written_searched_and_indexed(tmp_path):
    grown(tmp_path, 30)

    done = tidy(tmp_path / "docs.lance", [], now=newest_at(tmp_path), grace=NONE)
    table = opened(tmp_path)
    table.merge_insert("id").when_not_matched_insert_all().execute(arrow([Row("new", "quokka")]))
    build_indices(table, vector_from=1)

    assert done.compacted
    assert find(table, Query("quokka", unit(1)))[0].found_by == ("vector", "text")
    assert find(table, Query("quokka", unit(1)))[0].uri == "new"


@pytest.mark.parametrize(
    ("fragments", "compacted"),
    [pytest.param(6, True, id="exactly-enough"), pytest.param(7, False, id="one-too-few")],
)
def test_compaction_waits_for_enough_small_files(tmp_path, fragments, compacted):
    table = table_of(tmp_path, many(5))
    for seed in range(5):
        table.add(arrow(many(5, seed=seed)))

    done = tidy(tmp_path / "docs.lance", [], now=newest_at(tmp_path), from_fragments=fragments)

    assert done.compacted is compacted


def test_a_table_that_needs_nothing_gets_no_new_version(tmp_path):
    table = table_of(tmp_path, many(5))

    done = tidy(tmp_path / "docs.lance", [], now=newest_at(tmp_path), grace=NONE, from_fragments=0)

    assert (versions(tmp_path)[-1], done.versions_removed, done.compacted) == (
        table.version,
        0,
        False,
    )
    assert done.bytes_before == done.bytes_after


@pytest.mark.parametrize(
    ("later", "left"),
    [
        pytest.param(GRACE - timedelta(seconds=60), 4, id="a-reader-may-be-there"),
        pytest.param(GRACE + timedelta(seconds=60), 1, id="past-the-grace"),
    ],
)
def test_a_version_stays_for_the_grace(tmp_path, later, left):
    table = table_of(tmp_path, many(5))
    for seed in range(3):
        table.add(arrow(many(5, seed=seed)))

    tidy(tmp_path / "docs.lance", [], now=newest_at(tmp_path) + later)

    assert len(versions(tmp_path)) == left


def test_a_version_to_keep_stays_past_the_grace_and_reads_as_before(tmp_path):
    table = table_of(tmp_path, many(5))
    for seed in range(3):
        table.add(arrow(many(5, seed=seed)))
    before = content(tmp_path, 2)

    tidy(tmp_path / "docs.lance", [2], now=newest_at(tmp_path), grace=NONE)

    assert versions(tmp_path) == [2, 4]
    assert content(tmp_path, 2) == before


def test_a_tagged_version_and_a_foreign_file_stay(tmp_path):
    table = table_of(tmp_path, many(5))
    for seed in range(3):
        table.add(arrow(many(5, seed=seed)))
    table.tags.create("mine", 2)
    foreign = [
        tmp_path / "docs.lance" / name for name in ("NOTES.txt", "data/x.bin", "data/y.lance")
    ]
    for path in foreign:
        path.write_text("mine")

    tidy(tmp_path / "docs.lance", [], now=newest_at(tmp_path), grace=NONE)

    assert versions(tmp_path) == [2, 4]
    assert len(content(tmp_path, 2)) == 10
    assert [path.read_text() for path in foreign] == ["mine"] * 3


def test_a_version_to_keep_that_is_gone_is_no_obstacle(tmp_path):
    table_of(tmp_path, many(5)).add(arrow(many(5, seed=1)))

    done = tidy(tmp_path / "docs.lance", [99], now=newest_at(tmp_path), grace=NONE)

    assert done.versions_removed == 1


def test_rows_that_were_deleted_leave_the_disk(tmp_path):
    table = table_of(tmp_path, many(400))
    table.delete("uri >= 'd00010.md'")
    table.add(arrow([Row("new")]))

    done = tidy(tmp_path / "docs.lance", [], now=newest_at(tmp_path), grace=NONE, from_fragments=2)
    done = tidy(tmp_path / "docs.lance", [], now=newest_at(tmp_path), grace=NONE)

    assert opened(tmp_path).count_rows() == 51
    assert done.bytes_after < size_of_rows(tmp_path / "all", 400) / 3


def size_of_rows(folder: Path, count: int) -> int:
    table_of(folder, many(count))
    return size(folder / "docs.lance")


@pytest.mark.slow
def test_killed_anywhere_every_kept_version_reads_as_before(tmp_path):
    grown(tmp_path, 12)
    pins = versions(tmp_path)[2::5]
    before = {version: content(tmp_path, version) for version in pins}
    moment = random.Random(7)  # noqa: S311 moments, not secrets

    for _ in range(6):
        killed_after(moment.uniform(0.02, 0.4), tmp_path / "docs.lance", pins)

        assert {version: content(tmp_path, version) for version in pins} == before
        assert len(find(opened(tmp_path), Query("topic3", unit(1, 2)))) == 5
    done = tidy(tmp_path / "docs.lance", pins, now=newest_at(tmp_path), grace=NONE)
    assert done.versions_left <= len(pins) + 2


def killed_after(seconds: float, folder: Path, pins: list[int]) -> None:
    command = [sys.executable, "-m", "tests.retrieval.upkeep_in_a_process", str(folder)]
    with subprocess.Popen([*command, ",".join(map(str, pins))], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(seconds)  # the moment of the kill, not a wait for something
        os.kill(child.pid, signal.SIGKILL)


def test_what_a_killed_removal_left_is_removed_and_nothing_of_another_base(tmp_path):
    for name in ("docs.lance.removed", "docs.2.lance.removed", "docs2.lance.removed", "docs.lance"):
        (tmp_path / name / "data").mkdir(parents=True)

    remove_leftovers(tmp_path, "docs")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["docs.lance", "docs2.lance.removed"]
