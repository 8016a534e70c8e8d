"""What a place comes to: all that must be the same however often it was disturbed."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

from flows.promoting.promotions import frozen
from retrieval.records import Snapshot
from tests.flows.tiny_place import TinyPlace
from tests.retrieval.builders import rows_digest


@dataclass(frozen=True)
class Outcome:
    """The releases that answered one after another, the rows that answer now, alias and verdicts.

    A release that was published again right after itself counts once: it answered all the while.
    """

    releases: tuple[str, ...]
    rows: str
    alias: int | None
    frozen: bool
    verdicts: tuple[tuple[int, bool], ...]
    versions: int

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Return an outcome from what JSON made of it."""
        lists = {name: tuple(told[name]) for name in ("releases",)}
        verdicts = tuple((version, promote) for version, promote in told["verdicts"])
        return cls(**{**told, **lists, "verdicts": verdicts})


def outcome_of(folder: Path) -> Outcome:
    """Return how the knowledge base `docs` of a place stands."""
    place = TinyPlace(folder)
    with place.desk() as desk:
        history = desk.journal.history("docs")
        ids = [published.release.id for published in history]
        serving = history[-1].release if history else None
        at = Snapshot.parse(serving.snapshot) if serving else None
        verdicts = {
            entry.key: (entry.payload["version"], entry.payload["promote"])
            for entry in desk.journal.entries("docs", "verdict")
        }
        found = desk.registry._client.search_model_versions(  # noqa: SLF001 - counted, not read
            f"name = '{desk.model_name}'"
        )
        return Outcome(
            releases=tuple(release for release, _ in groupby(ids)),
            rows=rows_digest(desk.settings.home_folder / "index", at) if at else "",
            alias=desk.registry.pointed(desk.model_name, "champion"),
            frozen=frozen(desk.journal, "docs") is not None,
            verdicts=tuple(verdicts.values()),
            versions=len(found),
        )
