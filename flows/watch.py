"""Follow the folders of a knowledge base: an edit is searchable seconds after it was saved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from flows.desk import Desk
from flows.errors import BusyError, SettingsError
from flows.records import RefreshOutcome
from flows.refresh import refresh
from flows.source_settings import FolderSource
from flows.steps import Perform
from retrieval.errors import RetrievalError

# Editors save in several steps: wait until a folder has been still for this long.
STILL_MILLISECONDS = 400


def watch(
    desk: Desk, perform: Perform, *, stop: Event | None = None
) -> Iterator[RefreshOutcome | BusyError | RetrievalError]:
    """Yield what each refresh came to: one at the start, one after each burst of edits.

    What stops a refresh, such as a guard, is yielded too, and the watch goes on. The embedding
    model stays loaded. Raises SettingsError if the knowledge base has no folder to watch.
    """
    from watchfiles import watch as changes

    folders = _folders(desk)
    yield _refresh(desk, perform)
    for _ in changes(*folders, debounce=1_600, step=STILL_MILLISECONDS, stop_event=stop):
        yield _refresh(desk, perform)


def _folders(desk: Desk) -> list[Path]:
    sources = desk.kb.named_sources().values()
    folders = [desk.settings.resolve(s.path) for s in sources if isinstance(s, FolderSource)]
    if not folders:
        msg = (
            f"Knowledge base {desk.name!r} has no folder to watch; its other sources are looked "
            f"at by `driftline refresh {desk.name}` and by schedule."
        )
        raise SettingsError(msg)
    return folders


def _refresh(desk: Desk, perform: Perform) -> RefreshOutcome | BusyError | RetrievalError:
    try:
        return refresh(desk.at(datetime.now(UTC)), perform)
    except (BusyError, RetrievalError) as error:
        return error
