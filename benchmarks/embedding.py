"""What embedding costs by each engine, as a ratio to `SentenceTransformer.encode` as it comes.

Run it with `python -m benchmarks.embedding MODEL_FOLDER`: every engine on the same chunks of 256
tokens, made from the handbook. CPU seconds, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from retrieval.embedders import Vectors, unit_length
from retrieval.embedders.engines import Engine, Tokenized, embed_all
from retrieval.embedders.local_engines import LocalEngines
from retrieval.embedders.model_files import ModelFiles
from retrieval.embedders.torch_engine import load_model

HANDBOOK = Path(__file__).resolve().parent.parent / "examples" / "handbook"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a folder with a sentence-transformers model")
    parser.add_argument("--chunks", type=int, default=200)
    told = parser.parse_args()
    files = ModelFiles(told.model)
    texts = chunks(files, told.chunks)
    table = Table("engine", "chunks a CPU second", "times encode", "lowest cosine", "mean cosine")
    model = load_model(files)
    model.encode(texts[:32], show_progress_bar=False)
    wanted, encode = measured(lambda: model.encode(texts, show_progress_bar=False))
    wanted = unit_length(wanted, (len(texts), files.dimension))
    table.add_row("SentenceTransformer.encode", f"{len(texts) / encode:.1f}", "1.00", "1", "1")
    with tempfile.TemporaryDirectory() as cache:
        for engine in LocalEngines(files, Path(cache), None).candidates("auto"):
            embed(engine, files, texts[:32])
            made, cost = measured(lambda engine=engine: embed(engine, files, texts))  # type: ignore[misc]
            cosines = (made * wanted).sum(axis=1)
            speed = (f"{len(texts) / cost:.1f}", f"{encode / cost:.2f}")
            table.add_row(engine.name, *speed, f"{cosines.min():.6f}", f"{cosines.mean():.6f}")
    Console().print(table)


def chunks(files: ModelFiles, count: int) -> list[str]:
    """Return texts of as many words of the handbook as just fit into the model's window."""
    pages = sorted(HANDBOOK.rglob("*.md"))
    words = " ".join(page.read_text("utf-8") for page in pages).split()
    made: list[str] = []
    at = 0
    while len(made) < count:
        taken = [words[(at + step) % len(words)] for step in range(files.max_tokens)]
        while files.count_tokens([" ".join(taken)])[0] > files.max_tokens:
            taken.pop()
        made.append(" ".join(taken))
        at += len(taken)
    return made


def embed(engine: Engine, files: ModelFiles, texts: Sequence[str]) -> Vectors:
    """Return the vectors as `LocalEmbedder` makes them: tokenized, sorted and batched."""
    pairs = zip(texts, files.tokenize(texts), strict=True)
    tokenized = (Tokenized(*pair) for pair in pairs)
    return embed_all(engine, tokenized, count=len(texts), dimension=files.dimension)


def measured(work: Callable[[], Vectors]) -> tuple[Vectors, float]:
    """Return what some work returns, and its CPU seconds."""
    began = time.process_time()
    made = work()
    return made, time.process_time() - began


if __name__ == "__main__":
    main()
