"""notify: try the targets out, and deliver what waits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import click
from rich.table import Table
from rich.text import Text

from flows.commands.options import as_json_option, settings_of
from flows.errors import Exit, SettingsError, UndeliveredError
from flows.journal.journal import open_journal
from flows.settings.settings import Settings
from flows.showing.display import emit
from flows.telling.delivery import Couriers, deliver
from flows.telling.events import stable_id
from flows.telling.mailing import letter_of
from flows.telling.messenger import send
from flows.telling.notices import Message


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a message to one target; `reason` is "" if it was delivered."""

    target: str
    delivered: bool
    reason: str


@click.command()
@click.argument("action", metavar="ACTION", type=click.Choice(["test", "deliver"]))
@click.option("--target", metavar="NAME", help="Whom to send the test to; default: all.")
@as_json_option
@click.pass_context
def notify(context: click.Context, action: str, *, target: str | None, as_json: bool) -> int:
    """Send each target of [notify] a `test`, or `deliver` what waits as every run does at its end.

    A test that one target does not get exits 1.
    """
    settings = settings_of(context)
    if action == "deliver":
        _deliver(settings, as_json=as_json)
        return Exit.OK
    tried = _try(settings, _chosen(settings, target), datetime.now(UTC))
    emit({"targets": [asdict(each) for each in tried]}, _table(tried), as_json=as_json)
    return Exit.OK if all(each.delivered for each in tried) else Exit.FAILED


def _deliver(settings: Settings, *, as_json: bool) -> None:
    with open_journal(settings.journal_url) as journal:
        done = deliver(settings, journal, Couriers(), now=datetime.now(UTC))
        waiting = len(journal.waiting())
    told = f"{done.sent} sent, {done.held} held, {done.refused} refused, {waiting} waiting"
    emit({**asdict(done), "waiting": waiting}, Text(told), as_json=as_json)


def _chosen(settings: Settings, target: str | None) -> list[str]:
    names = sorted(settings.notify.targets)
    if not names:
        msg = (
            f"{settings.file} names nobody to tell. Add a target, [notify.targets.NAME], with the "
            "environment variable that holds its URL as url_variable."
        )
        raise SettingsError(msg)
    if target is not None and target not in names:
        msg = f"No target {target!r} in {settings.file}. There are: {', '.join(names)}."
        raise SettingsError(msg)
    return names if target is None else [target]


def _try(settings: Settings, names: list[str], now: datetime) -> list[Tried]:
    identity = stable_id("test", now.isoformat())
    body = f"This is a test of driftline: notices of its runs come here.\nevent {identity}"
    return [_tried(settings, name, Message(identity, "driftline: test", body)) for name in names]


def _tried(settings: Settings, name: str, message: Message) -> Tried:
    addressee = settings.notify.addressee(name)
    try:
        letters = [letter_of(settings, addressee, message)] if addressee else []
    except UndeliveredError as error:
        return Tried(name, delivered=False, reason=str(error))
    (receipt,) = send(letters)
    return Tried(name, not receipt.reason, receipt.reason)


def _table(tried: list[Tried]) -> Table:
    table = Table("target", "delivered", "reason", box=None)
    for each in tried:
        table.add_row(each.target, "yes" if each.delivered else "no", Text(each.reason))
    return table
