"""A training in a process of its own, so that its memory and its end are not the caller's.

Imports no torch: whoever waits for a training should not hold the memory of another one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from training.errors import TrainKilledError
from training.failpoints import reach
from training.fitting.jobs import Failure, Finished, Job, Notice, from_line, write_job
from training.fitting.listeners import Listeners
from training.models.adapter_files import read_adapter
from training.records import Adapter, Sample, TrainingStep

_LOG = "stderr.txt"
# Between two lines of Python a step of a second may lie; a checkpoint is whole or not there.
_GRACE_SECONDS = 10
_TOLD_CHARACTERS = 400


def train(job: Job, listeners: Listeners, *, accelerate_file: Path | None = None) -> Adapter:
    """Run `finetune` in a child process and return the adapter; the child ends with this process.

    `accelerate_file` is a configuration as `accelerate config` writes it: the child is then
    started by `accelerate launch`, on as many devices as the file says. Raises what `finetune`
    raises, and TrainKilledError if the child ended without a word.
    """
    told = job.folder.with_name(f"{job.folder.name}.job")
    write_job(job, told)
    reach("training.asked")
    with _child(told, accelerate_file) as child:
        last = _listen(child, listeners)
        status = child.wait()
    if isinstance(last, Failure):
        raise last.as_error()
    if last is None:
        raise TrainKilledError(_killed(status, told / _LOG))
    shutil.rmtree(told, ignore_errors=True)
    return read_adapter(job.folder, base=job.base)


def command(told: Path, accelerate_file: Path | None) -> list[str]:
    """Return what starts the training process.

    >>> command(Path("a.job"), None)[1:]
    ['-m', 'training.fitting.worker', 'a.job']
    >>> command(Path("a.job"), Path("two.yaml"))[1:5]
    ['-m', 'accelerate.commands.launch', '--config_file', 'two.yaml']
    """
    launcher = ["-m", "accelerate.commands.launch", "--config_file", str(accelerate_file)]
    return [
        sys.executable,
        *(launcher if accelerate_file else []),
        "-m",
        "training.fitting.worker",
        str(told),
    ]


@contextmanager
def _child(told: Path, accelerate_file: Path | None) -> Iterator[subprocess.Popen[str]]:
    """Yield the child. Whatever happens in the block, it is gone afterwards."""
    with (told / _LOG).open("w", encoding="utf-8") as log:
        child = subprocess.Popen(  # noqa: S603 - this very Python, with arguments of our own
            command(told, accelerate_file),
            stdin=subprocess.PIPE,  # never written to: it ends when this process does
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches this process, and it ends the child
        )
        try:
            yield child
        finally:
            _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    """End the child and whatever it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, how)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)
            break
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()


def _listen(child: subprocess.Popen[str], listeners: Listeners) -> Failure | Finished | None:
    """Pass on what the child says; return its last word, the first failure if there is one."""
    last: Failure | Finished | None = None
    for line in child.stdout or ():
        match from_line(line):
            case TrainingStep() as step if listeners.on_step:
                listeners.on_step(step)
            case Sample() as sample if listeners.on_sample:
                listeners.on_sample(sample)
            case Notice(text) if listeners.on_notice:
                listeners.on_notice(text)
            case Failure() | Finished() as word if not isinstance(last, Failure):
                last = word
    return last


def _killed(status: int, log: Path) -> str:
    if status == -signal.SIGKILL:
        return (
            "The training process was killed (signal 9), most often by the system for want of "
            "memory. Retrain: it goes on from the last checkpoint. If it is killed again, lower "
            "`micro_rows` or `max_row_tokens` under `[training]`."
        )
    how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
    said = log.read_text(encoding="utf-8", errors="replace").strip()[-_TOLD_CHARACTERS:]
    return (
        f"The training process ended {how} without a word. Retrain: it goes on from the last "
        f"checkpoint. All that it printed is in {str(log)!r}; the end of it: {said!r}"
    )
