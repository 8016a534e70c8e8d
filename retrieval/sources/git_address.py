"""What a person may write as a git repository, a branch and a folder. Calls nothing."""

import re

from retrieval.sources.git_command import without_credentials

# A person's own configuration may rewrite one of these into another, never into a file.
_REMOTE_PROTOCOLS = "https:ssh:git"
_SCHEMES = {"https", "ssh", "git", "file"}
_SCP_LIKE = re.compile(r"(?:[\w.][\w.-]*@)?(?:[\w.][\w.-]*|\[[0-9a-fA-F:.]+\]):.+")
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_NOT_IN_A_REF = re.compile(r"[\0-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?=/|$)|/$|\.$")


def protocols_of(repository: str) -> str | None:
    """Return the transports for an address, None for a local folder; raise ValueError.

    >>> protocols_of("git@example.org:team/docs.git"), protocols_of("./docs")
    ('https:ssh:git', None)
    """
    scheme, separator, rest = repository.partition("://")
    if not repository or repository.startswith("-") or _CONTROL.search(repository):
        cause = "it is empty, begins with '-' or holds a control character"
    elif re.match(r"[^/]*::", repository):
        cause = "'::' would start a program"
    elif separator and scheme not in _SCHEMES:
        cause = f"of {scheme}:// only https, ssh, git and file can be read"
    elif separator and rest.startswith("-"):
        cause = "its host begins with '-'"
    elif separator:
        return "file" if scheme == "file" else _REMOTE_PROTOCOLS
    elif ":" not in repository.partition("/")[0]:
        return None
    elif _SCP_LIKE.fullmatch(repository):
        return _REMOTE_PROTOCOLS
    else:
        cause = "it is no host:path; write a folder as ./name"
    msg = f"Not a git repository's address: {without_credentials(repository)!r}: {cause}."
    raise ValueError(msg)


def ref_of(branch: str | None) -> str:
    """Return the full name of a branch; raise ValueError for what git itself would not allow.

    >>> ref_of("main"), ref_of(None), ref_of("refs/tags/v1")
    ('refs/heads/main', 'HEAD', 'refs/tags/v1')
    """
    if branch is None:
        return "HEAD"
    if not branch or branch.startswith(("-", "/", ".")) or _NOT_IN_A_REF.search(branch):
        msg = f"Not a branch: {branch!r}. Write its name as `git branch` shows it, e.g. 'main'."
        raise ValueError(msg)
    return branch if branch.startswith("refs/") else f"refs/heads/{branch}"


def folder_of(folder: str) -> str:
    """Return a folder below the repository's root, "" for the root; raise ValueError.

    >>> folder_of("/docs/guide/")
    'docs/guide'
    """
    plain = folder.strip("/")
    if _CONTROL.search(plain) or (plain and not {"", ".", ".."}.isdisjoint(plain.split("/"))):
        msg = f"Not a folder of a git repository: {folder!r}. Write it as 'docs' or 'docs/guide'."
        raise ValueError(msg)
    return plain
