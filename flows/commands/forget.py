"""forget: erase documents by uri, or those that hold a text, with a receipt."""

from __future__ import annotations

import click
from rich.markdown import Markdown

from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.commands.promotion import by_option
from flows.erasing.receipt import receipt_text
from flows.erasing.subject import accepted, documents_with
from flows.errors import Exit
from flows.forget import forget as erase
from flows.promoting.promotions import person
from flows.showing.display import Display, emit
from monitors.wording import printable


@click.command()
@kb_argument
@click.argument("uris", metavar="[URI]...", nargs=-1)
@click.option("--subject", metavar="TEXT", help="Erase every document that has this text in it.")
@click.option("--accept", metavar="DIGEST", help="The list of documents that you saw and mean.")
@click.option("--why", metavar="TEXT", required=True, help="For the history and the receipt.")
@by_option
@as_json_option
@click.pass_context
def forget(
    context: click.Context,
    kb: str,
    uris: tuple[str, ...],
    *,
    subject: str | None,
    accept: str | None,
    why: str,
    by: str,
    as_json: bool,
) -> int:
    """Erase the documents URI of KB from every place, for good, and prove it."""
    if bool(uris) == (subject is not None):
        msg = "Name the documents, or a text with --subject TEXT that they have in them."
        raise click.UsageError(msg)
    with desk_of(context, kb) as desk:
        if subject is not None:
            found = documents_with(desk, subject)
            if accept is None:
                told = "\n".join(printable(uri) for uri in found.uris)
                cure = f"driftline forget {kb} --subject TEXT --accept {found.digest[:12]}"
                listed = {"kb": kb, "documents": list(found.uris), "digest": found.digest}
                emit(listed, f"{told}\nErase them with `{cure}`.", as_json=as_json)
                return Exit.BLOCKED
            uris = accepted(found, accept)
        receipt = erase(desk, Display(), uris, actor=person(by), why=why)
    payload = {**receipt.told, "digest": receipt.digest}
    emit(payload, Markdown(receipt_text(receipt)), as_json=as_json)
    return Exit.OK if receipt.proof.clean else Exit.FAILED
