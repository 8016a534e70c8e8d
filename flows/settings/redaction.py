"""Secrets out of what a person may read: values known by their names, and what addresses carry.

Errors are made without secrets where they are made; this is for those of foreign code, at the
border where its words reach a screen or a file. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase)?|secret|token|key$|auth|credential|signature", re.IGNORECASE
)
"""What the name of a setting, a variable or a parameter says when its value is a secret."""

_LEAST = 6  # characters; "true" and "basic" are no secrets, and hiding them would hide the error
_HIDDEN = "***"
# A password may hold what an address should have escaped; a port is none.
_USER = re.compile(r"(?<=://)(?:[^/?#\s'\"]*|[^/\s:@'\"]*:(?!\d+[/?#])[^\s'\"]*)@")
_PARAMETER = re.compile(r"([?&;])([^=&;\s'\"]+)=[^&;\s'\"]+")
_ADDRESS = re.compile(r"^[\w+.-]+://")


def redacted(text: str, environment: Mapping[str, str]) -> str:
    """Return a text without the secrets of an environment, and of the addresses in it.

    >>> redacted("no such host: http://me:pw@db/x?token=t&page=2", {})
    'no such host: http://***@db/x?token=***&page=2'
    >>> redacted("Bearer tango-17 was refused", {"API_KEY": "tango-17"})
    'Bearer *** was refused'
    """
    for secret in sorted(secrets_in(environment), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return without_secret_parts(text)


def without_secret_parts(text: str) -> str:
    """Return a text in which no address says who asks, nor a parameter that is named a secret."""
    return _PARAMETER.sub(_parameter, _USER.sub(f"{_HIDDEN}@", text))


def _parameter(found: re.Match[str]) -> str:
    mark, name = found[1], found[2]
    return f"{mark}{name}={_HIDDEN}" if SECRET_NAME.search(name) else found[0]


def secrets_in(environment: Mapping[str, str]) -> set[str]:
    """Return the values that are secrets, as they are written and as they are meant.

    >>> sorted(secrets_in({"DB_URL": "sql://me:p%40ssword@db/x", "HOME": "/home/me"}))
    ['p%40ssword', 'p@ssword']
    """
    found = {part for name, value in environment.items() for part in _secrets_of(name, value)}
    return {secret for secret in found if len(secret) >= _LEAST}


def _secrets_of(name: str, value: str) -> Iterator[str]:
    if _ADDRESS.match(value):
        yield from _passwords_in(value)
    elif SECRET_NAME.search(name):
        yield value
        yield value.partition(":")[2]  # of USER:PASSWORD


def _passwords_in(address: str) -> Iterator[str]:
    try:
        written = urlsplit(address).password or ""
    except ValueError:
        return
    yield from (written, unquote(written))
