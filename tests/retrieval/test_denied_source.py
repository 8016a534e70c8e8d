"""What was erased is not listed and not read, whatever kind of source shows it."""

import hashlib
from pathlib import Path

import pytest

from retrieval.denylist import NOTHING_DENIED, Denylist, keyed
from retrieval.errors import DocumentRefusedError
from retrieval.records import RefusalCode
from retrieval.sources import Feed
from retrieval.sources.denied import DeniedSource, without_denied
from retrieval.sources.folder import FolderSource

SALT = "0f" * 16


def denylist(*uris: str, contents: tuple[bytes, ...] = ()) -> Denylist:
    digests = (hashlib.sha256(content).hexdigest() for content in contents)
    return Denylist(
        SALT,
        frozenset(keyed(SALT, uri) for uri in uris),
        frozenset(keyed(SALT, digest) for digest in digests),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(f"# {name}\n\nText of {name}.\n")
    return tmp_path


def source(folder: Path, denied: Denylist, name: str = "") -> DeniedSource:
    return DeniedSource(FolderSource(folder), name, lambda: denied)


def uris(found: DeniedSource) -> list[str]:
    return [entry.uri for entry in found.list_documents().entries]


@pytest.mark.parametrize(
    ("denied", "name", "expected"),
    [
        (NOTHING_DENIED, "", ["a.md", "b.md"]),
        (denylist("a.md"), "", ["b.md"]),
        (denylist("handbook:a.md"), "handbook", ["b.md"]),
        (denylist("a.md"), "handbook", ["b.md"]),
        (denylist("wiki:a.md"), "handbook", ["a.md", "b.md"]),
    ],
    ids=["nothing", "by-uri", "of-its-source", "before-its-source-had-a-name", "of-another-source"],
)
def test_a_denied_uri_is_not_listed(folder: Path, denied: Denylist, name: str, expected: list[str]):
    assert uris(source(folder, denied, name)) == expected


def test_denied_bytes_under_another_name_are_refused(folder: Path):
    found = source(folder, denylist("a.md", contents=((folder / "a.md").read_bytes(),)))
    (folder / "c.md").write_bytes((folder / "a.md").read_bytes())
    entries = {entry.uri: entry for entry in found.list_documents().entries}

    with pytest.raises(DocumentRefusedError) as refused:
        found.read(entries["c.md"])

    assert refused.value.reason_code is RefusalCode.DENIED
    assert found.read(entries["b.md"]) is not None


def test_a_denial_that_comes_later_counts_from_the_next_listing(folder: Path):
    lists = [denylist("a.md"), NOTHING_DENIED, NOTHING_DENIED]
    found = DeniedSource(FolderSource(folder), "", lists.pop)

    assert [uris(found), uris(found)] == [["a.md", "b.md"], ["b.md"]]


def test_a_plan_of_before_does_not_fit_a_source_with_a_denial(folder: Path):
    class Still(FolderSource):
        def fingerprint(self) -> str:
            return "as it was"

    calm = DeniedSource(Still(folder), "", lambda: NOTHING_DENIED).fingerprint()
    denied = DeniedSource(Still(folder), "", lambda: denylist("a.md")).fingerprint()

    assert calm == "as it was"
    assert denied not in {calm, None}


def test_a_feed_keeps_its_name_and_trust(folder: Path):
    feed = Feed(FolderSource(folder), "handbook", "untrusted", "s")

    [wrapped] = without_denied((feed,), lambda: denylist("handbook:a.md"))

    assert (wrapped.name, wrapped.trust, wrapped.settings) == ("handbook", "untrusted", "s")
    assert [entry.uri for entry in wrapped.source.list_documents().entries] == ["b.md"]
