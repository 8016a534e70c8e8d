"""A knowledge base with a champion and registered challengers: no index, no weights, no training.

The registry and the journal are real; an adapter is a folder whose digests are right.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from flows.desk import Desk, open_desk
from flows.journal import lease
from flows.journal.journal import Entry
from flows.promote import promote
from flows.promoting.evidence import evidence_of
from flows.promoting.promotions import FLOW
from flows.release import Published, Release
from flows.settings.settings import load_settings
from flows.steps import quietly
from training.models.adapter_files import CONFIG, MANIFEST, WEIGHTS, adapter_digest
from training.records import Adapter, BaseModel, ModelVersion

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SETTINGS = '[kb.docs.source]\npath = "docs"\n'
MEASURE = {
    "champion": 0.25,
    "challenger": 0.5,
    "change": {"mean": 0.25, "low": 0.125, "high": 0.375},
    "rows": 64,
    "documents": 12,
}
"""A measure as a verdict keeps it: half of the answers right, not a quarter."""


@contextmanager
def opened(folder: Path) -> Iterator[Desk]:
    with open_desk(load_settings(folder / "driftline.toml"), "docs", now=NOW) as desk:
        yield desk


def build(folder: Path, *, challengers: int) -> Path:
    """Make a knowledge base whose version 1 answers, and judge so many challengers better."""
    folder.mkdir(parents=True)
    (folder / "driftline.toml").write_text(SETTINGS, encoding="utf-8")
    with opened(folder) as desk:
        first = register(desk, None)
        publish(desk, first)
        desk.registry.point(desk.model_name, "champion", first.version, expected=None)
        desk.journal.append(desk.name, "alias", {"version": first.version}, time=NOW)
        for number in range(challengers):
            judge(desk, register(desk, number))
    return folder


def adapter(folder: Path, base: BaseModel, number: int) -> Adapter:
    """Write an adapter's three files; another number is another adapter."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 1, "lora_alpha": 2}
    (folder / CONFIG).write_text(json.dumps({**config, "target_modules": ["q_proj"]}))
    save_file({"q_proj.lora_A.weight": np.full((1, 4), float(number))}, folder / WEIGHTS)
    digest = adapter_digest(folder)
    manifest = {"format": 1, "digest": digest, "base_digest": base.digest, "base_name": base.name}
    (folder / MANIFEST).write_text(json.dumps({**manifest, "tokens": 10, "seconds": 1.0}))
    return Adapter(folder, digest, base.digest, 10, rank=1)


def register(desk: Desk, number: int | None, *, base: str = "b") -> ModelVersion:
    """Register a challenger, or the bare base model if it has no number."""
    of = BaseModel("base", desk.folder, base * 64)
    made = None if number is None else adapter(desk.folder / f"adapter-{number}", of, number)
    with desk.tracker.model_run(f"model {number}", NOW) as run:
        return desk.registry.register(
            name=desk.model_name,
            base=of,
            adapter=made,
            snapshot="docs@1",
            data_digest="d" * 64,
            requested_by="",
            run_id=run.run_id,
            evaluation=None,
            verdict=None,
            card="A challenger of the tests.",
        )


def publish(desk: Desk, model: ModelVersion, **changes: Any) -> Published:
    """Publish a first release, or one with the given parts changed, over whatever answers."""
    serving = desk.journal.serving(desk.name)
    values = {
        "kb": desk.name,
        "snapshot": "docs@1",
        "content_digest": "c1",
        "embedder": "e",
        "model_name": desk.model_name,
        "model_version": model.version,
        "trained_on": model.snapshot,
        "base": "base",
        "base_digest": model.base_digest,
        "adapter_digest": model.adapter_digest,
        "prompt_digest": "p",
    }
    with lease.hold(desk.journal, desk.name) as fence:
        return desk.journal.publish(
            Release(**{**values, **changes}),
            kind="refresh" if serving else "first",
            reason="documents: 1 edited",
            time=NOW,
            fence=fence,
            expected_version=serving.release.model_version if serving else None,
        )


def judge(desk: Desk, model: ModelVersion, **changes: Any) -> Entry:
    """Keep a verdict on a version as a retraining does, by default that it is better."""
    payload = {
        "version": model.version,
        "promote": True,
        "reason": "answers better",
        "snapshot": model.snapshot,
        "reference": "docs@1",
        "champion_version": desk.release().release.model_version,
        "evaluation": {"f1": MEASURE, "cloze": {**MEASURE, "rows": 0}, "documents": 12},
        "adapter_digest": model.adapter_digest,
        "data_digest": "d" * 64,
    }
    return desk.journal.append(desk.name, "verdict", {**payload, **changes}, time=NOW)


def promoted(desk: Desk, version: int, *, expected: int, actor: str = FLOW) -> Published:
    """Promote a version on its evidence."""
    return promote(
        desk,
        quietly,
        version=version,
        expected=expected,
        actor=actor,
        why="answers better",
        evidence=evidence_of(desk, version).digest,
        patience_seconds=0,
    )


def damage(model: ModelVersion) -> None:
    """Change one byte of a registered adapter's weights."""
    assert model.adapter_folder is not None
    weights = model.adapter_folder / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def alias_of(desk: Desk) -> int | None:
    aliased = desk.registry.aliased(desk.model_name, "champion")
    return aliased.version if aliased else None
