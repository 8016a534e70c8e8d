"""Train a challenger on what changed, weigh it against the champion, promote what is better."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from flows import lease
from flows.cards import version_card
from flows.champion import CHALLENGER, move_alias
from flows.desk import Desk
from flows.journal import Entry, Fence
from flows.records import RetrainOutcome, Weighed
from flows.release import Published, Release
from flows.steps import OnProgress, Perform
from flows.tracking import TrainingRun
from retrieval.records import Snapshot
from training.adapter_files import read_adapter
from training.comparison import compare_scores
from training.dataset import select_examples
from training.evaluate import score
from training.finetune import estimate_cost, finetune
from training.promotion import judge
from training.records import Adapter, ModelVersion, TrainingSet
from training.weighing import Verdict

# A refresh that is under way when a challenger is ready is waited for.
_PATIENCE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class _Job:
    """One training: its rows, the release whose model it challenges, who asked and why.

    `key` names the training: the same rows on the same base against the same champion.
    """

    desk: Desk
    perform: Perform
    fence: Fence
    examples: TrainingSet
    champion: Release
    reason: str
    requested_by: str

    @property
    def key(self) -> str:
        champion = self.champion
        parts = (self.examples.digest, champion.base_digest, champion.adapter_digest)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def adapter_folder(self) -> Path:
        return self.desk.folder / "adapters" / self.key


def retrain(
    desk: Desk,
    perform: Perform,
    *,
    snapshot: str | None = None,
    reason: str = "asked for by hand",
    requested_by: str = "",
    force: bool = False,
) -> RetrainOutcome:
    """Train on `snapshot` (default: the one that answers) against the champion's own snapshot.

    Training holds a lease of its own, so that the index is refreshed meanwhile; only the promotion
    takes the writer's lease. What was judged before is not trained again unless `force` says so.
    """
    with lease.hold(desk.journal, f"{desk.name}:training") as fence:
        champion = desk.release().release
        current = snapshot or champion.snapshot
        examples = perform(
            "Selecting examples", lambda _: _select(desk, champion.trained_on, current)
        )
        job = _Job(desk, perform, fence, examples, champion, reason, requested_by)
        if force:  # what an earlier run left may be the very thing that is broken
            shutil.rmtree(job.adapter_folder, ignore_errors=True)
        judged = None if force else desk.journal.last(desk.name, "verdict", key=job.key)
        is_new = judged is None
        entry = _train(job) if judged is None else judged
        verdict = Verdict(entry.payload["promote"], entry.payload["reason"])
        version = desk.registry.version(desk.model_name, entry.payload["version"])
        published = _promote(job, version, verdict)
    return RetrainOutcome(version.version, verdict, published, is_new)


def _select(desk: Desk, reference: str, current: str) -> TrainingSet:
    """Read both snapshots, pinned, and choose the rows; the same snapshots give the same rows.

    Where the reference was cleaned up, all of the current text is taken for new.
    """
    read, old = desk.index.chunk_table, Snapshot.parse(reference)
    return select_examples(
        read(old) if reference != current and desk.index.holds(old) else None,
        read(Snapshot.parse(current)),
        desk.kb.finetune_config(),
        reference_name=reference,
        current_name=current,
    )


def _train(job: _Job) -> Entry:
    """Train, weigh, judge, register; the verdict goes to the journal last, as one entry."""
    desk, examples = job.desk, job.examples
    title = f"training on {examples.current}, {desk.now:%Y-%m-%d %H:%M}"
    with desk.tracker.training_run(title, desk.now, key=job.key, parent=job.requested_by) as run:
        run.log_plan(examples, desk.kb.finetune_config(), job.reason)
        weighed = _weigh(job, run)
        run.log_weighing(weighed)
        version = job.perform(
            "Registering the challenger", lambda _: _register(job, weighed, run.run_id), retries=2
        )
    payload = {
        "version": version.version,
        "promote": weighed.verdict.promote,
        "reason": weighed.verdict.reason,
        "snapshot": examples.current,
        "reference": examples.reference,
        "champion_version": job.champion.model_version,
        "evaluation": asdict(weighed.evaluation),
        "adapter_digest": weighed.adapter.digest,
        "data_digest": examples.digest,
        "seconds": weighed.adapter.seconds + weighed.evaluation.seconds,
        "tokens": weighed.adapter.tokens,
        "requested_by": job.requested_by,
    }
    return desk.journal.append(
        desk.name, "verdict", payload, time=desk.now, key=job.key, fence=job.fence
    )


def _weigh(job: _Job, run: TrainingRun) -> Weighed:
    """Train the challenger and put both models on the same rows."""
    desk, examples, folder = job.desk, job.examples, job.adapter_folder
    config = desk.kb.finetune_config()

    def train(on_progress: OnProgress) -> Adapter:
        if folder.exists():  # finished by a run that was killed before its verdict
            return read_adapter(folder, base=desk.base)
        return finetune(desk.base, examples, config, folder, on_step=run.on_step(on_progress))

    tokens, steps = estimate_cost(examples, config)
    title = f"Training the challenger ({steps} steps, about {tokens:,} tokens)"
    adapter = job.perform(title, train)
    serving = desk.registry.version(job.champion.model_name, job.champion.model_version)
    champion = job.perform(
        "Weighing the champion",
        lambda tell: score(desk.base, serving.adapter_folder, examples, on_progress=tell),
    )
    challenger = job.perform(
        "Weighing the challenger",
        lambda tell: score(desk.base, folder, examples, on_progress=tell),
    )
    evaluation = compare_scores(champion, challenger, seed=config.seed)
    first = job.champion.adapter_digest == ""
    verdict = judge(evaluation, desk.kb.promotion_policy(), first=first)
    return Weighed(adapter, champion, challenger, evaluation, verdict)


def _register(job: _Job, weighed: Weighed, run_id: str) -> ModelVersion:
    desk = job.desk
    version = desk.registry.register(
        name=desk.model_name,
        base=desk.base,
        adapter=weighed.adapter,
        snapshot=job.examples.current,
        data_digest=job.examples.digest,
        requested_by=job.requested_by,
        run_id=run_id,
        evaluation=weighed.evaluation,
        verdict=weighed.verdict,
        card=version_card(desk.name, desk.base, job.examples, weighed, job.reason),
    )
    desk.registry.point(desk.model_name, CHALLENGER, version.version)
    return version


def _promote(job: _Job, version: ModelVersion, verdict: Verdict) -> Published | None:
    """Publish the challenger with the snapshot that answers by now; None if it is not promoted."""
    desk, champion = job.desk, job.champion
    if not verdict.promote or champion.adapter_digest == version.adapter_digest:
        return None
    with lease.hold(desk.journal, desk.name, patience_seconds=_PATIENCE_SECONDS) as fence:
        release = replace(
            desk.release().release,
            model_version=version.version,
            trained_on=version.snapshot,
            base_digest=version.base_digest,
            adapter_digest=version.adapter_digest,
        )
        published = desk.journal.publish(
            release,
            kind="promotion",
            reason=verdict.reason,
            time=desk.now,
            fence=fence,
            expected_version=champion.model_version,
        )
        job.perform("Moving the alias", lambda _: move_alias(desk, version.version), retries=2)
    job.perform("Recording in MLflow", lambda _: desk.tracker.record_promotion(published))
    return published
