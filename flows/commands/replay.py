"""replay."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flows.checking.past import LIMIT, Origin, Wanted, find_past
from flows.commands.options import as_json_option, desk_of, kb_argument
from flows.replay import replay as replay_past
from flows.showing import replay as rendering
from flows.showing.display import Display, emit
from monitors.replaying.timeline_plot import ENDINGS, write_plot

_DAYS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S")


@click.command()
@kb_argument
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--git", "origin", flag_value=Origin.GIT.value, help="The commits of its source.")
@click.option("--snapshots", "origin", flag_value=Origin.SNAPSHOTS.value, help="Its snapshots.")
@click.option(
    "--folders", "origin", flag_value=Origin.FOLDERS.value, help="These folders, in this order."
)
@click.option(
    "--times",
    metavar="DATE,…",
    help="When each folder came; by default its newest file's time, or else a day apart.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="The worst staleness to allow, 0..1; by default the policy's retrain level.",
)
@click.option("--since", type=click.DateTime(_DAYS), help="Leave out what is older (UTC).")
@click.option(
    "--limit",
    type=click.IntRange(2),
    default=LIMIT,
    show_default=True,
    help="At most so many versions, spread evenly.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Draw it there: {', '.join(ENDINGS)}.",
)
@as_json_option
@click.pass_context
def replay(
    context: click.Context,
    kb: str,
    *,
    folders: tuple[Path, ...],
    origin: str | None,
    times: str | None,
    budget: float | None,
    since: datetime | None,
    limit: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Replay KB's policy over its past: when it would have retrained, and how stale at worst.

    Beside it stand calendars of equal cost, fixed thresholds, and the best in hindsight. The past
    is that of the source in git, else the snapshots that are kept, else `--folders A B C`.
    """
    wanted = Wanted(
        origin=Origin(origin) if origin else None,
        folders=folders,
        times=_times(times, folders),
        since=since.replace(tzinfo=UTC) if since else None,
        limit=limit,
    )
    if bool(folders) != (wanted.origin is Origin.FOLDERS):
        msg = "Write folders behind --folders: `driftline replay docs --folders v1 v2 v3`."
        raise click.UsageError(msg)
    if plot is not None and plot.suffix not in ENDINGS:
        msg = f"{str(plot)!r} must end in one of {', '.join(ENDINGS)}."
        raise click.UsageError(msg)
    display = Display()
    with desk_of(context, kb) as desk:
        found = find_past(desk, wanted)
        display.console.print(rendering.found_line(kb, found), markup=False)
        outcome = replay_past(desk, display, found, budget=budget)
    emit(rendering.replay_object(outcome), rendering.replay_view(outcome), as_json=as_json)
    if plot is not None:
        write_plot(outcome.replay, plot, title=kb)


def _times(text: str | None, folders: tuple[Path, ...]) -> tuple[datetime, ...]:
    if text is None:
        return ()
    try:
        times = tuple(datetime.fromisoformat(part.strip()) for part in text.split(","))
    except ValueError as error:
        msg = f"--times: {error}. Write one date for each folder, e.g. 2025-01-31,2025-06-30."
        raise click.UsageError(msg) from error
    aware = tuple(time if time.tzinfo else time.replace(tzinfo=UTC) for time in times)
    if len(aware) != len(folders) or list(aware) != sorted(aware):
        msg = f"--times needs one date for each of the {len(folders)} folders, oldest first."
        raise click.UsageError(msg)
    return aware
