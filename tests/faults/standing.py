"""How a place stands: what the invariants are asked of, each thing read from the disk once."""

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from mlflow import MlflowClient

from flows.desk import Desk
from flows.journal.journal import Entry
from flows.maintain import snapshots_kept
from flows.release import Published
from retrieval import table_rows
from retrieval.records import Chunk, Flag, Snapshot
from retrieval.spool import Row

_CHUNK = ("id", "uri", "title", "text", "digest", "media_type", "modified_at", "trust")


@dataclass(frozen=True)
class Said:
    """A command that came to its end: its status, the release it named, what it told a person."""

    arguments: tuple[str, ...]
    status: int
    release: str
    err: str


@dataclass(frozen=True)
class Standing:
    """One knowledge base of a place. `accepted` are snapshots whose removals a person took on."""

    desk: Desk
    folder: Path
    at_rest: bool
    maintained: bool
    accepted: frozenset[str]

    @property
    def kb(self) -> str:
        """The knowledge base's name."""
        return self.desk.name

    @property
    def home(self) -> Path:
        """Where Driftline keeps everything."""
        return self.desk.settings.home_folder

    @cached_property
    def history(self) -> tuple[Published, ...]:
        """Every publication, newest last."""
        return self.desk.journal.history(self.kb)

    @cached_property
    def lasting(self) -> tuple[Published, ...]:
        """The publications that may still be read: an erasure takes all before it away."""
        erased = [n for n, each in enumerate(self.history) if each.kind == "erasure"]
        return self.history[max(erased, default=0) :]

    @property
    def serving(self) -> Published | None:
        """The publication that answers."""
        return self.history[-1] if self.history else None

    def entries(self, kind: str) -> tuple[Entry, ...]:
        """Return the journal's entries of one kind, newest last."""
        return self.desk.journal.entries(self.kb, kind)

    @cached_property
    def kept(self) -> tuple[Snapshot, ...]:
        """The snapshots that must be readable: those that upkeep would keep."""
        keep = self.desk.kb.keep
        since = self.desk.now - timedelta(days=keep.days)
        kept = snapshots_kept(self.lasting, since=since, newest=keep.releases)
        return tuple(each for each in kept if str(each) not in self.set_aside)

    @cached_property
    def set_aside(self) -> frozenset[str]:
        """The snapshots that were damaged once they answered, and that the journal set aside."""
        published = {each.release.snapshot: each.sequence for each in self.history}
        told = ((entry.key, entry.sequence) for entry in self.entries("quarantine"))
        return frozenset(name for name, at in told if at > published.get(name, at))

    @cached_property
    def readable(self) -> dict[Snapshot, Published]:
        """Each snapshot that can be read, with its newest publication, as they were published."""
        named = {Snapshot.parse(each.release.snapshot): each for each in self.lasting}
        return {at: each for at, each in named.items() if self.desk.index.holds(at)}

    def adjacent(self, before: Published, after: Published) -> bool:
        """True if one publication came right after the other."""
        return self.history.index(after) - self.history.index(before) == 1

    def documents(self, snapshot: Snapshot) -> set[str]:
        """Return the documents of a snapshot."""
        return set(self.desk.index.documents(snapshot))

    def is_accepted(self, entry: Entry) -> bool:
        """True if a person took on what this refresh removed."""
        return entry.payload["snapshot"] in self.accepted

    def rows(self, snapshot: Snapshot) -> pa.Table:
        """Return every row of a snapshot as it lies on the disk, past the index."""
        generation = f".{snapshot.generation}" if snapshot.generation > 1 else ""
        table = lancedb.connect(self.home / "index").open_table(f"{self.kb}{generation}")
        table.checkout(snapshot.version)
        return table.to_arrow()

    def damaged_rows(self, snapshot: Snapshot) -> int:
        """Return how many rows are not what they were written as."""
        return sum(
            values["row_digest"] != table_rows.row_digest(_row(values))
            or values["document"] != table_rows.document_key(values["uri"])
            for values in self.rows(snapshot).to_pylist()
        )

    @cached_property
    def _client(self) -> MlflowClient:
        return MlflowClient(self.desk.settings.tracking_uri)

    @cached_property
    def versions(self) -> dict[int, Any]:
        """The registered versions of this knowledge base's model, by number."""
        found = self._client.search_model_versions(f"name = '{self.desk.model_name}'")
        return {int(version.version): version for version in found}

    @cached_property
    def runs(self) -> dict[str, Any]:
        """The MLflow runs of this knowledge base, by id."""
        experiment = self._client.get_experiment_by_name(f"driftline-{self.kb}")
        if experiment is None:
            return {}
        found = self._client.search_runs([experiment.experiment_id], max_results=5_000)
        return {run.info.run_id: run for run in found}

    @property
    def is_checked(self) -> bool:
        """True if nothing came after the last check, which looks for what runs left behind."""
        checks = [entry.sequence for entry in self.entries("check")]
        later = [entry.sequence for kind in ("release", "guard") for entry in self.entries(kind)]
        return bool(checks) and checks[-1] > max(later, default=0)

    @cached_property
    def publications_shown(self) -> tuple[int, ...]:
        """The publications that have a finished run in MLflow, as often as they have."""
        return tuple(
            int(run.data.tags["driftline.publication"])
            for run in self.runs.values()
            if run.info.status == "FINISHED"
            and run.data.tags.get("driftline.role") in {"release", "promotion"}
        )

    @cached_property
    def alias(self) -> int | None:
        """The version that the alias `champion` points at."""
        return self.desk.registry.pointed(self.desk.model_name, "champion")

    @cached_property
    def errands(self) -> tuple[tuple[str, ...], ...]:
        """Kind and key of each errand in the journal's outbox, if it has one."""
        engine = sa.create_engine(self.desk.settings.journal_url)
        try:
            columns = {each["name"] for each in sa.inspect(engine).get_columns("outbox")}
            wanted = [name for name in ("kb", "kind", "key") if name in columns]
            with engine.connect() as connection:
                found = connection.execute(
                    sa.select(*map(sa.column, wanted)).select_from(sa.table("outbox"))
                )
                return tuple(tuple(map(str, row)) for row in found)
        except sa.exc.NoSuchTableError:
            return ()
        finally:
            engine.dispose()

    @cached_property
    def told(self) -> tuple[Said, ...]:
        """The commands that came to their end here, as the harness wrote down what they said."""
        return tuple(_said(file) for file in sorted((self.folder / "told").glob("*.json")))


def _said(file: Path) -> Said:
    ended = json.loads(file.read_text(encoding="utf-8"))
    out = file.with_suffix(".out").read_text(encoding="utf-8", errors="replace")
    told = json.loads(out) if "--json" in ended["arguments"] and out.strip() else {}
    done = ended["status"] in {0, 6} and isinstance(told, dict)
    err = file.with_suffix(".err").read_text(encoding="utf-8", errors="replace")
    release = str(told.get("release") or "") if done else ""
    return Said(tuple(ended["arguments"]), ended["status"], release, err)


def _row(values: dict[str, Any]) -> Row:
    order = values["reading_order"]
    chunk = Chunk(
        **{name: values[name] for name in _CHUNK},
        ordinal=0,
        headings=tuple(values["headings"]),
        document_digest=values["document_digest"] or "",
        flags=tuple(map(Flag, values["flags"])),
    )
    return Row(chunk, np.array(values["vector"], np.float32), tuple(order) if order else None)
