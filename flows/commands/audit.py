"""audit: the evidence of a period as one archive, and the check of such an archive."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from flows.audit import Period, gather, instant_of
from flows.audit_archive import verify_archive, write_archive
from flows.commands.options import as_json_option, kb_argument, settings_of
from flows.journal.journal import open_journal
from flows.showing.chain import refuse_damaged, sentence
from flows.showing.display import emit

_FILE = click.Path(path_type=Path, dir_okay=False)


def _instant(_context: click.Context, _option: click.Parameter, text: str) -> datetime:
    try:
        return instant_of(text)
    except ValueError as error:
        msg = f"{text!r} is no day and no time; write 2026-04-01 or 2026-04-01T09:30."
        raise click.BadParameter(msg) from error


@click.group()
def audit() -> None:
    """Write or check the evidence of a period."""


@audit.command()
@kb_argument
@click.option("--from", "since", required=True, callback=_instant, metavar="TIME",
              help="The first instant, included; UTC where it does not say.")  # fmt: skip
@click.option("--to", "until", required=True, callback=_instant, metavar="TIME",
              help="The last instant, not included: --to 2026-04-01 ends with March.")  # fmt: skip
@click.argument("file", type=_FILE)
@as_json_option
@click.pass_context
def export(
    context: click.Context,
    kb: str,
    since: datetime,
    until: datetime,
    file: Path,
    *,
    as_json: bool,
) -> None:
    """Write what KB's journal says of a period into FILE, a zip archive."""
    if until <= since:
        msg = f"--to {until:%Y-%m-%d %H:%M} is not after --from {since:%Y-%m-%d %H:%M}."
        raise click.UsageError(msg)
    settings = settings_of(context)
    settings.knowledge_base(kb)
    with open_journal(settings.journal_url, head=settings.journal_head) as journal:
        chain, rows = journal.verify(), journal.rows()
    period = Period(since, until)
    evidence = gather(rows, kb, period)
    damage = sentence(chain.fault, chain) if chain.fault is not None else ""
    digest = write_archive(file, evidence, kb, period, damage=damage)
    # The archive is written all the same: who asks for evidence gets what there is.
    refuse_damaged(chain)
    told = {"file": str(file), "kb": kb, "entries": evidence.entries, "sha256": digest}
    view = f"{evidence.entries:,} entries of {kb} are in {file}.\nsha256 {digest}"
    emit(told, view, as_json=as_json)


@audit.command()
@click.argument("file", type=_FILE)
@as_json_option
def verify(file: Path, *, as_json: bool) -> None:
    """Check every file, entry and link of the archive FILE."""
    found = verify_archive(file)
    view = (
        f"{found.entries:,} entries of {found.kb} from {found.since} to {found.until}, each as it "
        f"was written; {found.redacted} rewritten by erasures. The last one is {found.last}."
    )
    emit(asdict(found), view, as_json=as_json)
