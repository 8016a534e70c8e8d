"""What to say where an index cannot be written: which folder, whose, with which rights."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import IndexUnwritableError

_REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
# Lance tells the system's number in its text only.
_TOLD = re.compile(r"os error (\d+)")


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Raise IndexUnwritableError for what the system does not let the block write."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        number = _number(error)
        if number not in _REFUSALS:
            raise
        raise IndexUnwritableError(refusal(folder, os.strerror(number))) from error


def refusal(folder: Path, why: str) -> str:
    """Say that a folder cannot be written, who asks and whose it is; the nearest that is there."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    status = there.stat()
    return (
        f"The index in {str(folder)!r} cannot be written: {why}. {str(there)!r} belongs to user "
        f"{status.st_uid} with mode {stat.filemode(status.st_mode)}, this process is user "
        f"{os.getuid()}. What answered before still answers. Make it writable, e.g. mount it so, "
        "and run this again."
    )


def _number(error: BaseException) -> int:
    """Return the system's number for an error, 0 where it names none.

    >>> _number(RuntimeError("lance error: LanceError(IO): Permission denied (os error 13)"))
    13
    """
    if isinstance(error, OSError) and error.errno:
        return error.errno
    told = _TOLD.search(str(error))
    return int(told[1]) if told else 0
