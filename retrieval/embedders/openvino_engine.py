"""Embedding with OpenVINO, which reads the model from a cache of its own and needs no torch."""

import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from retrieval.embedders import Vectors
from retrieval.embedders.engines import Tokenized, memory_errors, padded
from retrieval.records import EngineName

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def installed() -> bool:
    """Return whether OpenVINO can be imported; it is an extra."""
    return find_spec("openvino") is not None


class OpenvinoEngine:
    """The converted model on a CPU: one thread a batch, as many batches as threads."""

    batch = 8

    def __init__(
        self,
        converted: Path,
        dtype: Literal["float32", "bfloat16"],
        *,
        threads: int | None = None,
    ) -> None:
        self.name: EngineName = "openvino-float32" if dtype == "float32" else "openvino-bfloat16"
        self.lanes = threads or os.cpu_count() or 1
        core = _openvino().Core()
        self._compiled = core.compile_model(
            core.read_model(converted),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _HINTS[dtype],
                # A batch on one thread loses nothing to waiting: fewer CPU seconds a text.
                "NUM_STREAMS": self.lanes,
                "INFERENCE_NUM_THREADS": self.lanes,
            },
        )
        self._requests = threading.local()

    def embed_batch(self, texts: Sequence[Tokenized]) -> Vectors:
        """Return one row a text."""
        ids, mask = padded(texts)
        with memory_errors():
            if not hasattr(self._requests, "mine"):
                self._requests.mine = self._compiled.create_infer_request()
            made = self._requests.mine.infer({"input_ids": ids, "attention_mask": mask})[0]
        vectors: Vectors = made.copy()  # the next batch is written into the same memory
        return vectors


def convert(model: Any, path: Path) -> None:
    """Write a SentenceTransformer as OpenVINO reads it; whole or not at all."""
    import torch  # noqa: PLC0415

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList(model)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            for part in self.parts:
                features = part(features)
            return features["sentence_embedding"]

    openvino = _openvino()
    from openvino.frontend import FrontEndManager  # noqa: PLC0415
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415

    # Two rows of unlike length: what the trace sees must not look constant.
    example = (torch.tensor([[1, 2, 3], [1, 2, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]]))
    with torch.no_grad(), _quiet():
        decoder = TorchScriptPythonDecoder(Whole().eval(), example_input=example)
    frontend = FrontEndManager().load_by_framework("pytorch")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as made:
        whole = Path(made) / "whole"
        whole.mkdir()
        openvino.save_model(
            frontend.convert(frontend.load(decoder)), whole / path.name, compress_to_fp16=False
        )
        # The weights first: the description is what says that the model is there.
        shutil.move(whole / f"{path.stem}.bin", path.with_suffix(".bin"))
        (whole / path.name).replace(path)


@contextmanager
def _quiet() -> Iterator[None]:
    # Tracing warns of what it cannot know; the canary, of many lengths, says whether it is so.
    from transformers.utils import logging  # noqa: PLC0415

    told = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(told)


def _openvino() -> Any:
    # Importing OpenVINO sends word of it to its maker, unless its telemetry cannot be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415

    return openvino
