"""What breaks one invariant of a sound place, and no other."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
from mlflow import MlflowClient

from flows.desk import Desk
from flows.journal import lease
from flows.release import Release
from retrieval.records import Snapshot
from tests.faults.files import CANARY
from tests.flows.tiny_place import TinyPlace

NOW = datetime.now(UTC)
Damage = Callable[[Path], None]


def alias_moved(folder: Path) -> None:
    with TinyPlace(folder).desk() as desk:
        client(desk).set_registered_model_alias(desk.model_name, "champion", "1")


def model_swapped(folder: Path) -> None:
    """The version that answers now has another adapter than the release says."""
    with TinyPlace(folder).desk() as desk:
        tag = ("driftline.base_digest", "0" * 64)
        client(desk).set_model_version_tag(desk.model_name, "2", *tag)


def snapshot_gone(folder: Path) -> None:
    """Upkeep went too far: a version that a release within its days needs is removed."""
    with TinyPlace(folder).desk() as desk:
        first = Snapshot.parse(desk.journal.history("docs")[0].release.snapshot)
    for manifest in (folder / ".driftline" / "index" / "docs.lance" / "_versions").iterdir():
        if manifest.name.startswith(str(2**64 - 1 - first.version)):
            manifest.unlink()


def verdict_of_a_lost_version(folder: Path) -> None:
    with TinyPlace(folder).desk() as desk:
        payload = desk.journal.entries("docs", "verdict")[-1].payload
        desk.journal.append("docs", "verdict", {**payload, "version": 9}, time=NOW, key="k9")


def release_that_was_told_and_lost(folder: Path) -> None:
    say(folder, ("refresh", "docs", "--json"), 0, out=json.dumps({"release": "f" * 16}))


def chunk_gone(folder: Path) -> None:
    """A document lost its second chunk, in a version that answers."""
    with TinyPlace(folder).desk() as desk:
        table = opened(folder)
        rows = table.to_arrow().to_pylist()
        order = next(row["reading_order"] for row in rows if row["reading_order"])
        table.delete(f"id = '{order[1]}'")
        publish(desk, replace(desk.release().release, snapshot=f"docs@{table.version}"), "upkeep")


def version_registered_twice(folder: Path) -> None:
    with TinyPlace(folder).desk() as desk:
        made = client(desk).get_model_version(desk.model_name, "2")
        client(desk).create_model_version(
            desk.model_name, made.source, run_id=made.run_id, tags=dict(made.tags)
        )


def release_published_twice(folder: Path) -> None:
    with TinyPlace(folder).desk() as desk:
        publish(desk, desk.release().release, "refresh")


def document_gone(folder: Path) -> None:
    """A document vanished from what answers, and no refresh says that it was removed."""
    with TinyPlace(folder).desk() as desk:
        table = opened(folder)
        table.delete("uri = 'device-05.md'")
        at = Snapshot("docs", table.version)
        release = replace(
            desk.release().release,
            snapshot=str(at),
            content_digest=desk.index.content_digest(at),
        )
        note_refresh(desk, release, documents=len(desk.index.documents(at)), chunks=len(table))
        publish(desk, release, "refresh")


def many_removed(folder: Path) -> None:
    """A refresh says that it removed half of a source."""
    with TinyPlace(folder).desk() as desk:
        payload = dict(desk.journal.entries("docs", "refresh")[-1].payload)
        part = {**payload["sources"][0], "before": 90, "listed": 45, "removed": 45}
        desk.journal.append("docs", "refresh", {**payload, "sources": [part]}, time=NOW, key="k")


def model_taken_back(folder: Path) -> None:
    """A run that slept through a promotion published its release over it."""
    with TinyPlace(folder).desk() as desk:
        now, old = desk.release().release, desk.journal.history("docs")[0].release
        parts = ("model_version", "adapter_digest", "trained_on")
        stale = replace(now, **{part: getattr(old, part) for part in parts})
        publish(desk, stale, "refresh")
        client(desk).set_registered_model_alias(desk.model_name, "champion", "1")


def commit_without_a_release(folder: Path) -> None:
    opened(folder).delete("uri = 'device-05.md'")


def bit_flipped_in_a_row(folder: Path) -> None:
    """One bit of one vector is another one; the file still reads."""
    vector = opened(folder).to_arrow()["vector"][0].as_py()
    needle = np.array(vector, np.float32).tobytes()
    for file in (folder / ".driftline" / "index").rglob("*.lance"):
        if file.is_file() and (at := file.read_bytes().find(needle)) >= 0:
            flip(file, at)
            return
    msg = "the vector lies in no file as it is"
    raise AssertionError(msg)


def entry_changed(folder: Path) -> None:
    with closing(sqlite3.connect(folder / ".driftline" / "journal.db")) as journal, journal:
        journal.execute("UPDATE entries SET time = '2020-01-01T00:00:00+00:00' WHERE sequence = 2")


def bit_flipped_in_an_adapter(folder: Path) -> None:
    [weights, *_] = (folder / ".driftline" / "mlartifacts").rglob("adapter_model.safetensors")
    flip(weights, weights.stat().st_size - 1)


def draft_left(folder: Path) -> None:
    (folder / ".driftline" / "kb" / "docs" / "vectors.db").write_bytes(b"")


def log_grown(folder: Path) -> None:
    (folder / ".driftline" / "server.log").write_bytes(b"x" * (1 << 21))


def traceback_shown(folder: Path) -> None:
    trace = "Traceback (most recent call last):\n  File x\nFAILED: something went wrong here today."
    say(folder, ("refresh", "docs"), 1, err=trace)


def failure_without_a_code(folder: Path) -> None:
    say(folder, ("refresh", "docs"), 1, err="oops")


def training_that_runs_for_ever(folder: Path) -> None:
    with TinyPlace(folder).desk() as desk:
        experiment = client(desk).get_experiment_by_name("driftline-docs")
        assert experiment is not None
        tags = {"driftline.role": "training"}
        client(desk).create_run(experiment.experiment_id, tags=tags)


def pickle_among_the_artifacts(folder: Path) -> None:
    (folder / ".driftline" / "mlartifacts" / "docs" / "model.pkl").write_bytes(b"\x80\x04.")


def script_changed(folder: Path) -> None:
    [script, *_] = (folder / ".driftline" / "mlartifacts").rglob("served_model.py")
    script.write_text(script.read_text() + "\nprint('hello')\n")


def page_that_loads(folder: Path) -> None:
    reports = folder / ".driftline" / "kb" / "docs" / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "p.html").write_text('<p><img alt="x" src="https://elsewhere.example/a.png"></p>')


def text_that_ran(folder: Path) -> None:
    (folder / CANARY).write_text("")


DAMAGES: dict[str, tuple[Damage, ...]] = {
    "INV-1": (alias_moved, model_swapped),
    "INV-2": (snapshot_gone, verdict_of_a_lost_version, release_that_was_told_and_lost),
    "INV-3": (chunk_gone,),
    "INV-4": (version_registered_twice, release_published_twice),
    "INV-5": (document_gone, many_removed),
    "INV-6": (model_taken_back, commit_without_a_release),
    "INV-7": (bit_flipped_in_a_row, entry_changed, bit_flipped_in_an_adapter),
    "INV-8": (draft_left, log_grown),
    "INV-9": (traceback_shown, failure_without_a_code, training_that_runs_for_ever),
    "INV-10": (pickle_among_the_artifacts, script_changed, page_that_loads, text_that_ran),
}


def client(desk: Desk) -> MlflowClient:
    return MlflowClient(desk.settings.tracking_uri)


def opened(folder: Path) -> Any:
    return lancedb.connect(folder / ".driftline" / "index").open_table("docs")


def publish(desk: Desk, release: Release, kind: str) -> None:
    expected = desk.release().release.model_version
    with lease.hold(desk.journal, "docs") as fence:
        desk.journal.publish(
            release, kind=kind, reason="damage", time=NOW, fence=fence, expected_version=expected
        )


def note_refresh(desk: Desk, release: Release, **counted: int) -> None:
    last = desk.journal.entries("docs", "refresh")[-1].payload
    part = {**last["sources"][0], "removed": 0}
    payload = {**last, **counted, "snapshot": release.snapshot, "removed": [], "sources": [part]}
    desk.journal.append("docs", "refresh", payload, time=NOW, key=release.content_digest)


def say(
    folder: Path, arguments: tuple[str, ...], status: int, *, out: str = "", err: str = ""
) -> None:
    told = folder / "told"
    told.mkdir(exist_ok=True)
    (told / "900.json").write_text(json.dumps({"arguments": arguments, "status": status}))
    (told / "900.out").write_text(out)
    (told / "900.err").write_text(err)


def flip(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
