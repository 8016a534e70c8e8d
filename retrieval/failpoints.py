"""Named places where a test can stop a process, so that recovery is tested at every step.

`DRIFTLINE_FAILPOINT=refresh.committed` kills it there with SIGKILL, `refresh.batch:3` at the third
time. `NAME=stop` stops it as a laptop that sleeps would; `NAME=full` and `NAME=readonly` have the
disk refuse. Without the variable a failpoint costs a comparison.
"""

import errno
import os
import signal

FAILPOINTS = {
    "refresh.listed": "The sources were listed; no document was read yet.",
    "refresh.document": "A document was listed and is about to be read.",
    "refresh.planned": "The plan is made, and nothing is written.",
    "refresh.batch": "A batch of texts has its vectors, and they are in the vector journal.",
    "refresh.embedded": "Every new text has its vector.",
    "refresh.committing": "The commit to the index is about to begin.",
    "refresh.committed": "The commit landed; it is not synced, and no release names it.",
    "refresh.indexed": "Search indices that were due are built.",
    "refresh.settled": "The index is synced to the disk.",
    "refresh.noted": "The scan cache knows what was seen.",
    "refresh.cleared": "The vector journal is gone; no release names the snapshot yet.",
    "tidy.removed": "Versions that nothing needs are removed; nothing is compacted yet.",
    "tidy.compacted": "Small files are compacted into a new version.",
    "tidy.retired": "A table that nothing keeps is renamed, and not removed yet.",
}
"""Every failpoint of this package, in the order a run reaches them, and what is true there."""


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
