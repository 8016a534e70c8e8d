"""One training as a file, and what is heard of it as lines: the words between two processes.

Standard library only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from training import errors
from training.errors import TrainingError
from training.files import write_whole
from training.records import BaseModel, FinetuneConfig, Sample, Start, TrainingStep

_JOB = "job.json"


@dataclass(frozen=True, slots=True)
class Job:
    """What `finetune` is told; `examples` is the folder that holds the rows."""

    base: BaseModel
    examples: Path
    config: FinetuneConfig
    folder: Path
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for whoever watches."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a training stopped: the code of one of our errors, or "FOLDER_TAKEN", in words."""

    code: str
    text: str

    def as_error(self) -> Exception:
        """Return the error that the other process raised."""
        if self.code == FOLDER_TAKEN:
            return FileExistsError(self.text)
        return _KINDS.get(self.code, TrainingError)(self.text)


@dataclass(frozen=True, slots=True)
class Finished:
    """The digest of the adapter that was written."""

    digest: str


Word = TrainingStep | Sample | Notice | Failure | Finished

FOLDER_TAKEN = "FOLDER_TAKEN"
_KINDS = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, TrainingError)
}
_WORDS: dict[str, type[Word]] = {
    kind.__name__: kind for kind in (TrainingStep, Sample, Notice, Failure, Finished)
}


def write_job(job: Job, folder: Path) -> None:
    """Write a job into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _JOB, json.dumps(asdict(job), default=str, indent=2).encode())


def read_job(folder: Path) -> Job:
    """Return the job that was written into a folder."""
    found = json.loads((folder / _JOB).read_bytes())
    base, config = found["base"], found["config"]
    return Job(
        base=BaseModel(base["name"], Path(base["folder"]), base["digest"]),
        examples=Path(found["examples"]),
        config=FinetuneConfig(**config | {"start": Start(config["start"])}),
        folder=Path(found["folder"]),
        start=Path(found["start"]) if found["start"] else None,
    )


def as_line(word: Word) -> str:
    r"""Return a word as one line of JSON.

    >>> as_line(Notice("two\nlines"))
    '{"kind": "Notice", "text": "two\\nlines"}'
    """
    return json.dumps({"kind": type(word).__name__, **asdict(word)})


def from_line(line: str) -> Word | None:
    """Return what a line says, or None for a line that is none of ours: libraries print too.

    >>> from_line('{"kind": "Notice", "text": "hello"}'), from_line("Loading weights")
    (Notice(text='hello'), None)
    """
    try:
        found = json.loads(line)
        return _WORDS[found.pop("kind")](**found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
