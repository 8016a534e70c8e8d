"""The seal of a table: what each of its files hashed to when it was written. Standard library only.

LanceDB writes a file once and never again, so a file that hashes to something else is damaged,
whatever it holds: a manifest, a deletion file and an index carry no digest of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.table_folder import CONDEMNED, SET_ASIDE, set_aside

_FORMAT = 1
_ENDING = ".seal"
# Lance overwrites it, and reads without it.
_HINT = "latest_version_hint.json"
_GONE = "it is gone"


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What a file was when it was written."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Seal:
    """The sealed files of a table by their path in its folder.

    While files are being removed (`removing`) a missing one is no damage. `torn` says that the
    seal itself cannot be read, so that nothing is known of any file.
    """

    files: dict[str, SealedFile] = field(default_factory=dict, hash=False)
    removing: bool = False
    torn: bool = False


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that is not what was sealed, and how one can tell."""

    path: Path
    what: str


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """What a look at a table's files found; `unsealed` are files that no seal knows."""

    broken: tuple[BrokenFile, ...]
    hashed: int
    unsealed: int


def seal(table: Path, *, removing: bool = False) -> Seal:
    """Hash what is new in a table's folder and write the seal; what is gone is left out.

    With `removing` nothing is hashed or left out: files are about to go. Call it again after.
    """
    known = read_seal(table)
    files = known.files if removing else _sealed(table, known.files)
    made = Seal(files, removing)
    if made != known or known.torn:
        _write(seal_file(table), made)
    return made


def seal_file(table: Path) -> Path:
    """Return where the seal of a table is: beside its folder, which Lance looks after."""
    return table.with_suffix(_ENDING)


def remove_seal(table: Path) -> None:
    """Remove the seal of a table that is gone."""
    seal_file(table).unlink(missing_ok=True)


def read_seal(table: Path) -> Seal:
    """Return a table's seal; an empty one if it has none, a torn one if it cannot be read."""
    try:
        told = json.loads(seal_file(table).read_bytes())
        body = told["seal"]
        if told["format"] != _FORMAT or told["sha256"] != _digest(body):
            return Seal(torn=True)
        files = {path: SealedFile(*values) for path, values in body["files"].items()}
        return Seal(files, bool(body["removing"]))
    except FileNotFoundError:
        return Seal()
    except (ValueError, KeyError, TypeError, AttributeError):
        return Seal(torn=True)


def check_files(
    table: Path,
    *,
    hashed: Callable[[str], bool] = lambda _: True,
    on_files: Callable[[int], None] = lambda _: None,
) -> CheckedFiles:
    """Return which sealed files of a table are missing, of another size, or hash to another digest.

    Only files whose path is to be `hashed` are read; of the others size and presence are seen.
    """
    known = read_seal(table)
    broken, read = [], 0
    if known.torn:
        broken.append(BrokenFile(seal_file(table), "it is not what was written"))
    for name, sealed in known.files.items():
        read += hashed(name)
        on_files(read)
        if what := _difference(table / name, sealed, hashed=hashed(name)):
            if what == _GONE and known.removing:
                continue
            broken.append(BrokenFile(table / name, what))
    unsealed = sum(name not in known.files for name in _names(table))
    return CheckedFiles(tuple(broken), read, unsealed)


def set_aside_unsealed(table: Path, file: Path) -> Path:
    """Set a file of a table aside; return where it is now.

    It is unsealed first: the next commit makes another file of that name.
    """
    known, name = read_seal(table), file.relative_to(table).as_posix()
    if name in known.files:
        left = {path: each for path, each in known.files.items() if path != name}
        _write(seal_file(table), Seal(left, known.removing))
    return set_aside(file)


def changed(table: Path, file: Path) -> str:
    """Return how one file of a table differs from what was sealed, "" if it does not, or is not.

    Nothing is known of a file that is not sealed.
    """
    sealed = read_seal(table).files.get(file.relative_to(table).as_posix())
    return _difference(file, sealed, hashed=True) if sealed else ""


def _difference(path: Path, sealed: SealedFile, *, hashed: bool) -> str:
    try:
        size = path.stat().st_size
        if size != sealed.size:
            return f"it has {size:,} bytes, {sealed.size:,} were written"
        if hashed and (there := _sha256(path)) != sealed.sha256:
            return f"it hashes to {there[:12]}, it was {sealed.sha256[:12]} when it was written"
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def _sealed(table: Path, known: dict[str, SealedFile]) -> dict[str, SealedFile]:
    return {name: known.get(name) or _of(table / name) for name in sorted(_names(table))}


def _of(path: Path) -> SealedFile:
    return SealedFile(path.stat().st_size, _sha256(path))


def _names(table: Path) -> Iterator[str]:
    """Yield the path of each file that is written once, relative to the table's folder."""
    for inner, _, names in os.walk(table):
        for name in names:
            if name not in {_HINT, CONDEMNED} and not name.endswith(SET_ASIDE):
                yield Path(inner, name).relative_to(table).as_posix()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(file: Path, made: Seal) -> None:
    """Write under another name first, so that a killed run leaves the seal as it was.

    One writer at a time, so always the same name: what a killed run left there goes with the next.
    """
    files = {name: [each.size, each.sha256] for name, each in made.files.items()}
    body = {"removing": made.removing, "files": files}
    told = {"format": _FORMAT, "sha256": _digest(body), "seal": body}
    draft = file.with_name(f"{file.name}.part")
    with draft.open("w", encoding="utf-8") as written:
        json.dump(told, written)
        written.flush()
        os.fsync(written.fileno())
    draft.replace(file)


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
