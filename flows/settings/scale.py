"""The table of the settings file that says who parses and embeds, if not the run itself."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from flows.settings.source import Table


class Scale(Table):
    """Spread parsing and embedding of a deployment's refreshes over a task runner of Prefect.

    Without this table every run works alone. `address` is that of a cluster which is there, a
    Dask scheduler or a Ray head; without one a cluster of this machine is started for the run.
    `workers` is how many batches are worked off at once, `attempts` how often one is handed over.
    """

    runner: Literal["threads", "dask", "ray"] = "threads"
    address: str | None = Field(None, min_length=1)
    workers: int = Field(2, ge=1, le=1_000)
    attempts: int = Field(3, ge=1, le=10)

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.address is not None and self.runner == "threads":
            msg = "threads have no address; name the runner that has, dask or ray"
            raise ValueError(msg)
        return self
