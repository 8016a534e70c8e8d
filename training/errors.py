"""Errors of training that callers catch by name. Each carries a stable code.

TrainingError
├── ModelMissingError       MODEL_MISSING
├── UnsafeModelError        MODEL_UNSAFE
├── NotEnoughTextError      NOT_ENOUGH_TEXT
├── DivergedError           TRAIN_DIVERGED
├── AdapterMismatchError    ADAPTER_MISMATCH
└── ModelCorruptError       MODEL_CORRUPT
"""

from typing import ClassVar


class TrainingError(Exception):
    """Whatever training refuses to do, with the cure in its message."""

    code: ClassVar[str] = "TRAINING_FAILED"


class ModelMissingError(TrainingError):
    """The base model is not installed or not where the settings say."""

    code = "MODEL_MISSING"


class UnsafeModelError(TrainingError):
    """The model folder wants to run code or to be unpickled."""

    code = "MODEL_UNSAFE"


class NotEnoughTextError(TrainingError):
    """The corpus has too little text to train on and to hold out."""

    code = "NOT_ENOUGH_TEXT"


class DivergedError(TrainingError):
    """The loss stopped being a finite number."""

    code = "TRAIN_DIVERGED"


class AdapterMismatchError(TrainingError):
    """The adapter was made for another base model."""

    code = "ADAPTER_MISMATCH"


class ModelCorruptError(TrainingError):
    """Files of a model or adapter are not the ones that were registered."""

    code = "MODEL_CORRUPT"
