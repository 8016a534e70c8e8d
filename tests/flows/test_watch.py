"""Following a folder: what is saved is soon found, and nothing ends the watch but its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any

import pytest

from flows.desk import Desk
from flows.embedder import open_embedder
from flows.errors import BusyError, SettingsError
from flows.journal import lease
from flows.records import RefreshOutcome
from flows.search import search
from flows.settings.settings import Settings
from flows.steps import quietly
from flows.watch import watch
from retrieval.errors import MassDeleteError, SourceUnreachableError
from tests.flows.conftest import Place

PATIENCE_SECONDS = 60
STILL_SECONDS = 2  # longer than the watch waits for a burst of edits to end


@contextmanager
def watching(place: Place, **hooks: Any) -> Iterator[Queue[Any]]:
    """Watch in a thread with a desk of its own, as a process would; yield what it comes to."""
    outcomes: Queue[Any] = Queue()
    stop = Event()

    def follow() -> None:
        with place.desk() as desk:
            for outcome in watch(desk, hooks.get("perform", quietly), stop=stop):
                outcomes.put(outcome)

    thread = Thread(target=follow)
    thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def next_of(outcomes: Queue[Any]) -> Any:
    return outcomes.get(timeout=PATIENCE_SECONDS)


def test_an_edit_is_searchable_while_the_watch_goes_on(place: Place):
    with watching(place) as outcomes:
        first = next_of(outcomes)
        place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21 days")
        edited = next_of(outcomes)
        with place.desk() as desk:
            _, hits = search(desk, "It is 21 days from the invoice date", quietly, limit=1)
        (place.docs / "new.md").write_text("# New\n\nThe wall charger hums.")
        added = next_of(outcomes)

    assert isinstance(first, RefreshOutcome)
    assert not first.is_new
    assert edited.plan.edited == ("billing/failed-payments.md",)
    assert "It is 21 days" in hits[0].text
    assert added.plan.added == ("new.md",)


def test_an_edit_during_the_first_refresh_is_not_missed(place: Place):
    """It comes after the folder was read, while what was read is written down."""

    def perform(title: str, work: Any, *, retries: int = 0) -> Any:
        done = quietly(title, work)
        if title == "Writing the index" and not edits:
            edits.append(title)
            place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21")
        return done

    edits: list[str] = []
    with watching(place, perform=perform) as outcomes:
        first, second = next_of(outcomes), next_of(outcomes)

    assert first.plan.edited == ()
    assert second.plan.edited == ("billing/failed-payments.md",)


def test_a_guard_and_a_busy_writer_are_told_and_watched_past(place: Place, desk: Desk):
    with watching(place) as outcomes:
        next_of(outcomes)
        paths = sorted(place.docs.rglob("*.*"))
        texts = {path: path.read_bytes() for path in paths[:6]}
        for path in texts:
            path.unlink()
        blocked = next_of(outcomes)
        with lease.hold(desk.journal, "docs"):
            for path, text in texts.items():
                path.write_bytes(text)
            busy = next_of(outcomes)
        (place.docs / "new.md").write_text("# New\n\nThe wall charger hums.")
        going_on = next_of(outcomes)

    assert isinstance(blocked, MassDeleteError)
    assert isinstance(busy, BusyError)
    assert going_on.plan.added == ("new.md",)


def test_the_embedder_is_opened_once(place: Place, monkeypatch: pytest.MonkeyPatch):
    opened = []

    def counted(settings: Settings) -> Any:
        opened.append(settings)
        return open_embedder(settings)

    monkeypatch.setattr("flows.desk.open_embedder", counted)
    with watching(place) as outcomes:
        next_of(outcomes)
        for word in ("one", "two"):
            (place.docs / f"{word}.md").write_text(f"# {word}\n\nNumber {word}.")
            assert next_of(outcomes).refreshed.embedded == 1

    assert len(opened) == 1


def test_what_is_hidden_or_driftlines_own_calls_no_refresh(place: Place):
    """Driftline may keep its own files in the folder, and writes there at each refresh."""
    settings = '[kb.docs.source]\npath = "docs"\nexclude = ["state/**"]\n'
    place.configure(f'home = "docs/state"\n{settings}')
    (place.folder / ".driftline").rename(place.docs / "state")
    with watching(place) as outcomes:
        next_of(outcomes)
        (place.docs / ".hidden.md").write_text("Not for anyone.")
        with pytest.raises(Empty):
            outcomes.get(timeout=STILL_SECONDS)
        (place.docs / "new.md").write_text("# New\n\nThe wall charger hums.")
        added = next_of(outcomes)

    assert added.plan.added == ("new.md",)


def test_a_knowledge_base_without_a_folder_is_not_watched(place: Place, desk: Desk):
    place.configure('[kb.docs.source]\nkind = "store"\nurl = "zip://docs.zip"\n')

    done = place.run("watch", "docs", "--json")

    assert (done.status, done.json["error"]["code"]) == (2, "SETTINGS_INVALID")
    with place.desk() as without, pytest.raises(SettingsError, match="no folder to watch"):
        next(watch(without, quietly))


def test_a_folder_that_is_not_there_is_told(place: Place):
    place.docs.rename(place.folder / "elsewhere")

    done = place.run("watch", "docs", "--json")

    assert (done.status, done.json["error"]["code"]) == (4, "SRC_UNREACHABLE")
    assert str(place.docs) in done.err
    with place.desk() as desk, pytest.raises(SourceUnreachableError):
        next(watch(desk, quietly))
