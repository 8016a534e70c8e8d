"""A revision of a git repository as a folder."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import SourceUnreachableError
from retrieval.sources.git_command import Blobs, Git

_FILE_MODES = {"100644", "100755"}  # not links, which may lead out, and not submodules
_NEVER_IN_A_PATH = {"", ".", "..", ".git"}


@dataclass(frozen=True, slots=True)
class TreeItem:
    """One line of a tree. `size` is None where the repository lacks the object."""

    path: str
    mode: str
    id: str
    size: int | None

    @property
    def is_file(self) -> bool:
        """True for a regular file, runnable or not."""
        return self.mode in _FILE_MODES


def is_revision(repository: Path, text: str) -> bool:
    """True if the text names a commit of the repository: a branch, a tag, an id, `HEAD~3`."""
    try:
        _commit_of(Git(repository, discover=True), text)
    except SourceUnreachableError:
        return False
    return True


def export_revision(repository: Path, revision: str, folder: Path) -> None:
    """Write the files of a revision into a folder, byte for byte as they were committed.

    Read object by object: `git archive` leaves out what .gitattributes marks export-ignore, often
    the very documentation, and runs the filters that a configuration names. Raises
    SourceUnreachableError if there is no such repository or revision.
    """
    git = Git(repository, discover=True)
    commit = _commit_of(git, revision)
    blobs = Blobs(git)
    try:
        for item in list_tree(git, commit):
            if item.is_file and _NEVER_IN_A_PATH.isdisjoint(item.path.split("/")):
                target = folder / item.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(blobs.read(item.id))
    except (subprocess.CalledProcessError, LookupError, EOFError, ValueError) as error:
        said = error.args[0] if isinstance(error, LookupError) else error
        msg = f"Revision {revision!r} of {str(repository)!r} cannot be read whole: {said}."
        raise SourceUnreachableError(msg) from error
    finally:
        blobs.close()


def list_tree(git: Git, tree: str) -> Iterator[TreeItem]:
    """Yield all below a commit or tree, given by its id; a path may hold any byte but NUL.

    Raises subprocess.CalledProcessError if a tree is missing.
    """
    listed = git.call("ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", tree)
    for line in listed.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, blob, size = about.decode().split()
        yield TreeItem(os.fsdecode(path), mode, blob, int(size) if size.isdecimal() else None)


def _commit_of(git: Git, text: str) -> str:
    """Return the commit's id, so that no other command ever sees what a person typed."""
    msg = f"{text!r} is not a revision of the git repository {str(git.folder)!r}."
    if not text or "\0" in text:
        raise SourceUnreachableError(msg)
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    try:
        return git.call(*arguments).decode().strip()
    except subprocess.CalledProcessError as error:
        raise SourceUnreachableError(msg) from error
