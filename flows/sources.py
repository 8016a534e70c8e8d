"""From settings to sources. Each kind's library is imported when a knowledge base has one."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import assert_never

from flows.errors import SettingsError
from flows.settings.knowledge_base import Kb
from flows.settings.settings import Settings
from flows.settings.source import (
    AnySource,
    FolderSource,
    GitSource,
    SqlSource,
    StoreSource,
    WebSource,
)
from retrieval.scan_cache import ScanCache
from retrieval.sources import Feed, Source

# How the address of a file begins. What follows for SQLite may be no file: it says so itself.
_LOCAL = re.compile(r"(?:zip|tar)://|sqlite[\w+]*:///(?!:memory:|file:|$)")


def feeds_of(settings: Settings, kb: Kb, *, folder: Path, cache: ScanCache) -> tuple[Feed, ...]:
    """Return the sources of a knowledge base, which keeps what it needs of them in `folder`."""
    return tuple(
        Feed(
            _open(settings, source, folder / "mirrors" / (name or "only"), cache, name),
            name=name,
            trust=source.trust,
            # By its digest: it is noted down on disk, and may hold keys.
            settings=hashlib.sha256(source.model_dump_json().encode()).hexdigest(),
        )
        for name, source in kb.named_sources().items()
    )


def _open(
    settings: Settings, source: AnySource, mirror: Path, cache: ScanCache, name: str
) -> Source:
    try:
        return _opened(settings, source, mirror, cache, name)
    except ValueError as error:
        place = f"source {name!r}" if name else "the source"
        msg = f"{settings.file}: {place} of kind {source.kind!r} cannot be opened: {error}"
        raise SettingsError(msg) from error


def _opened(
    settings: Settings, source: AnySource, mirror: Path, cache: ScanCache, name: str
) -> Source:
    match source:
        case FolderSource():
            return _folder(settings, source)
        case GitSource():
            return _git(settings, source, mirror)
        case WebSource():
            return _web(source, cache, name)
        case SqlSource():
            return _sql(settings, source)
        case StoreSource():
            return _store(settings, source)
        case _:
            assert_never(source)


def _folder(settings: Settings, source: FolderSource) -> Source:
    from retrieval.sources.folder import FolderSource as Opened

    return Opened(
        settings.resolve(source.path),
        include=source.include,
        exclude=source.exclude,
        max_bytes=source.max_bytes,
    )


def _git(settings: Settings, source: GitSource, mirror: Path) -> Source:
    from retrieval.sources.git_repository import GitSource as Opened

    # git reads a relative path from where it runs; this one is relative to the settings file.
    local = settings.resolve(Path(source.repository))
    return Opened(
        str(local) if local.exists() else source.repository,
        mirror=mirror,
        branch=source.branch,
        folder=source.folder,
        include=source.include,
        exclude=source.exclude,
        max_bytes=source.max_bytes,
        timeout_seconds=source.timeout_seconds,
    )


def _web(source: WebSource, cache: ScanCache, name: str) -> Source:
    from retrieval.sources.web import WebSource as Opened

    return Opened(
        source.starts,
        memory=cache.memory(name),
        sitemap=source.sitemap,
        include=source.include,
        exclude=source.exclude,
        max_bytes=source.max_bytes,
        max_pages=source.max_pages,
        delay_seconds=source.delay_seconds,
        timeout_seconds=source.timeout_seconds,
        allow_private=source.allow_private,
    )


def _sql(settings: Settings, source: SqlSource) -> Source:
    from retrieval.sources.sql import SqlSource as Opened

    return Opened(
        _beside(settings, source.url or settings.secret(source.url_variable or "")),
        query=source.query,
        key=source.key,
        text=source.text,
        modified=source.modified,
        title=source.title,
        media_type=source.media_type,
        max_bytes=source.max_bytes,
        timeout_seconds=source.timeout_seconds,
    )


def _store(settings: Settings, source: StoreSource) -> Source:
    from retrieval.sources.object_store import source_at

    return source_at(
        _beside(settings, source.url),
        include=source.include,
        exclude=source.exclude,
        max_bytes=source.max_bytes,
        max_entries=source.max_entries,
        options=source.options,
    )


def _beside(settings: Settings, url: str) -> str:
    """Return an address; one of a file that is relative is relative to the settings file."""
    local = _LOCAL.match(url)
    return local[0] + str(settings.resolve(Path(url[local.end() :]))) if local else url
