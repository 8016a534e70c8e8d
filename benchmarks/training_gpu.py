"""A billion random weights on a GPU: speed and memory beside the bare loop, and use of its peak.

Model FLOP utilisation is the FLOPs that the model needs, over what the GPU could do in the time
(Chowdhery et al. 2022). A forward and backward pass needs 6 for each weight and token (Kaplan et
al. 2020). Here the base is frozen and no gradient of its weights is made: that needs 4. Layers
computed twice for gradient checkpointing do not count.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from tables import show, verdict
from training_sides import Measured, Side, measure, middle

from training.fitting.jobs import Job
from training.models.loading import prepare_base
from training.records import BaseModel, FinetuneConfig

# Dense bfloat16 with float32 sums, FLOPs a second, from NVIDIA's data sheets; the sheets of H100,
# H200 and L4 tell twice as much, for sparse matrices.
_PEAKS = {
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
    "NVIDIA L4": 121e12,
}
_FULL, _FROZEN = 6, 4
_SIDES = (Side.BARE, Side.OURS, Side.OURS_PLAIN)
_ROWS = 16
# Some seconds on a fast GPU, or starting would be most of it; the rows are passed over so often.
_TOKENS, _EPOCHS = 400_000, 100
_LEAST_SPEED, _MOST_MEMORY = 0.95, 1.2


def billion(
    base: BaseModel, examples: Path, folder: Path, console: Console, markdown: Path | None
) -> None:
    """Print the table of one shape, with layers kept in memory and computed twice.

    `base` lends its tokenizer; `examples` holds the rows to train on.
    """
    config = FinetuneConfig(batch_rows=_ROWS, packing=True, budget_tokens=_TOKENS, epochs=_EPOCHS)
    big = folder / "billion"
    measure(Side.BUILD, Job(base, examples, config, big), folder / "building", console)
    model = prepare_base(big, name="random weights", cache=folder / "cache")
    rows = []
    for twice in (False, True):
        job = Job(model, examples, replace(config, gradient_checkpointing=twice), folder)
        runs: dict[Side, list[Measured]] = {side: [] for side in _SIDES}
        for side in (*_SIDES, *reversed(_SIDES)):
            with tempfile.TemporaryDirectory(dir=folder) as made:
                told = replace(job, folder=Path(made) / "adapter")
                runs[side].append(measure(side, told, Path(made) / "job", console))
        found = {side: middle(each) for side, each in runs.items()}
        rows += [_row(side, run, found[Side.BARE], twice=twice) for side, run in found.items()]
    header = (
        "side",
        "layers computed",
        "tokens a s",
        "speed, of the bare loop",
        "peak, MB",
        "of its memory",
        "MFU by 6",
        "MFU by 4",
        "",
    )
    show("A billion random weights, bfloat16, packed, without loading", header, rows, markdown)


def _row(side: Side, run: Measured, bare: Measured, *, twice: bool) -> tuple[str, ...]:
    speed, memory = bare.work_seconds / run.work_seconds, run.peak_bytes / bare.peak_bytes
    # Samples and checkpoints cost the same for any training; the limit is for the steps alone.
    holds = memory <= _MOST_MEMORY and (speed >= _LEAST_SPEED or side is not Side.OURS_PLAIN)
    return (
        side,
        "twice" if twice else "once",
        f"{run.tokens / run.work_seconds:,.0f}",
        f"{speed:.3f}",
        f"{run.peak_bytes / 1e6:,.0f}",
        f"{memory:.2f}",
        utilisation(run, _FULL),
        utilisation(run, _FROZEN),
        "" if side is Side.BARE else verdict(holds=holds),
    )


def utilisation(run: Measured, flops: int) -> str:
    """Return the percentage of the GPU's peak, "unknown" for a GPU whose peak is not known.

    >>> run = Measured(9.0, 9.0, 2.0, 20_000, 1, "NVIDIA L4", 1_000_000_000)
    >>> utilisation(run, 6), utilisation(run, 4)
    ('50 %', '33 %')
    """
    peak = _PEAKS.get(run.device)
    if peak is None:
        return "unknown"
    return f"{100 * flops * run.weights * run.tokens / run.work_seconds / peak:.0f} %"
