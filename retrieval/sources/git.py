"""A revision of a git repository as a folder. Calls the git command line, never a shell."""

import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from retrieval.errors import SourceUnreachableError

# A repository must not make git talk to the network, ask for a password or wait for a lock.
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def is_revision(repository: Path, text: str) -> bool:
    """True if the text names a commit of the repository: a branch, a tag, an id, `HEAD~3`."""
    try:
        _commit_of(repository, text)
    except SourceUnreachableError:
        return False
    return True


def export_revision(repository: Path, revision: str, folder: Path) -> None:
    """Write the files of a revision into a folder. Links and whatever is no file are left out.

    Raises SourceUnreachableError if there is no such repository or revision.
    """
    commit = _commit_of(repository, revision)
    folder.mkdir(parents=True, exist_ok=True)
    command = _git(repository, "archive", "--format=tar", commit)
    with subprocess.Popen(  # noqa: S603 a fixed command and a commit id that git itself gave
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
    ) as running:
        try:
            _extract_files(running, folder)
        except tarfile.TarError as error:
            msg = f"Revision {revision!r} of {str(repository)!r} cannot be read: {error}."
            raise SourceUnreachableError(msg) from error
    if running.returncode:
        msg = f"Revision {revision!r} of {str(repository)!r} is damaged: git archive failed."
        raise SourceUnreachableError(msg)


def _extract_files(running: "subprocess.Popen[bytes]", folder: Path) -> None:
    with tarfile.open(fileobj=running.stdout, mode="r|") as archive:
        for member in archive:
            if member.isfile():
                archive.extract(member, folder, filter="data")


def _commit_of(repository: Path, text: str) -> str:
    """Return the commit id, so that no text of a user is ever an argument of another command."""
    msg = f"{text!r} is not a revision of the git repository {str(repository)!r}."
    if not text or text.startswith("-"):
        raise SourceUnreachableError(msg)
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    try:
        done = subprocess.run(  # noqa: S603 no shell, and the text cannot be an option
            _git(repository, *arguments), capture_output=True, check=True, env=_environment()
        )
    except FileNotFoundError as error:
        missing = "git is not installed, or not on the PATH."
        raise SourceUnreachableError(missing) from error
    except (subprocess.CalledProcessError, ValueError) as error:  # ValueError: a NUL in the text
        raise SourceUnreachableError(msg) from error
    return done.stdout.decode().strip()


def _git(repository: Path, *arguments: str) -> Sequence[str]:
    return ["git", "-C", str(repository), "-c", "core.fsmonitor=false", *arguments]


def _environment() -> dict[str, str]:
    return os.environ | _ENVIRONMENT
