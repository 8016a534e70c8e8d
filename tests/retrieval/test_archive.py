"""Zip and tar archives as a source: what is listed, and what in them is never trusted."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Completeness, Listing, RefusalCode
from retrieval.sources.archive import ArchiveSource


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data)
    return path


def write_tar(path: Path, files: Mapping[str, bytes], *, packing: str = "") -> Path:
    mode: Any = f"w:{packing}"
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 86_400
            archive.addfile(info, io.BytesIO(data))
    return path


def listing(path: Path, **settings: int) -> Listing:
    source = ArchiveSource(path, **settings)  # type: ignore[arg-type]
    try:
        return source.list_documents()
    finally:
        source.close()


def texts(path: Path) -> dict[str, bytes]:
    source = ArchiveSource(path)
    bodies = {entry.uri: source.read(entry) for entry in source.list_documents().entries}
    source.close()
    return {uri: body.data for uri, body in bodies.items() if body is not None}


def refused(found: Listing) -> list[tuple[str, RefusalCode]]:
    return [(refusal.uri, refusal.code) for refusal in found.refused]


FILES = {"b.md": b"b", "a/c.md": b"c", "a/d.exe": b"d", ".git/e.md": b"e", "a/.f.md": b"f"}


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
def test_a_tar_is_listed_and_read(tmp_path: Path, packing: str):
    path = write_tar(tmp_path / "docs.tar", FILES, packing=packing)

    assert texts(path) == {"a/c.md": b"c", "b.md": b"b"}
    assert listing(path).completeness is Completeness.COMPLETE


def test_a_zip_is_listed_and_read(tmp_path: Path):
    path = write_zip(tmp_path / "docs.zip", FILES)

    assert texts(path) == {"a/c.md": b"c", "b.md": b"b"}
    assert str(listing(path).entries[0].modified_at) == "2026-01-02 03:04:06+00:00"


def test_an_edited_member_has_another_stamp_and_the_others_keep_theirs(tmp_path: Path):
    before = listing(write_zip(tmp_path / "docs.zip", {"a.md": b"one", "b.md": b"b"})).entries
    after = listing(write_zip(tmp_path / "docs.zip", {"a.md": b"two", "b.md": b"b"})).entries

    assert [old.stamp == new.stamp for old, new in zip(before, after, strict=True)] == [False, True]


def test_a_member_with_a_known_stamp_is_not_read(tmp_path: Path):
    source = ArchiveSource(write_zip(tmp_path / "docs.zip", {"a.md": b"one"}))
    [entry] = source.list_documents().entries

    assert source.read(entry, unless=entry.stamp) is None
    source.close()


def test_the_fingerprint_is_the_archive_s_own(tmp_path: Path):
    path = write_zip(tmp_path / "docs.zip", {"a.md": b"one"})
    source = ArchiveSource(path)
    before = source.fingerprint()

    assert source.fingerprint() == before
    write_zip(path, {"a.md": b"other"})
    assert source.fingerprint() != before


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize("name", ["../a.md", "a/../../b.md", "/etc/a.md", "C:/a.md", "a\\..\\b.md"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str, write):
    path = write(tmp_path / "docs", {name: b"x", "b.md": b"b"})

    found = listing(path)

    assert [entry.uri for entry in found.entries] == ["b.md"]
    assert refused(found) == [(name, RefusalCode.UNSAFE)]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("packing", ["zip", "tar"])
def test_two_files_of_one_name_are_both_refused(tmp_path: Path, packing: str):
    path = tmp_path / "docs"
    if packing == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.md", b"one")
            archive.writestr("a.md", b"two")
    else:
        write_tar(path, {"a.md": b"one", "./a.md": b"two"})

    found = listing(path)

    assert (found.entries, refused(found)) == ((), [("a.md", RefusalCode.KEY)])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE], ids=str)
def test_links_and_pipes_in_a_tar_are_refused(tmp_path: Path, kind: bytes):
    with tarfile.open(tmp_path / "docs.tar", "w") as archive:
        info = tarfile.TarInfo("a.md")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)

    assert refused(listing(tmp_path / "docs.tar")) == [("a.md", RefusalCode.NOT_A_FILE)]


def test_an_encrypted_member_is_refused(tmp_path: Path):
    path = write_zip(tmp_path / "docs.zip", {"a.md": b"one"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    path.write_bytes(data)

    assert refused(listing(path)) == [("a.md", RefusalCode.ENCRYPTED)]


@pytest.mark.parametrize(("size", "taken"), [(1_000, True), (1_001, False)])
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_a_member_over_the_limit_is_refused(tmp_path: Path, write, size: int, *, taken: bool):
    found = listing(write(tmp_path / "docs", {"a.md": b"x" * size}), max_bytes=1_000)

    assert [entry.uri for entry in found.entries] == ["a.md"] * taken
    assert refused(found) == [] if taken else [("a.md", RefusalCode.TOO_BIG)]


def test_a_bomb_that_lies_about_its_size_is_damaged_and_not_unpacked(tmp_path: Path):
    path = write_zip(tmp_path / "docs.zip", {"a.md": bytes(50_000_000)})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    source = ArchiveSource(path)
    [entry] = source.list_documents().entries

    with pytest.raises(DocumentRefusedError) as caught:
        source.read(entry)

    assert caught.value.reason_code is RefusalCode.DAMAGED
    source.close()


def test_a_member_with_a_flipped_bit_is_damaged(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "docs.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.md", b"the text")
    data = (tmp_path / "docs.zip").read_bytes()
    (tmp_path / "docs.zip").write_bytes(data.replace(b"the text", b"thf text"))
    source = ArchiveSource(tmp_path / "docs.zip")
    [entry] = source.list_documents().entries

    with pytest.raises(DocumentRefusedError, match="damaged"):
        source.read(entry)
    source.close()


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", b"PK\x05\x06" + bytes(5), b"\x1f\x8bgarbage", b"BZh9x", b"\xfd7zXZ"],
)
def test_what_is_no_archive_is_unreachable(tmp_path: Path, data: bytes):
    (tmp_path / "docs").write_bytes(data)

    with pytest.raises(SourceUnreachableError, match="cannot be listed"):
        listing(tmp_path / "docs")


def test_a_missing_archive_is_unreachable(tmp_path: Path):
    with pytest.raises(SourceUnreachableError, match="No such file"):
        listing(tmp_path / "nowhere.zip")


@pytest.mark.parametrize("packing", ["", "gz"])
def test_an_archive_that_is_cut_off_never_lists_less_as_if_it_were_all(
    tmp_path: Path, packing: str
):
    whole = write_tar(
        tmp_path / "docs", {f"{n}.md": bytes(200) for n in range(40)}, packing=packing
    ).read_bytes()

    for cut in range(1, len(whole) - 10_240 if not packing else len(whole), 97 if packing else 512):
        (tmp_path / "docs").write_bytes(whole[:cut])
        try:
            assert listing(tmp_path / "docs").completeness is not Completeness.COMPLETE
        except SourceUnreachableError:
            continue


def test_a_tar_with_a_damaged_header_in_its_middle_is_partial(tmp_path: Path):
    path = write_tar(tmp_path / "docs", {"a.md": b"a", "b.md": b"b", "c.md": b"c"})
    data = bytearray(path.read_bytes())
    data[1_024 + 148] ^= 0xFF
    path.write_bytes(data)

    assert listing(path).completeness is Completeness.PARTIAL


@pytest.mark.parametrize(("limit", "complete"), [(2, True), (1, False)])
def test_more_members_than_the_limit_make_it_partial(tmp_path: Path, limit: int, *, complete: bool):
    path = write_zip(tmp_path / "docs.zip", {"a.md": b"a", "b.md": b"b"})

    found = listing(path, max_entries=limit)

    assert (found.completeness is Completeness.COMPLETE) is complete


def test_a_name_that_is_not_unicode_is_listed_and_read(tmp_path: Path):
    path = write_tar(tmp_path / "docs.tar", {"caf\udce9.md": b"x"})

    assert texts(path) == {"caf%E9.md": b"x"}
