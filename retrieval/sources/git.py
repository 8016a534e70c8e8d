"""A revision of a git repository as a folder. Calls the git command line, never a shell."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from retrieval.errors import SourceUnreachableError

# A repository must not make git talk to the network, ask for a password or take a lock.
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_FILE_MODES = {b"100644", b"100755"}  # not links, which may lead out, and not submodules
_NEVER_IN_A_PATH = {"", ".", "..", ".git"}


def is_revision(repository: Path, text: str) -> bool:
    """True if the text names a commit of the repository: a branch, a tag, an id, `HEAD~3`."""
    try:
        _commit_of(repository, text)
    except SourceUnreachableError:
        return False
    return True


def export_revision(repository: Path, revision: str, folder: Path) -> None:
    """Write the files of a revision into a folder, byte for byte as they were committed.

    Read object by object: `git archive` leaves out what .gitattributes marks export-ignore, often
    the very documentation, and runs the filters that a configuration names. Raises
    SourceUnreachableError if there is no such repository or revision.
    """
    commit = _commit_of(repository, revision)
    try:
        for path, data in _read_files(repository, commit):
            target = folder.joinpath(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except (subprocess.CalledProcessError, EOFError) as error:
        msg = f"Revision {revision!r} of {str(repository)!r} cannot be read whole: {error}."
        raise SourceUnreachableError(msg) from error


def _read_files(repository: Path, commit: str) -> Iterator[tuple[str, bytes]]:
    command = _git(repository, "cat-file", "--batch")
    with subprocess.Popen(  # noqa: S603 a fixed command; it is asked for ids that git itself gave
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
    ) as objects:
        for path, blob in _list_files(repository, commit):
            yield path, _read_blob(objects, blob)


def _list_files(repository: Path, commit: str) -> Iterator[tuple[str, bytes]]:
    listed = _run(_git(repository, "ls-tree", "-r", "-z", "--full-tree", commit))
    for line in listed.split(b"\0")[:-1]:
        (mode, _, blob), path = line.partition(b"\t")[0].split(), line.partition(b"\t")[2]
        name = os.fsdecode(path)
        if mode in _FILE_MODES and _NEVER_IN_A_PATH.isdisjoint(name.split("/")):
            yield name, blob


def _read_blob(objects: "subprocess.Popen[bytes]", blob: bytes) -> bytes:
    if objects.stdin is None or objects.stdout is None:
        raise EOFError
    objects.stdin.write(blob + b"\n")
    objects.stdin.flush()
    header = objects.stdout.readline().split()
    if header[1:2] != [b"blob"]:
        msg = f"object {blob.decode()} is missing"
        raise EOFError(msg)
    size = int(header[2])
    return objects.stdout.read(size + 1)[:size]


def _commit_of(repository: Path, text: str) -> str:
    """Return the commit's id, so that no other command ever sees what a person typed."""
    msg = f"{text!r} is not a revision of the git repository {str(repository)!r}."
    if not text or "\0" in text:
        raise SourceUnreachableError(msg)
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    try:
        return _run(_git(repository, *arguments)).decode().strip()
    except FileNotFoundError as error:
        missing = "git is not installed, or not on the PATH."
        raise SourceUnreachableError(missing) from error
    except subprocess.CalledProcessError as error:
        raise SourceUnreachableError(msg) from error


def _run(command: list[str]) -> bytes:
    done = subprocess.run(  # noqa: S603 no shell, and no argument that could be an option
        command, capture_output=True, check=True, env=_environment()
    )
    return done.stdout


def _git(repository: Path, *arguments: str) -> list[str]:
    return ["git", "-C", str(repository), *arguments]


def _environment() -> dict[str, str]:
    return os.environ | _ENVIRONMENT
