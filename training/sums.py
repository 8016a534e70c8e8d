"""Digests of files beside them, as `sha256sum` writes them and `sha256sum -c` reads them.

Standard library only. The last line of a list is over the lines before it, as a comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from training.files import write_whole

SUMS = "SHA256SUMS"
_BESIDE = ".sha256"


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that is not what its digest was taken of, and how one can tell."""

    path: Path
    what: str


def write_sums(folder: Path) -> None:
    """Write the digest of every file below a folder into its SHA256SUMS."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    lines = "".join(f"{_sha256(p)}  {p.relative_to(folder).as_posix()}\n" for p in files)
    write_whole(folder / SUMS, f"{lines}{_last(lines)}".encode())


def check_sums(folder: Path) -> tuple[BrokenFile, ...] | None:
    """Return which files of a folder are not what they were; None where it has no SHA256SUMS."""
    listed = folder / SUMS
    try:
        text = listed.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        return (BrokenFile(listed, f"it cannot be read: {error}"),)
    lines, mark, _ = text.partition("# ")
    if not mark or text != f"{lines}{_last(lines)}":
        return (BrokenFile(listed, "it is not what was written"),)
    named = (line.partition("  ") for line in lines.splitlines())
    found = ((folder / name, _difference(folder / name, digest)) for digest, _, name in named)
    return tuple(BrokenFile(path, what) for path, what in found if what)


def keep_sum(page: Path) -> None:
    """Write the digest of one file beside it."""
    write_whole(_beside(page), _line(page).encode())


def pages_with_sums(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that have their digest beside them."""
    for kept in sorted(folder.glob(f"*{_BESIDE}")):
        page = kept.with_name(kept.name.removesuffix(_BESIDE))
        if page.is_file():
            yield page


def broken_page(page: Path) -> str:
    """Return how a file differs from the digest beside it, "" if it does not."""
    if _beside(page).read_bytes() == _line(page).encode():
        return ""
    return f"it is not what {_beside(page).name} says"


def _beside(page: Path) -> Path:
    return page.with_name(f"{page.name}{_BESIDE}")


def _line(page: Path) -> str:
    return f"{_sha256(page)}  {page.name}\n"


def _last(lines: str) -> str:
    return f"# {sha256(lines.encode()).hexdigest()}\n"


def _difference(path: Path, digest: str) -> str:
    try:
        there = _sha256(path)
    except FileNotFoundError:
        return "it is gone"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return "" if there == digest else f"it hashes to {there[:12]}, it was {digest[:12]}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
