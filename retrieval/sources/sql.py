"""The rows of a query as a source: one document a row, read only."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Body, Completeness, Entry, Listing, Refusal, RefusalCode
from retrieval.sources.folder import path_from_uri, uri_from_path
from retrieval.sources.sql_database import Database
from retrieval.sources.sql_query import Query

_CURE = "Check the address, the query and its columns; the right to SELECT is enough"
_TIMED_OUT = re.compile(r"statement timeout|^interrupted$", re.IGNORECASE)
_INVISIBLE = {"Cc", "Cf", "Zl", "Zp"}
_TWICE = "the query gives more than one row for this key"
_HEADINGS = {"text/markdown": "# {}\n\n{}", "text/plain": "{}\n\n{}"}


class SqlSource:
    """One document for each row of a query, named by its `key` column.

    A `modified` column is trusted to change whenever a row's text does: a version number, or a
    time finer than two edits in a row. Without one every text is read at each listing, for its
    digest. A `title` column is put before plain text and Markdown as a heading. A uri is the key
    as text; invisible characters are written %XX, as `path_from_uri` reads them back.
    """

    def __init__(
        self,
        url: str,
        *,
        query: str,
        key: str,
        text: str,
        modified: str | None = None,
        title: str | None = None,
        media_type: str = "text/plain",
        max_bytes: int = 20_000_000,
        timeout_seconds: float = 60.0,
    ) -> None:
        self._database = Database(url, timeout_seconds=timeout_seconds)
        self._query = Query(self._database.dialect, query, key, text, modified, title, max_bytes)
        self._media_type = media_type
        self._keys: dict[str, object] = {}

    def fingerprint(self) -> str | None:
        """Return SQLite's own counters of commits; None for a server, which is listed to see."""
        return self._database.file_stamp()

    def list_documents(self) -> Listing:
        """Run the query, a few rows held at once; a listing that breaks off is partial."""
        rows = _Rows(self._query, self._media_type)
        reason = ""
        try:
            for row in self._database.rows(self._query.listing()):
                rows.take(row)
        except SQLAlchemyError as error:
            if not rows.count:
                raise self._unreachable(error) from None  # the cause may show a password
            reason = f"it broke off after {rows.count:,} rows: {self._database.said(error)}"
        self._keys = rows.keys
        return Listing(
            tuple(rows.entries[uri] for uri in sorted(rows.entries)),
            Completeness.PARTIAL if reason else Completeness.COMPLETE,
            tuple(sorted(rows.refused, key=lambda refusal: refusal.uri)),
            reason,
            self._database.identity,
        )

    def read(self, entry: Entry, *, unless: str | None = None) -> Body | None:
        """Return the row of a listed document as it is now, with the stamp of that very row."""
        if unless is not None and entry.stamp == unless:
            return None
        key = self._keys.get(entry.uri, path_from_uri(entry.uri))
        try:
            found = list(self._database.rows(self._query.reading(key)))
        except SQLAlchemyError as error:
            raise self._refusal(error) from None  # the cause may show a password
        if not found:
            reason = "its row was there when the query was listed and is gone now"
            raise DocumentRefusedError(RefusalCode.VANISHED, reason)
        if len(found) > 1:
            raise DocumentRefusedError(RefusalCode.KEY, _TWICE)
        _require_text(found[0], self._query.max_bytes)
        data = _data_of(found[0], self._media_type)
        stamp = _stamp_of(found[0], self._query, self._media_type)
        return Body(data, stamp, self._media_type, _moment(found[0].modified))

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    def _unreachable(self, error: SQLAlchemyError) -> SourceUnreachableError:
        said = self._database.said(error)
        msg = f"The database {self._database.identity} cannot be read: {said}. {_CURE}."
        return SourceUnreachableError(msg)

    def _refusal(self, error: SQLAlchemyError) -> DocumentRefusedError | SourceUnreachableError:
        said = self._database.said(error)
        if _TIMED_OUT.search(said):
            return DocumentRefusedError(RefusalCode.TIMEOUT, f"the database gave up: {said}")
        if self._database.lost(error):
            return self._unreachable(error)
        return DocumentRefusedError(RefusalCode.UNREADABLE, f"the database says: {said}")


@dataclass
class _Rows:
    """One listing while it is made. Keys are kept as the database gave them, texts are not."""

    query: Query
    media_type: str
    count: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    keys: dict[str, object] = field(default_factory=dict)
    _seen_refused: set[str] = field(default_factory=set)

    def take(self, row: Row[tuple[object, ...]]) -> None:
        self.count += 1
        if row.key is None or row.key in ("", b""):
            name = "no key" if row.key is None else "an empty key"
            self._refuse(f"row {self.count}", RefusalCode.KEY, f"the row has {name}")
            return
        uri = uri_from_key(row.key)
        if uri in self.entries or uri in self._seen_refused:
            self._refuse_twin(uri)
            return
        try:
            _require_text(row, self.query.max_bytes)
        except DocumentRefusedError as error:
            self._refuse(uri, error.reason_code, error.reason)
            return
        stamp = _stamp_of(row, self.query, self.media_type)
        self.entries[uri] = Entry(uri, row.bytes, _moment(row.modified), stamp)
        if row.key != uri:
            self.keys[uri] = row.key

    def _refuse_twin(self, uri: str) -> None:
        if self.entries.pop(uri, None) is not None:
            self._refuse(uri, RefusalCode.KEY, _TWICE)

    def _refuse(self, uri: str, code: RefusalCode, reason: str) -> None:
        self._seen_refused.add(uri)
        self.refused.append(Refusal(uri, code, reason))


def uri_from_key(key: object) -> str:
    r"""Return the value of a key column as a uri; `path_from_uri` reads the text back.

    A slash at the end, which would name a folder, is written %2F. A number and its text are the
    same uri, so a column may change its type.

    >>> uri_from_key(7), uri_from_key("a\nb"), uri_from_key(b"caf\xe9"), uri_from_key("docs/")
    ('7', 'a%0Ab', 'caf%E9', 'docs%2F')
    """
    text = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)
    uri = "".join(map(_visible, uri_from_path(text)))
    return uri.removesuffix("/") + "%2F" if uri.endswith("/") else uri


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _require_text(row: Row[tuple[object, ...]], max_bytes: int) -> None:
    if row.bytes is None:
        raise DocumentRefusedError(RefusalCode.EMPTY, "its text is NULL")
    if row.bytes > max_bytes:
        reason = f"it has {row.bytes:,} bytes; the limit is {max_bytes:,}"
        raise DocumentRefusedError(RefusalCode.TOO_BIG, reason)


def _stamp_of(row: Row[tuple[object, ...]], query: Query, media_type: str) -> str | None:
    if query.modified_column is None:
        return f"sha256:{hashlib.sha256(_data_of(row, media_type)).hexdigest()}"
    if row.modified is None:
        return None
    value = row.modified.isoformat() if isinstance(row.modified, date) else row.modified
    return f"modified:{value}:{row.bytes}"


def _data_of(row: Row[tuple[object, ...]], media_type: str) -> bytes:
    """Return the bytes, which the parser decodes; a title is put only before what is text."""
    if isinstance(row.text, bytes | bytearray | memoryview):
        return bytes(row.text)
    text, title = str(row.text), " ".join(str(row.title or "").split())
    # Front matter is such only at the very beginning, and it says the title itself.
    if title and media_type in _HEADINGS and not text.startswith(("---\n", "---\r\n")):
        text = _HEADINGS[media_type].format(title, text)
    return text.encode("utf-8", "surrogatepass")


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
