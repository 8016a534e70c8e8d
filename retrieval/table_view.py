"""A table seen with one of its versions alone, in a folder beside it. Standard library only.

Lance opens the newest version before any other, so that one manifest that cannot be read keeps
every version from being read. In a view there is only the manifest that is wanted; the data files
are links to those of the table, which is not touched.
"""

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from retrieval.table_folder import VERSIONS

TRANSACTIONS = "_transactions"


def view_for(reader: object, table: Path, manifest: Path) -> Path:
    """Return a folder with a view of a table's one version; it goes when its reader does."""
    folder = Path(tempfile.mkdtemp(prefix="driftline-view-"))
    weakref.finalize(reader, _remove, folder, os.getpid())
    make_view(table, manifest, folder)
    return folder


def make_view(table: Path, manifest: Path, folder: Path) -> None:
    """Make the view of a table's one version in a folder, under the table's own name.

    What a commit to the view writes stays in it: a manifest, and the record of its transaction.
    """
    view = folder / table.name
    (view / VERSIONS).mkdir(parents=True)
    (view / TRANSACTIONS).mkdir()
    shutil.copy2(manifest, view / VERSIONS / manifest.name)
    for part in table.iterdir():
        if part.is_dir() and part.name not in {VERSIONS, TRANSACTIONS}:
            (view / part.name).symlink_to(part.absolute(), target_is_directory=True)


def take_over(table: Path, folder: Path, manifest: str) -> None:
    """Move a version that was committed to a view into the table, its manifest last."""
    view = folder / table.name
    (table / TRANSACTIONS).mkdir(exist_ok=True)
    for record in (view / TRANSACTIONS).iterdir():
        record.rename(table / TRANSACTIONS / record.name)
    (view / VERSIONS / manifest).rename(table / VERSIONS / manifest)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child has the reader too, and its parent goes on reading
        shutil.rmtree(folder, ignore_errors=True)
