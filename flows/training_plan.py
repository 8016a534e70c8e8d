"""What a retraining would train on, from which weights, and what it would cost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from flows.desk import Desk
from flows.erasing.erasures import taint_of
from flows.promoting.champion import CHALLENGER
from flows.promoting.promotions import withdrawn
from flows.records import PartPlan, TrainingPlan
from flows.release import Release
from flows.steps import Perform
from retrieval.records import Snapshot
from training.errors import AdapterMismatchError
from training.examples.chat_rows import read_chat
from training.examples.chunks import approximate_tokens
from training.examples.dataset import select_examples
from training.examples.general_text import general_rows
from training.fitting.speed import Estimate, Speed, estimate, measure_speed
from training.records import FinetuneConfig, ModelVersion, Start, TrainingSet

# Enough rows to measure a speed on; which ones hardly matters.
_SPEED_TOKENS = 6_000
# A plan says the same again: budgets in minutes become whole thousands of tokens.
_ROUND_TO = 1_000
_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Job:
    """One training: its rows, the release whose model it challenges, the adapter it starts from.

    `key` names the training: the same rows on the same weights against the same champion.
    """

    desk: Desk
    config: FinetuneConfig
    examples: TrainingSet
    champion: Release
    start: ModelVersion | None

    @property
    def key(self) -> str:
        """What the training is found by, whichever run does it."""
        champion, start = self.champion, self.start
        parts = (
            *(self.examples.digest, champion.base_digest, champion.adapter_digest),
            start.adapter_digest if start else "",
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where everything of this training lies until its verdict is written down."""
        return self.desk.folder / "trainings" / self.key

    @property
    def adapter_folder(self) -> Path:
        """Where the adapter is made."""
        return self.folder / "adapter"

    @property
    def examples_folder(self) -> Path:
        """Where the rows are, for the training process."""
        return self.folder / "examples"


def prepare(desk: Desk, perform: Perform, champion: Release, snapshot: str) -> Job:
    """Choose the rows and the weights to start from; the same snapshots give the same job."""
    _require_same_base(desk, champion)
    start = _start(desk, champion)
    config = desk.kb.finetune_config(first=start is None)
    minutes = desk.kb.training.budget_minutes
    if minutes is not None:
        rows = _select(desk, champion, snapshot, replace(config, budget_tokens=_SPEED_TOKENS))
        speed = perform("Measuring this machine's speed", lambda _: _speed(desk, rows, config))
        config = replace(config, budget_tokens=tokens_for(60 * minutes, speed, config))
    examples = perform("Selecting examples", lambda _: _select(desk, champion, snapshot, config))
    return Job(desk, config, examples, champion, start)


def _require_same_base(desk: Desk, champion: Release) -> None:
    """Raise AdapterMismatchError where the champion's adapter stands on another base model.

    It could not be weighed beside its challenger: said before a training is paid for.
    """
    if champion.adapter_digest and champion.base_digest != desk.base.digest:
        msg = (
            f"The champion of {desk.name!r}, version {champion.model_version}, is an adapter for "
            f"another base model ({champion.base_digest[:12]}) than {desk.base.name!r} "
            f"({desk.base.digest[:12]}), so the two cannot be weighed side by side. Set `base` "
            "under `[model]` back; to begin anew with this one, give the knowledge base another "
            "name in the settings."
        )
        raise AdapterMismatchError(msg)


def tokens_for(seconds: float, speed: Speed, config: FinetuneConfig) -> int:
    """Return how many tokens fit into so many seconds of training, in whole thousands."""
    texts = config.difference_share + config.replay_share
    total = texts + config.answer_share + config.correction_share + config.chat_share
    told = (total - texts) / speed.answer_tokens + texts / speed.text_tokens
    tokens = max(0.0, seconds - speed.load_seconds) * total / told
    return max(_ROUND_TO, int(tokens // _ROUND_TO) * _ROUND_TO)


def estimated(job: Job, perform: Perform) -> Estimate:
    """Return what a training takes here; the speed is measured once and kept."""
    speed = perform(
        "Measuring this machine's speed", lambda _: _speed(job.desk, job.examples, job.config)
    )
    return estimate(job.examples, job.config, speed)


def plan_of(job: Job, took: Estimate) -> TrainingPlan:
    """Return the plan that people see."""
    rows = job.examples.train
    judged = job.desk.journal.last(job.desk.name, "verdict", key=job.key)
    weighing = took.evaluate_seconds * (1 + job.config.candidates)
    price, hours = job.desk.kb.cost.per_hour, (took.train_seconds + weighing) / _HOUR
    held = job.examples
    return TrainingPlan(
        reference=held.reference,
        current=held.current,
        champion_version=job.champion.model_version,
        start="base" if job.start is None else str(job.config.start),
        parts=tuple(_part(kind, job) for kind in dict.fromkeys(row.kind for row in rows)),
        documents=len({row.uri for row in rows}),
        held_out=sum(
            map(len, (held.holdout_new, held.holdout_old, held.holdout_answers, held.holdout_cloze))
        ),
        tokens=took.tokens,
        steps=took.steps,
        train_seconds=took.train_seconds,
        weigh_seconds=weighing,
        money=None if price is None else price * hours,
        currency=job.desk.kb.cost.currency,
        data_digest=held.digest,
        judged=judged.payload["version"] if judged else None,
    )


def _part(kind: str, job: Job) -> PartPlan:
    rows = [row for row in job.examples.train if row.kind == kind]
    tokens = sum(min(approximate_tokens(row), job.config.max_row_tokens) for row in rows)
    return PartPlan(str(kind), len(rows), tokens)


def _select(desk: Desk, champion: Release, snapshot: str, config: FinetuneConfig) -> TrainingSet:
    """Read both snapshots, pinned, and choose the rows.

    Where the reference was cleaned up, all of the current text is taken for new.
    """
    read, reference = desk.index.chunk_table, champion.trained_on
    old = Snapshot.parse(reference)
    chat = desk.kb.training.chat
    return select_examples(
        read(old) if reference != snapshot and desk.index.holds(old) else None,
        read(Snapshot.parse(snapshot)),
        config,
        reference_name=reference,
        current_name=snapshot,
        chat=() if chat is None else read_chat(desk.settings.resolve(chat)),
        general=general_rows(),
    )


def _speed(desk: Desk, examples: TrainingSet, config: FinetuneConfig) -> Speed:
    return measure_speed(desk.base, examples, config, remembered_in=desk.settings.cache)


def _start(desk: Desk, champion: Release) -> ModelVersion | None:
    """Return the version whose adapter is trained on; None for a fresh one on the base model.

    A challenger that a person took back is not learnt from.
    """
    wanted = desk.kb.training.start
    if wanted is Start.CHALLENGER:
        newest = desk.registry.aliased(desk.model_name, CHALLENGER)
        fits = newest and newest.adapter_digest and newest.base_digest == desk.base.digest
        if newest and fits and not withdrawn(desk.journal, desk.name, newest.version):
            return newest if taint_of(desk.journal, desk.name, newest.version) is None else None
    if wanted is Start.BASE or not champion.adapter_digest:
        return None
    if taint_of(desk.journal, desk.name, champion.model_version):
        return None  # what it knows of an erased document would be handed on
    return desk.registry.version(champion.model_name, champion.model_version)
