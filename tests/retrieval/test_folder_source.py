"""A folder as a source: what is listed, what is refused, and what is never opened."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Completeness, Entry, Refusal, RefusalCode
from retrieval.sources.folder import FolderSource, path_from_uri, uri_from_path
from tests.retrieval.builders import Corpus


def uris(source: FolderSource) -> list[str]:
    return [entry.uri for entry in source.list_documents().entries]


def bytes_of(source: FolderSource, entry: Entry) -> bytes:
    body = source.read(entry)
    assert body is not None
    return body.data


def codes(source: FolderSource) -> list[tuple[str, RefusalCode]]:
    return [(refusal.uri, refusal.code) for refusal in source.list_documents().refused]


def test_documents_are_listed_by_relative_path_in_order(corpus: Corpus):
    corpus.write({"b.md": "b", "a/z.rst": "z", "a.txt": "a", "a/b/c.md": "c"})

    assert uris(corpus.source) == ["a.txt", "a/b/c.md", "a/z.rst", "b.md"]


def test_size_and_time_are_listed(corpus: Corpus):
    corpus.write({"a.md": "four"})
    os.utime(corpus.path("a.md"), (0, 86_400))

    [entry] = corpus.source.list_documents().entries

    assert entry.size == 4
    assert entry.modified_at is not None
    assert entry.modified_at.isoformat() == "1970-01-02T00:00:00+00:00"


def test_hidden_files_and_folders_are_left_out(corpus: Corpus):
    corpus.write({"a.md": "a", ".hidden.md": "h", ".git/b.md": "b", "sub/.venv/c.md": "c"})

    assert uris(corpus.source) == ["a.md"]


def test_include_and_exclude_are_gitignore_patterns(corpus: Corpus):
    corpus.write(dict.fromkeys(("a.md", "b.html", "drafts/c.md", "sub/drafts/d.md"), "x"))

    source = FolderSource(corpus.folder, include=("*.md", "*.html"), exclude=("/drafts/", "b.*"))

    assert uris(source) == ["a.md", "sub/drafts/d.md"]


def test_an_excluded_folder_is_not_even_opened(corpus: Corpus):
    corpus.write({"a.md": "a"})
    (corpus.folder / "loop").symlink_to("/")

    source = FolderSource(corpus.folder, exclude=("loop/",))

    assert source.list_documents().refused == ()


def test_a_missing_folder_is_unreachable(tmp_path: Path):
    with pytest.raises(SourceUnreachableError, match="No such file"):
        FolderSource(tmp_path / "nowhere").list_documents()


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(SourceUnreachableError, match="Not a directory"):
        FolderSource(tmp_path / "file").list_documents()


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="becomes another user")
def test_a_folder_that_may_not_be_read_makes_the_listing_partial(tmp_path: Path):
    # Permissions do not bind root: the listing is made by nobody, in a process of its own.
    denied = tmp_path / "source" / "denied"
    denied.mkdir(parents=True)
    (tmp_path / "source" / "a.md").write_text("a")
    (tmp_path / "source" / "secret.md").write_text("s")
    (tmp_path / "source" / "secret.md").chmod(0)
    denied.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)

    script = (
        "import os, sys; from pathlib import Path\n"
        "from retrieval.sources.folder import FolderSource\n"
        "from retrieval.errors import DocumentRefusedError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "source = FolderSource(Path(sys.argv[1])); listing = source.list_documents()\n"
        "print(listing.completeness, [e.uri for e in listing.entries],"
        " [(r.uri, str(r.code)) for r in listing.refused])\n"
        "try: source.read(listing.entries[1])\n"
        "except DocumentRefusedError as error: print(error.reason_code, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "source")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "partial ['a.md', 'secret.md'] [('denied/', 'LIST_DENIED')]",
        "DOC_UNREADABLE it cannot be read: Permission denied",
    ]


def test_a_link_out_of_the_folder_is_refused(corpus: Corpus, tmp_path: Path):
    (tmp_path / "outside.md").write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    (corpus.folder / "link.md").symlink_to(tmp_path / "outside.md")
    (corpus.folder / "folder").symlink_to(tmp_path / "elsewhere")

    assert codes(corpus.source) == [
        ("folder/", RefusalCode.LINK_OUTSIDE),
        ("link.md", RefusalCode.LINK_OUTSIDE),
    ]
    assert uris(corpus.source) == []
    assert corpus.source.list_documents().completeness is Completeness.COMPLETE


def test_a_link_out_that_matches_no_pattern_is_no_refusal(corpus: Corpus, tmp_path: Path):
    (tmp_path / "tool").write_text("binary")
    (corpus.folder / "tool").symlink_to(tmp_path / "tool")

    assert codes(corpus.source) == []


def test_a_link_to_a_file_inside_is_a_document(corpus: Corpus):
    corpus.write({".data/v1/a.md": "mounted as a Kubernetes volume is"})
    (corpus.folder / "a.md").symlink_to(".data/v1/a.md")

    [entry] = corpus.source.list_documents().entries

    assert entry.uri == "a.md"
    assert bytes_of(corpus.source, entry) == b"mounted as a Kubernetes volume is"


def test_a_folder_reached_by_a_link_too_is_listed_once_under_its_own_name(corpus: Corpus):
    corpus.write({"v2/a.md": "a"})
    (corpus.folder / "latest").symlink_to("v2")
    (corpus.folder / "aaa").symlink_to("v2")

    assert uris(corpus.source) == ["v2/a.md"]


def test_a_linked_folder_whose_own_name_is_hidden_is_listed_under_the_link(corpus: Corpus):
    corpus.write({".releases/7/a.md": "a"})
    (corpus.folder / "current").symlink_to(".releases/7")

    listing = corpus.source.list_documents()

    assert [entry.uri for entry in listing.entries] == ["current/a.md"]
    assert bytes_of(corpus.source, listing.entries[0]) == b"a"


def test_a_loop_of_links_ends(corpus: Corpus):
    corpus.write({"sub/a.md": "a"})
    (corpus.folder / "sub" / "up").symlink_to("..")
    (corpus.folder / "self.md").symlink_to("self.md")

    assert uris(corpus.source) == ["sub/a.md"]
    assert codes(corpus.source) == [("self.md", RefusalCode.UNREADABLE)]


def test_a_link_to_nothing_is_refused(corpus: Corpus):
    (corpus.folder / "dangling.md").symlink_to("nothing.md")

    assert codes(corpus.source) == [("dangling.md", RefusalCode.UNREADABLE)]


def test_pipes_and_sockets_are_refused_and_never_opened(corpus: Corpus):
    os.mkfifo(corpus.folder / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(corpus.folder / "socket.md"))

        refused = codes(corpus.source)

    assert refused == [("pipe.md", RefusalCode.NOT_A_FILE), ("socket.md", RefusalCode.NOT_A_FILE)]


def test_a_file_replaced_by_a_pipe_before_it_is_read_does_not_hang(corpus: Corpus):
    corpus.write({"a.md": "a"})
    [entry] = corpus.source.list_documents().entries
    corpus.delete("a.md")
    os.mkfifo(corpus.folder / "a.md")

    with pytest.raises(DocumentRefusedError) as refused:
        corpus.source.read(entry)

    assert refused.value.reason_code is RefusalCode.NOT_A_FILE


def test_a_file_replaced_by_a_link_out_before_it_is_read_is_refused(corpus: Corpus, tmp_path: Path):
    corpus.write({"a.md": "a"})
    (tmp_path / "secret").write_text("secret")
    [entry] = corpus.source.list_documents().entries
    corpus.delete("a.md")
    (corpus.folder / "a.md").symlink_to(tmp_path / "secret")

    with pytest.raises(DocumentRefusedError) as refused:
        corpus.source.read(entry)

    assert refused.value.reason_code is RefusalCode.LINK_OUTSIDE


def test_a_link_put_there_between_the_look_and_the_opening_is_not_followed(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    corpus.write({"a.md": "a"})
    (tmp_path / "secret").write_text("secret")
    [entry] = corpus.source.list_documents().entries
    look, file = os.path.realpath, corpus.folder / "a.md"

    def look_and_swap(path: str, *, strict: bool) -> str:
        found = look(path, strict=strict)
        if found == str(file):
            file.unlink()
            file.symlink_to(tmp_path / "secret")
        return found

    monkeypatch.setattr(os.path, "realpath", look_and_swap)

    with pytest.raises(DocumentRefusedError) as refused:
        corpus.source.read(entry)

    assert refused.value.reason_code is RefusalCode.UNREADABLE


@pytest.mark.parametrize("uri", ["../secret", "sub/../../secret", "/etc/hostname"])
def test_a_uri_that_climbs_out_is_refused(corpus: Corpus, tmp_path: Path, uri: str):
    (tmp_path / "secret").write_text("secret")
    corpus.write({"sub/a.md": "a"})

    with pytest.raises(DocumentRefusedError):
        corpus.source.read(Entry(uri, 1))


def test_a_file_over_the_limit_is_refused_before_it_is_read(corpus: Corpus):
    corpus.write({"at.md": b"x" * 100, "over.md": b"x" * 101})
    with (corpus.folder / "sparse.md").open("wb") as file:
        file.truncate(1 << 40)

    listing = FolderSource(corpus.folder, max_bytes=100).list_documents()

    assert [entry.uri for entry in listing.entries] == ["at.md"]
    assert listing.refused == (
        Refusal("over.md", RefusalCode.TOO_BIG, "it has 101 bytes; the limit is 100"),
        Refusal(
            "sparse.md", RefusalCode.TOO_BIG, "it has 1,099,511,627,776 bytes; the limit is 100"
        ),
    )


def test_a_file_that_grew_over_the_limit_since_the_listing_is_refused(corpus: Corpus):
    corpus.write({"a.md": "x"})
    source = FolderSource(corpus.folder, max_bytes=100)
    [entry] = source.list_documents().entries
    corpus.write({"a.md": "x" * 101})

    with pytest.raises(DocumentRefusedError) as refused:
        source.read(entry)

    assert refused.value.reason_code is RefusalCode.TOO_BIG


def change_while_read(path: str, monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    """Write as many bytes anew, with another time, between each read and the look after it."""
    real, looks = os.fstat, []

    def fstat(handle: int) -> os.stat_result:
        looks.append(handle)
        if len(looks) % 2 == 0 and len(looks) <= 2 * times:
            Path(path).write_text(f"new {len(looks) // 2}")
            os.utime(path, (len(looks), len(looks)))
        return real(handle)

    monkeypatch.setattr(os, "fstat", fstat)


def test_a_file_that_changes_while_it_is_read_is_read_again(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    corpus.write({"a.md": "old 0"})
    [entry] = corpus.source.list_documents().entries
    change_while_read(corpus.path("a.md"), monkeypatch, times=2)

    assert bytes_of(corpus.source, entry) == b"new 2"


def test_a_file_that_never_stands_still_is_refused(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    corpus.write({"a.md": "old 0"})
    [entry] = corpus.source.list_documents().entries
    change_while_read(corpus.path("a.md"), monkeypatch, times=3)

    with pytest.raises(DocumentRefusedError) as refused:
        corpus.source.read(entry)

    assert refused.value.reason_code is RefusalCode.CHANGING


def test_a_file_gone_since_the_listing_has_vanished(corpus: Corpus):
    corpus.write({"a.md": "a"})
    [entry] = corpus.source.list_documents().entries
    corpus.delete("a.md")

    with pytest.raises(DocumentRefusedError) as refused:
        corpus.source.read(entry)

    assert refused.value.reason_code is RefusalCode.VANISHED


def test_a_folder_gone_since_the_listing_is_an_unreachable_source(corpus: Corpus):
    corpus.write({"a.md": "a"})
    source = corpus.source
    [entry] = source.list_documents().entries
    corpus.folder.rename(corpus.folder.with_name("unmounted"))

    with pytest.raises(SourceUnreachableError):
        source.read(entry)


def test_a_clock_gone_mad_is_no_reason_to_refuse(corpus: Corpus):
    corpus.write({"past.md": "p", "future.md": "f"})
    os.utime(corpus.path("past.md"), (-2_177_452_800, -2_177_452_800))  # 1901
    os.utime(corpus.path("future.md"), (4_070_908_800, 4_070_908_800))  # 2099

    assert uris(corpus.source) == ["future.md", "past.md"]


def test_a_deep_tree_is_listed(corpus: Corpus):
    deep = "/".join(["d"] * 500) + "/a.md"
    corpus.write({deep: "deep"})

    [entry] = corpus.source.list_documents().entries

    assert entry.uri == deep
    assert bytes_of(corpus.source, entry) == b"deep"


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_any_bytes_of_a_name_come_back(name: bytes):
    uri = uri_from_path(os.fsdecode(name))

    assert os.fsencode(path_from_uri(uri)) == name
    assert uri.encode("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0%")))
def test_a_name_that_is_unicode_is_its_own_uri(name: str):
    assert uri_from_path(name) == name
