"""How fast this machine trains and weighs a model, measured once; and what a plan will take."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import Encoded, is_asked
from training.examples.chunks import approximate_tokens
from training.files import write_whole
from training.fitting.batches import StepRows, count_epochs, plan_steps
from training.fitting.gradients import Gradients
from training.fitting.team import Team
from training.judging.inference import ROWS_A_BATCH, Asked, told_bits
from training.models.adapters import Trainable, attach_adapter
from training.models.loading import load_base, load_tokenizer
from training.records import BaseModel, FinetuneConfig, Row, TrainingSet

# Each of four measurements stops after the first turn that ends beyond this.
_SECONDS_EACH = 2.0
_MOST_TURNS = 5
_GENERATED = 6
# An answer ends by itself; a batch of eight goes on until the last of them has.
_ANSWER_ROUNDS = 24
_SCORED_TOKENS = 128
# What of a config changes how long a token takes.
_MATTERS = (
    "rank",
    "dropout",
    "batch_rows",
    "micro_rows",
    "max_row_tokens",
    "packing",
    "gradient_checkpointing",
    "four_bit",
)


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second of training on text, on answers, and of scoring; two digits are told.

    `round_seconds` is what one more token of each of eight answers takes, `load_seconds` what
    loading the model does.
    """

    text_tokens: float
    answer_tokens: float
    scoring_tokens: float
    round_seconds: float
    load_seconds: float
    machine: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training will take, and what weighing one model on the holdout will."""

    tokens: int
    steps: int
    train_seconds: float
    evaluate_seconds: float


def measure_speed(
    base: BaseModel,
    examples: TrainingSet,
    config: FinetuneConfig,
    *,
    remembered_in: Path | None = None,
) -> Speed:
    """Train and score a few rows, in under 15 s for SmolLM2 on two cores; nothing is written.

    With `remembered_in` the result is kept there for this machine, torch, base and config.
    """
    team = Team()
    machine = _machine(team)
    kept = remembered_in and remembered_in / "speeds" / f"{_key(machine, base, config)}.json"
    if kept and (found := _read(kept)):
        return found
    started = time.monotonic()
    model, tokenizer = load_base(base), load_tokenizer(base)
    loaded = time.monotonic() - started
    model = model.to(team.device)  # type: ignore[arg-type]
    steps = plan_steps(tokenizer, examples.train, config)
    scoring, generating = _scoring(model, tokenizer, steps)
    trained = attach_adapter(model, config).train()
    text, answers = (
        _training(trained, tokenizer, steps, config, team, text=t) for t in (True, False)
    )
    speed = Speed(
        text_tokens=_two_digits(text or answers),
        answer_tokens=_two_digits(answers or text),
        scoring_tokens=_two_digits(scoring),
        round_seconds=_two_digits(generating),
        load_seconds=_two_digits(loaded),
        machine=machine,
    )
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(asdict(speed), indent=2).encode())
    return speed


def estimate(examples: TrainingSet, config: FinetuneConfig, speed: Speed) -> Estimate:
    """Return what these rows will take at this speed. Tokens are counted by rule, 4-15 % high."""
    lengths = [
        (is_asked(row), min(approximate_tokens(row), config.max_row_tokens))
        for row in examples.train
    ]
    answers = [tokens for asked, tokens in lengths if asked]
    texts = [tokens for asked, tokens in lengths if not asked]
    epochs = count_epochs(sum(answers) + sum(texts), config)
    steps = epochs * sum(math.ceil(len(rows) / config.batch_rows) for rows in (answers, texts))
    seconds = epochs * (sum(texts) / speed.text_tokens + sum(answers) / speed.answer_tokens)
    return Estimate(
        tokens=epochs * (sum(answers) + sum(texts)),
        steps=steps,
        train_seconds=_two_digits(seconds + speed.load_seconds),
        evaluate_seconds=_two_digits(_evaluate_seconds(examples, speed)),
    )


def _evaluate_seconds(examples: TrainingSet, speed: Speed) -> float:
    asked: Sequence[Row] = examples.holdout_answers
    rows = (
        *examples.holdout_new,
        *examples.holdout_old,
        *asked,
        *examples.holdout_cloze,
        *examples.holdout_general,
    )
    read = sum(approximate_tokens(row) for row in rows) / speed.scoring_tokens
    rounds = math.ceil(len(asked) / ROWS_A_BATCH) * _ANSWER_ROUNDS
    return speed.load_seconds + read + rounds * speed.round_seconds


def _training(
    model: Trainable,
    tokenizer: Tokenizer,
    steps: Sequence[StepRows],
    config: FinetuneConfig,
    team: Team,
    *,
    text: bool,
) -> float:
    """Return tokens a second of gradients on one kind of rows, 0 if there are none."""
    # Around the middle by length: what the mean step costs, whichever rows come first.
    kind = sorted((step for step in steps if step.is_text == text), key=lambda s: s.tokens)
    if not kind:
        return 0.0
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = Gradients(
        model,
        weights,
        team,
        most_rows=config.micro_rows or config.batch_rows,
        pad=int(tokenizer.pad_token_id),
        packing=team.on_gpu if config.packing is None else config.packing,
        seed=config.seed,
    )
    gradients.of(kind[0], 0)  # the first one also builds what is built once
    middle = kind[len(kind) // 2]
    return middle.tokens / _seconds_a_turn(lambda: gradients.of(middle, 1))


def _scoring(
    model: PreTrainedModel, tokenizer: Tokenizer, steps: Sequence[StepRows]
) -> tuple[float, float]:
    """Return tokens a second of scoring, and seconds for a token more of each of eight answers."""
    ids = [row.ids for step in steps for row in step.rows][:ROWS_A_BATCH]
    rows = [Encoded(row[:_SCORED_TOKENS], max(1, len(row[:_SCORED_TOKENS]) - 1)) for row in ids]
    pad = int(tokenizer.pad_token_id)
    told_bits(model, pad, rows[:1])
    scored = _seconds_a_turn(lambda: told_bits(model, pad, rows))
    asked = Asked(model, tokenizer, [row.ids for row in rows])
    generated = _seconds_a_turn(lambda: asked.answers(most_tokens=_GENERATED))
    # The first token came with the prompt; a batch that is not full costs as much a row.
    return sum(len(row.ids) for row in rows) / scored, generated / (_GENERATED - 1)


def _seconds_a_turn(turn: Callable[[], object]) -> float:
    """Return the shortest of a few turns: whatever else the machine does only adds to it."""
    began, shortest = time.perf_counter(), math.inf
    for _ in range(_MOST_TURNS):
        at = time.perf_counter()
        turn()
        shortest = min(shortest, time.perf_counter() - at)
        if time.perf_counter() - began > _SECONDS_EACH:
            break
    return shortest


def _machine(team: Team) -> str:
    if team.on_gpu:
        return torch.cuda.get_device_name()
    cores = os.cpu_count() or 1
    return f"{platform.machine()}, {torch.get_num_threads()} threads on {cores} cores"


def _key(machine: str, base: BaseModel, config: FinetuneConfig) -> str:
    told = [machine, platform.node(), torch.__version__, base.digest]
    told += [repr(getattr(config, name)) for name in _MATTERS]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:32]


def _read(path: Path) -> Speed | None:
    try:
        found = json.loads(path.read_bytes())
        return Speed(**{field.name: found[field.name] for field in fields(Speed)})
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or not readable: measuring again is all it costs


def _two_digits(value: float) -> float:
    """Return a number rounded to two digits, so that a plan says the same twice.

    >>> [_two_digits(value) for value in (0.0, 0.01234, 347.9, 12_345)]
    [0.0, 0.012, 350.0, 12000.0]
    """
    return float(f"{value:.2g}")
