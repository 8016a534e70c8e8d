"""The table of the settings file that says where `driftline up` listens, and who may come in."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from flows.settings.source import Table

# What listens at every address of a machine, and how the machine itself reaches that.
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - refused without a password


class Servers(Table):
    """Addresses of `driftline up`. Loopback unless told otherwise, and then with a password.

    `auth_variable` names the environment variable that holds `USER:PASSWORD`, for Prefect and
    MLflow alike. `hosts` are the names, beside `host`, by which other machines call this one.
    """

    host: str = "127.0.0.1"
    prefect_port: int = Field(4200, ge=1, le=65535)
    mlflow_port: int = Field(5000, ge=1, le=65535)
    auth_variable: str | None = Field(None, min_length=1)
    hosts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _lets_nobody_in_unasked(self) -> Self:
        if not is_loopback(self.host) and self.auth_variable is None:
            msg = (
                f"host {self.host!r} can be reached from other machines, so auth_variable must "
                "name an environment variable that holds USER:PASSWORD"
            )
            raise ValueError(msg)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which other machines call this one; none where only this one can."""
        if is_loopback(self.host):
            return ()
        return self.hosts if self.host in _EVERY else (self.host, *self.hosts)

    @property
    def reachable(self) -> str:
        """An address by which this machine itself reaches what listens at `host`."""
        host = _EVERY.get(self.host, self.host)
        return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens there.

    >>> is_loopback("127.0.0.2"), is_loopback("0.0.0.0"), is_loopback("docs.example")
    (True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
