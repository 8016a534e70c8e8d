"""A process that waits for a training: `python -m tests.training.training_parent JOB`."""

import signal
import sys
from pathlib import Path

import psutil

from training.fitting.jobs import read_job
from training.fitting.listeners import Listeners
from training.fitting.trainer_process import train
from training.records import TrainingStep


def tell(_: TrainingStep) -> None:
    """Print the ids of all processes below this one, a line for each step."""
    below = psutil.Process().children(recursive=True)
    sys.stdout.write(" ".join(str(process.pid) for process in below) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # A shell's background job ignores Ctrl-C, and so does whatever it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    train(read_job(Path(sys.argv[1])), Listeners(on_step=tell))
