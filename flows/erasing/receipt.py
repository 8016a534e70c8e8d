"""The receipt of an erasure: what was done, what was searched, what is left. No text and no uri."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.desk import Desk
from flows.erasing.proof import Proof
from flows.journal.journal import Entry
from training.files import write_whole


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure came to. `documents` counts those that answered, `chunks` rows ever stored.

    `withdrawn` are the releases that can no longer be searched or asked, `snapshots` theirs;
    `tainted` the model versions that were trained on a document, or began with one that was.
    """

    id: str
    kb: str
    time: datetime
    actor: str
    why: str
    documents: int
    chunks: int
    release: str
    snapshot: str
    withdrawn: tuple[str, ...]
    snapshots: tuple[str, ...]
    tainted: tuple[int, ...]
    champion_tainted: bool
    proof: Proof
    out_of_reach: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The sha256 over all of it, as canonical JSON: what the journal's entry names."""
        said = json.dumps(self.told, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def told(self) -> dict[str, Any]:
        """The receipt as values that JSON can hold."""
        proof = asdict(self.proof)
        proof["kinds"], proof["found"] = dict(self.proof.kinds), dict(self.proof.found)
        told: dict[str, Any] = json.loads(
            json.dumps({**asdict(self), "proof": proof, "time": self.time.isoformat()})
        )
        return told


def keep_receipt(desk: Desk, receipt: Receipt) -> None:
    """Write a receipt as JSON and as Markdown."""
    _folder(desk).mkdir(parents=True, exist_ok=True)
    for file, text in receipt_files(desk, receipt).items():
        write_whole(file, text.encode())


def receipt_files(desk: Desk, receipt: Receipt) -> dict[Path, str]:
    """Return what each file of a receipt says."""
    folder, told = _folder(desk), {**receipt.told, "digest": receipt.digest}
    return {
        folder / f"{receipt.id}.json": json.dumps(told, indent=2, sort_keys=True),
        folder / f"{receipt.id}.md": receipt_text(receipt),
    }


def read_receipt(entry: Entry) -> Receipt:
    """Return the receipt of an erasure that is in the journal."""
    return receipt_from(entry.payload)


def receipt_from(told: dict[str, Any]) -> Receipt:
    """Return a receipt from the values it was told by."""
    proof = told["proof"]
    return Receipt(
        **{
            **{name: told[name] for name in ("id", "kb", "actor", "why", "documents", "chunks")},
            **{name: told[name] for name in ("release", "snapshot", "champion_tainted")},
            **{
                name: tuple(told[name])
                for name in ("withdrawn", "snapshots", "tainted", "out_of_reach")
            },
            "time": datetime.fromisoformat(told["time"]),
            "proof": Proof(
                files=proof["files"],
                bytes=proof["bytes"],
                kinds=tuple(sorted(proof["kinds"].items())),
                found=tuple(sorted(proof["found"].items())),
                unread=tuple(proof["unread"]),
            ),
        }
    )


_TAINTED = (
    "- **the champion is tainted**: it answers until another takes its place; a retraining was "
    "asked for"
)


def receipt_text(receipt: Receipt) -> str:
    """Return a receipt as Markdown for people."""
    proof = receipt.proof
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in proof.kinds)
    found = [f"- `{place}`: {count:,}" for place, count in proof.found] or ["- nothing"]
    lines = [
        f"# Erasure {receipt.id} of {receipt.kb}",
        "",
        f"Asked for by {receipt.actor}, {receipt.time:%Y-%m-%d %H:%M} UTC. Why: {receipt.why}",
        "",
        f"- documents: {receipt.documents:,}, in {receipt.chunks:,} rows over all versions",
        f"- answers now: release `{receipt.release}`, snapshot `{receipt.snapshot}`",
        f"- withdrawn releases: {_listed(receipt.withdrawn)}",
        f"- tainted model versions: {_listed(receipt.tainted)}",
        *([_TAINTED] * receipt.champion_tainted),
        "",
        f"Searched: {proof.files:,} files, {proof.bytes:,} bytes ({kinds}).",
        "",
        "Found:",
        "",
        *found,
        "",
        "Not decoded, searched byte by byte: " + (_listed(proof.unread)) + ".",
        "",
        "Out of reach: " + "; ".join(receipt.out_of_reach) + ".",
        "",
        f"Digest: `{receipt.digest}`",
        "",
    ]
    return "\n".join(lines)


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values) or "none"


def _folder(desk: Desk) -> Path:
    return desk.folder / "erasures"
