"""How surprised a champion is: bits per byte of sampled passages, and its bare base's beside them.

What a passage costs a model never changes, so nothing is weighed twice: results are kept by the
digests of model and text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from training.judging.inference import text_bits
from training.judging.passages import Model, Passages, Surprise, assemble, missing
from training.models.adapter_files import read_adapter
from training.models.adapters import load_for_inference
from training.models.loading import load_tokenizer
from training.records import BaseModel, Row

Keep = Callable[[Mapping[str, float]], None]
"""Keeps bits by their keys; called after every batch, so that a killed run is not paid twice."""

OnProgress = Callable[[int, int], None]


def measure_surprise(
    base: BaseModel,
    adapter_folder: Path | None,
    passages: Passages,
    *,
    known: Mapping[str, float],
    keep: Keep,
    on_progress: OnProgress | None = None,
) -> Surprise:
    """Weigh what is not `known` yet; `on_progress` hears passages done and passages in all.

    A champion with an adapter is weighed beside its bare base, which never saw the corpus: what
    the base finds hard as well is hard text, not stale weights. Without an adapter there is no
    such control. Raises what `read_adapter` raises.
    """
    adapter = read_adapter(adapter_folder, base=base).digest if adapter_folder else ""
    champion = Model(base.digest, adapter)
    found = dict(known)
    work = [(champion, adapter_folder, missing(champion, passages.rows, found))]
    if champion.control:
        work.append((champion.control, None, missing(champion.control, passages.rows, found)))
    done, total = 0, sum(len(rows) for *_, rows in work)
    for model, folder, rows in work:
        for batch in _weighed(base, folder, model, rows):
            keep(batch)
            found |= batch
            done += len(batch)
            if on_progress:
                on_progress(done, total)
    return assemble(champion, passages, found)


def _weighed(
    base: BaseModel, folder: Path | None, model: Model, rows: Sequence[Row]
) -> Iterator[dict[str, float]]:
    """Yield the bits of some rows at a time, by their keys; loads nothing if there are none."""
    if not rows:
        return
    loaded, tokenizer = load_for_inference(base, folder), load_tokenizer(base)
    for at, bits in text_bits(loaded, tokenizer, rows):
        yield {model.key(rows[i]): of_row for i, of_row in zip(at, bits, strict=True)}
