"""Which engine computes the vectors: the fastest that makes the reference's, by measurement."""

import hashlib
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import numpy as np

from retrieval.embedders import PROBE_TEXTS, SAME_COSINE, Vectors, lowest_cosine
from retrieval.embedders.engines import Engine
from retrieval.errors import RetrievalError
from retrieval.records import EngineName

_log = logging.getLogger(__name__)

_LIBRARIES = ("sentence-transformers", "transformers", "tokenizers", "torch", "openvino")
EmbedWith = Callable[[Engine, Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class EngineMeasure:
    """One engine on the canary: its lowest cosine to the reference, and its speed.

    The speed is 0 where it was not measured: the vectors were not good enough.
    """

    engine: EngineName
    cosine: float
    texts_per_cpu_second: float


@dataclass(frozen=True, slots=True, eq=False)
class EngineChoice:
    """The engine to use, all that were measured, and the reference's vectors of `PROBE_TEXTS`."""

    engine: EngineName
    measured: tuple[EngineMeasure, ...]
    probes: Vectors

    @property
    def cosine(self) -> float:
        """The lowest cosine of the chosen engine to the reference."""
        return self._chosen.cosine

    @property
    def texts_per_cpu_second(self) -> float:
        """The speed of the chosen engine, on the canary's texts."""
        return self._chosen.texts_per_cpu_second

    @property
    def _chosen(self) -> EngineMeasure:
        return next(measure for measure in self.measured if measure.engine == self.engine)

    def dumps(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self) | {"probes": self.probes.tolist()}, indent=1)

    @classmethod
    def loads(cls, text: str) -> Self:
        """Read what `dumps` wrote; raise ValueError, KeyError or TypeError for anything else."""
        told = json.loads(text)
        measured = tuple(EngineMeasure(**each) for each in told["measured"])
        if told["engine"] not in {measure.engine for measure in measured}:
            msg = f"The engine {told['engine']!r} was not measured."
            raise ValueError(msg)
        return cls(told["engine"], measured, np.array(told["probes"], dtype=np.float32))


def choose(
    reference: Engine,
    engines: Iterable[Engine],
    embed: EmbedWith,
    texts: Sequence[str],
    *,
    clock: Callable[[], float] = time.process_time,
) -> EngineChoice:
    """Measure engines against the reference and return the fastest whose vectors are as good."""

    def speed(engine: Engine) -> float:
        began = clock()
        embed(engine, texts)
        return len(texts) / max(clock() - began, 1e-9)

    # Embedded once before it is timed: the first time, libraries fit their code to the shapes.
    wanted = embed(reference, texts)
    measured = [EngineMeasure(reference.name, 1.0, speed(reference))]
    for engine in engines:
        cosine = _cosine(engine, embed, texts, wanted)
        exact = cosine >= SAME_COSINE
        measured.append(EngineMeasure(engine.name, cosine, speed(engine) if exact else 0.0))
        if not exact:
            _log.warning(
                "The embedding engine %s is not used: its vectors have a cosine of only %.6f to "
                "those of %s; %s is needed.",
                *(engine.name, cosine, reference.name, SAME_COSINE),
            )
    # One that is not exact has a speed of 0; the reference is always exact.
    fastest = max(measured, key=lambda measure: measure.texts_per_cpu_second)
    return EngineChoice(fastest.engine, tuple(measured), embed(reference, PROBE_TEXTS))


def still_exact(choice: EngineChoice, engine: Engine, embed: EmbedWith) -> bool:
    """Return whether the chosen engine still makes the reference's vectors, by three texts."""
    exact = _cosine(engine, embed, PROBE_TEXTS, choice.probes) >= SAME_COSINE
    if not exact:
        _log.warning(
            "The embedding engine %s no longer makes the vectors it was chosen for; engines are "
            "measured again.",
            engine.name,
        )
    return exact


def _cosine(engine: Engine, embed: EmbedWith, texts: Sequence[str], wanted: Vectors) -> float:
    """Return an engine's lowest cosine; -1 for one that fails or makes what is no vector."""
    try:
        return lowest_cosine(embed(engine, texts), wanted)
    except (RetrievalError, RuntimeError, ValueError) as error:  # the last two: the libraries' own
        _log.warning("The embedding engine %s fails: %s", engine.name, error)
        return -1.0


class ChoiceFile:
    """Where a choice is kept: a file for each model, machine and set of library versions."""

    def __init__(self, cache: Path, fingerprint: str, *, asked: str, machine: str) -> None:
        key = "\n".join((fingerprint, asked, machine, *library_versions()))
        self._path = cache / f"engine-{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def read(self) -> EngineChoice | None:
        """Return the kept choice; None if there is none, or it cannot be read."""
        try:
            return EngineChoice.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning(
                "The engine's choice in %s is damaged and made again: %s", self._path, error
            )
            return None

    def write(self, choice: EngineChoice) -> None:
        """Keep a choice; a cache that cannot be written costs the next process a measurement."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._path.parent, delete=False
            ) as file:
                file.write(choice.dumps())
            Path(file.name).replace(self._path)
        except OSError as error:
            _log.warning("The engine's choice cannot be kept in %s: %s", self._path, error)


def this_machine() -> str:
    """Return what decides an engine's speed here: the processor and what it can do."""
    known = [platform.machine(), platform.processor(), str(os.cpu_count())]
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0].splitlines()
    except OSError:  # no Linux: what Python knows has to do
        lines = []
    return "\n".join(known + [line for line in lines if line.startswith(("model name", "flags"))])


def library_versions() -> list[str]:
    """Return the versions of all that computes vectors."""
    return [f"{library}=={_version(library)}" for library in _LIBRARIES]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
