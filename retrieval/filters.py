"""Which chunks a search may return: a record, and the one place where it becomes SQL. Pure.

`lancedb.expr` writes no function on lists and no prefix, so the text is made here; every value
goes through `_quoted`, which leaves nothing of it to be read as SQL.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_VALUES = 1_000  # in one filter: keeps its SQL under 100 kB, small enough for Lance's parser

_SHA256 = re.compile("[0-9a-f]{64}")
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")  # to Rust's regular expressions, outside brackets


@dataclass(frozen=True, slots=True)
class Filters:
    """What a chunk must be to be found; an empty field asks for nothing.

    Values of one field are alternatives, fields add up. `uris` are patterns over the whole uri:
    `*` and `?` stay within a folder, `**` crosses folders, and one that ends in / means all below
    it. `sources` are the names before the colon of a uri. `without_flags` leaves out a chunk with
    any of them. `modified_since` is included, `modified_until` is not; a chunk without a time is
    in neither. `heading` is a part of any heading of the trail, in either case.
    """

    uris: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()
    without_flags: tuple[str, ...] = ()
    modified_since: datetime | None = None
    modified_until: datetime | None = None
    heading: str = ""

    def __post_init__(self) -> None:
        listed = (self.uris, self.sources, self.media_types, self.trusts, self.without_flags)
        if (count := sum(map(len, listed))) > MAX_VALUES:
            msg = f"A filter of {count:,} values; the limit is {MAX_VALUES:,}. Use a pattern."
            raise ValueError(msg)
        for time in (self.modified_since, self.modified_until):
            if time is not None and time.tzinfo is None:
                msg = f"{time.isoformat()} has no time zone; a filter needs one, e.g. +00:00."
                raise ValueError(msg)


def where(filters: Filters, *, without_digests: Iterable[str] = ()) -> str | None:
    r"""Return the filters as a Lance filter, None where they ask for nothing.

    `without_digests` are texts that are not wanted again.

    >>> where(Filters(media_types=("text/x-rst",), sources=("O'Hara",)))
    "(starts_with(uri, 'O''Hara:')) AND media_type IN ('text/x-rst')"
    """
    clauses = [*_clauses(filters)]
    if unwanted := sorted(without_digests):
        clauses.append(f"NOT {_is_one_of('digest', unwanted)}")
    return " AND ".join(clauses) or None


def one_of_digests(digests: Iterable[str]) -> str:
    """Return a filter for the chunks with one of these text digests.

    >>> one_of_digests(["0f"])
    "digest IN ('0f')"
    """
    return _is_one_of("digest", sorted(digests))


def digest_filters(column: str, digests: Sequence[str]) -> Iterator[str]:
    """Yield filters for rows with one of these sha256 digests, so many that none is too long.

    >>> list(digest_filters("id", ["0f" * 32]))
    ["id IN ('0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f')"]
    """
    if not all(_SHA256.fullmatch(digest) for digest in digests):
        msg = "A filter may hold sha256 digests only."
        raise ValueError(msg)
    for start in range(0, len(digests), MAX_VALUES):
        yield _is_one_of(column, digests[start : start + MAX_VALUES])


def first_chunks(*, marked: bool) -> str:
    """Return the filter for the rows that speak for a document, which are marked or come first."""
    return "document_digest IS NOT NULL" if marked else "ordinal = 0"


def all_of(*clauses: str | None) -> str:
    """Return the filter for rows that pass each of these.

    >>> all_of("a = 1", None, "b = 2")
    'a = 1 AND b = 2'
    """
    return " AND ".join(filter(None, clauses))


def any_of(*clauses: str) -> str:
    """Return the filter for rows that pass one of these; without any, for none.

    >>> any_of("a = 1", "b = 2"), any_of()
    ('a = 1 OR b = 2', 'false')
    """
    return " OR ".join(clauses) or "false"


def pattern(glob: str) -> str:
    r"""Return a uri pattern as a regular expression over the whole uri, for Rust's engine.

    >>> pattern("docs/**/a?.md")
    '\\A(?s:docs/(?:.*/)?a[^/]\\.md)\\z'
    """
    whole = f"{glob}**" if glob.endswith("/") else glob
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", whole)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return rf"\A(?s:{''.join(known.get(part) or _literal(part) for part in parts)})\z"


def _clauses(filters: Filters) -> Iterator[str]:
    if filters.uris:
        yield _any(f"regexp_like(uri, {_quoted(pattern(glob))})" for glob in filters.uris)
    if filters.sources:
        yield _any(f"starts_with(uri, {_quoted(name + ':')})" for name in filters.sources)
    if filters.media_types:
        yield _is_one_of("media_type", filters.media_types)
    if filters.trusts:
        yield _is_one_of("trust", filters.trusts)
    yield from (f"NOT array_has(flags, {_quoted(flag)})" for flag in filters.without_flags)
    if filters.modified_since is not None:
        yield f"modified_at >= {_timestamp(filters.modified_since)}"
    if filters.modified_until is not None:
        yield f"modified_at < {_timestamp(filters.modified_until)}"
    if filters.heading:
        trail = "lower(array_to_string(headings, '\n'))"
        yield f"strpos({trail}, {_quoted(filters.heading.lower())}) > 0"


def _any(clauses: Iterable[str]) -> str:
    return f"({' OR '.join(clauses)})"


def _is_one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(map(_quoted, values))})"


def _timestamp(time: datetime) -> str:
    return f"timestamp {_quoted(time.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ'))}"


def _quoted(value: str) -> str:
    """Return the value as SQL text. A quote is the one character with a meaning there.

    Half a character, of which no row has any, could not be written at all.
    """
    whole = value.encode(errors="surrogatepass").decode(errors="replace")
    return "'" + whole.replace("'", "''") + "'"


def _literal(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", text)
