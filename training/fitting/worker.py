"""The training process, `python -m training.fitting.worker JOB`: tells what it does as JSON.

It lives no longer than whoever started it: when that process ends, this one does, whatever it is
doing. What it wrote until then is whole, and the next one resumes from it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from training.errors import TrainingError
from training.examples.example_files import read_examples
from training.fitting.finetune import finetune
from training.fitting.jobs import (
    FOLDER_TAKEN,
    Failure,
    Finished,
    Job,
    Notice,
    Word,
    as_line,
    read_job,
)
from training.fitting.team import Team

_STOPPED = 1
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(folder: str) -> int:
    """Train the job in a folder; return 0, or 1 after the reason was said."""
    say = _speaker()
    _live_no_longer_than_the_parent()
    try:
        _train(read_job(Path(folder)), say)
    except TrainingError as error:
        say(Failure(error.code, str(error)))
        return _STOPPED
    except FileExistsError as error:
        say(Failure(FOLDER_TAKEN, str(error)))
        return _STOPPED
    return 0


def _train(job: Job, say: Callable[[Word], None]) -> None:
    adapter = finetune(
        job.base,
        read_examples(job.examples),
        job.config,
        job.folder,
        start=job.start,
        on_step=say,
        on_sample=say,
        on_notice=lambda text: say(Notice(text)),
    )
    team = Team()
    if team.speaks:
        say(Finished(adapter.digest))
    team.part()


def _speaker() -> Callable[[Word], None]:
    """Return what says a word on stdout, which is from here on ours alone.

    Whatever a library prints goes to stderr.
    """
    mine = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(word: Word) -> None:
        # One write of one line: several processes may share the pipe.
        mine.write(f"{as_line(word)}\n")
        mine.flush()

    return say


def _live_no_longer_than_the_parent() -> None:
    """End when stdin does, which the parent holds open; on Linux the kernel sees to it too."""
    Thread(target=_await_end_of_stdin, daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _await_end_of_stdin() -> None:
    # Bytes from the descriptor: a buffered reader would hold a lock while the process ends.
    while os.read(0, 1):
        pass
    os._exit(_STOPPED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
