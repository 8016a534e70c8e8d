"""Makes an earlier version of a table the newest, whatever is the matter with those above it.

Done beside the table, whose readers see one renamed file: the new version, or nothing yet.
"""

import shutil
from pathlib import Path

from retrieval.table_folder import MANIFEST, VERSIONS, version_of
from retrieval.table_opening import open_table
from retrieval.table_view import make_view, take_over
from retrieval.unwritable import writing_to

_ASIDE = ".restoring"


def restore_above(table: Path, manifest: Path, above: int) -> int:
    """Write a version of a table with the content of the one of a manifest; return its number.

    It is the next one over `above`. What a killed run left beside the table goes first.
    """
    version, beside = version_of(manifest.name), table.with_suffix(_ASIDE)
    shutil.rmtree(beside, ignore_errors=True)
    with writing_to(table.parent):
        make_view(table, manifest, beside)
        opened = open_table(beside, table.stem)
        while int(opened.version) <= above:
            opened.checkout(version)
            opened.restore()
        written = (beside / table.name / VERSIONS).glob(f"*{MANIFEST}")
        newest = max(written, key=lambda path: version_of(path.name))
        take_over(table, beside, newest.name)
    shutil.rmtree(beside)
    return int(opened.version)
