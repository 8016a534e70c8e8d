"""From texts to vectors, with a model on this machine, by the fastest engine that is exact."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from retrieval.embedders import (
    Embedder,
    OnProgress,
    Vector,
    Vectors,
    probes,
    same_space,
    unit_length,
)
from retrieval.embedders.canary import canary_texts
from retrieval.embedders.choosing import ChoiceFile, EngineChoice, choose, still_exact, this_machine
from retrieval.embedders.engines import Engine, Tokenized, embed_all
from retrieval.embedders.local_engines import REFERENCE, LocalEngines
from retrieval.embedders.model_files import ModelFiles
from retrieval.records import EngineName

__all__ = [
    "Embedder",
    "LocalEmbedder",
    "OnProgress",
    "Vector",
    "Vectors",
    "probes",
    "same_space",
    "unit_length",
]

MEASURE_FROM = 64  # texts: about as much work as measuring, so that a question never pays for it
_AHEAD = 1_024  # texts tokenized at once


class LocalEmbedder:
    """A sentence-transformers model from a folder, or from the model hub by its id.

    `engine` names what computes the vectors, or leaves it to measuring: the first call of `embed`
    with 64 texts or more compares all there are on fixed texts. Any engine is used only if its
    vectors have a cosine of 0.9999 or more to those of sentence-transformers in float32, which
    does the work itself until then, and if no other may. The choice is kept in `cache`.

    Counting and fingerprinting read files only; a model library is loaded by the first `embed`.
    """

    def __init__(
        self,
        folder_or_id: str | Path,
        *,
        engine: EngineName | Literal["auto"] = "auto",
        cache: Path | None = None,
        threads: int | None = None,
        machine: str | None = None,
    ) -> None:
        self._files = ModelFiles(folder_or_id, cache)
        self._asked: EngineName | Literal["auto"] = engine
        self._cache = cache
        self._machine = machine or this_machine()
        self._engines = LocalEngines(self._files, cache, threads)
        self._chosen: Engine | None = None
        self._threads = threads

    @property
    def fingerprint(self) -> str:
        """The sha256 over the model's files and the normalisation; no engine changes it."""
        return self._files.fingerprint

    @property
    def dimension(self) -> int:
        """The width of a vector, as the model's pooling says."""
        return self._files.dimension

    @property
    def max_tokens(self) -> int:
        """The model's window, special tokens included."""
        return self._files.max_tokens

    @property
    def choice(self) -> EngineChoice | None:
        """The engine that was chosen, with what was measured; None before it was."""
        return self._choice

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, the model's own prompt included; about 2 MB a second."""
        prompt = self._files.document_prompt
        return self._files.count_tokens([prompt + text for text in texts] if prompt else texts)

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Return one row of unit length for each text, in the same order."""
        prompted = [self._files.document_prompt + text for text in texts]
        return self._embed_with(self._engine_for(len(texts)), prompted, on_progress)

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a question, which for some models differs from a document's."""
        question: Vector = self._embed_with(
            self._engine_for(1), [self._files.query_prompt + text], None
        )[0]
        return question

    def _embed_with(
        self, engine: Engine, texts: Sequence[str], on_progress: OnProgress | None = None
    ) -> Vectors:
        tokenized = (
            Tokenized(text, ids)
            for at in range(0, len(texts), _AHEAD)
            for text, ids in zip(
                texts[at : at + _AHEAD], self._files.tokenize(texts[at : at + _AHEAD]), strict=True
            )
        )
        return embed_all(
            engine, tokenized, count=len(texts), dimension=self.dimension, on_progress=on_progress
        )

    def _engine_for(self, count: int) -> Engine:
        if self._chosen is None:
            self._chosen = self._kept_engine()
        if self._chosen is None and count >= MEASURE_FROM and self._asked != REFERENCE:
            self._chosen = self._measured_engine()
        return self._chosen or self._engines.reference()

    def _kept_engine(self) -> Engine | None:
        if self._choice is None:
            return None
        engine = self._engines.make(self._choice.engine)
        if engine is not None and still_exact(self._choice, engine, self._embed_with):
            return engine
        self._choice = None
        return None

    def _measured_engine(self) -> Engine:
        reference, candidates = self._engines.reference(), self._engines.candidates(self._asked)
        self._choice = choose(
            reference, candidates, self._embed_with, canary_texts(self.max_tokens)
        )
        if self._choice_file is not None:
            self._choice_file.write(self._choice)
        self._engines.forget_model()
        name = self._choice.engine
        return next(engine for engine in [reference, *candidates] if engine.name == name)

    @cached_property
    def _choice(self) -> EngineChoice | None:
        return self._choice_file.read() if self._choice_file is not None else None

    @cached_property
    def _choice_file(self) -> ChoiceFile | None:
        if self._cache is None:
            return None
        asked = f"{self._asked}, {self._threads} threads"
        return ChoiceFile(self._cache, self.fingerprint, asked=asked, machine=self._machine)
