"""Lets a process connect to allowed IP addresses only, whatever library opens the socket.

An audit hook sees the very address that is connected to, after the name server was asked: a
second answer of it (DNS rebinding), a redirect or a number that reads as a host lead nowhere.
It cannot be taken off again, so it belongs into a process that does nothing else.
"""

from __future__ import annotations

import ipaddress
import sys
from dataclasses import dataclass, field
from typing import Any

from retrieval.sources.web_address import is_allowed

_REACHING_OUT = {"socket.connect", "socket.sendto", "socket.sendmsg"}
# What sends a message by an HTTP request or by SMTP needs none of it.
_ACTING_HERE = {
    *("os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"),
    *("syslog.openlog", "syslog.syslog"),
}


class ForbiddenError(PermissionError):
    """An address that may not be reached, or a program that may not be started."""


@dataclass
class ConnectGuard:
    """The hook. `allow_private` may change between messages; `refused` are the addresses so far.

    Link-local addresses are never allowed: there clouds hand out credentials.
    """

    allow_private: bool = False
    refused: list[str] = field(default_factory=list)

    def install(self) -> None:
        """Watch this process from now on."""
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse an event of the interpreter by raising ForbiddenError."""
        if event in _ACTING_HERE:
            msg = f"no program and no log of this machine may be used ({event})"
            raise ForbiddenError(msg)
        if event in _REACHING_OUT and not self._may_reach(arguments[1]):
            self.refused.append(str(arguments[1]))
            msg = "not a public address"
            raise ForbiddenError(msg)

    def _may_reach(self, address: object) -> bool:
        """Return whether a socket's address is an allowed IP address; a path never is one."""
        if address is None:  # a socket that is connected already, and was looked at then
            return True
        if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
            return False
        try:
            ip = ipaddress.ip_address(address[0].partition("%")[0])
        except ValueError:  # a name, which the system would look up after this check
            return False
        return is_allowed(ip, allow_private=self.allow_private)
