"""A branch of a git repository as a source: a local one is read in place, a remote one mirrored."""

import fcntl
import hashlib
import re
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.errors import DocumentRefusedError
from retrieval.records import Body, Entry, Listing, Refusal, RefusalCode
from retrieval.sources.folder import uri_from_path
from retrieval.sources.git import TreeItem, list_tree
from retrieval.sources.git_address import folder_of, protocols_of, ref_of
from retrieval.sources.git_command import (
    TIMEOUT_SECONDS,
    Blobs,
    Git,
    unreachable_as,
    without_credentials,
)
from retrieval.sources.patterns import DOCUMENTS, Patterns

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_POINTER_BYTES = 1024  # git-lfs writes none that is longer
_LINK, _SUBMODULE = "120000", "160000"


class GitSource:
    """Files of a branch's newest commit, chosen by gitignore-style patterns below `folder`.

    `repository` is a folder, read in place and never written, or an address (https, ssh, git,
    file, `git@host:path`), of which the newest commit is kept in a bare repository below `mirror`.
    Without `branch` it is the one the repository has checked out; `refs/…` names any other ref.
    Hidden files are left out as in a folder; links are refused, whatever they point at; submodules
    are repositories of their own and left out. Content is pinned: a listed document is read as it
    was listed, whatever is pushed in the meantime.
    """

    def __init__(
        self,
        repository: str,
        *,
        mirror: Path,
        branch: str | None = None,
        folder: str = "",
        include: tuple[str, ...] = DOCUMENTS,
        exclude: tuple[str, ...] = (),
        max_bytes: int = 20_000_000,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._ref = ref_of(branch)
        self._folder = folder_of(folder)
        self._remote = _Remote.of(repository, self._ref, mirror, timeout_seconds)
        place = self._remote.folder if self._remote else Path(repository)
        self._git = Git(place, timeout_seconds=timeout_seconds)
        self._shown = without_credentials(repository)
        self._patterns = Patterns(include, exclude)
        self._max_bytes = max_bytes
        self._blobs = Blobs(self._git)
        weakref.finalize(self, self._blobs.close)

    def fingerprint(self) -> str | None:
        """Return the id of the branch's newest commit; a remote one is asked, not fetched."""
        with self._told():
            return self._remote.commit() if self._remote else self._local_commit()

    def list_documents(self) -> Listing:
        """List the newest commit, fetched first where it is remote.

        Raises SourceUnreachableError too where the repository lacks a part of the tree: a commit
        is listed whole or not at all.
        """
        self._blobs.close()  # the repository may have been replaced since the last reading
        chosen = _Chosen(self._patterns, self._max_bytes)
        with self._told():
            commit = self._remote.fetch() if self._remote else self._local_commit()
            tree = self._git.call(
                *("rev-parse", "--verify", "--end-of-options", f"{commit}:{self._folder}")
            )
            for item in list_tree(self._git, tree.decode().strip()):
                chosen.take(item)
        identity = f"{self._shown} {self._ref} {self._folder}".rstrip()
        return chosen.listing(identity)

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return a listed document: the bytes of the blob that its stamp names."""
        if unless is not None and entry.stamp == unless:
            return None
        if entry.stamp is None or not _OBJECT_ID.fullmatch(entry.stamp):
            reason = "it has no blob id for a stamp, so no git source has listed it"
            raise DocumentRefusedError(RefusalCode.UNREADABLE, reason)
        data = self._read_blob(entry.stamp)
        if data.startswith(_LFS_POINTER) and len(data) < _LFS_POINTER_BYTES:
            reason = (
                "it is a Git LFS pointer and its text lies elsewhere: check the branch out, run "
                "`git lfs pull` there, and make that folder the source"
            )
            raise DocumentRefusedError(RefusalCode.UNREADABLE, reason)
        return Body(data, entry.stamp)

    def _read_blob(self, blob: str) -> bytes:
        try:
            return self._blobs.read(blob, max_bytes=self._max_bytes)
        except LookupError as error:
            reason = f"{error.args[0]}: the repository is not whole; look at it with `git fsck`"
            raise DocumentRefusedError(RefusalCode.UNREADABLE, reason) from error
        except OverflowError as error:
            reason = _too_big(error.args[0], self._max_bytes)
            raise DocumentRefusedError(RefusalCode.TOO_BIG, reason) from error
        except ValueError as error:
            raise DocumentRefusedError(RefusalCode.DAMAGED, str(error)) from error
        except EOFError as error:
            with self._told():  # it is the repository that is gone, or this one object
                self._git.call("rev-parse", "--git-dir")
            raise DocumentRefusedError(RefusalCode.UNREADABLE, str(error)) from error

    def _local_commit(self) -> str:
        arguments = ("rev-parse", "--verify", "--end-of-options", f"{self._ref}^{{commit}}")
        return self._git.call(*arguments).decode().strip()

    def _told(self) -> AbstractContextManager[None]:
        below = f", folder {self._folder!r}," if self._folder else ""
        return unreachable_as(
            lambda said: (
                f"{self._ref!r} of the git repository {self._shown!r}{below} cannot be read: "
                f"{said}. Check the address, the branch and the access, then run it again."
            )
        )


@dataclass(frozen=True)
class _Remote:
    """A repository elsewhere and the one below `mirror` that keeps its newest commit."""

    address: str
    ref: str
    folder: Path
    asking: Git
    protocols: str

    @classmethod
    def of(
        cls, repository: str, ref: str, mirror: Path, timeout_seconds: float
    ) -> "_Remote | None":
        """Return None for a local repository; raise ValueError for an address that is refused."""
        protocols = protocols_of(repository)
        if protocols is None:
            return None
        # The user name and password are no part of it: they change, the repository stays.
        name = hashlib.sha256(without_credentials(repository).encode()).hexdigest()[:32]
        folder = mirror / f"{name}.git"
        asking = Git(folder, protocols, timeout_seconds=timeout_seconds)
        return cls(repository, ref, folder, asking, protocols)

    @property
    def own_ref(self) -> str:
        """Where the mirror keeps the commit: no name of theirs becomes a path here."""
        return f"refs/driftline/{hashlib.sha256(self.ref.encode()).hexdigest()[:32]}"

    def commit(self) -> str:
        self._prepare()
        listed = self.asking.call("ls-remote", "--end-of-options", self.address, self.ref)
        for line in listed.decode("utf-8", "replace").splitlines():
            commit, _, name = line.partition("\t")
            if name == self.ref and _OBJECT_ID.fullmatch(commit):
                return commit
        msg = f"the remote repository has no {self.ref!r}"
        raise FileNotFoundError(msg)

    def fetch(self) -> str:
        """Bring the newest commit here and return its id; what was rewritten is forced."""
        self._prepare()
        with self._alone():
            self.asking.call(
                *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head"),
                *("--no-recurse-submodules", "--end-of-options"),
                *(self.address, f"+{self.ref}:{self.own_ref}"),
            )
            arguments = ("rev-parse", "--verify", f"{self.own_ref}^{{commit}}")
            return self.asking.call(*arguments).decode().strip()

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self.folder / "HEAD").exists():
            self.asking.call("init", "--quiet", "--bare", "--template=")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the mirror against other processes, and take away locks of one that was killed."""
        with (self.folder / "driftline.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for pattern in ("shallow.lock", "packed-refs.lock", "refs/driftline/*.lock"):
                for left in self.folder.glob(pattern):
                    left.unlink(missing_ok=True)
            yield


@dataclass
class _Chosen:
    """The files of a tree that are documents, while it is listed."""

    patterns: Patterns
    max_bytes: int
    entries: dict[str, Entry] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)

    def take(self, item: TreeItem) -> None:
        names = item.path.split("/")
        if item.mode == _SUBMODULE or not self.patterns.choose(item.path):
            return
        uri = uri_from_path(item.path)
        if not {"", ".", ".."}.isdisjoint(names):
            self._refuse(uri, RefusalCode.UNSAFE, "its path has a step that leads nowhere or out")
        elif any(name.startswith(".") for name in names):
            return
        elif uri in self.entries or uri in self.refused:
            self.entries.pop(uri, None)
            self._refuse(uri, RefusalCode.KEY, "the tree holds its path twice")
        elif item.mode == _LINK:
            self._refuse(uri, RefusalCode.NOT_A_FILE, "it is a link")
        elif item.size is not None and item.size > self.max_bytes:
            self._refuse(uri, RefusalCode.TOO_BIG, _too_big(item.size, self.max_bytes))
        else:
            self.entries[uri] = Entry(uri, item.size, stamp=item.id)

    def listing(self, identity: str) -> Listing:
        return Listing(
            tuple(self.entries[uri] for uri in sorted(self.entries)),
            refused=tuple(self.refused[uri] for uri in sorted(self.refused)),
            identity=identity,
        )

    def _refuse(self, uri: str, code: RefusalCode, reason: str) -> None:
        self.refused[uri] = Refusal(uri, code, reason)


def _too_big(size: int, limit: int) -> str:
    return f"it has {size:,} bytes; the limit is {limit:,}"
