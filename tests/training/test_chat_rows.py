"""The user's own conversations: every common shape, and every bad line named."""

import json
from pathlib import Path

import pytest

from training.errors import ChatRowsError
from training.examples.chat_rows import MOST_LINE_BYTES, read_chat
from training.records import RowKind, Turn

GOOD = json.dumps({"prompt": "How long?", "completion": "20 seconds"})


def written(tmp_path: Path, *lines: str | bytes) -> Path:
    path = tmp_path / "chat.jsonl"
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines))
    return path


@pytest.mark.parametrize(
    "line",
    [
        {
            "messages": [
                {"role": "user", "content": "How long?"},
                {"role": "assistant", "content": "20 seconds"},
            ]
        },
        {
            "conversations": [
                {"from": "human", "value": "How long?"},
                {"from": "gpt", "value": "20 seconds"},
            ]
        },
        {"prompt": "How long?", "completion": "20 seconds"},
        {"instruction": "How long?", "input": "", "output": "20 seconds"},
        {"instruction": "How long?", "output": "20 seconds"},
    ],
    ids=["messages", "conversations", "prompt", "instruction", "no-input"],
)
def test_every_common_shape_is_the_same_row(tmp_path: Path, line: dict[str, object]) -> None:
    (row,) = read_chat(written(tmp_path, json.dumps(line)))

    assert (row.kind, row.uri) == (RowKind.CHAT, "chat.jsonl:1")
    assert row.turns == (Turn("user", "How long?"),)
    assert row.text == "20 seconds"


def test_the_last_reply_is_taught_and_what_follows_is_left_out(tmp_path: Path) -> None:
    roles = ["system", "user", "assistant", "user", "assistant", "user"]
    turns = [{"role": role, "content": f"{at}"} for at, role in enumerate(roles)]

    (row,) = read_chat(written(tmp_path, json.dumps({"messages": turns})))

    assert row.text == "4"
    assert [turn.content for turn in row.turns] == ["0", "1", "2", "3"]


def test_an_input_is_part_of_what_the_user_says(tmp_path: Path) -> None:
    line = {"instruction": "Translate.", "input": "Haus", "output": "house"}

    (row,) = read_chat(written(tmp_path, json.dumps(line)))

    assert row.turns == (Turn("user", "Translate.\n\nHaus"),)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    rows = read_chat(written(tmp_path, GOOD, "", GOOD + " "))

    assert [row.uri for row in rows] == ["chat.jsonl:1", "chat.jsonl:3"]
    assert rows[0].document_digest == rows[1].document_digest


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{", "not JSON"),
        ("[" * 200_000, "nested too deep"),
        ("[1]", "a list and not an object"),
        ('{"question": "x"}', "none of the known shapes"),
        ('{"messages": []}', "an empty one"),
        ('{"messages": [{"role": "user"}]}', "a turn without"),
        ('{"messages": [{"role": "wizard", "content": "x"}]}', "unknown role 'wizard'"),
        ('{"prompt": "x", "completion": " "}', "empty or no string"),
        ('{"prompt": 1, "completion": "x"}', "empty or no string"),
        ('{"instruction": 1, "output": "x"}', "must be strings"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "no reply of the assistant"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "nothing from the user"),
        (b'{"prompt": "\xff", "completion": "x"}', "not UTF-8"),
        ("x" * (MOST_LINE_BYTES * 10), "longer than"),
    ],
    ids=range(14),
)
def test_a_bad_line_is_named_with_what_is_wrong(
    tmp_path: Path, line: str | bytes, wrong: str
) -> None:
    with pytest.raises(ChatRowsError, match="line 2: ") as caught:
        read_chat(written(tmp_path, GOOD, line, GOOD))

    assert wrong in str(caught.value)
    assert "line 3" not in str(caught.value)


@pytest.mark.parametrize(("bad", "more"), [(10, ""), (11, "and 1 more")], ids=["ten", "eleven"])
def test_at_most_ten_bad_lines_are_shown(tmp_path: Path, bad: int, more: str) -> None:
    with pytest.raises(ChatRowsError) as caught:
        read_chat(written(tmp_path, *["{"] * bad))

    assert str(caught.value).count("not JSON") == 10
    assert more in str(caught.value)
    assert ("more" in str(caught.value)) is bool(more)


@pytest.mark.parametrize("content", ["", "\n\n"], ids=["no-byte", "blank-lines"])
def test_a_file_without_a_conversation_is_said_to_be_empty(tmp_path: Path, content: str) -> None:
    with pytest.raises(ChatRowsError, match="it is empty"):
        read_chat(written(tmp_path, content))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChatRowsError, match=r"missing\.jsonl"):
        read_chat(tmp_path / "missing.jsonl")
