"""The table of the settings file that says where the journal is, if not beside the index."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from flows.settings.source import Table

_SCHEMES = frozenset({"postgresql", "postgresql+psycopg"})


class JournalPlace(Table):
    """A PostgreSQL database for the journal of a team; without one it is a SQLite file in `home`.

    `url` is `postgresql://USER@HOST:PORT/DATABASE`, without a password: that comes from where
    PostgreSQL's own tools take it (`~/.pgpass`, `PGPASSWORD`). Or `url_variable` names an
    environment variable that holds the whole url, password included.
    """

    url: str | None = Field(None, min_length=1)
    url_variable: str | None = Field(None, min_length=1)

    # Of the whole table: of a mistake in one value that value would be shown.
    @model_validator(mode="after")
    def _is_one_database(self) -> Self:
        if self.url is not None and self.url_variable is not None:
            msg = "give either url or url_variable"
            raise ValueError(msg)
        if self.url is None:
            return self
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES:
            msg = "url is postgresql://USER@HOST:PORT/DATABASE; a SQLite file needs no url"
            raise ValueError(msg)
        if parts.password is not None or "password=" in parts.query:
            msg = "url has a password in it; put the whole url into an environment variable and "
            raise ValueError(msg + "name that in url_variable")
        return self
