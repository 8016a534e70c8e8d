"""Building the indices of a large table in a process of its own, which may run out of memory.

That takes hundreds of megabytes where a refresh takes tens. If the process is killed for it, the
table is as it was, and every row is compared.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_log = logging.getLogger(__name__)


def build_apart(folder: Path, name: str) -> bool:
    """Build the indices of a table in a child process; False, with a warning, if that failed."""
    done = subprocess.run(  # noqa: S603 this Python, this file, a folder of ours
        [sys.executable, "-m", "retrieval.index_worker", str(folder), name],
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr.strip().splitlines()
    if done.returncode:
        _log.warning(
            "The indices of %s were not built, rows are compared: the process ended with %d, %s",
            name,
            done.returncode,
            said[-1] if said else "and said nothing",
        )
        return False
    for line in said:  # its warnings, such as a recall that is too low
        _log.warning("%s: %s", name, line)
    return True


def main(folder: str, name: str) -> None:
    """Open the table and build."""
    from retrieval.table_indices import build_indices  # noqa: PLC0415
    from retrieval.table_opening import open_table  # noqa: PLC0415 the store starts this one

    build_indices(open_table(Path(folder), name))


if __name__ == "__main__":
    main(*sys.argv[1:])
