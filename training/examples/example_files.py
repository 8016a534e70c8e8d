"""Chosen rows as files: Parquet for the rows, JSON for their digest, which is checked on reading.

Written whole, the manifest last, so that rows without a manifest are rows that were never finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from training.errors import ExamplesCorruptError
from training.files import write_whole
from training.prompt import PROMPT_DIGEST
from training.records import (
    DocumentVersion,
    FinetuneConfig,
    Passage,
    Row,
    RowKind,
    TrainingSet,
    Turn,
)

ROWS = "examples.parquet"
MANIFEST = "examples.json"
_FORMAT = 1
PARTS = (
    "train",
    "holdout_new",
    "holdout_old",
    "holdout_answers",
    "holdout_cloze",
    "holdout_general",
)
_TEXT = pa.string()
SCHEMA = pa.schema(
    [
        pa.field("part", pa.dictionary(pa.int8(), _TEXT)),
        *(
            pa.field(name, _TEXT)
            for name in ("kind", "uri", "document_digest", "chunk", "text", "question")
        ),
        pa.field("passages", pa.list_(pa.struct([("title", _TEXT), ("text", _TEXT)]))),
        pa.field("source", pa.int32()),
        pa.field("fresh", pa.bool_()),
        pa.field("stale", _TEXT),
        pa.field("turns", pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)]))),
        pa.field("others", pa.list_(pa.struct([("uri", _TEXT), ("digest", _TEXT)]))),
    ]
)


def examples_digest(examples: TrainingSet, config: FinetuneConfig | Mapping[str, Any]) -> str:
    """Return the sha256 over the prompt, both snapshots' names, the config and every row."""
    chosen = asdict(config) if isinstance(config, FinetuneConfig) else dict(config)
    digest = sha256()
    for line in _lines(examples, chosen):
        digest.update(json.dumps(line, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _lines(examples: TrainingSet, config: Mapping[str, Any]) -> Iterator[object]:
    yield [PROMPT_DIGEST, examples.reference, examples.current]
    yield config
    for part in PARTS:
        yield from ([part, asdict(row)] for row in getattr(examples, part))


def write_examples(examples: TrainingSet, folder: Path, *, config: FinetuneConfig) -> None:
    """Write the rows and what they were chosen by; the same rows again change nothing."""
    if _is_there(folder, examples.digest):
        return
    folder.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    pq.write_table(as_table(examples), buffer, compression="zstd")
    write_whole(folder / ROWS, buffer.getvalue())
    manifest = {
        "format": _FORMAT,
        "digest": examples.digest,
        "reference": examples.reference,
        "current": examples.current,
        "prompt": PROMPT_DIGEST,
        "config": asdict(config),
        "rows": {part: len(getattr(examples, part)) for part in PARTS},
        "sha256": sha256(buffer.getvalue()).hexdigest(),
    }
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode())


def _is_there(folder: Path, digest: str) -> bool:
    try:
        return read_examples(folder).digest == digest
    except ExamplesCorruptError:
        return False


def as_table(examples: TrainingSet) -> pa.Table:
    """Return every row with the name of its part, in order: what is stored and what is logged."""
    rows = [{"part": part, **asdict(row)} for part in PARTS for row in getattr(examples, part)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read_examples(folder: Path) -> TrainingSet:
    """Return the rows as they were written; raises ExamplesCorruptError for any other."""
    manifest = _manifest(folder)
    try:
        with (folder / ROWS).open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        _refuse(folder, f"{ROWS} cannot be read ({error.strerror})", error)
    if found != manifest["sha256"]:
        _refuse(folder, f"{ROWS} is not the file that {MANIFEST} names")
    if manifest["prompt"] != PROMPT_DIGEST:
        _refuse(folder, "they were chosen for another prompt")
    try:
        examples = _examples(pq.read_table(folder / ROWS, schema=SCHEMA).to_pylist(), manifest)
        digest = examples_digest(examples, manifest["config"])
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        _refuse(folder, f"{ROWS} does not hold rows ({error})", error)
    if digest != manifest["digest"]:
        _refuse(folder, f"the rows have another digest, {digest[:12]!r}")
    return examples


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        _refuse(folder, f"{MANIFEST} is missing, so they were never finished", error)
    except (OSError, ValueError) as error:
        _refuse(folder, f"{MANIFEST} cannot be read ({error})", error)
    known = isinstance(manifest, dict) and manifest.get("format") == _FORMAT
    wanted = {"digest": str, "reference": str, "current": str, "prompt": str, "sha256": str}
    typed = known and all(isinstance(manifest.get(key), kind) for key, kind in wanted.items())
    if not typed or not isinstance(manifest.get("config"), dict):
        _refuse(folder, f"{MANIFEST} is not a manifest of format {_FORMAT}")
    return dict(manifest)


def _examples(rows: list[dict[str, Any]], manifest: Mapping[str, Any]) -> TrainingSet:
    parts: dict[str, list[Row]] = {part: [] for part in PARTS}
    for row in rows:
        parts[row.pop("part")].append(_row(row))
    return TrainingSet(
        reference=manifest["reference"],
        current=manifest["current"],
        digest=manifest["digest"],
        **{part: tuple(found) for part, found in parts.items()},
    )


def _row(row: dict[str, Any]) -> Row:
    nested = {
        "kind": RowKind(row["kind"]),
        "passages": tuple(Passage(**passage) for passage in row["passages"]),
        "turns": tuple(Turn(**turn) for turn in row["turns"]),
        "others": tuple(DocumentVersion(**document) for document in row["others"]),
    }
    return Row(**{**row, **nested})


def _refuse(folder: Path, wrong: str, error: Exception | None = None) -> NoReturn:
    msg = (
        f"The training rows in {str(folder)!r} cannot be used: {wrong}. "
        "Remove the folder and run the retraining again; it chooses the same rows anew."
    )
    raise ExamplesCorruptError(msg) from error
