"""Tables of a benchmark: in the terminal, and in a Markdown file where one is asked for."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table


def add_markdown_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the Markdown file."""
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also append the table there")


def show(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], markdown: Path | None
) -> None:
    """Print a table; append it to the Markdown file, if there is one."""
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    show_table(table, markdown)


def show_table(table: Table, markdown: Path | None) -> None:
    """Print a table that is filled already, and append it likewise."""
    Console().print(table)
    if markdown is None:
        return
    header = [str(column.header) for column in table.columns]
    lines = zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)
    written = "\n".join(map(_row, [header, ["---"] * len(header), *lines]))
    with markdown.open("a", encoding="utf-8") as file:
        file.write(f"## {table.title}\n\n{written}\n\n")


def verdict(*, holds: bool) -> str:
    """Return whether a limit holds, in words.

    >>> verdict(holds=True)
    'ok'
    """
    return "ok" if holds else "**falls short**"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
