"""Keep the libraries' own chatter out of the terminal: progress and results are ours to show."""

from __future__ import annotations

import os
import warnings

# Read by each library when it is imported.
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
    # transformers warns of a name that peft still uses; nobody who runs this can change it.
    renamed = ".*is_gradient_checkpointing.*"
    warnings.filterwarnings("ignore", message=renamed, category=FutureWarning)
