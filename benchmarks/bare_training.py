"""One side of the training benchmark in this process: a bare PyTorch loop, or what Driftline does.

`--measure SIDE FOLDER` reads the job in a folder and prints one line of JSON. The bare loops take
the same batches, adapter, seed and precision; they save the adapter too, and nothing on the way.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from training_sides import Measured, Side
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoding import (
    IGNORED,
    Batch,
    Encoded,
    by_length,
    encode_question,
    encode_row,
    pad_left,
)
from training.examples.example_files import read_examples
from training.fitting.batches import cut, plan_steps
from training.fitting.finetune import finetune
from training.fitting.jobs import Job, read_job
from training.judging.evaluate import ANSWERS_A_BATCH, MOST_ANSWER_TOKENS, score
from training.judging.inference import ROWS_A_BATCH, text_bits
from training.judging.passages import MOST_TOKENS
from training.models.adapters import attach_adapter
from training.models.loading import load_base, load_tokenizer
from training.records import FinetuneConfig, Row, Sample, TrainingSet, TrainingStep

_MOST_GRADIENT = 1.0  # as `finetune` clips
_KIB = 1_024  # Linux tells ru_maxrss in these, macOS in bytes
Loss = Callable[[Any, Batch], Tensor]


@dataclass(frozen=True, slots=True)
class Work:
    """Tokens done, and the seconds they took without loading the model."""

    tokens: int
    seconds: float


def main() -> None:
    """Measure one side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=2, required=True, metavar=("SIDE", "FOLDER"))
    side, folder = parser.parse_args().measure
    job = read_job(Path(folder))
    began, cpu = time.perf_counter(), time.process_time()
    work = _SIDES[Side(side)](job)
    found = Measured(
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu,
        work_seconds=work.seconds,
        tokens=work.tokens,
        peak_bytes=_peak_bytes(),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        weights=_weights(job),
    )
    print(json.dumps(asdict(found)))  # noqa: T201 - to who asked


def loss_of_all(model: Any, batch: Batch) -> Tensor:
    """Return the loss as the model makes it from labels: logits of every position."""
    loss: Tensor = model(input_ids=batch.ids, labels=batch.labels, **_seen(batch)).loss
    return loss


def loss_of_told(model: Any, batch: Batch) -> Tensor:
    """Return the same loss from the logits of the told positions alone."""
    kept = min(batch.told + 1, batch.ids.shape[1])
    logits = model(input_ids=batch.ids, logits_to_keep=kept, use_cache=False, **_seen(batch)).logits
    told = batch.labels[:, batch.labels.shape[1] - kept + 1 :]
    return cross_entropy(logits[:, :-1].flatten(0, 1).float(), told.flatten(), ignore_index=IGNORED)


def _seen(batch: Batch) -> dict[str, Tensor]:
    """Return what tells the model which tokens see each other."""
    if batch.positions is None:
        return {"attention_mask": batch.mask}
    return {"position_ids": batch.positions}


def bare_loop(job: Job, loss_of: Loss) -> Work:
    """Train an adapter as anybody writes it, and save it."""
    config, tokenizer = job.config, load_tokenizer(job.base)
    steps = plan_steps(tokenizer, read_examples(job.examples).train, config)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = _trainable(job, device)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = AdamW(weights, lr=config.learning_rate, weight_decay=0.0)
    most_rows = config.micro_rows or config.batch_rows
    packing = device.type == "cuda" if config.packing is None else config.packing
    bfloat16 = model.dtype == torch.bfloat16
    began = time.perf_counter()
    for step in steps:
        for batch in cut(step, most_rows=most_rows, pad=_pad(tokenizer), packing=packing):
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                loss = loss_of(model, batch.to(device))
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, _MOST_GRADIENT)
        optimiser.step()
        optimiser.zero_grad()
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    model.save_pretrained(str(job.folder))
    return Work(sum(step.tokens for step in steps), seconds)


def _trainable(job: Job, device: torch.device) -> Any:
    torch.manual_seed(job.config.seed)
    model: Any = load_base(job.base)
    model = model.to(device)
    wanted = job.config.gradient_checkpointing
    if device.type == "cuda" if wanted is None else wanted:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return attach_adapter(model, job.config).train()


def ours(job: Job, config: FinetuneConfig) -> Work:
    """Train with `finetune` as the flow does, listeners and all."""
    heard: list[TrainingStep | Sample] = []
    adapter = finetune(
        job.base,
        read_examples(job.examples),
        config,
        job.folder,
        on_step=heard.append,
        on_sample=heard.append,
    )
    return Work(adapter.tokens, adapter.seconds)


def plain(config: FinetuneConfig) -> FinetuneConfig:
    """Return the numbers of the same training with nothing beside the steps."""
    return replace(config, samples=0, checkpoint_share=1.0)


@torch.inference_mode()
def forward(job: Job, *, all_logits: bool) -> Work:
    """Read the held-out text in the batches of `score`, without a loss or anything else."""
    model, tokenizer = load_base(job.base), load_tokenizer(job.base)
    began, tokens = time.perf_counter(), 0
    for rows in _text_batches(tokenizer, read_examples(job.examples)):
        batch = pad_left(rows, _pad(tokenizer))
        kept = 0 if all_logits else min(batch.told + 1, batch.ids.shape[1])
        model(input_ids=batch.ids, attention_mask=batch.mask, logits_to_keep=kept, use_cache=False)
        tokens += batch.tokens
    return Work(tokens, time.perf_counter() - began)


def _text_batches(tokenizer: Tokenizer, examples: TrainingSet) -> Iterator[list[Encoded]]:
    for rows in _texts(examples):
        encoded = [encode_row(tokenizer, row, most_tokens=MOST_TOKENS) for row in rows]
        for at in by_length(encoded, ROWS_A_BATCH):
            yield [encoded[i] for i in at]


def _texts(examples: TrainingSet) -> tuple[tuple[Row, ...], ...]:
    """Return the parts of the holdout that are text, each of which `score` batches by itself."""
    return examples.holdout_new, examples.holdout_old, examples.holdout_general


def score_texts(job: Job) -> Work:
    """Weigh the bare base model on the held-out text, as `score` does once the model is loaded."""
    model, tokenizer = load_base(job.base), load_tokenizer(job.base)
    examples = read_examples(job.examples)
    began = time.perf_counter()
    for rows in _texts(examples):
        for _ in text_bits(model, tokenizer, rows):
            pass
    seconds = time.perf_counter() - began
    batches = _text_batches(tokenizer, examples)
    return Work(sum(len(row.ids) for rows in batches for row in rows), seconds)


@torch.inference_mode()
def generate(job: Job) -> Work:
    """Answer the held-out questions with transformers' own greedy search, batch by batch."""
    model: Any = load_base(job.base)
    tokenizer, rows = load_tokenizer(job.base), read_examples(job.examples).holdout_answers
    prompts = [Encoded(encode_question(tokenizer, row.question, row.passages), 0) for row in rows]
    began, tokens, end = time.perf_counter(), 0, int(tokenizer.eos_token_id)
    for at in by_length(prompts, ANSWERS_A_BATCH):
        batch = pad_left([prompts[i] for i in at], _pad(tokenizer))
        said = model.generate(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            max_new_tokens=MOST_ANSWER_TOKENS,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=_pad(tokenizer),
        )[:, batch.ids.shape[1] :]
        ended = (said == end).cumsum(-1)
        tokens += int((ended - (said == end).int() == 0).sum())  # the end mark itself counts
    return Work(tokens, time.perf_counter() - began)


def score_answers(job: Job) -> Work:
    """Weigh the bare base model on the held-out questions alone; the time is that of answering."""
    examples = read_examples(job.examples)
    none: tuple[Row, ...] = ()
    asked = replace(
        examples, holdout_new=none, holdout_old=none, holdout_cloze=none, holdout_general=none
    )
    scores = score(job.base, None, asked)
    return Work(scores.answer_tokens, scores.answer_seconds)


def weigh(job: Job) -> Work:
    """Weigh the base model and the adapter that the job starts from on the whole holdout."""
    examples = read_examples(job.examples)
    both = [score(job.base, adapter, examples) for adapter in (None, job.start)]
    return Work(sum(each.answer_tokens for each in both), sum(each.seconds for each in both))


def build(job: Job) -> Work:
    """Write a Llama of a billion random weights beside the job's own tokenizer.

    Its shape is TinyLlama's (Zhang et al. 2024), with the vocabulary of the tokenizer.
    """
    tokenizer = AutoTokenizer.from_pretrained(job.base.folder, local_files_only=True)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=2_048,
        intermediate_size=5_632,
        num_hidden_layers=22,
        num_attention_heads=32,
        num_key_value_heads=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(job.config.seed)
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(job.folder)
    tokenizer.save_pretrained(job.folder)
    return Work(0, 0.0)


def _weights(job: Job) -> int:
    """Return the count of the base model's weights, from the headers of its files."""
    total = 0
    for path in job.base.folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            total += sum(
                torch.Size(file.get_slice(name).get_shape()).numel()
                for name in file.keys()  # noqa: SIM118 - no dict
            )
    return total


def _peak_bytes() -> int:
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def _pad(tokenizer: Tokenizer) -> int:
    return int(tokenizer.pad_token_id)


_SIDES: dict[Side, Callable[[Job], Work]] = {
    Side.BARE_ALL: lambda job: bare_loop(job, loss_of_all),
    Side.BARE: lambda job: bare_loop(job, loss_of_told),
    Side.OURS: lambda job: ours(job, job.config),
    Side.OURS_PLAIN: lambda job: ours(job, plain(job.config)),
    Side.FORWARD_ALL: lambda job: forward(job, all_logits=True),
    Side.FORWARD: lambda job: forward(job, all_logits=False),
    Side.SCORE_TEXTS: score_texts,
    Side.GENERATE: generate,
    Side.SCORE_ANSWERS: score_answers,
    Side.WEIGH: weigh,
    Side.BUILD: build,
}


if __name__ == "__main__":
    main()
