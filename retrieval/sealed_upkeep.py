"""Upkeep of a table whose files are sealed: what upkeep removes is no damage, whenever it dies."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from retrieval.table_seal import remove_seal, seal
from retrieval.table_upkeep import Tidied, remove_table, tidy


def tidy_sealed(folder: Path, versions: Collection[int] | None, *, now: datetime) -> Tidied:
    """Tidy a table, or remove it where none of its versions is needed (None); seal it again."""
    seal(folder, removing=True)
    done = remove_table(folder, now=now) if versions is None else tidy(folder, versions, now=now)
    if folder.is_dir():
        seal(folder)
    else:
        remove_seal(folder)
    return done
