"""Named places where a test can kill the process, so that recovery is tested at every step.

`DRIFTLINE_FAILPOINT=refresh.committed` kills it there with SIGKILL, `refresh.batch:3` at the third
time. Without the variable a failpoint costs a comparison.
"""

import os
import signal

FAILPOINTS = (
    "refresh.listed",
    "refresh.document",
    "refresh.planned",
    "refresh.batch",
    "refresh.embedded",
    "refresh.committing",
    "refresh.committed",
    "refresh.indexed",
    "refresh.settled",
    "refresh.noted",
    "refresh.cleared",
    "release.recorded",
    "release.published",
)
"""Every failpoint there is, in the order a run reaches them."""

_armed, _, _times = os.environ.get("DRIFTLINE_FAILPOINT", "").partition(":")
_left = int(_times or 1)


def reach(name: str) -> None:
    """Kill this process if it was told to die here."""
    global _left  # noqa: PLW0603 a process dies once
    if name != _armed:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
