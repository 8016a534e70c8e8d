"""Named places where a test can kill a training, so that resuming is tested at every step.

`DRIFTLINE_TRAINING_FAILPOINT=step:10` kills the process at its tenth step with SIGKILL. Without
the variable a failpoint costs a comparison. Standard library only.
"""

import os
import signal

FAILPOINTS = (
    "step",
    "adapter.weights",
    "adapter.config",
    "adapter.manifest",
    "checkpoint.optimiser",
    "checkpoint.manifest",
    "checkpoint.moved",
    "checkpoint.pruned",
    "finished.moved",
    "finished.tidied",
)
"""Every failpoint there is. A checkpoint is an adapter with an optimiser beside it."""

_armed, _, _times = os.environ.get("DRIFTLINE_TRAINING_FAILPOINT", "").partition(":")
_left = int(_times or 1)


def arm(name: str, *, times: int = 1) -> None:
    """Have this process killed when it reaches a place for the given time; "" for never."""
    global _armed, _left
    _armed, _left = name, times


def reach(name: str) -> None:
    """Kill this process if it was told to die here."""
    global _left  # noqa: PLW0603 - likewise
    if name != _armed:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
