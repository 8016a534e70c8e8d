"""Web addresses: one spelling for one page, and which IP addresses may be asked. No network."""

import ipaddress
import re
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_ADDRESS = 4_096  # characters; servers give up at 8,000, and a trap for crawlers grows for ever
DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
# What browsers and resolvers read as a number: 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# A password may hold what an address should have escaped; a port is none.
_USER = re.compile(r"(?<=//)(?:[^/?#\s]*|[^/\s:@]*:(?!\d+[/?#])\S*)@")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_NEVER = re.compile(r"[\x00-\x20\x7f\\]")  # two parsers disagree on each: that is how guards fall

_IPV6_GLOBAL = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),  # relays of 6to4, given up in RFC 7526
    ipaddress.ip_network("3fff::/20"),  # documentation, RFC 9637
)
# Where clouds hand out credentials. No intranet has documents there.
_METADATA = ipaddress.ip_address("fd00:ec2::254")


class UnsafeAddressError(ValueError):
    """An address that is never asked: not the web, ambiguous, or inside the private network."""


def normal_address(text: str, base: str = "") -> str:
    """Return the one spelling of a page's absolute address; `base` completes a relative one.

    The fragment and a default port go, dot segments are resolved, the host is lower case and
    ASCII, and percent-encoding is used where it must be and nowhere else. The query stays as it
    is: every part of it may matter. Raises UnsafeAddressError.

    >>> normal_address("HTTP://Example.org:80/a/../%7Eb c?q=1#top")
    'http://example.org/~b%20c?q=1'
    >>> normal_address("../x", "https://example.org/a/b/c")
    'https://example.org/a/x'
    """
    parts = _split(text, base)
    host = _host(parts)
    port = "" if parts.port in {None, DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    path = _without_dots(_encoded(parts.path, "/:@!$&'()*+,;=")) or "/"
    query = f"?{_encoded(parts.query, '/?:@!$&()*+,;=')}" if parts.query else ""
    return f"{parts.scheme}://{host}{port}{path}{query}"


def shown(text: str) -> str:
    """Return an address that may stand in a message: without whoever asks.

    >>> shown("https://me:p@ss@example.org/a@b")
    'https://***@example.org/a@b'
    """
    return _USER.sub("***@", text)


def site_of(address: str) -> str:
    """Return scheme, host and port of a normal address: the border of one site.

    >>> site_of("https://example.org/a?b"), site_of("http://[::1]:8080/")
    ('https://example.org:443', 'http://[::1]:8080')
    """
    parts = urlsplit(address)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or DEFAULT_PORTS[parts.scheme]}"


def path_of(address: str) -> str:
    """Return the path that patterns see, unescaped by no one; a folder's page is index.html.

    >>> path_of("https://example.org/docs/a.html?x=1"), path_of("https://example.org/docs/")
    ('docs/a.html', 'docs/index.html')
    """
    path = urlsplit(address).path.lstrip("/")
    return f"{path}index.html" if path.endswith("/") or not path else path


def is_allowed(ip: IPAddress, *, allow_private: bool) -> bool:
    """True if a source may connect to the IP address; link-local ones never, metadata lives there.

    >>> is_allowed(ipaddress.ip_address("10.0.0.1"), allow_private=False)
    False
    """
    inner = _embedded(ip)
    if inner is not None and not is_allowed(inner, allow_private=allow_private):
        return False
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip == _METADATA:
        return False
    return allow_private or _is_public(ip)


def _is_public(ip: IPAddress) -> bool:
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None or ip in _NAT64:
            return True  # as public as the address inside, which was looked at
        if ip not in _IPV6_GLOBAL:
            return False
    return ip.is_global and not ip.is_reserved and not any(ip in network for network in _NOT_PUBLIC)


def _embedded(ip: IPAddress) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 one leads to."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64 or int(ip) >> 32 == 0 < int(ip) >> 16:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def _split(text: str, base: str) -> SplitResult:
    plain = re.sub(r"[\t\r\n]", "", text.strip(" \t\r\n\f"))  # as every browser reads a link
    if len(plain) > MAX_ADDRESS:
        msg = f"the address has {len(plain):,} characters; the limit is {MAX_ADDRESS:,}"
        raise UnsafeAddressError(msg)
    plain = plain.replace(" ", "%20")
    try:
        parts = urlsplit(urljoin(base, plain, allow_fragments=True))
        port = parts.port
    except ValueError as error:
        msg = f"{shown(plain)!r} is no address"
        raise UnsafeAddressError(msg) from error
    if parts.scheme not in DEFAULT_PORTS:
        msg = f"{shown(plain)!r} is not an http or https address"
        raise UnsafeAddressError(msg)
    if _NEVER.search(plain) or "@" in parts.netloc or port == 0:
        msg = f"{shown(plain)!r} holds a user, a backslash, a control character or port 0"
        raise UnsafeAddressError(msg)
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").removesuffix(".")
    if "[" in parts.netloc:
        return f"[{_literal(host, 6)}]"
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            msg = f"{host!r} is no host name: {error}"
            raise UnsafeAddressError(msg) from error
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _literal(host, 4)
    if _HOST_NAME.fullmatch(host) is None or ".." in host:
        msg = f"{host!r} is no host name"
        raise UnsafeAddressError(msg)
    return host


def _literal(host: str, version: int) -> str:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        ip = None
    if ip is None or ip.version != version or "%" in host:
        msg = f"{host!r} is no plain IP address; write it as four decimal numbers"
        raise UnsafeAddressError(msg)
    return str(ip)


def _encoded(text: str, safe: str) -> str:
    guarded = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    plain = re.sub(r"%([0-9A-Fa-f]{2})", _decoded_or_upper, guarded)
    return quote(plain, safe=f"{safe}%", errors="replace")


def _decoded_or_upper(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[max(1, len(kept) - 1) :]  # the first is what stands before the root's /
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept)
