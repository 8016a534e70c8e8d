"""What a page says about other pages and about itself. Linear in its length, whatever it holds.

HTML parsers that build a tree take time quadratic in its depth: 1 MB of nested tags holds lexbor
for minutes. Links need no tree.
"""

import html
import re
from dataclasses import dataclass

from retrieval.sources.web_address import UnsafeAddressError, normal_address

MAX_TAG = 8_192  # characters; a longer tag ends there

_START = re.compile(
    r"<(?:(?P<comment>!--)|(?P<raw>script|style|template|textarea|title|noscript)\b"
    r"|(?P<tag>a|area|base|link|meta)\b)",
    re.IGNORECASE,
)
_REST = re.compile(r"""(?:[^>"']|"[^"]*"|'[^']*')*""")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")


@dataclass(frozen=True, slots=True)
class Links:
    """The pages that a page leads to, its canonical address, and whether it wants to be listed."""

    addresses: tuple[str, ...] = ()
    canonical: str | None = None
    listed: bool = True


def read_links(text: str, address: str) -> Links:
    """Return what an HTML page at the address says; links that are never followed are left out.

    >>> read_links("<a href='b.html'>b</a><a rel=nofollow href=c>c</a>", "http://x.org/a/").addresses
    ('http://x.org/a/b.html',)
    """
    tags = _tags(text)
    base = next((tag["href"] for name, tag in tags if name == "base" and "href" in tag), "")
    start = _address(base, address) or address
    robots = " ".join(_robots_of(tag) for name, tag in tags if name == "meta")
    words = robots_words(robots)
    found = (
        _address(tag["href"], start)
        for name, tag in tags
        if name in {"a", "area"} and "href" in tag and "nofollow" not in tag.get("rel", "").lower()
    )
    addresses = () if "nofollow" in words else tuple(dict.fromkeys(each for each in found if each))
    return Links(addresses, _canonical(tags, start), "noindex" not in words)


def robots_words(text: str) -> frozenset[str]:
    """Return the rules of a robots meta tag or an X-Robots-Tag header that bind everyone.

    >>> sorted(robots_words("None")), sorted(robots_words("otherbot: noindex"))
    (['nofollow', 'noindex'], [])
    """
    words = {word for word in re.split(r"[,\s]+", text.lower()) if ":" not in text}
    return frozenset(words & {"noindex", "nofollow"} | (_BOTH if "none" in words else set()))


_BOTH = {"noindex", "nofollow"}


def _tags(text: str) -> list[tuple[str, dict[str, str]]]:
    """Return the tags that matter with their attributes, none from comments or scripts."""
    lower = text.lower() if len(text.lower()) == len(text) else text
    tags: list[tuple[str, dict[str, str]]] = []
    at = 0
    while (start := _START.search(text, at)) is not None:
        at = start.end()
        if start["comment"]:
            at = _after(lower, "-->", at)
        elif start["raw"]:
            at = _after(lower, f"</{start['raw'].lower()}", at)
        else:
            rest = _REST.match(text, at, at + MAX_TAG)
            at = rest.end() if rest else at
            tags.append((start["tag"].lower(), _attributes(rest[0] if rest else "")))
    return tags


def _after(text: str, mark: str, at: int) -> int:
    found = text.find(mark, at)
    return len(text) if found < 0 else found + len(mark)


def _attributes(text: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        value = match[2] or match[3] or match[4] or ""
        attributes.setdefault(match[1].lower(), html.unescape(value))  # the first one counts
    return attributes


def _robots_of(tag: dict[str, str]) -> str:
    return tag.get("content", "") if tag.get("name", "").lower() == "robots" else ""


def _canonical(tags: list[tuple[str, dict[str, str]]], start: str) -> str | None:
    for name, tag in tags:
        if name == "link" and "canonical" in tag.get("rel", "").lower().split() and "href" in tag:
            return _address(tag["href"], start)
    return None


def _address(text: str, base: str) -> str | None:
    try:
        return normal_address(text, base)
    except UnsafeAddressError:
        return None  # mailto:, javascript: and all that no one may ask
