"""One batch of a fan-out in a worker's own process: opens what it needs from the settings, once.

Plain functions, so that whatever sends them along sends their names. Knows no Prefect.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

from flows.embedder import open_embedder
from flows.settings.settings import Settings, load_settings
from retrieval.embedders import Embedder
from retrieval.fan_out_files import Job
from retrieval.fan_out_worker import Tools, work_off
from retrieval.parsing_process import Parser

# What a process keeps from one batch to the next: a model takes seconds to load.
_model_turns = threading.Lock()
_opening = threading.Lock()
_embedders: dict[str, Embedder] = {}
_parsers: SimpleQueue[Parser] = SimpleQueue()


def work_off_here(kind: Literal["cut", "embed"], file: str, max_tokens: int, config: str) -> str:
    """Work off one batch with this process's own model and parsers; return its receipt."""
    settings = load_settings(Path(config))
    # A model on this machine uses its cores already: threads would only fight over them.
    alone = kind == "embed" and settings.embedder.address is None
    with _parser() as parser, _model_turns if alone else nullcontext():
        tools = Tools(_embedder(settings), parser.parse_body)
        return work_off(Job(kind, file, max_tokens), tools)


def end_parsers() -> None:
    """End the parsers' children of this process; those of others end when their pipes close."""
    while not _parsers.empty():
        _parsers.get_nowait().close()


def _embedder(settings: Settings) -> Embedder:
    key = f"{settings.cache} {settings.embedder.model_dump_json()}"
    with _opening:
        if key not in _embedders:
            _embedders[key] = open_embedder(settings)
        return _embedders[key]


@contextmanager
def _parser() -> Iterator[Parser]:
    """Lend a parser, whose child process stays limited wherever this runs."""
    try:
        parser = _parsers.get_nowait()
    except Empty:
        parser = Parser()
    try:
        yield parser
    finally:
        _parsers.put(parser)
