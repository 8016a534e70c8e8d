"""The user's own conversations as rows, from JSON lines in the shapes that are common.

A line is one conversation; all lines that cannot be used are named in one error. No framework.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from training.errors import ChatRowsError
from training.records import Row, RowKind, Turn

# Far over any conversation; a longer line is a file of another kind.
MOST_LINE_BYTES = 1_000_000
_MOST_SHOWN = 10
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
_SHAPES = (
    '{"messages": [{"role": "user", "content": "…"}, …]}, '
    '{"conversations": [{"from": "human", "value": "…"}, …]}, '
    '{"prompt": "…", "completion": "…"} or {"instruction": "…", "input": "…", "output": "…"}'
)


def read_chat(path: Path) -> tuple[Row, ...]:
    """Return a row for each line of a JSON lines file; `text` is the assistant's last reply.

    What follows the last reply is left out, and so are empty lines. Raises ChatRowsError with
    every line that is in none of the shapes, or for a file that cannot be read or holds nothing.
    """
    rows: list[Row] = []
    wrong: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row(f"{path.name}:{number}", line))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        raise ChatRowsError(_told(path, wrong))
    if not rows:
        msg = f"No conversation in {str(path)!r}: it is empty. Write one a line, as {_SHAPES}."
        raise ChatRowsError(msg)
    return tuple(rows)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines; of an endless one no more than shows that it is too long."""
    try:
        with path.open("rb") as file:
            while line := file.readline(MOST_LINE_BYTES + 1):
                yield line
                while len(line) > MOST_LINE_BYTES and not line.endswith(b"\n"):
                    line = file.readline(MOST_LINE_BYTES + 1)
    except OSError as error:
        msg = f"Cannot read conversations from {str(path)!r}: {error.strerror}."
        raise ChatRowsError(msg) from error


def _told(path: Path, wrong: Sequence[str]) -> str:
    more = f"; and {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
    return (
        f"Unusable lines in {str(path)!r}: {'; '.join(wrong[:_MOST_SHOWN])}{more}. "
        f"A line is one of {_SHAPES}."
    )


def _row(uri: str, line: bytes) -> Row:
    """Return one conversation as a row; raises ValueError that says what is wrong with it."""
    turns = _turns(_parsed(line))
    last = max((at for at, turn in enumerate(turns) if turn.role == "assistant"), default=None)
    if last is None:
        msg = "no reply of the assistant"
        raise ValueError(msg)
    if not any(turn.role == "user" for turn in turns[:last]):
        msg = "nothing from the user before the reply"
        raise ValueError(msg)
    digest = sha256(line.strip()).hexdigest()
    reply = turns[last].content
    return Row(RowKind.CHAT, uri, digest, digest, reply, turns=tuple(turns[:last]))


def _parsed(line: bytes) -> Mapping[str, object]:
    if len(line) > MOST_LINE_BYTES:
        msg = f"longer than {MOST_LINE_BYTES:,} bytes"
        raise ValueError(msg)
    try:
        found = json.loads(line.decode())
    except UnicodeDecodeError as error:
        msg = f"not UTF-8 (byte {error.start})"
        raise ValueError(msg) from error
    except json.JSONDecodeError as error:
        msg = f"not JSON ({error.msg} at sign {error.pos + 1})"
        raise ValueError(msg) from error
    except RecursionError as error:
        msg = "not JSON (nested too deep)"
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = f"a {type(found).__name__} and not an object"
        raise ValueError(msg)  # noqa: TRY004 - a line is wrong, not a caller
    return found


def _turns(line: Mapping[str, object]) -> list[Turn]:
    """Return the turns of any of the shapes."""
    if "messages" in line:
        return _list_of_turns(line["messages"], role="role", content="content")
    if "conversations" in line:
        return _list_of_turns(line["conversations"], role="from", content="value")
    if "prompt" in line and "completion" in line:
        return [_turn("user", line["prompt"]), _turn("assistant", line["completion"])]
    if "instruction" in line and "output" in line:
        asked = [line["instruction"], line.get("input") or ""]
        if not all(isinstance(part, str) for part in asked):
            msg = "'instruction' and 'input' must be strings"
            raise ValueError(msg)
        told = "\n\n".join(str(part) for part in asked if part)
        return [_turn("user", told), _turn("assistant", line["output"])]
    msg = f"none of the known shapes, its keys are {sorted(line)[:5]!r}"
    raise ValueError(msg)


def _list_of_turns(turns: object, *, role: str, content: str) -> list[Turn]:
    if not isinstance(turns, list) or not turns:
        msg = "its turns are no list, or an empty one"
        raise ValueError(msg)
    for turn in turns:
        if not isinstance(turn, dict) or not {role, content} <= turn.keys():
            msg = f"a turn without {role!r} and {content!r}"
            raise ValueError(msg)
    return [_turn(turn[role], turn[content]) for turn in turns]


def _turn(role: object, content: object) -> Turn:
    known = _ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        msg = f"unknown role {role!r}; known are {', '.join(_ROLES)}"
        raise ValueError(msg)
    if not isinstance(content, str) or not content.strip():
        msg = f"a turn of {role!r} that is empty or no string"
        raise ValueError(msg)
    return Turn(known, content)
