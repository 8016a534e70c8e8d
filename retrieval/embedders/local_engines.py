"""Makes the engines of one model on this machine, by name, and says which there can be."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from retrieval.embedders import openvino_engine, torch_engine
from retrieval.embedders.engines import Engine
from retrieval.embedders.model_files import ModelFiles
from retrieval.embedders.openvino_engine import OpenvinoEngine
from retrieval.embedders.torch_engine import SentenceTransformersEngine, TorchEngine
from retrieval.records import EngineName

_log = logging.getLogger(__name__)

REFERENCE: EngineName = "sentence-transformers"
_TORCH: tuple[EngineName, ...] = ("torch-bfloat16", "torch-float32")
_OPENVINO: tuple[EngineName, ...] = ("openvino-bfloat16", "openvino-float32")


class LocalEngines:
    """The engines of one model. The model itself is loaded by the first that needs torch."""

    def __init__(self, files: ModelFiles, cache: Path | None, threads: int | None) -> None:
        self._files = files
        self._cache = cache
        self._threads = threads

    def candidates(self, asked: EngineName | Literal["auto"]) -> list[Engine]:
        """Return the engines to be measured beside the reference."""
        names = _TORCH + _OPENVINO if asked == "auto" else (asked,)
        made = (self.make(name) for name in names if name != REFERENCE)
        return [engine for engine in made if engine is not None]

    def reference(self) -> SentenceTransformersEngine:
        """Return the engine that the others are measured by."""
        return SentenceTransformersEngine(self._model)

    def make(self, name: EngineName) -> Engine | None:
        """Return an engine; None if it is not to be had on this machine."""
        match name:
            case "sentence-transformers":
                return self.reference()
            case "torch-float32":
                return TorchEngine(self._model, "float32")
            case "torch-bfloat16":
                return TorchEngine(self._model, "bfloat16")
            case "openvino-float32":
                return self._openvino("float32")
            case "openvino-bfloat16":
                return self._openvino("bfloat16")

    def forget_model(self) -> None:
        """Let the loaded model go: an engine that was chosen holds what it needs itself."""
        self.__dict__.pop("_model", None)

    def _openvino(self, dtype: Literal["float32", "bfloat16"]) -> Engine | None:
        if self._cache is None or not openvino_engine.installed():
            return None  # with nowhere to keep the converted model, converting costs too much
        path = self._cache / f"model-{self._files.fingerprint[:32]}.xml"
        try:
            if not path.is_file():
                openvino_engine.convert(self._model, path)
            return OpenvinoEngine(path, dtype, threads=self._threads)
        except (OSError, RuntimeError) as error:  # a model it cannot express, a damaged file
            path.unlink(missing_ok=True)
            _log.warning("The embedding engine openvino-%s cannot be had: %s", dtype, error)
            return None

    @cached_property
    def _model(self) -> Any:
        return torch_engine.load_model(self._files, threads=self._threads)
