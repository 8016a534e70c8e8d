"""How a knowledge base stands, as people read it; scripts read `flows.showing.standing_object`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from textwrap import shorten

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.showing.look import Errands, Status
from flows.showing.status import Decided, Held, Level, Staleness, Standing
from monitors.wording import percent, printable

_STYLES = {Level.FRESH: "green", Level.WATCH: "yellow", Level.RETRAIN: "red"}
_LONGEST = 160
# Events are for automations of a Prefect server; without one nobody tries, and nobody minds.
EVENT = "event"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_SAID = {
    Level.FRESH: "under both levels",
    Level.WATCH: "people are told",
    Level.RETRAIN: "a retraining is due",
}


def status_view(status: Status) -> RenderableType:
    """Show one knowledge base: what answers, how fresh, how stale, and what needs a person."""
    stands = status.standing
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, text in _facts(status):
        facts.add_row(name, text)
    parts: list[RenderableType] = [Text(stands.kb, style="bold"), facts]
    if stands.decisions:
        parts += [Text(), _decisions_table(stands.decisions)]
    return Group(*parts)


def overview(statuses: Sequence[Status]) -> RenderableType:
    """Show several knowledge bases, a line each."""
    table = Table("knowledge base", "release", "snapshot", "model", "documents", "read",
                  "staleness", "last decision", "look at")  # fmt: skip
    for status in statuses:
        stands, last = status.standing, status.standing.last
        release = stands.published.release if stands.published else None
        table.add_row(
            stands.kb,
            release.id[:8] if release else "none yet",
            release.snapshot if release else "",
            str(release.model_version) if release else "",
            f"{stands.documents:,}",
            _ago(status.now, stands.read),
            Text(_staleness(last.staleness if last else None), _STYLES.get(stands.level, "")),
            last.action.value if last else "",
            Text(", ".join(_needs(status)), "red"),
        )
    return Group(table, Text("`driftline status KB` shows one of them whole."))


def _facts(status: Status) -> Iterator[tuple[str, Text]]:
    """Yield what is known, by name; what is out of the ordinary only where it is so."""
    yield "answers", Text(_answers(status))
    yield "fresh", Text(_fresh(status))
    for each in status.standing.old_text:
        told = f"{_documents(each.documents)} with old text: {printable(each.reason)}"
        yield "", Text(told, "yellow")
    yield "stale", _stale(status.standing)
    yield "next run", Text(_next(status))
    yield from _troubles(status)
    yield "disk", Text(_disk(status))


def _troubles(status: Status) -> Iterator[tuple[str, Text]]:
    stands = status.standing
    for name, held in (("training", stands.training), ("writing", stands.writing)):
        if held is not None:
            yield name, Text(_holder(held, status.now), "" if held.certain else "yellow")
    if waiting := stands.waiting:
        told = f"{waiting.what} ({_ago(status.now, waiting.since)}): `{waiting.command}`"
        yield "waits", Text(told, "yellow")
    if stopped := stands.stopped:
        told = f"{stopped.code}, {_ago(status.now, stopped.time)}: {printable(stopped.reason)}"
        yield "guard", Text(told, "red")
    if freeze := stands.frozen:
        told = f"by {freeze.actor}, {_ago(status.now, freeze.time)}: {freeze.why}"
        cure = f". `driftline resume {stands.kb}` lets it go on"
        yield "frozen", Text(printable(told) + cure, "red")
    if taint := stands.tainted:
        told = f"version {taint.version} was trained on what was erased by {taint.actor}, "
        told += f"{_ago(status.now, taint.time)}. `driftline retrain {stands.kb}` makes one without"
        yield "tainted", Text(printable(told), "red")
    for errands in filter(_concerns, status.outbox):
        told = f"{errands.waiting:,} of kind {errands.kind} waiting, the oldest "
        told += _ago(status.now, errands.oldest) + (f": {errands.why}" if errands.why else "")
        yield "outbox", Text(printable(told), "yellow")


def _needs(status: Status) -> list[str]:
    """Return in a word each what a person should look at."""
    stands = status.standing
    found = {
        stands.stopped.code if stands.stopped else "": stands.stopped is not None,
        "frozen": stands.frozen is not None,
        "tainted": stands.tainted is not None,
        "approval": stands.waiting is not None,
        "old text": bool(stands.old_text),
        "outbox": any(map(_concerns, status.outbox)),
    }
    return [word for word, true in found.items() if true]


def _concerns(errands: Errands) -> bool:
    """Return whether what waits is for a person to see: events are once a server refused them."""
    return errands.kind != EVENT or bool(errands.why)


def _holder(held: Held, now: datetime) -> str:
    told = f"process {held.process} on {printable(held.host)}, begun {_ago(now, held.since)}"
    if held.certain:
        return told
    heard = f"heard {_ago(now, held.heard)}" if held.heard <= now else "heard in the future"
    return f"{told}, {heard} by this clock: dead, or a clock is wrong; the next run finds out"


def _answers(status: Status) -> str:
    stands = status.standing
    if stands.published is None:
        return f"nothing yet: `driftline monitor {stands.kb}` makes the first release"
    release = stands.published.release
    return (
        f"release {release.id}, snapshot {release.snapshot}, model version "
        f"{release.model_version}, since {_moment(stands.since)} ({stands.published.kind})"
    )


def _fresh(status: Status) -> str:
    stands = status.standing
    counted = f"{_documents(stands.documents)} in {stands.chunks:,} chunks"
    taken, read = _ago(status.now, stands.taken), _ago(status.now, stands.read)
    return f"{counted}; snapshot taken {taken}, sources read {read}"


def _stale(stands: Standing) -> Text:
    known = stands.last.staleness if stands.last else None
    levels = f"told from {_share(stands.watch_level)}, retrains from {_share(stands.retrain_level)}"
    said = f": {_SAID[stands.level]}" if stands.level in _SAID else ""
    return Text(f"{_staleness(known)}{said} ({levels})", _STYLES.get(stands.level, ""))


def _next(status: Status) -> str:
    told = status.next_run
    if told.time is None:
        return f"unknown: {told.note}"
    seconds = (told.time - status.now).total_seconds()
    when = f"in {_span(seconds)}" if seconds > 0 else f"due for {_span(-seconds)}"
    noted = f", {told.note}" if told.note else ""
    return f"{_moment(told.time)}, {when}, by {told.source}{noted}"


def _disk(status: Status) -> str:
    disk = status.disk
    return (
        f"index {_megabytes(disk.index_bytes)} ({status.standing.snapshots} snapshots published), "
        f"adapters {_megabytes(disk.adapters_bytes)}, MLflow {_megabytes(disk.mlflow_bytes)}, "
        f"free {_megabytes(disk.free_bytes)}"
    )


def _decisions_table(decisions: Sequence[Decided]) -> Table:
    table = Table("checked", "decision", "staleness", "why")
    for each in reversed(decisions):
        # The first sentence says why; the rest stands in the check.
        why = Text(printable(shorten(each.reason.partition(". ")[0], _LONGEST, placeholder=" …")))
        table.add_row(_moment(each.time), each.action.value, _staleness(each.staleness), why)
    return table


def _staleness(known: Staleness | None) -> str:
    """Return a staleness with its interval.

    >>> _staleness(Staleness(0.09, 0.06, 0.14)), _staleness(None)
    ('9 % [6 %, 14 %]', 'not measured')
    """
    if known is None:
        return "not measured"
    if known.low is None or known.high is None:
        return percent(known.share)
    return f"{percent(known.share)} [{percent(known.low)}, {percent(known.high)}]"


def _share(level: float) -> str:
    """Return a level with the digits that a person wrote.

    >>> _share(0.055), _share(0.011), _share(0.2)
    ('5.5 %', '1.1 %', '20 %')
    """
    return f"{100 * level:.3g} %"


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count:,} documents"


def _megabytes(count: int) -> str:
    """Return bytes as people read them.

    >>> _megabytes(1_234_567), _megabytes(98_700_000_000)
    ('1.2 MB', '98.7 GB')
    """
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"  # noqa: PLR2004 - a gigabyte


def _ago(now: datetime, then: datetime | None) -> str:
    return "never" if then is None else f"{_span((now - then).total_seconds())} ago"


def _span(seconds: float) -> str:
    """Return a length of time in its largest unit.

    >>> _span(59), _span(3_600), _span(200_000)
    ('59 s', '1 h', '2 d')
    """
    whole = max(0, int(seconds))
    return next((f"{whole // size} {unit}" for size, unit in _UNITS if whole >= size), f"{whole} s")


def _moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "never"
