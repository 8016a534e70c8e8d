"""What the server of `forking` imports before it forks: frameworks, flows, and what is killed."""

import importlib
import os

from flows.cli import COMMANDS

os.environ.setdefault("DO_NOT_TRACK", "true")

for _name in (
    "evidently",
    "evidently.descriptors",
    "evidently.metrics",
    "lance",
    "lancedb",
    "mlflow",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "matplotlib.pyplot",
    "torch",
    *(f"flows.commands.{module}" for module in sorted({place for place, _ in COMMANDS.values()})),
    "flows.retrain",
    "monitors.report",
    "tests.retrieval.crashing_refresh",
    "tests.training.killed_training",
    "tests.faults.acting",
):
    importlib.import_module(_name)
