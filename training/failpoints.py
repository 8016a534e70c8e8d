"""Named places where a test can stop a training, so that resuming is tested at every step.

`DRIFTLINE_FAILPOINT=training.step:10` kills the process at its tenth step with SIGKILL; `NAME=stop`
stops it, `NAME=full` and `NAME=readonly` have the disk refuse. Without the variable a failpoint
costs a comparison. Standard library only, and a copy of what the documents' package has: the two
do not know each other.
"""

import errno
import os
import signal

FAILPOINTS = {
    "training.asked": "The job is written for the training process, which is not started yet.",
    "training.step": "An optimiser step is done.",
    "adapter.weights": "An adapter's weights are written, its configuration is not.",
    "adapter.config": "An adapter's configuration is written too, its manifest is not.",
    "adapter.manifest": "An adapter is whole, in a folder without its name.",
    "checkpoint.optimiser": "A checkpoint's optimiser is written, its manifest is not.",
    "checkpoint.manifest": "A checkpoint is whole, in a folder without its name.",
    "checkpoint.moved": "A checkpoint has its name.",
    "checkpoint.pruned": "The checkpoints that are too old are removed.",
    "finished.moved": "The finished adapter has its name.",
    "finished.tidied": "What only resuming needs is removed.",
    "registry.uploaded": "A version's files are uploaded; there is no version yet.",
    "registry.versioned": "There is a version, and nobody was told its number.",
}
"""Every failpoint of this package, and what is true there. A checkpoint is an adapter with an
optimiser beside it."""


def _refuse(number: int) -> None:
    raise OSError(number, os.strerror(number))


_ACTIONS = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "full": lambda: _refuse(errno.ENOSPC),
    "readonly": lambda: _refuse(errno.EROFS),
}
_armed, _action, _left = "", "kill", 0


def arm(order: str) -> None:
    """Have this process stopped by `NAME[=ACTION][:TIMES]`, at its last time; "" for never."""
    global _armed, _action, _left
    place, _, times = order.partition(":")
    name, _, action = place.partition("=")
    if action not in {"", *_ACTIONS}:
        msg = f"Not what a failpoint does: {action!r}. There are: {', '.join(_ACTIONS)}."
        raise ValueError(msg)
    _armed, _action, _left = name, action or "kill", int(times or 1)


def reach(name: str) -> None:
    """Stop this process if it was told to be stopped here."""
    global _left  # noqa: PLW0603 - likewise
    if name != _armed:
        return
    _left -= 1
    if _left == 0:
        _ACTIONS[_action]()


arm(os.environ.get("DRIFTLINE_FAILPOINT", ""))
