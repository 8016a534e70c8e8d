"""A branch of a real git repository as a source: local, remote, rewritten, damaged, hostile."""

import os
import shutil
import socket
import subprocess
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Completeness, Entry, Refusal, RefusalCode
from retrieval.sources.git_repository import GitSource
from tests.retrieval.test_git import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, {"docs/a.md": b"one\r\n", "docs/sub/b.md": b"two", "c.md": b"three"})
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


def commit(repository: Path, files: dict[str, bytes], *, amend: bool = False) -> str:
    for path, data in files.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_bytes(data)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", "x", *(["--amend"] if amend else []))
    return git(repository, "rev-parse", "HEAD")


def uris(source: GitSource) -> list[str]:
    return [entry.uri for entry in source.list_documents().entries]


def data_of(source: GitSource, entry: Entry) -> bytes:
    body = source.read(entry)
    assert body is not None
    return body.data


def texts(source: GitSource) -> dict[str, bytes]:
    return {entry.uri: data_of(source, entry) for entry in source.list_documents().entries}


def refusal_of(source: GitSource, entry: Entry) -> DocumentRefusedError:
    with pytest.raises(DocumentRefusedError) as refused:
        source.read(entry)
    return refused.value


def local(repository: Path, mirror: Path, **options: Any) -> GitSource:
    return GitSource(str(repository), mirror=mirror, **options)


def remote(repository: Path, mirror: Path, **options: Any) -> GitSource:
    return GitSource(f"file://{repository}", mirror=mirror, **options)


both = pytest.mark.parametrize("kind", [local, remote])


@both
def test_the_files_of_the_newest_commit_are_documents(repository: Path, mirror: Path, kind: Any):
    (repository / "c.md").write_text("not committed")
    source = kind(repository, mirror)

    listing = source.list_documents()

    assert [(entry.uri, entry.size) for entry in listing.entries] == [
        ("c.md", 5),
        ("docs/a.md", 5),
        ("docs/sub/b.md", 3),
    ]
    assert listing.completeness is Completeness.COMPLETE
    assert texts(source) == {"c.md": b"three", "docs/a.md": b"one\r\n", "docs/sub/b.md": b"two"}


@both
def test_the_stamp_is_the_blob_and_the_fingerprint_the_commit(
    repository: Path, mirror: Path, kind: Any
):
    source = kind(repository, mirror, include=("c.md",))

    [entry] = source.list_documents().entries
    body = source.read(entry)

    assert entry.stamp == body.stamp == git(repository, "rev-parse", "HEAD:c.md")
    assert source.read(entry, unless=entry.stamp) is None
    assert source.fingerprint() == git(repository, "rev-parse", "HEAD")


@both
def test_a_branch_a_folder_and_patterns_choose(repository: Path, mirror: Path, kind: Any):
    git(repository, "checkout", "--quiet", "-b", "release/1")
    commit(repository, {"docs/new.md": b"n", "docs/.hidden/x.md": b"h", "docs/drafts/d.md": b"d"})
    git(repository, "checkout", "--quiet", "main")

    source = kind(repository, mirror, branch="release/1", folder="/docs/", exclude=("drafts/",))

    assert uris(source) == ["a.md", "new.md", "sub/b.md"]


@both
def test_a_folder_that_the_branch_lacks_is_unreachable(repository: Path, mirror: Path, kind: Any):
    with pytest.raises(SourceUnreachableError, match="folder 'nothing', cannot be read"):
        kind(repository, mirror, folder="nothing").list_documents()


@both
def test_what_was_listed_is_read_whatever_is_pushed_since(
    repository: Path, mirror: Path, kind: Any
):
    source = kind(repository, mirror)
    listed = source.list_documents().entries
    git(repository, "rm", "--quiet", "c.md")
    commit(repository, {"docs/a.md": b"later"})

    assert [data_of(source, entry) for entry in listed] == [b"three", b"one\r\n", b"two"]
    assert texts(source) == {"docs/a.md": b"later", "docs/sub/b.md": b"two"}


@both
def test_rewritten_history_is_followed(repository: Path, mirror: Path, kind: Any):
    source = kind(repository, mirror, branch="main")
    before = source.list_documents()
    git(repository, "checkout", "--quiet", "--orphan", "fresh")
    git(repository, "rm", "--quiet", "--cached", "docs/sub/b.md")
    (repository / "docs/sub/b.md").unlink()
    made = commit(repository, {"c.md": b"rewritten"})
    git(repository, "branch", "--force", "main", "fresh")

    assert source.fingerprint() == made
    assert texts(source) == {"c.md": b"rewritten", "docs/a.md": b"one\r\n"}
    assert [entry.uri for entry in before.entries][-1] == "docs/sub/b.md"


@both
def test_a_branch_that_was_deleted_is_unreachable(repository: Path, mirror: Path, kind: Any):
    git(repository, "branch", "gone")
    source = kind(repository, mirror, branch="gone")
    source.list_documents()
    git(repository, "branch", "-D", "gone")

    with pytest.raises(SourceUnreachableError, match="'refs/heads/gone' of the git repository"):
        source.list_documents()
    with pytest.raises(SourceUnreachableError, match="'refs/heads/gone' of the git repository"):
        source.fingerprint()


@both
def test_a_repository_that_is_gone_is_unreachable(repository: Path, mirror: Path, kind: Any):
    source = kind(repository, mirror)
    source.list_documents()
    repository.rename(repository.with_name("unmounted"))

    with pytest.raises(SourceUnreachableError, match="fatal: "):
        source.list_documents()


def test_a_repository_gone_before_a_document_is_read_is_unreachable(repository: Path, mirror: Path):
    source = local(repository, mirror)
    [entry, *_] = source.list_documents().entries
    shutil.rmtree(repository)

    with pytest.raises(SourceUnreachableError, match="cannot change to"):
        source.read(entry)


def test_a_repository_put_in_the_place_of_another_is_read_anew(repository: Path, mirror: Path):
    source = local(repository, mirror)
    texts(source)
    shutil.rmtree(repository)
    repository.mkdir()
    git(repository, "init", "--quiet")
    commit(repository, {"other.md": b"other"})

    assert texts(source) == {"other.md": b"other"}


def test_an_empty_repository_is_unreachable_and_not_empty(tmp_path: Path, mirror: Path):
    git(tmp_path, "init", "--quiet", "new")

    with pytest.raises(SourceUnreachableError):
        local(tmp_path / "new", mirror).list_documents()


def test_a_folder_inside_another_repository_is_none_itself(repository: Path, mirror: Path):
    with pytest.raises(SourceUnreachableError, match="not a git repository"):
        local(repository / "docs", mirror).list_documents()


def test_the_identity_stays_when_the_branch_advances(repository: Path, mirror: Path):
    before = local(repository, mirror, branch="main").list_documents()
    commit(repository, {"c.md": b"later"})
    after = local(repository, mirror, branch="main").list_documents()
    other = local(repository, mirror, folder="docs", branch="main").list_documents()

    assert before.identity == after.identity != other.identity


def test_a_shallow_clone_is_read(repository: Path, tmp_path: Path, mirror: Path):
    commit(repository, {"c.md": b"later"})
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")

    assert texts(local(tmp_path / "shallow", mirror))["c.md"] == b"later"


def test_a_mirror_keeps_one_commit_and_needs_no_remote_to_be_read(repository: Path, mirror: Path):
    for at in range(3):
        commit(repository, {"c.md": b"%d" % at})
        source = remote(repository, mirror)
        listing = source.list_documents()
    repository.rename(repository.with_name("unmounted"))

    [kept] = mirror.glob("*.git")
    assert git(kept, "rev-list", "--all", "--count") == "1"
    assert data_of(source, listing.entries[0]) == b"2"


def test_locks_that_a_killed_run_left_are_taken_away(repository: Path, mirror: Path):
    source = remote(repository, mirror)
    source.list_documents()
    commit(repository, {"c.md": b"later"})
    [kept] = mirror.glob("*.git")
    [ref] = (kept / "refs" / "driftline").iterdir()
    (kept / "shallow.lock").touch()
    ref.with_name(ref.name + ".lock").touch()

    assert texts(source)["c.md"] == b"later"


def test_a_missing_object_refuses_its_document_and_no_other(repository: Path, mirror: Path):
    blob = git(repository, "rev-parse", "HEAD:c.md")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    source = local(repository, mirror)

    [missing, there, _] = source.list_documents().entries

    assert (missing.uri, missing.size) == ("c.md", None)
    assert refusal_of(source, missing).reason_code is RefusalCode.UNREADABLE
    assert data_of(source, there) == b"one\r\n"


def test_a_missing_tree_is_unreachable(repository: Path, mirror: Path):
    tree = git(repository, "rev-parse", "HEAD:docs/sub")
    (repository / ".git" / "objects" / tree[:2] / tree[2:]).unlink()

    with pytest.raises(SourceUnreachableError, match="cannot be read"):
        local(repository, mirror).list_documents()


def object_file(repository: Path, path: str) -> Path:
    blob = git(repository, "rev-parse", f"HEAD:{path}")
    file = repository / ".git" / "objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    return file


def test_a_damaged_object_refuses_its_document_and_no_other(repository: Path, mirror: Path):
    object_file(repository, "c.md").write_bytes(b"not zlib at all")
    source = local(repository, mirror)

    [damaged, *others] = source.list_documents().entries

    assert refusal_of(source, damaged).reason_code is RefusalCode.UNREADABLE
    assert [data_of(source, entry) for entry in others] == [b"one\r\n", b"two"]


def test_bytes_that_are_not_those_of_their_id_are_refused(repository: Path, mirror: Path):
    shutil.copy(object_file(repository, "docs/sub/b.md"), object_file(repository, "c.md"))
    source = local(repository, mirror)

    [entry, *_] = source.list_documents().entries

    assert refusal_of(source, entry).reason_code is RefusalCode.DAMAGED


def test_a_pointer_of_lfs_is_refused_with_the_cure(repository: Path, mirror: Path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    commit(repository, {"c.md": pointer, "docs/a.md": pointer + b"# explained\n" * 200})
    source = local(repository, mirror)

    [refused, explained, _] = source.list_documents().entries
    refusal = refusal_of(source, refused)

    assert refusal.reason_code is RefusalCode.UNREADABLE
    assert "git lfs pull" in refusal.reason
    assert data_of(source, explained).startswith(pointer)


def test_links_are_refused_and_submodules_left_out(repository: Path, mirror: Path):
    (repository / "link.md").symlink_to("/etc/hostname")
    (repository / "link.bin").symlink_to("/etc/hostname")
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},other.md")
    git(repository, "add", "link.md", "link.bin")
    git(repository, "commit", "--quiet", "-m", "links and a submodule")

    listing = local(repository, mirror).list_documents()

    assert listing.refused == (Refusal("link.md", RefusalCode.NOT_A_FILE, "it is a link"),)
    assert [entry.uri for entry in listing.entries] == ["c.md", "docs/a.md", "docs/sub/b.md"]


def test_a_file_over_the_limit_is_refused(repository: Path, mirror: Path):
    commit(repository, {"c.md": b"x" * 100, "over.md": b"x" * 101})
    source = local(repository, mirror, max_bytes=100)

    listing = source.list_documents()
    blob = git(repository, "rev-parse", "HEAD:over.md")

    reason = "it has 101 bytes; the limit is 100"
    assert listing.refused == (Refusal("over.md", RefusalCode.TOO_BIG, reason),)
    assert refusal_of(source, Entry("over.md", None, stamp=blob)).reason == reason
    assert data_of(source, listing.entries[0]) == b"x" * 100  # reading goes on after it


@both
def test_odd_names_are_documents_like_any_other(repository: Path, mirror: Path, kind: Any):
    names = ["new\nline.md", "quote\"'.md", "100%41.md", "-rf.md", "tab\t.md", "ünï.md", "$(x).md"]
    for name in [os.fsencode(name) for name in names] + [b"caf\xe9.md"]:
        with open(os.fsencode(repository) + b"/" + name, "wb") as file:  # noqa: PTH123 any bytes
            file.write(name)
    commit(repository, {})

    found = texts(kind(repository, mirror, include=("/*.md",)))

    assert found == {
        **{name: os.fsencode(name) for name in names if name != "100%41.md"},
        "100%2541.md": b"100%41.md",
        "caf%E9.md": b"caf\xe9.md",
        "c.md": b"three",
    }


def plant(repository: Path, path: bytes) -> None:
    """Commit a tree with a name that git itself would never write."""
    blob = git(repository, "rev-parse", "HEAD:c.md")
    line = b"100644 " + path + b"\0" + bytes.fromhex(blob)
    made = subprocess.run(
        ["git", "-C", repository, "hash-object", "-t", "tree", "--literally", "-w", "--stdin"],  # noqa: S607
        input=line,
        capture_output=True,
        check=True,
    )
    new = git(repository, "commit-tree", made.stdout.decode().strip(), "-m", "hostile")
    git(repository, "update-ref", "refs/heads/main", new)


@pytest.mark.parametrize("path", [b"../evil.md", b"docs/../../evil.md", b"/evil.md", b"a//b.md"])
def test_a_path_that_climbs_out_is_refused(repository: Path, mirror: Path, path: bytes):
    plant(repository, path)

    listing = local(repository, mirror).list_documents()

    assert listing.entries == ()
    assert [refusal.code for refusal in listing.refused] == [RefusalCode.UNSAFE]


def test_a_path_that_a_tree_holds_twice_is_refused(repository: Path, mirror: Path):
    blob = bytes.fromhex(git(repository, "rev-parse", "HEAD:c.md"))
    plant(repository, b"a.md\0" + blob + b"100644 a.md")

    listing = local(repository, mirror).list_documents()

    assert listing.entries == ()
    assert [(refusal.uri, refusal.code) for refusal in listing.refused] == [
        ("a.md", RefusalCode.KEY)
    ]


@both
def test_no_attribute_filter_hook_or_variable_runs_anything(
    repository: Path, mirror: Path, tmp_path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch
):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\nexit 0\n")
    program.chmod(0o755)
    commit(repository, {".gitattributes": b"* filter=evil diff=evil\n*.md export-ignore\n"})
    for name in ("filter.evil.smudge", "filter.evil.process", "diff.evil.textconv"):
        git(repository, "config", name, str(program))
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.alternateRefsCommand"):
        git(repository, "config", name, str(program))
    git(repository, "config", "uploadpack.packObjectsHook", str(program))
    for name in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc"):
        shutil.copy(program, repository / ".git" / "hooks" / name)
    for name in ("EXTERNAL_DIFF", "PAGER", "ASKPASS", "PROXY_COMMAND", "EDITOR"):
        monkeypatch.setenv(f"GIT_{name}", str(program))
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "traced"))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(repository / ".git"))
    (tmp_path / "config").write_text(f"[core]\n\thooksPath = {repository}/.git/hooks\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(repository / ".git" / "hooks"))

    found = texts(kind(repository, mirror))

    assert found["docs/a.md"] == b"one\r\n"
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "traced").exists()


def test_a_local_repository_is_not_written(repository: Path, mirror: Path):
    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in repository.rglob("*")}

    before = state()
    source = local(repository, mirror)
    texts(source)
    source.fingerprint()

    assert state() == before
    assert not mirror.exists()


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% x",
        "fd::17",
        "http::https://example.org/x",
        "transport::address",
        "--upload-pack=touch x",
        "-x",
        "",
        "ssh://-oProxyCommand=touch x/y",
        "-oProxyCommand=touch:x",
        "user@-oProxyCommand=touch:x",
        "http://example.org/x",
        "ftp://example.org/x",
        "https://example.org/a\nb",
        "nul\0nul",
    ],
)
def test_an_address_that_could_run_something_is_refused(
    address: str, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match="Not a git repository's address"):
        GitSource(address, mirror=mirror)

    assert list(tmp_path.iterdir()) == []


def test_an_address_that_a_configuration_rewrites_is_refused_too(
    repository: Path, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "config").write_text(
        f'[url "ext::sh -c touch% {tmp_path}/ran "]\n\tinsteadOf = https://\n'
        f'[url "file://{repository}"]\n\tinsteadOf = ssh://\n[protocol]\n\tallow = always\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))

    for address in ("https://example.org/x", "ssh://x"):
        with pytest.raises(SourceUnreachableError, match="not allowed"):
            GitSource(address, mirror=mirror).list_documents()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "branch",
    ["--upload-pack=touch x", "-x", "", "a..b", "a:b", "a b", "a\nb", "a^", "a~1", "@{-1}", "a/"],
)
def test_what_is_no_branch_is_refused(repository: Path, mirror: Path, branch: str):
    with pytest.raises(ValueError, match="Not a branch"):
        local(repository, mirror, branch=branch)


@pytest.mark.parametrize("folder", ["..", "docs/../..", "a//b", "a\nb", "./docs"])
def test_what_is_no_folder_is_refused(repository: Path, mirror: Path, folder: str):
    with pytest.raises(ValueError, match="Not a folder"):
        local(repository, mirror, folder=folder)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Yield a port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["git", "https"])
def test_a_server_that_never_answers_is_left_in_time(silent_port: int, mirror: Path, scheme: str):
    address = f"{scheme}://me:s3cret@127.0.0.1:{silent_port}/x"
    if scheme == "git":
        address = address.replace("me:s3cret@", "")
    source = GitSource(address, mirror=mirror, timeout_seconds=0.5)
    started = time.monotonic()

    with pytest.raises(SourceUnreachableError, match=r"longer than 0\.5 s") as error:
        source.list_documents()

    assert time.monotonic() - started < 5
    assert "s3cret" not in "".join(traceback.format_exception(error.value))
    left = subprocess.run(
        ["pgrep", "--full", f"127.0.0.1:{silent_port}"],  # noqa: S607
        capture_output=True,
        check=False,
    )
    assert left.stdout == b""


def test_credentials_are_in_no_message_and_not_in_the_mirror(mirror: Path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"https://me:s3cret@127.0.0.1:{closed.getsockname()[1]}/x?token=s3cret"

        with pytest.raises(SourceUnreachableError, match="fatal: ") as error:
            GitSource(address, mirror=mirror).list_documents()

    assert "s3cret" not in "".join(traceback.format_exception(error.value))
    assert not [p for p in mirror.rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()]


def test_a_real_server_is_read(repository: Path, mirror: Path, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    daemon = subprocess.Popen(
        [
            *("git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all"),
            *("--reuseaddr", "--verbose", "--log-destination=stderr", f"--base-path={tmp_path}"),
        ],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert daemon.stderr is not None
        assert b"Ready to rumble" in daemon.stderr.readline()

        source = GitSource(f"git://127.0.0.1:{port}/repository", mirror=mirror, branch="main")

        assert source.fingerprint() == git(repository, "rev-parse", "HEAD")
        assert texts(source)["c.md"] == b"three"
    finally:
        os.killpg(daemon.pid, 9)
        daemon.wait()
        if daemon.stderr is not None:
            daemon.stderr.close()


def test_many_documents_are_read_by_one_process(repository: Path, mirror: Path):
    commit(repository, {f"many/{at}.md": b"%d" % at for at in range(600)})
    source = local(repository, mirror)
    started = time.monotonic()

    found = texts(source)

    assert len(found) == 603
    assert found["many/599.md"] == b"599"
    assert time.monotonic() - started < 5
