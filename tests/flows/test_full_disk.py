"""A full disk has a code of its own, whichever library met it first."""

import errno
import sqlite3

import pytest

from flows.failpoints import arm
from flows.full_disk import no_space
from tests.flows.conftest import Place


def caused_by(cause: Exception) -> Exception:
    error = RuntimeError("told")
    error.__cause__ = cause
    return error


def of_sqlite() -> sqlite3.Error:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), True, id="of-the-system"),
        pytest.param(OSError(errno.EDQUOT, "Disk quota exceeded"), True, id="a-quota"),
        pytest.param(RuntimeError("LanceError(IO): (os error 28)"), True, id="of-lance"),
        pytest.param(caused_by(of_sqlite()), True, id="of-sqlite-below-another"),
        pytest.param(OSError(errno.EROFS, "Read-only file system"), False, id="read-only"),
        pytest.param(RuntimeError("LanceError(IO): (os error 2)"), False, id="lance-of-another"),
        pytest.param(ValueError("28"), False, id="another"),
    ],
)
def test_only_what_comes_of_a_full_disk_is_told_so(error: Exception, *, full: bool):
    assert (no_space(error) is not None) is full


def test_a_command_that_met_a_full_disk_says_so_with_its_code(place: Place):
    place.edit("billing/failed-payments.md", "14 days", "21 days")
    arm("release.recorded=full")
    try:
        done = place.run("refresh", "docs")
    finally:
        arm("")

    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("NO_SPACE: The disk is full")
