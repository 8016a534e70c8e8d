"""Follow the folders of a knowledge base: an edit is searchable seconds after it was saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from flows.desk import Desk
from flows.errors import FlowError, SettingsError
from flows.records import RefreshOutcome
from flows.refresh import refresh
from flows.settings.source import FolderSource
from flows.steps import Perform
from retrieval.errors import RetrievalError, SourceUnreachableError

# Editors save in several steps: wait until a folder has been still for this long.
STILL_MILLISECONDS = 400


def watch(
    desk: Desk, perform: Perform, *, stop: Event | None = None
) -> Iterator[RefreshOutcome | FlowError | RetrievalError]:
    """Yield what each refresh came to: one at the start, one after each burst of edits.

    What stops a refresh, such as a guard, is yielded too, and the watch goes on. The embedding
    model stays loaded. Raises SettingsError if the knowledge base has no folder to watch, and
    SourceUnreachableError if one is not there.
    """
    from watchfiles import watch as changes

    folders = _folders(desk)
    looked_at = False
    # It tells of a pause too: the first one says that the watch is up. What is edited during the
    # first refresh, which may take long, is then not missed.
    for changed in changes(
        *folders,
        watch_filter=_Documents(folders, desk.settings.home_folder),
        step=STILL_MILLISECONDS,
        rust_timeout=STILL_MILLISECONDS,
        yield_on_timeout=True,
        stop_event=stop,
    ):
        if changed or not looked_at:
            looked_at = True
            yield _refresh(desk, perform)


class _Documents:
    """Which files count: none that is hidden or Driftline's own, or each refresh calls the next."""

    def __init__(self, folders: Sequence[Path], home: Path) -> None:
        self._folders = folders
        self._home = home

    def __call__(self, _change: object, path: str) -> bool:
        file = Path(path)
        if file.is_relative_to(self._home):
            return False
        inside = (file.relative_to(each) for each in self._folders if file.is_relative_to(each))
        return any(not any(part.startswith(".") for part in each.parts) for each in inside)


def _folders(desk: Desk) -> list[Path]:
    sources = desk.kb.named_sources().values()
    folders = [desk.settings.resolve(s.path) for s in sources if isinstance(s, FolderSource)]
    if not folders:
        msg = (
            f"Knowledge base {desk.name!r} has no folder to watch; its other sources are looked "
            f"at by `driftline refresh {desk.name}` and by schedule."
        )
        raise SettingsError(msg)
    for folder in folders:
        if not folder.is_dir():
            msg = (
                f"The folder {str(folder)!r} cannot be watched: it is not there. Check that it is "
                "mounted and that its path is right."
            )
            raise SourceUnreachableError(msg)
    return folders


def _refresh(desk: Desk, perform: Perform) -> RefreshOutcome | FlowError | RetrievalError:
    try:
        return refresh(desk.at(datetime.now(UTC)), perform)
    except (FlowError, RetrievalError) as error:
        return error
