"""What a run works with, for one knowledge base: settings, journal, index, source and models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from flows.embedder import open_embedder
from flows.erasing.erasures import denylist
from flows.errors import NoReleaseError
from flows.examining.quarantine import keeper_of
from flows.journal.journal import Journal, open_journal
from flows.model_places import locate
from flows.reaching import require_tracking
from flows.release import Published
from flows.settings.knowledge_base import Kb
from flows.settings.settings import Settings
from flows.sources import feeds_of
from flows.tracking.runs import Tracker
from retrieval.scan_cache import ScanCache
from retrieval.sources import Closable, Feed
from retrieval.sources.denied import without_denied
from training.records import BaseModel

if TYPE_CHECKING:
    from retrieval.embedders import Embedder
    from retrieval.fan_out import FanOut
    from retrieval.parsing_process import Parser
    from retrieval.store import Index
    from retrieval.vector_journal import VectorJournal
    from training.registry import Registry


# What is worth keeping open from one refresh to the next: a loaded model above all.
_SHARED = ("embedder", "feeds", "index", "parser", "scan_cache", "vector_journal")


@dataclass(frozen=True)
class Desk:
    """Opens each thing on first use, its framework included: a run pays for what it needs.

    lancedb, torch and peft take seconds to import, and `driftline status` needs none of them.

    `now` is the run's only clock: the scheduled time where there is a schedule. `page` is where
    people see this run, "" where it has no page.
    """

    settings: Settings
    name: str
    kb: Kb
    journal: Journal
    now: datetime
    page: str = ""

    @cached_property
    def index(self) -> Index:
        """The chunk table, every version of it."""
        from retrieval.store import Index

        keeper = keeper_of(self.journal, self.name, self.now)
        return Index(self.settings.home_folder / "index", self.name, keeper=keeper)

    @cached_property
    def scan_cache(self) -> ScanCache:
        """What earlier scans of the sources found; losing it costs reading, nothing else."""
        return ScanCache(self.folder / "scan.db")

    @cached_property
    def vector_journal(self) -> VectorJournal:
        """Vectors of a refresh that is under way, or was killed."""
        from retrieval.vector_journal import VectorJournal

        return VectorJournal(self.folder / "vectors.db", self.embedder.fingerprint)

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """Where the documents come from, without those that were erased."""
        feeds = feeds_of(self.settings, self.kb, folder=self.folder, cache=self.scan_cache)
        # Without a hold on this desk: in a circle it would outlive its run, with its tables open.
        return without_denied(feeds, partial(denylist, self.journal, self.name))

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model; loads its weights when there is something to embed."""
        return open_embedder(self.settings)

    @cached_property
    def base(self) -> BaseModel:
        """The base model as safetensors, converted once if it came as GGUF."""
        from training.models.loading import prepare_base

        name = self.settings.model.base
        return prepare_base(locate(name), name=name, cache=self.settings.cache)

    @cached_property
    def registry(self) -> Registry:
        """The model registry."""
        from training.registry import Registry

        require_tracking(self.settings.tracking_uri)
        # Its path alone: to import what serves a model would load torch.
        served_by = Path(__file__).with_name("served_model.py")
        return Registry(self.settings.tracking_uri, served_by=served_by)

    @cached_property
    def tracker(self) -> Tracker:
        """The window people look through: MLflow runs of this knowledge base."""
        return Tracker(self.settings.tracking_uri, self.name, self.settings.home_folder)

    def release(self, release_id: str | None = None) -> Published:
        """Return the publication that answers now, or the newest one of a release's id.

        A prefix of the id is enough. Raises NoReleaseError.
        """
        if release_id is None:
            found = self.journal.serving(self.name)
            asked, cure = "no release yet", f"Make one with `driftline refresh {self.name}`."
        else:
            found = self.journal.published(self.name, release_id)
            asked = f"no release {release_id!r}"
            cure = f"`driftline history {self.name}` lists them."
        if found is None:
            msg = f"Knowledge base {self.name!r} has {asked}. {cure}"
            raise NoReleaseError(msg)
        return found

    @cached_property
    def parser(self) -> Parser:
        """Reads documents, the hostile kinds in a child process with limits."""
        from retrieval.parsing_process import Parser

        return Parser()

    @cached_property
    def fan_out(self) -> FanOut | None:
        """Who parses and embeds instead of this process, as [scale] says; in a flow alone."""
        scale = self.settings.scale
        # Whoever runs in a flow has imported Prefect already: the command line need not, to ask.
        if scale is None or "prefect.context" not in sys.modules:
            return None
        from flows.fan_out import fan_out_of, within_a_flow
        from retrieval.fan_out_worker import Tools

        if not within_a_flow():
            return None
        tools = Tools(self.embedder, self.parser.parse_body)
        opened = fan_out_of(self.settings, scale, self.folder / "fan-out", tools)
        return self._opened.enter_context(opened)

    @cached_property
    def _opened(self) -> ExitStack:
        return ExitStack()

    def at(self, now: datetime) -> Desk:
        """Return this desk at another time, sharing what a refresh works with; close this one."""
        later = replace(self, now=now)
        vars(later).update({name: getattr(self, name) for name in _SHARED})
        return later

    def close(self) -> None:
        """End what was started, and only that."""
        if "_opened" in vars(self):
            self._opened.close()
        for feed in vars(self).get("feeds", ()):
            if isinstance(feed.source, Closable):
                feed.source.close()
        if "parser" in vars(self):
            self.parser.close()
        if "index" in vars(self):
            # An error keeps frames, frames keep this desk: until Python looks for such circles,
            # checks later, each open table would keep what it read.
            self.index.tables.forget_handles()

    @property
    def model_name(self) -> str:
        """The name of this knowledge base's model in the registry."""
        return f"driftline-{self.name}"

    @property
    def folder(self) -> Path:
        """Where this knowledge base keeps adapters and reports."""
        return self.settings.home_folder / "kb" / self.name


@contextmanager
def open_desk(
    settings: Settings, name: str, *, now: datetime | None = None, page: str = ""
) -> Iterator[Desk]:
    """Open the journal and yield the desk of one knowledge base."""
    kb = settings.knowledge_base(name)
    with (
        open_journal(settings.journal_url, head=settings.journal_head) as journal,
        closing(Desk(settings, name, kb, journal, now or datetime.now(UTC), page)) as desk,
    ):
        yield desk
