"""Sitemaps: which pages a site lists itself. No DTD, no entity, no more than fits the protocol."""

from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from retrieval.sources.web_fetch import FetchError, inflate

MAX_SITEMAP = 50 * 1024 * 1024  # bytes, unpacked: the limit of the sitemap protocol
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class SitemapEntry:
    """An address as the sitemap writes it, and when the page was last changed, it says."""

    address: str
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """The pages that a sitemap lists, or the sitemaps that an index of sitemaps lists."""

    pages: tuple[SitemapEntry, ...] = ()
    sitemaps: tuple[SitemapEntry, ...] = ()


def read_sitemap(data: bytes) -> Sitemap:
    """Return what a sitemap lists; a whole one or none. Raises ValueError with the reason.

    >>> read_sitemap(b"<urlset><url><loc> http://x.org/a </loc></url></urlset>").pages[0].address
    'http://x.org/a'
    """
    try:
        plain = inflate([data], MAX_SITEMAP) if data.startswith(_GZIP) else data
        root: Element = fromstring(plain, forbid_dtd=True)
    except FetchError as error:
        msg = f"it cannot be unpacked: {error}"
        raise ValueError(msg) from error
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        msg = f"it is not well-formed XML, or has a DTD: {error}"
        raise ValueError(msg) from error
    match _name(root):
        case "urlset":
            return Sitemap(pages=_entries(root))
        case "sitemapindex":
            return Sitemap(sitemaps=_entries(root))
        case name:
            msg = f"its root is <{name}>; a sitemap has <urlset> or <sitemapindex>"
            raise ValueError(msg)


def _entries(root: Element) -> tuple[SitemapEntry, ...]:
    entries = []
    for item in root:
        texts = {_name(child): (child.text or "").strip() for child in item}
        if texts.get("loc"):
            entries.append(SitemapEntry(texts["loc"], moment(texts.get("lastmod", ""))))
    return tuple(entries)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def moment(text: str) -> datetime | None:
    """Return a W3C date or time in UTC; None if it is neither.

    >>> moment("2026-01-02").isoformat(), moment("yesterday")
    ('2026-01-02T00:00:00+00:00', None)
    """
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
