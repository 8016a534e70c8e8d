"""Embedding with torch: sentence-transformers as the reference, and faster ways through it."""

import copy
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError

from retrieval.embedders import Vectors
from retrieval.embedders.engines import Tokenized, memory_errors, padded
from retrieval.embedders.model_files import ModelFiles
from retrieval.errors import EmbedderMissingError
from retrieval.records import EngineName


def load_model(files: ModelFiles, *, threads: int | None = None) -> Any:
    """Return the SentenceTransformer in float32; takes seconds, most of them for importing torch.

    Raises EmbedderMissingError for files that cannot be loaded.
    """
    # Here and not above: a plan, a search for changes and an unchanged refresh never need torch.
    import torch  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

    files.refuse_code()
    disable_progress_bar()  # type: ignore[no-untyped-call]  # on_progress is ours; theirs would write over it
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        return SentenceTransformer(
            str(files.folder),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": "float32", "use_safetensors": True},
        ).eval()
    except (OSError, ValueError, SafetensorError) as error:
        msg = f"The embedding model {files.name!r} cannot be loaded: {error}"
        raise EmbedderMissingError(msg) from error


class SentenceTransformersEngine:
    """The model as its authors run it, in float32: what every other engine is measured by."""

    name: EngineName = "sentence-transformers"
    batch = 32  # its own default
    lanes = 1

    def __init__(self, model: Any) -> None:
        self._model = model

    def embed_batch(self, texts: Sequence[Tokenized]) -> Vectors:
        """Return one row a text."""
        with memory_errors():
            made = self._model.encode(
                [text.text for text in texts],
                prompt="",  # ours is in the text already
                batch_size=len(texts),
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(made, dtype=np.float32)


class TorchEngine:
    """The model's own modules on batches of ours.

    With bfloat16 only the linear layers are, which are nearly all of the work; the sums between
    them stay float32. All of it in bfloat16 is no faster and falls below the cosine of 0.9999.
    """

    batch = 8
    lanes = 1

    def __init__(self, model: Any, dtype: Literal["float32", "bfloat16"]) -> None:
        self.name: EngineName = "torch-float32" if dtype == "float32" else "torch-bfloat16"
        self._half = dtype == "bfloat16"
        self._model = _with_half_layers(model) if self._half else model

    def embed_batch(self, texts: Sequence[Tokenized]) -> Vectors:
        """Return one row a text."""
        import torch  # noqa: PLC0415

        device = self._model.device
        ids, mask = (torch.from_numpy(each).to(device) for each in padded(texts))
        with (
            memory_errors(),
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=self._half),
        ):
            made = self._model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]
        vectors: Vectors = made.float().cpu().numpy()
        return vectors


def _with_half_layers(model: Any) -> Any:
    import torch  # noqa: PLC0415

    half = copy.deepcopy(model)
    for layer in half.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.to(torch.bfloat16)
    return half
