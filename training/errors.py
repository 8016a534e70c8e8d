"""Errors of training that callers catch by name. Each carries a stable code.

TrainingError
├── ModelMissingError       MODEL_MISSING
├── UnsafeModelError        MODEL_UNSAFE
├── NotEnoughTextError      NOT_ENOUGH_TEXT
├── ChatRowsError           CHAT_INVALID
├── EvalLeakError           EVAL_LEAK
├── ExamplesCorruptError    EXAMPLES_CORRUPT
├── DivergedError           TRAIN_DIVERGED
├── OutOfMemoryError        TRAIN_OOM
├── NoSpaceError            TRAIN_NO_SPACE
├── TrainKilledError        TRAIN_KILLED
├── EvalIncompleteError     EVAL_INCOMPLETE
├── AdapterMismatchError    ADAPTER_MISMATCH
├── ModelCorruptError       MODEL_CORRUPT
└── AliasMovedError         ALIAS_MOVED
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


class ChatRowsError(TrainingError):
    """The user's own conversations cannot be read; the message names each line."""

    code = "CHAT_INVALID"


class EvalLeakError(TrainingError):
    """Text to weigh on is also among the text to train on."""

    code = "EVAL_LEAK"


class ExamplesCorruptError(TrainingError):
    """The stored rows are not the ones that were chosen."""

    code = "EXAMPLES_CORRUPT"


class DivergedError(TrainingError):
    """The loss stopped being a finite number."""

    code = "TRAIN_DIVERGED"


class OutOfMemoryError(TrainingError):
    """One row at a time is still too much for the memory."""

    code = "TRAIN_OOM"


class NoSpaceError(TrainingError):
    """The disk is too full for another checkpoint."""

    code = "TRAIN_NO_SPACE"


class TrainKilledError(TrainingError):
    """The training process ended without a word."""

    code = "TRAIN_KILLED"


class EvalIncompleteError(TrainingError):
    """Too many rows have no finite score, so nothing can be said about either model."""

    code = "EVAL_INCOMPLETE"


class AdapterMismatchError(TrainingError):
    """The adapter was made for another base model, tokenizer or rank."""

    code = "ADAPTER_MISMATCH"


class ModelCorruptError(TrainingError):
    """Files of a model or adapter are not the ones that were registered."""

    code = "MODEL_CORRUPT"


class AliasMovedError(TrainingError):
    """An alias is not where whoever moves it expects it to be."""

    code = "ALIAS_MOVED"
