"""Files that are whole or not there, and digests over them. Standard library only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from hashlib import file_digest, sha256
from pathlib import Path

DIGESTED = frozenset({".safetensors", ".json", ".jinja", ".txt", ".model"})


def move_in(made: Path, folder: Path) -> None:
    """Move a finished folder to its name; if another process was faster, its folder stays."""
    for path in made.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            with path.open("rb") as file:
                os.fsync(file.fileno())
    try:
        made.chmod(0o755)
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    made.mkdir(exist_ok=True)  # its TemporaryDirectory wants something to remove


def folder_digest(
    folder: Path, paths: Iterable[Path] | None = None, *, remembered_in: Path | None = None
) -> str:
    """Return the sha256 over the names and contents of a folder's model files.

    With `remembered_in` the digest is kept there beside each file's size and times, and files
    that have not been touched are not read again.
    """
    files = sorted(paths or (p for p in folder.iterdir() if p.suffix in DIGESTED))
    seen = [_touched(path) for path in files]
    stamp = remembered_in and remembered_in / "digests" / f"{_name(folder, files)}.json"
    if stamp and (kept := _remembered(stamp, seen)):
        return kept
    digest = digest_of(files)
    if stamp:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        write_whole(stamp, json.dumps({"files": seen, "digest": digest}).encode())
    return digest


def _touched(path: Path) -> tuple[str, int, int, int]:
    stat = path.stat()
    return path.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _remembered(stamp: Path, seen: list[tuple[str, int, int, int]]) -> str | None:
    try:
        kept = json.loads(stamp.read_bytes())
        return str(kept["digest"]) if [tuple(file) for file in kept["files"]] == seen else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or not readable: hashing again is all it costs


def _name(folder: Path, files: Sequence[Path]) -> str:
    names = "\0".join([str(folder.resolve()), *(path.name for path in files)])
    return sha256(names.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def digest_of(files: Iterable[Path]) -> str:
    """Return the sha256 over the names and contents of these files, in order of name."""
    whole = sha256()
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as file:
            whole.update(f"{path.name}\0{file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
