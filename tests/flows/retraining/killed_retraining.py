"""The whole command killed where told: `python -m tests.flows.retraining.killed_retraining`.

Takes WHERE and CONFIG.

`step:7` is when the process that waits for the training hears of step 7, `weighing` is after the
training, `registered` is between a version in the registry and the verdict in the journal.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Never

import flows.retrain
from flows import cli
from flows.tracking.training_runs import TrainingRun
from training.records import TrainingStep


def die(*_: object, **__: object) -> Never:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def dying_at(step: int) -> Callable[..., Callable[[TrainingStep], None]]:
    """Return what takes the place of `TrainingRun.on_step`, and does not outlive a step."""
    told = TrainingRun.on_step

    def on_step(run: TrainingRun, on_progress: Any) -> Callable[[TrainingStep], None]:
        tell = told(run, on_progress)
        return lambda of: die() if of.step == step else tell(of)

    return on_step


if __name__ == "__main__":
    where, _, times = sys.argv[1].partition(":")
    if where == "step":
        TrainingRun.on_step = dying_at(int(times))  # type: ignore[method-assign]
    elif where == "weighing":
        flows.retrain._weigh = die  # noqa: SLF001 - to die between two steps
    elif where == "registered":
        flows.retrain._payload = die  # noqa: SLF001 - likewise
    sys.exit(cli.run(["--config", sys.argv[2], "retrain", "docs", "--json"]))
