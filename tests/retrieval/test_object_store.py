"""An object store as a source: a real S3 on loopback, and a store in memory."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fsspec
import pytest

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Completeness, Listing, RefusalCode
from retrieval.sources.archive import ArchiveSource
from retrieval.sources.object_store import ObjectStoreSource, source_at

SECRET = "planted-secret-4711"  # noqa: S105 a value to look for in messages


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(s3_server: str) -> dict[str, str]:
    return {"key": "planted-key-0815", "secret": SECRET, "endpoint_url": s3_server}


@pytest.fixture
def bucket(options: dict[str, str]) -> Iterator[Any]:
    """The bucket as the world outside writes to it."""
    store = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False, **options)
    store.mkdir("bucket")
    yield store
    store.rm("bucket", recursive=True)


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    store.mkdir("/docs")
    yield store
    store.rm("/docs", recursive=True)


def s3(options: dict[str, str], **settings: Any) -> ObjectStoreSource:
    return ObjectStoreSource("s3://bucket/docs", options=options, **settings)


def uris(listing: Listing) -> list[str]:
    return [entry.uri for entry in listing.entries]


def read(source: ObjectStoreSource) -> Body | None:
    [entry] = source.list_documents().entries
    return source.read(entry)


def test_objects_below_the_prefix_are_listed_and_read(bucket: Any, options: dict[str, str]):
    for key in ("docs/b.md", "docs/a/c.md", "docs/d.exe", "docs-other/e.md", "f.md"):
        bucket.pipe_file(f"bucket/{key}", key.encode())
    source = s3(options)

    listing = source.list_documents()

    assert (uris(listing), listing.completeness) == (["a/c.md", "b.md"], Completeness.COMPLETE)
    assert listing.identity == "s3://bucket/docs"
    bodies = [source.read(entry) for entry in listing.entries]
    assert [body and body.data for body in bodies] == [b"docs/a/c.md", b"docs/b.md"]


def test_the_stamp_is_the_etag_and_spares_the_read(bucket: Any, options: dict[str, str]):
    bucket.pipe_file("bucket/docs/a.md", b"one")
    source = s3(options)
    [before] = source.list_documents().entries
    body = source.read(before)
    bucket.pipe_file("bucket/docs/a.md", b"two")
    [after] = source.list_documents().entries

    assert body is not None
    assert body.stamp == before.stamp != after.stamp
    assert source.read(after, unless=after.stamp) is None
    assert source.read(after, unless=before.stamp) is not None


def test_an_object_replaced_after_the_listing_comes_with_its_own_stamp(
    bucket: Any, options: dict[str, str]
):
    bucket.pipe_file("bucket/docs/a.md", b"one")
    source = s3(options)
    [entry] = source.list_documents().entries
    bucket.pipe_file("bucket/docs/a.md", b"quite another")

    body = source.read(entry)

    [now] = source.list_documents().entries
    assert body is not None
    assert (body.data, body.stamp) == (b"quite another", now.stamp)


def test_an_object_that_changes_with_every_read_is_refused(memory: Any):
    class Restless(ObjectStoreSource):
        def _open(self) -> Any:
            store = super()._open()
            memory.pipe_file("/docs/a.md", b"x" * next(lengths))
            return _Restless(store, lengths)

    class _Restless:
        def __init__(self, store: Any, lengths: Iterator[int]) -> None:
            self.store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self.store, name)

        def info(self, path: str) -> Any:
            memory.pipe_file("/docs/a.md", b"x" * next(lengths))
            return self.store.info(path)

    lengths = iter(range(1, 99))
    source = Restless("memory://docs")

    with pytest.raises(DocumentRefusedError, match="3 times") as caught:
        read(source)

    assert caught.value.reason_code is RefusalCode.CHANGING


def test_an_empty_object_is_read_as_empty(bucket: Any, options: dict[str, str]):
    bucket.pipe_file("bucket/docs/a.md", b"")

    body = read(s3(options))

    assert body is not None
    assert body.data == b""


def test_an_object_that_went_after_the_listing_is_told(bucket: Any, options: dict[str, str]):
    bucket.pipe_file("bucket/docs/a.md", b"one")
    source = s3(options)
    [entry] = source.list_documents().entries
    bucket.rm_file("bucket/docs/a.md")

    with pytest.raises(DocumentRefusedError) as caught:
        source.read(entry)

    assert caught.value.reason_code is RefusalCode.VANISHED


@pytest.mark.parametrize(("size", "taken"), [(1_000, True), (1_001, False)])
def test_an_object_over_the_limit_is_refused(memory: Any, size: int, *, taken: bool):
    memory.pipe_file("/docs/a.md", b"x" * size)

    listing = ObjectStoreSource("memory://docs", max_bytes=1_000).list_documents()

    assert uris(listing) == ["a.md"] * taken
    assert [each.code for each in listing.refused] == [RefusalCode.TOO_BIG] * (not taken)


def test_an_object_that_grew_over_the_limit_is_refused_when_it_is_read(memory: Any):
    memory.pipe_file("/docs/a.md", b"x")
    source = ObjectStoreSource("memory://docs", max_bytes=1_000)
    [entry] = source.list_documents().entries
    memory.pipe_file("/docs/a.md", b"x" * 2_000)

    with pytest.raises(DocumentRefusedError) as caught:
        source.read(entry)

    assert caught.value.reason_code is RefusalCode.TOO_BIG


def test_a_key_that_leads_out_is_refused(bucket: Any, options: dict[str, str]):
    bucket.pipe_file("bucket/docs/../x.md", b"x")
    bucket.pipe_file("bucket/docs//y.md", b"y")

    listing = s3(options).list_documents()

    assert listing.entries == ()
    assert [each.code for each in listing.refused] == [RefusalCode.UNSAFE] * 2


@pytest.mark.parametrize(("limit", "complete"), [(2, True), (1, False)])
def test_more_objects_than_the_limit_make_the_listing_partial(
    bucket: Any, options: dict[str, str], limit: int, *, complete: bool
):
    for name in ("a", "b"):
        bucket.pipe_file(f"bucket/docs/{name}.md", b"x")

    listing = s3(options, max_entries=limit).list_documents()

    assert len(listing.entries) == limit
    assert (listing.completeness is Completeness.COMPLETE) is complete


def test_a_store_that_promises_nothing_is_always_read(memory: Any):
    memory.pipe_file("/docs/a.md", b"one")
    source = ObjectStoreSource("memory://docs")
    [entry] = source.list_documents().entries

    assert entry.stamp is None
    assert source.read(entry, unless="whatever") is not None


def test_a_missing_bucket_is_unreachable_and_no_secret_is_told(options: dict[str, str]):
    with pytest.raises(SourceUnreachableError, match="does not exist") as caught:
        ObjectStoreSource("s3://nowhere/docs", options=options).list_documents()

    assert not any(value in str(caught.value) for value in options.values())


def test_a_missing_prefix_is_unreachable(bucket: Any, options: dict[str, str]):
    with pytest.raises(SourceUnreachableError, match="cannot be listed"):
        s3(options).list_documents()


def test_a_store_that_is_not_there_is_unreachable_and_no_secret_is_told():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {"key": "k-0815", "secret": SECRET, "endpoint_url": f"http://127.0.0.1:{port}"}

    with pytest.raises(SourceUnreachableError, match="cannot be listed") as caught:
        ObjectStoreSource("s3://bucket/docs", options=options).list_documents()

    assert not any(value in str(caught.value) for value in options.values())


@pytest.fixture
def faulty(request: pytest.FixtureRequest) -> Iterator[str]:
    """An S3 whose second page fails in the way that the test names."""
    page = (
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{token}"
        "</NextContinuationToken><Contents><Key>docs/{number}.md</Key><Size>1</Size>"
        "<ETag>&quot;1&quot;</ETag><LastModified>2026-01-02T03:04:05Z</LastModified>"
        "</Contents></ListBucketResult>"
    )
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            number = len(asked)
            fails = number > 1 and request.param == "fails"
            token = "same" if request.param == "repeats" else number
            self.send_response(403 if fails else 200)
            self.end_headers()
            text = "<Error><Code>AccessDenied</Code></Error>"
            body = text if fails else page.format(token=token, number=number)
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name there
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("faulty", ["fails", "repeats"], indirect=True)
def test_a_listing_that_fails_half_way_or_turns_in_a_circle_is_no_listing(faulty: str):
    with pytest.raises(SourceUnreachableError, match="cannot be listed"):
        s3({"key": "k-0815", "secret": SECRET, "endpoint_url": faulty}).list_documents()


@pytest.mark.parametrize("faulty", ["endless"], indirect=True)
def test_a_listing_without_end_ends_at_the_limit(faulty: str):
    options = {"key": "k-0815", "secret": SECRET, "endpoint_url": faulty}

    listing = s3(options, max_entries=20).list_documents()

    assert (len(listing.entries), listing.completeness) == (20, Completeness.PARTIAL)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "http://example.org/a",
        "ssh://host/a",
        "github://a:b@main",
        "simplecache::s3://bucket/a",
        "zip://a.zip::s3://bucket/b",
        "s3://key:secret@bucket/a",
        "",
    ],
)
def test_any_other_protocol_is_refused_without_telling_a_key(url: str):
    with pytest.raises(ValueError, match="://") as caught:
        source_at(url)

    assert "secret" not in str(caught.value)


def test_a_url_of_an_archive_is_an_archive():
    assert isinstance(source_at("zip://docs.zip"), ArchiveSource)
    assert isinstance(source_at("memory://docs"), ObjectStoreSource)


def test_a_store_whose_package_is_missing_says_what_to_install():
    with pytest.raises(SourceUnreachableError, match=r"driftline\[gcs\]"):
        ObjectStoreSource("gs://bucket/docs").list_documents()
