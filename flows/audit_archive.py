"""An archive of evidence as a file: written whole, the same bytes for the same, and checked."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.audit import CHAIN, ENTRY_FILES, Evidence, Period, Row, excused, is_intact, readable
from flows.errors import ArchiveCorruptError
from training.files import write_whole

FORMAT = 1
_MANIFEST, _README = "manifest.json", "README.txt"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can hold
_MOST_BYTES = 1 << 32  # of all files unpacked: more than a journal of decades
_WORDS = """\
Evidence on the knowledge base {kb!r}, from {since} (included) to {until} (not included), UTC.
{entries} entries of its journal, in the order they were written.

releases.jsonl     what answered, from when, and why it was published
decisions.jsonl    every check of the documents and what it decided, "nothing" included
evaluations.jsonl  every model that was weighed against the one that answered, with the verdict
approvals.jsonl    who had another model answer, froze the knowledge base or let it go on
refusals.jsonl     what a guard stopped, and promotions that were refused, with the reason
erasures.jsonl     what was erased or must not come back; no text and no name of it
refreshes.jsonl    what was read from the sources: documents added, edited, moved, removed, refused
lineage.jsonl      of which snapshot, model, adapter and embedder each release was made
other.jsonl        every other entry
chain.jsonl        the entries as the journal stores them, each with the digest of the one before;
                   entries of other knowledge bases and times by their digests alone
manifest.json      the sha256 of each of these files

`driftline audit verify FILE` checks all of it. By hand: sha256sum of each file, as in the manifest;
the digest of an entry is the sha256 of the JSON list [sequence, time, kb, kind, key, payload,
previous], its payload as the text that it is in chain.jsonl.
An entry that an erasure rewrote has the digest it was written with; a `redaction` entry says which
it must have now. A manifest proves that the files belong together, not who made them: compare the
digest of the last entry, {last}, with what was noted elsewhere.
{damage}"""


@dataclass(frozen=True, slots=True)
class Verified:
    """What an archive was found to hold, every entry as it was written or vouched for."""

    kb: str
    since: str
    until: str
    entries: int
    redacted: int
    last: str


def write_archive(
    file: Path, evidence: Evidence, kb: str, period: Period, *, damage: str = ""
) -> str:
    """Write an archive, whole or not at all; return its sha256. `damage` is of the journal."""
    told = {
        "kb": kb,
        "since": period.since.isoformat(timespec="seconds"),
        "until": period.until.isoformat(timespec="seconds"),
        "entries": evidence.entries,
        "last": evidence.last,
    }
    spoiled = f"\nThe journal itself is damaged: {damage}\n" if damage else ""
    texts = {**evidence.files, _README: _WORDS.format(**told, damage=spoiled)}
    files = {name: _described(text) for name, text in sorted(texts.items())}
    manifest = {"format": FORMAT, **told, "damage": damage, "files": files}
    texts[_MANIFEST] = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    packed = _packed(texts)
    write_whole(file, packed)
    return hashlib.sha256(packed).hexdigest()


def verify_archive(file: Path) -> Verified:
    """Check an archive's files, entries and links; raise ArchiveCorruptError at the first fault."""
    texts = _unpacked(file)
    try:
        manifest = json.loads(texts.pop(_MANIFEST))
        _check_files(file, manifest["files"], texts)
        rows = _objects(texts[CHAIN])
        whole = [row for row in rows if "payload" in row]
        rewritten = excused(whole)
        _check_chain(file, rows, rewritten)
        listed = [each for name in ENTRY_FILES for each in _objects(texts[name])]
        _check_entries(file, listed, whole, manifest["entries"])
        redacted = sum(row["sequence"] in rewritten for row in whole)
        told = {name: manifest[name] for name in ("kb", "since", "until", "entries", "last")}
        return Verified(**told, redacted=redacted)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _corrupt(file, f"it is not laid out as an archive ({error!r})") from error


def _check_files(file: Path, listed: dict[str, Any], texts: dict[str, bytes]) -> None:
    if strange := sorted(set(listed) ^ set(texts)):
        raise _corrupt(file, f"its manifest and its files differ by {strange[0]!r}")
    for name, data in texts.items():
        if hashlib.sha256(data).hexdigest() != listed[name]["sha256"]:
            raise _corrupt(file, f"{name!r} is not what was exported")


def _check_chain(file: Path, rows: Sequence[Row], rewritten: dict[int, tuple[str, str]]) -> None:
    before: Row | None = None
    for row in rows:
        at = row["sequence"]
        if "payload" in row and not is_intact(row, rewritten):
            raise _corrupt(file, f"entry {at} is not as it was written")
        follows = before is not None and at == before["sequence"] + 1
        if before is not None and follows and row["previous"] != before["digest"]:
            raise _corrupt(file, f"entry {at} does not follow the one before it")
        # Only redactions that vouch for something may stand after a gap.
        if before is not None and not follows and row.get("kind") != "redaction":
            raise _corrupt(file, f"entries before {at} are missing")
        before = row


def _check_entries(
    file: Path, listed: Sequence[dict[str, Any]], whole: Sequence[Row], count: int
) -> None:
    """Compare what people read with the chain: every entry once, and as it is there."""
    by_sequence = {row["sequence"]: readable(row) for row in whole}
    numbers = {each["sequence"] for each in listed}
    if len(listed) != count or len(numbers) != count:
        raise _corrupt(file, f"it has {len(numbers)} entries, its manifest says {count}")
    for each in listed:
        if by_sequence.get(each["sequence"]) != each:
            raise _corrupt(file, f"entry {each['sequence']} is not as it is in {CHAIN!r}")


def _described(text: str) -> dict[str, Any]:
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    return {"sha256": digest, "bytes": len(data), "lines": data.count(b"\n")}


def _packed(texts: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in sorted(texts.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            info.create_system = 3  # as on Unix, wherever it is made
            archive.writestr(info, text.encode())
    return held.getvalue()


def _unpacked(file: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
            if sum(info.file_size for info in listed) > _MOST_BYTES:
                raise _corrupt(file, f"it unpacks to more than {_MOST_BYTES:,} bytes")
            if len({info.filename for info in listed}) != len(listed):
                raise _corrupt(file, "it has two files of one name")
            return {info.filename: archive.read(info) for info in listed}
    except FileNotFoundError:
        raise _corrupt(file, "there is no such file") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, zlib.error) as error:
        raise _corrupt(file, f"it cannot be unpacked ({error})") from error


def _objects(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def _corrupt(file: Path, what: str) -> ArchiveCorruptError:
    return ArchiveCorruptError(
        f"The archive {str(file)!r} does not hold: {what}. Export the period again from the "
        "journal; the same period gives the same bytes."
    )
