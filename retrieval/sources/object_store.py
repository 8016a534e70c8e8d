"""Objects below a prefix of a store as a source. Only this file knows fsspec."""

import importlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Completeness, Entry, Listing, Refusal, RefusalCode
from retrieval.sources.archive import MAX_ENTRIES, ArchiveSource, is_unsafe_name
from retrieval.sources.folder import READ_TRIES
from retrieval.sources.patterns import DOCUMENTS, Patterns

ARCHIVES = ("zip", "tar")
MAX_LISTING_PAGES = 100_000
# The protocols that can be used, and what they raise beside OSError. No file, http, ssh or shell:
# these are other sources, or none.
STORES = {
    "s3": ("botocore.exceptions:BotoCoreError", "botocore.exceptions:ClientError"),
    "gs": (
        "gcsfs.retry:HttpError",
        "google.auth.exceptions:GoogleAuthError",
        "aiohttp:ClientError",
    ),
    "az": ("azure.core.exceptions:AzureError",),
    "memory": (),
}
_EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure"}
# One try ends after half a minute, all tries of one request after two.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "s3": {
        "config_kwargs": {
            "connect_timeout": 10,
            "read_timeout": 30,
            "retries": {"max_attempts": 2, "mode": "standard"},
        }
    },
}
# In this order: what a store promises to differ once the bytes differ.
_STAMPS = ("generation", "ETag", "etag", "md5Hash")
_TIMES = ("LastModified", "last_modified", "updated", "created")
_BOOLEANS = {"true": True, "false": False}


def source_at(
    url: str,
    *,
    include: tuple[str, ...] = DOCUMENTS,
    exclude: tuple[str, ...] = (),
    max_bytes: int = 20_000_000,
    max_entries: int = MAX_ENTRIES,
    options: Mapping[str, str] | None = None,
) -> "ObjectStoreSource | ArchiveSource":
    """Return the source that a url names: a store, or a local archive as zip:// or tar://.

    Raises ValueError for any other protocol.
    """
    protocol, path = _split(url)
    if protocol in ARCHIVES:
        return ArchiveSource(
            Path(path),
            include=include,
            exclude=exclude,
            max_bytes=max_bytes,
            max_entries=max_entries,
        )
    return ObjectStoreSource(
        url,
        include=include,
        exclude=exclude,
        max_bytes=max_bytes,
        max_entries=max_entries,
        options=options,
    )


class ObjectStoreSource:
    """Objects of a bucket below a prefix, such as s3://bucket/docs, chosen by patterns.

    A uri is the key below the prefix. `options` go to the store's library as they are: key,
    secret, endpoint_url; none of their values ever stands in a message.
    """

    def __init__(
        self,
        url: str,
        *,
        include: tuple[str, ...] = DOCUMENTS,
        exclude: tuple[str, ...] = (),
        max_bytes: int = 20_000_000,
        max_entries: int = MAX_ENTRIES,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._protocol, path = _split(url)
        if self._protocol not in STORES:
            msg = f"{url!r} is an archive; open it with source_at."
            raise ValueError(msg)
        self._root = path.strip("/")
        self._patterns = Patterns(include, exclude)
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._options = dict(options or {})
        self._store: Any = None
        self._errors: tuple[type[Exception], ...] = (OSError, ValueError)

    def fingerprint(self) -> str | None:
        """Return None: a store is listed to see whether it changed."""
        return None

    def list_documents(self) -> Listing:
        """List the store once, past every cache. Raises SourceUnreachableError."""
        store = self._open()
        try:
            store.invalidate_cache()
            found = self._find(store)
            if not found and not store.exists(self._root):
                raise FileNotFoundError(self._root)
        except self._errors as error:
            msg = f"{self._place!r} cannot be listed: {self._plain(error)}"
            raise SourceUnreachableError(msg) from error
        return self._listing(found)

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return an object that was the same before and after it was read."""
        if unless is not None and entry.stamp == unless:
            return None
        store = self._open()
        try:
            return self._read_steady(store, entry)
        except FileNotFoundError as error:
            reason = "it was there when the store was listed and is gone now"
            raise DocumentRefusedError(RefusalCode.VANISHED, reason) from error
        except PermissionError as error:
            reason = f"the store does not let us read it: {self._plain(error)}"
            raise DocumentRefusedError(RefusalCode.FORBIDDEN, reason) from error
        except self._errors as error:
            reason = f"it cannot be read: {self._plain(error)}"
            raise DocumentRefusedError(RefusalCode.UNREADABLE, reason) from error

    @property
    def _place(self) -> str:
        return f"{self._protocol}://{self._root}"

    def _open(self) -> Any:
        """Return the store's client, opened once."""
        if self._store is not None:
            return self._store
        options = {name: _BOOLEANS.get(text, text) for name, text in self._options.items()}
        try:
            self._store = fsspec.filesystem(
                self._protocol,
                skip_instance_cache=True,
                use_listings_cache=False,
                **(_DEFAULTS.get(self._protocol, {}) | options),
            )
            self._errors += tuple(_named(name) for name in STORES[self._protocol])
        except (ImportError, AttributeError) as error:
            extra = _EXTRAS.get(self._protocol, self._protocol)
            msg = f"{self._place!r} needs another package: pip install 'driftline[{extra}]'."
            raise SourceUnreachableError(msg) from error
        except (OSError, ValueError, TypeError) as error:
            msg = f"{self._place!r} cannot be opened: {self._plain(error)}"
            raise SourceUnreachableError(msg) from error
        return self._store

    def _find(self, store: Any) -> dict[str, Any]:
        if self._protocol == "s3":
            return _list_s3(store, self._root, self._max_entries)
        found: dict[str, Any] = store.find(self._root, detail=True)
        return found

    def _listing(self, found: Mapping[str, Mapping[str, Any]]) -> Listing:
        entries: list[Entry] = []
        refused: list[Refusal] = []
        for path in sorted(found):
            uri = path.removeprefix("/")[len(self._root) + 1 :]
            info = found[path]
            is_file = info.get("type") == "file" and uri and not path.endswith("/")
            if is_file and self._patterns.choose(uri):
                entry = Entry(uri, info.get("size"), _moment(info), _stamp(info))
                problem = self._problem(entry)
                if problem is None:
                    entries.append(entry)
                else:
                    refused.append(problem)
        reason = ""
        if len(found) > self._max_entries:
            reason = f"it holds more than {self._max_entries:,} objects, which is the limit"
        return Listing(
            tuple(sorted(entries[: self._max_entries], key=lambda entry: entry.uri)),
            Completeness.PARTIAL if reason else Completeness.COMPLETE,
            tuple(sorted(refused, key=lambda refusal: refusal.uri)),
            reason,
            self._place,
        )

    def _problem(self, entry: Entry) -> Refusal | None:
        if is_unsafe_name(entry.uri):
            return Refusal(entry.uri, RefusalCode.UNSAFE, "its name leads out of the store")
        if entry.size is not None and entry.size > self._max_bytes:
            return Refusal(entry.uri, RefusalCode.TOO_BIG, self._too_big(entry.size))
        return None

    def _read_steady(self, store: Any, entry: Entry) -> Body:
        """Read until what stood there before the read still stands there after it."""
        path = f"{self._root}/{entry.uri}"
        before, size = entry.stamp, entry.size
        for _ in range(READ_TRIES):
            data = store.cat_file(path, start=0, end=self._max_bytes + 1) if size else b""
            if len(data) > self._max_bytes:
                raise DocumentRefusedError(RefusalCode.TOO_BIG, self._too_big(len(data)))
            store.invalidate_cache()
            info = store.info(path)
            after, size = _stamp(info), info.get("size")
            if after == before and size == len(data):
                return Body(data, after, _media_type(info), _moment(info))
            before = after
        reason = f"it changed while it was read, {READ_TRIES} times"
        raise DocumentRefusedError(RefusalCode.CHANGING, reason)

    def _too_big(self, size: int) -> str:
        return f"it has {size:,} bytes or more; the limit is {self._max_bytes:,}"

    def _plain(self, error: Exception) -> str:
        """Return what an error says, without any value of the options."""
        text = f"{type(error).__name__}: {error}"
        for value in sorted(self._options.values(), key=len, reverse=True):
            text = text.replace(value, "***") if value else text
        return text


def _list_s3(store: Any, root: str, max_entries: int) -> dict[str, Any]:
    """Return the objects page by page: the client's own loop believes a token that repeats."""
    bucket, _, prefix = root.partition("/")
    asked: dict[str, str] = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix else ""}
    found: dict[str, Any] = {}
    tokens: set[str] = set()
    while len(found) <= max_entries:
        page = store.call_s3("list_objects_v2", **asked)
        for item in page.get("Contents", ()):
            found[f"{bucket}/{item['Key']}"] = item | {"type": "file", "size": item["Size"]}
        if not page.get("IsTruncated"):
            break
        token = page.get("NextContinuationToken", "")
        if not token or token in tokens or len(tokens) >= MAX_LISTING_PAGES:
            msg = f"the store's listing does not end: page {len(tokens) + 2} is missing or repeated"
            raise OSError(msg)
        tokens.add(token)
        asked["ContinuationToken"] = token
    return found


def _split(url: str) -> tuple[str, str]:
    protocol, mark, path = url.partition("://")
    if not mark or protocol not in {*STORES, *ARCHIVES} or "::" in path:
        choices = ", ".join(f"{name}://" for name in (*STORES, *ARCHIVES))
        # The scheme alone: whoever takes this for another kind of address may have a key in it.
        told = f"{protocol}://" if mark else "an address without a scheme"
        msg = f"No store can be opened at {told!r}. Use one of {choices}."
        raise ValueError(msg)
    # No bucket has one of these in its name.
    if protocol in STORES and not {"@", ":"}.isdisjoint(path.partition("/")[0]):
        msg = f"A {protocol}:// url must not hold a key; give it as an option of the source."
        raise ValueError(msg)
    return protocol, path


def _named(name: str) -> type[Exception]:
    module, _, attribute = name.partition(":")
    found: type[Exception] = getattr(importlib.import_module(module), attribute)
    return found


def _stamp(info: Mapping[str, Any]) -> str | None:
    for name in _STAMPS:
        if info.get(name):
            return f"{name.lower()}:{_bare(info[name])}"
    return None


def _bare(value: object) -> str:
    return str(value).strip('"')


def _moment(info: Mapping[str, Any]) -> datetime | None:
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                continue
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return None


def _media_type(info: Mapping[str, Any]) -> str | None:
    """Return what was set on purpose; stores call everything else a stream of octets."""
    kind = str(info.get("ContentType") or info.get("contentType") or "").partition(";")[0].lower()
    return None if kind in {"", "application/octet-stream", "binary/octet-stream"} else kind
