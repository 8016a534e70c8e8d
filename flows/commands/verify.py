"""verify: look for damage, and have what is whole answer."""

from __future__ import annotations

import click

from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.errors import Exit
from flows.examining import rendering
from flows.examining.repair import repair as put_right
from flows.examining.verification import Depth
from flows.showing.display import Display, emit
from flows.verify import verify as look


@click.command()
@kb_argument
@click.option("--quick", "depth", flag_value="quick", help="What things say of themselves: 1 s.")
@click.option("--subset", "depth", flag_value="subset", default=True, help="And a sample.")
@click.option("--full", "depth", flag_value="full", help="Every file, row, version and model.")
@click.option("--repair", is_flag=True, help="Publish the newest release that is whole.")
@click.option("--anew", is_flag=True, help="With --repair: have the index made anew.")
@as_json_option
@click.pass_context
def verify(
    context: click.Context, kb: str, *, depth: str, repair: bool, anew: bool, as_json: bool
) -> int:
    """Look for damage in KB: journal, index, models, pages; exit 5 if there is any.

    With --repair what is damaged and answers gives way to the newest that is whole; then the exit
    status is that of what answers afterwards.
    """
    if anew and not repair:
        msg = "--anew goes with --repair."
        raise click.UsageError(msg)
    display = Display()
    with desk_of(context, kb) as desk:
        repaired = put_right(desk, display, anew=anew) if repair else None
        found = look(desk, display, depth=Depth(depth))
    payload = rendering.verification_object(found, repaired)
    emit(payload, rendering.verification_view(found, repaired), as_json=as_json)
    return Exit.CORRUPT if found.findings else Exit.OK
