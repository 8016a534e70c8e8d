"""A foreign chat template, rendered once in a child process with limits before it is used.

A template is a program. transformers runs it in a sandbox that keeps it from files and from Python,
but not from running for ever or from filling the memory.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from training.errors import ModelCorruptError, UnsafeModelError
from training.files import write_whole
from training.models.foreign_config import read_json
from training.prompt import chat_messages
from training.records import Passage

_FILE = "chat_template.jinja"
_CONFIG = "tokenizer_config.json"
_MOST_CHARACTERS = 1_000_000  # the longest of a hub's popular models, with tools, has 20,000
# SmolLM2's takes a millisecond and no memory worth mentioning.
_RENDER_SECONDS = 5
_MOST_BYTES = 512 * 2**20
# Only starting waits for a busy machine; what the child renders is limited above.
_START_SECONDS = 60.0
_QUESTION, _ANSWER = "How long is the garden path?", "Nine metres."
_REFUSED, _ODD = 3, 4


def check_chat_templates(folder: Path, *, remembered_in: Path) -> None:
    """Raise unless every chat template of a model folder ends and tells the question.

    One that was found good is remembered by its digest. Raises UnsafeModelError for one that does
    not end, fills the memory or leaves the sandbox, and ModelCorruptError for one that is broken.
    """
    for name, template in _templates(folder):
        mark = sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
        stamp = remembered_in / "chat_templates" / mark
        if stamp.is_file():
            continue
        _check(f"The chat template {name!r} of {str(folder)!r}", template)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        write_whole(stamp, b"")


def _templates(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every template with where it stands, as transformers looks for them."""
    files = [folder / _FILE, *sorted(folder.glob("additional_chat_templates/*.jinja"))]
    for path in files:
        if path.is_file():
            try:
                yield path.name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                msg = f"{str(path)!r} is not UTF-8: {error}. Fetch the model again."
                raise ModelCorruptError(msg) from error
    if not (folder / _CONFIG).is_file():
        return
    told = read_json(folder / _CONFIG).get("chat_template")
    for each in told if isinstance(told, list) else [told]:
        template = each.get("template") if isinstance(each, dict) else each
        if isinstance(template, str):
            yield _CONFIG, template


def _check(what: str, template: str) -> None:
    if len(template) > _MOST_CHARACTERS:
        msg = f"{what} has {len(template):,} characters; {_MOST_CHARACTERS:,} at most are rendered."
        raise UnsafeModelError(msg)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "training.models.chat_template"],
            input=json.dumps(template).encode(),
            capture_output=True,
            check=False,
            timeout=_START_SECONDS,
            cwd=Path(__file__).parents[1],
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{what} was not rendered in {_START_SECONDS:.0f} s. Choose another model."
        raise UnsafeModelError(msg) from error
    said = child.stderr.decode(errors="replace").strip()[-500:]
    if child.returncode == _REFUSED:
        msg = f"{what} was stopped: {said}. Choose another model."
        raise UnsafeModelError(msg)
    if child.returncode == _ODD:
        msg = f"{what} cannot be used: {said}. Choose another model, or repair the template."
        raise ModelCorruptError(msg)
    if child.returncode:  # by a signal: SIGALRM, or the system's own for memory
        msg = (
            f"{what} was stopped (exit {child.returncode}): it may take {_RENDER_SECONDS} s and "
            f"{_MOST_BYTES // 2**20} MiB to render one question. Choose another model."
        )
        raise UnsafeModelError(msg)


def _render() -> NoReturn:
    """Render the template from standard input, and say how it went by the exit status."""
    template = json.loads(sys.stdin.buffer.read())
    _limit()
    messages = chat_messages(_QUESTION, [Passage("Garden", "The path is nine metres long.")])
    answered = [*messages, {"role": "assistant", "content": _ANSWER}]
    try:
        asked, told = (_rendered(template, turns) for turns in (messages, answered))
    except MemoryError:
        _leave(_REFUSED, f"it wanted more than {_MOST_BYTES // 2**20} MiB")
    except (OverflowError, RecursionError) as error:
        _leave(_REFUSED, f"it asks for too much ({error})")
    except TemplateError as error:
        unsafe = type(error).__name__ == "SecurityError"
        _leave(_REFUSED if unsafe else _ODD, f"{type(error).__name__}: {error}")
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        _leave(_ODD, f"{type(error).__name__}: {error}")
    if _QUESTION not in asked or _ANSWER not in told:
        _leave(_ODD, "it leaves out what was said")
    sys.exit(0)


def _rendered(template: str, turns: list[dict[str, str]]) -> str:
    # What a tokenizer adds are its special tokens, under these names.
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    asks = turns[-1]["role"] == "user"
    render: Any = render_jinja_template
    rendered = render(
        conversations=[turns], chat_template=template, add_generation_prompt=asks, **tokens
    )
    return str(rendered[0][0])


def _limit() -> None:
    """Limit what the rest of this process may take; importing transformers is behind it."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_BYTES,) * 2)
    # No handler: the system ends the process, in the middle of C code too.
    signal.alarm(_RENDER_SECONDS)


def _leave(status: int, why: str) -> NoReturn:
    sys.stderr.write(why)
    sys.exit(status)


if __name__ == "__main__":
    _render()
