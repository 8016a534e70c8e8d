"""Releases of real documentation, from a folder of archives, and small changes made to them.

An archive is `PROJECT.tar.xz` and holds `PROJECT/RELEASE/…`. The folder is the one that the caller
names, else what the environment variable DRIFTLINE_CORPORA names, else `shared/corpora` beside the
checkout.
"""

import os
import re
import shutil
import tarfile
from filecmp import cmp
from pathlib import Path

ENDINGS = (".md", ".rst", ".txt")
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpora"


def archive_folder(named: Path | None = None) -> Path:
    """Return the folder of archives; raise SystemExit, with the cure, if there is none."""
    chosen = named or Path(os.environ.get("DRIFTLINE_CORPORA", BESIDE))
    if not chosen.is_dir():
        msg = (
            f"There is no folder of archives at {str(chosen)!r}. Name one with --corpora DIR or "
            "with the environment variable DRIFTLINE_CORPORA."
        )
        raise SystemExit(msg)
    return chosen


def unpack(archives: Path, project: str, release: str, folder: Path) -> Path:
    """Unpack one release below `folder`, once, and return where its documents are.

    Raises FileNotFoundError for a project without an archive and ValueError for a release that
    its archive does not hold.
    """
    documents = folder / project / release
    if documents.is_dir():
        return documents
    draft = folder / f"{project}-{release}.part"
    with tarfile.open(archives / f"{project}.tar.xz") as archive:
        wanted = [member for member in archive if member.name.split("/")[1:2] == [release]]
        archive.extractall(draft, wanted, filter="data")
    unpacked = draft / project / release
    if not unpacked.is_dir():
        msg = f"The archive of {project!r} holds no release {release!r}."
        raise ValueError(msg)
    documents.parent.mkdir(parents=True, exist_ok=True)
    return unpacked.rename(documents)


def align(release: Path, live: Path) -> None:
    """Make the live folder hold a release; files that say the same are not touched."""
    wanted = {path.relative_to(release) for path in release.rglob("*") if path.is_file()}
    for path in [path for path in live.rglob("*") if path.is_file()]:
        if path.relative_to(live) not in wanted:
            path.unlink()
    for name in wanted:
        new, there = release / name, live / name
        if not there.exists() or not cmp(new, there, shallow=False):
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, there)


def longest(folder: Path) -> Path:
    """Return the longest document."""
    return max(documents_of(folder), key=lambda path: path.stat().st_size)


def reword(document: Path) -> None:
    """Change one word in the middle of a document."""
    text = document.read_text("utf-8")
    word = re.compile(r"(?<= )[a-z]{5,}(?= )").search(text, len(text) // 2)
    if word is None:
        msg = f"No word to change in {str(document)!r}."
        raise SystemExit(msg)
    document.write_text(f"{text[: word.start()]}rephrased{text[word.end() :]}", "utf-8")


def move(folder: Path, count: int) -> None:
    """Move documents, spread over the whole folder, to another place in it."""
    documents = documents_of(folder)
    (folder / "moved").mkdir()
    for number, path in enumerate(documents[:: max(1, len(documents) // count)][:count]):
        path.rename(folder / "moved" / f"{number}-{path.name}")


def documents_of(folder: Path) -> list[Path]:
    """Return the documents of a folder, as every side lists them."""
    return sorted(path for path in folder.rglob("*") if path.suffix in ENDINGS)
