"""Turn pydantic's errors into sentences with a file, a line and the nearest name that exists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from flows.settings.redaction import SECRET_NAME, without_secret_parts
from flows.settings.source import KINDS

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


def explain(error: ValidationError, model: type[BaseModel], text: str, file: str) -> str:
    """Return one line for each mistake, in the order of the file."""
    lines = _lines(text)
    told = sorted(
        (_line_of(_place(dict(item)), lines), _sentence(dict(item), model))
        for item in error.errors()
    )
    count = f"{len(told)} mistake{'s' if len(told) > 1 else ''}"
    return "\n".join([f"{count} in the settings:", *(f"  {file}:{line}: {s}" for line, s in told)])


def _sentence(item: dict[str, Any], model: type[BaseModel]) -> str:
    location = _place(item)
    path = ".".join(location) or "the file"
    match item["type"]:
        case "extra_forbidden":
            near = get_close_matches(location[-1], _names(model, location[:-1]), n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            return f"unknown key {path!r}.{hint}"
        case "missing":
            return f"{path!r} is missing."
        case "string_pattern_mismatch" if location[-1] == "[key]":
            return (
                f"{location[-2]!r} cannot name a knowledge base: "
                "use lower-case letters, digits, '-' and '_'."
            )
        case _:
            return f"{path!r}: {item['msg'].removeprefix('Value error, ')}{_value(item)}."


def _place(item: dict[str, Any]) -> tuple[str, ...]:
    """Return where a mistake is, as the file is nested.

    For a source pydantic adds the kind that it took the table for.
    """
    place = tuple(map(str, item["loc"]))
    # kb.NAME.source.KIND.key, or kb.NAME.sources.NAME.KIND.key
    at = {"source": 3, "sources": 4}.get("".join(place[2:3]), len(place))
    kind = place[at : at + 1]
    return place[:at] + place[at + 1 :] if kind and kind[0] in KINDS else place


def _value(item: dict[str, Any]) -> str:
    """Show a plain wrong value; a secret, a whole table or anything long stays out."""
    value = item.get("input")
    named = any(SECRET_NAME.search(str(part)) for part in item["loc"][-1:])
    if named or not isinstance(value, bool | int | float | str):
        return ""
    return f", got {without_secret_parts(value) if isinstance(value, str) else value!r}"


def _names(model: type[BaseModel], location: Iterable[str]) -> list[str]:
    """Return the keys that exist at a place, walking the model as the file is nested."""
    here: list[Any] = [model]
    for key in location:
        fields = [table.model_fields[key].annotation for table in here if key in table.model_fields]
        # No field of that name: a table of tables, keyed by a name of the user's.
        here = [table for annotation in fields or here for table in _models(annotation)]
    return [name for table in here for name in table.model_fields]


def _models(annotation: object) -> list[Any]:
    """Return the models that an annotation allows, in whatever they are wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return where each table and key stands, counting lines from 1."""
    places: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            places.setdefault(table, number)
        elif key := _KEY.match(line):
            parts = _parts(key[1])
            for end in range(1, len(parts) + 1):
                places.setdefault((*table, *parts[:end]), number)
    return places


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _line_of(location: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> int:
    """Return the line of a place, else of the nearest table around it, else the first."""
    for end in range(len(location), 0, -1):
        if location[:end] in lines:
            return lines[location[:end]]
    return 1
