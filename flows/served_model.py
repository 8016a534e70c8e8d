"""A version of a knowledge base's model as plain MLflow loads it: `models:/NAME@champion`.

MLflow keeps a copy of this file beside the adapter and runs it to load the version. The base model
is not copied: its name and digest are in the version's config, and it is found where Driftline is
installed. With the registry and the tracking, one of the few files that know MLflow.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from pydantic import BaseModel

from flows.model_places import locate
from training import records
from training.answering import Answerer
from training.errors import AdapterMismatchError, ModelCorruptError
from training.models.adapter_files import read_adapter
from training.models.loading import prepare_base


# MLflow makes the version's signature from these, and checks what it is given against them.
class AskedPassage(BaseModel):
    """A piece of text to answer from. `title` says where it stands."""

    title: str
    text: str


class Asked(BaseModel):
    """A question with the passages to answer it from."""

    question: str
    passages: list[AskedPassage]


class Answered(BaseModel):
    """The answer, and the numbers of the passages behind it, counted from 1."""

    answer: str
    citations: list[int]
    refused: bool


class ServedModel(PythonModel):  # type: ignore[misc]  # MLflow has no types
    """Answers from passages: a table of `question` and `passages` in, a list of answers out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the base model and the adapter, after both were hashed against the version."""
        config: Mapping[str, str] = context.model_config
        base = _base(config["base_name"], config["base_digest"])
        folder = Path(context.artifacts["adapter"]) if config["adapter_digest"] else None
        if folder:
            _require_adapter(folder, base, config["adapter_digest"])
        self._answerer = Answerer(base, folder)

    def predict(self, model_input: list[Asked]) -> list[Answered]:
        """Return one answer for each question, in their order."""
        return [self._answered(asked) for asked in model_input]

    def _answered(self, asked: Asked) -> Answered:
        given = [records.Passage(each.title, each.text) for each in asked.passages]
        answer = self._answerer.answer(asked.question, given)
        return Answered(
            answer=answer.text, citations=list(answer.citations), refused=answer.refused
        )


def _base(name: str, digest: str) -> records.BaseModel:
    """Return the base model where it is installed; refuse other weights under its name."""
    chosen = os.environ.get("DRIFTLINE_CACHE") or platformdirs.user_cache_dir("driftline")
    base = prepare_base(locate(name), name=name, cache=Path(chosen))
    if base.digest != digest:
        msg = (
            f"The version was registered with the base model {name!r} ({digest[:12]}), but what is "
            f"installed here under that name has the digest {base.digest[:12]}. Install the same "
            "release of the base model."
        )
        raise AdapterMismatchError(msg)
    return base


def _require_adapter(folder: Path, base: records.BaseModel, digest: str) -> None:
    found = read_adapter(folder, base=base)
    if found.digest != digest:
        msg = (
            f"The adapter in {str(folder)!r} has the digest {found.digest[:12]}, the version was "
            f"registered with {digest[:12]}. Go back to an earlier version."
        )
        raise ModelCorruptError(msg)


set_model(ServedModel())
