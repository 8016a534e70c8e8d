"""Turn pydantic's errors into sentences with a file, a line and the nearest name that exists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


def explain(error: ValidationError, model: type[BaseModel], text: str, file: str) -> str:
    """Return one line for each mistake, in the order of the file."""
    lines = _lines(text)
    told = sorted(
        (_line_of(tuple(map(str, item["loc"])), lines), _sentence(dict(item), model))
        for item in error.errors()
    )
    count = f"{len(told)} mistake{'s' if len(told) > 1 else ''}"
    return "\n".join([f"{count} in the settings:", *(f"  {file}:{line}: {s}" for line, s in told)])


def _sentence(item: dict[str, Any], model: type[BaseModel]) -> str:
    location = tuple(map(str, item["loc"]))
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


def _value(item: dict[str, Any]) -> str:
    """Show a plain wrong value; a whole table or anything long stays out."""
    value = item.get("input")
    return f", got {value!r}" if isinstance(value, bool | int | float | str) else ""


def _names(model: type[BaseModel], location: Iterable[str]) -> list[str]:
    """Return the keys that exist at a place, walking the model as the file is nested."""
    here: Any = model
    for key in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(key)
            here = field.annotation if field else None
        else:  # a table of tables, keyed by a name of the user's
            here = next((t for t in get_args(here) if _is_model(t)), None)
    return list(here.model_fields) if _is_model(here) else []


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


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
