"""Keep the libraries' own chatter out of the terminal: progress and results are ours to show."""

from __future__ import annotations

import os

# Read by each library when it is imported, so this comes before.
_SILENCE = {
    "DO_NOT_TRACK": "true",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "TOKENIZERS_PARALLELISM": "true",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def quiet_libraries() -> None:
    """Set what is not set: a person who wants the chatter keeps it."""
    for name, value in _SILENCE.items():
        os.environ.setdefault(name, value)
