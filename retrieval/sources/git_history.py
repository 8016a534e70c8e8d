"""The past of a local git repository: which commits changed a folder, and each as a source."""

import subprocess
import weakref
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Entry, Listing, RefusalCode
from retrieval.sources.folder import uri_from_path
from retrieval.sources.git import TreeItem, list_tree
from retrieval.sources.git_address import folder_of, ref_of
from retrieval.sources.git_command import Blobs, Git, unreachable_as
from retrieval.sources.patterns import DOCUMENTS, Patterns

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its id, when it was committed (UTC), and its tags, oldest name first."""

    id: str
    time: datetime
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it: its first tag, else its day and the beginning of its id."""
        return self.tags[0] if self.tags else f"{self.time:%Y-%m-%d} {self.id[:8]}"


class GitHistory:
    """The commits of one branch of a repository on this machine; nothing is written or fetched.

    Documents are chosen as `GitSource` chooses them; what it would refuse is left out.
    """

    def __init__(
        self,
        repository: Path,
        *,
        branch: str | None = None,
        folder: str = "",
        include: tuple[str, ...] = DOCUMENTS,
        exclude: tuple[str, ...] = (),
        max_bytes: int = 20_000_000,
    ) -> None:
        self._ref = ref_of(branch)
        self._folder = folder_of(folder)
        self._git = Git(repository)
        self._patterns = Patterns(include, exclude)
        self._max_bytes = max_bytes
        self._blobs = Blobs(self._git)
        weakref.finalize(self, self._blobs.close)

    @classmethod
    def around(
        cls,
        folder: Path,
        *,
        include: tuple[str, ...] = DOCUMENTS,
        exclude: tuple[str, ...] = (),
        max_bytes: int = 20_000_000,
    ) -> Self | None:
        """Return the past of a folder that lies in a git work tree, None for any other."""
        git = Git(folder, discover=True)
        try:
            # One path a line: a path that holds a line break is taken for no work tree.
            top, prefix = git.call("rev-parse", "--show-toplevel", "--show-prefix").split(b"\n")[:2]
        except (subprocess.CalledProcessError, OSError, SourceUnreachableError, ValueError):
            return None
        return cls(
            Path(top.decode("utf-8", "surrogateescape")),
            folder=prefix.decode("utf-8", "surrogateescape"),
            include=include,
            exclude=exclude,
            max_bytes=max_bytes,
        )

    def commits(self) -> tuple[Commit, ...]:
        """Return the commits on the branch's own line that changed the folder, oldest first.

        Raises SourceUnreachableError. A time that runs backwards is the time of the commit before.
        """
        with self._told():
            tags = self._tags()
            below = ("--", self._folder) if self._folder else ()
            log = self._git.call(
                *("log", "--first-parent", "--reverse", "--format=%H %ct"),
                *("--end-of-options", self._ref, *below),
            )
        found: list[Commit] = []
        for line in log.decode().splitlines():
            commit, seconds = line.split()
            time = datetime.fromtimestamp(int(seconds), UTC)
            time = max(time, found[-1].time) if found else time
            found.append(Commit(commit, time, tags.get(commit, ())))
        return tuple(found)

    def at(self, commit: Commit) -> "CommitSource":
        """Return a commit as a source; its documents' stamps are the ids of their blobs."""
        return CommitSource(self, commit)

    def list_documents(self, commit: Commit) -> Listing:
        """List the documents of a commit; none where it has no such folder."""
        with self._told():
            tree = self._tree(commit)
            items = list(list_tree(self._git, tree)) if tree else []
        found = {uri_from_path(item.path): item for item in items if self._wants(item)}
        entries = (Entry(uri, found[uri].size, stamp=found[uri].id) for uri in sorted(found))
        return Listing(tuple(entries), identity=commit.id)

    def read(self, blob: str) -> Body:
        """Return a document's bytes; raise DocumentRefusedError if they cannot be had."""
        try:
            data = self._blobs.read(blob, max_bytes=self._max_bytes)
        except (LookupError, EOFError, ValueError, OverflowError) as error:
            said = str(error.args[0]) if error.args else "it ended early"
            raise DocumentRefusedError(RefusalCode.UNREADABLE, said) from error
        if data.startswith(_LFS_POINTER):
            reason = "it is a Git LFS pointer and its text lies elsewhere"
            raise DocumentRefusedError(RefusalCode.UNREADABLE, reason)
        return Body(data, blob)

    def close(self) -> None:
        """End the process that reads."""
        self._blobs.close()

    def _tree(self, commit: Commit) -> str:
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        try:
            return self._git.call(*arguments, f"{commit.id}:{self._folder}").decode().strip()
        except subprocess.CalledProcessError:
            return ""

    def _tags(self) -> dict[str, tuple[str, ...]]:
        """Return the tags of each commit, a tag's own object looked through."""
        line = "%(objectname) %(*objectname) %(refname:lstrip=2)"
        listed = self._git.call(
            "for-each-ref", "--sort=creatordate", f"--format={line}", "refs/tags"
        )
        found: dict[str, tuple[str, ...]] = {}
        for each in listed.decode("utf-8", "replace").splitlines():
            named, target, name = each.split(" ", 2)
            commit = target or named
            found[commit] = (*found.get(commit, ()), name)
        return found

    def _wants(self, item: TreeItem) -> bool:
        names = item.path.split("/")
        return (
            item.is_file
            and (item.size or 0) <= self._max_bytes
            and not any(name.startswith(".") or not name for name in names)
            and self._patterns.choose(item.path)
        )

    def _told(self) -> AbstractContextManager[None]:
        folder = str(self._git.folder)
        return unreachable_as(lambda said: f"The past of {folder!r} in git cannot be read: {said}.")


class CommitSource:
    """One commit of a history as a source."""

    def __init__(self, history: GitHistory, commit: Commit) -> None:
        self._history = history
        self._commit = commit

    def fingerprint(self) -> str | None:
        """Return the commit's id: what it holds never changes."""
        return self._commit.id

    def list_documents(self) -> Listing:
        """List the documents of the commit."""
        return self._history.list_documents(self._commit)

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return a listed document."""
        if entry.stamp is None:
            raise DocumentRefusedError(RefusalCode.UNREADABLE, "it has no blob id for a stamp")
        return None if entry.stamp == unless else self._history.read(entry.stamp)


def last_of_each_day(commits: Sequence[Commit]) -> tuple[Commit, ...]:
    """Return the last commit of each day (UTC), of those that are in order of time."""
    return tuple({commit.time.date(): commit for commit in commits}.values())
