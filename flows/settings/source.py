"""The tables of the settings file that say where documents come from: one class for each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from flows.settings.redaction import without_secret_parts
from retrieval.sources.patterns import DOCUMENTS

KINDS = ("folder", "git", "web", "sql", "store")

Globs = tuple[str, ...]
Seconds = Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of the file: unknown keys are refused, values are never guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Source(Table):
    """What every source has. Text that is not trusted is searched, and never trained on."""

    trust: Literal["trusted", "untrusted"] = "trusted"
    max_bytes: int = Field(20_000_000, gt=0)


class FolderSource(_Source):
    """Documents in a folder. A relative path is relative to the settings file."""

    kind: Literal["folder"] = "folder"
    path: Path
    include: Globs = Field(DOCUMENTS, min_length=1)
    exclude: Globs = ()


class GitSource(_Source):
    """Documents of a branch of a git repository, by default the one that is checked out there.

    `repository` is a path, relative to the settings file, or an address that git understands;
    `folder` is where the documents are in it.
    """

    kind: Literal["git"]
    repository: str = Field(min_length=1)
    branch: str | None = None
    folder: str = ""
    include: Globs = Field(DOCUMENTS, min_length=1)
    exclude: Globs = ()
    timeout_seconds: Seconds = 120.0


class WebSource(_Source):
    """Pages of a web site: what its sitemap lists, or what its start pages lead to."""

    kind: Literal["web"]
    starts: tuple[str, ...] = Field(min_length=1)
    sitemap: bool | None = None
    include: Globs = Field(("**",), min_length=1)
    exclude: Globs = ()
    max_pages: int = Field(5_000, gt=0)
    delay_seconds: float = Field(0.2, ge=0, le=60, allow_inf_nan=False)
    timeout_seconds: Seconds = 30.0
    allow_private: bool = False

    @model_validator(mode="after")
    def _names_documents_without_secrets(self) -> Self:
        if any(without_secret_parts(start) != start for start in self.starts):
            msg = (
                "an address in starts holds a user, a password or a token; it would name "
                "documents, and be shown wherever they are"
            )
            raise ValueError(msg)
        return self


class SqlSource(_Source):
    """One document for each row of a query. `url_variable` names where a password may stand."""

    kind: Literal["sql"]
    url: str | None = None
    url_variable: str | None = None
    query: str = Field(min_length=1)
    key: str = Field(min_length=1)
    text: str = Field(min_length=1)
    modified: str | None = None
    title: str | None = None
    media_type: str = "text/plain"
    timeout_seconds: Seconds = 60.0

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_variable is None):
            msg = "give either url or url_variable"
            raise ValueError(msg)
        return self


class StoreSource(_Source):
    """Objects of a store, or members of an archive, by an address such as `s3://bucket/docs`."""

    kind: Literal["store"]
    url: str = Field(min_length=1)
    include: Globs = Field(DOCUMENTS, min_length=1)
    exclude: Globs = ()
    max_entries: int = Field(1_000_000, gt=0)
    options: dict[str, str] = Field(default_factory=dict)


def kind_of(value: Any) -> str:
    """Return the kind that a table says it is: a folder, unless it says otherwise."""
    found = value.get("kind", "folder") if isinstance(value, dict) else value.kind
    return str(found)


AnySource = Annotated[
    Annotated[FolderSource, Tag("folder")]
    | Annotated[GitSource, Tag("git")]
    | Annotated[WebSource, Tag("web")]
    | Annotated[SqlSource, Tag("sql")]
    | Annotated[StoreSource, Tag("store")],
    Discriminator(
        kind_of,
        custom_error_type="source_kind",
        custom_error_message=f"kind must be one of {', '.join(KINDS)}",
    ),
]
