"""Train a challenger on what changed, weigh it against the champion, promote what is better."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.desk import Desk
from flows.failpoints import reach
from flows.journal import lease
from flows.journal.journal import Entry, Fence
from flows.promote import promote
from flows.promoting.champion import CHALLENGER
from flows.promoting.evidence import evidence_of
from flows.promoting.promotions import FLOW
from flows.records import RetrainOutcome, TrainingPlan, Weighed
from flows.release import Published
from flows.settings.training import PromotionMode
from flows.showing.training import cost_line
from flows.steps import OnProgress, Perform
from flows.telling import entries as telling
from flows.tracking.model_cards import Provenance, version_card
from flows.tracking.training_runs import TrainingRun
from flows.training_plan import Job, estimated, plan_of, prepare
from training.examples.example_files import write_examples
from training.fitting.checkpoints import candidate_adapters
from training.fitting.jobs import Job as ProcessJob
from training.fitting.listeners import Listeners
from training.fitting.trainer_process import train
from training.judging.comparison import compare_scores
from training.judging.evaluate import score
from training.judging.promotion import choose
from training.models.adapter_files import read_adapter
from training.records import Adapter, ModelVersion
from training.weighing import Scores, Verdict

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A job, and who asked for it and why, under the lease that it is done under."""

    job: Job
    perform: Perform
    fence: Fence
    reason: str
    requested_by: str
    force: bool


def plan_retraining(desk: Desk, perform: Perform, *, snapshot: str | None = None) -> TrainingPlan:
    """Return what `retrain` would do and cost; write nothing but this machine's speed."""
    champion = desk.release().release
    job = prepare(desk, perform, champion, snapshot or champion.snapshot)
    return plan_of(job, estimated(job, perform))


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
    Where a person has to approve, nothing is promoted, and the outcome says what waits.
    """
    with lease.hold(desk.journal, f"{desk.name}:training") as fence:
        reach("retrain.held")
        champion = desk.release().release
        job = prepare(desk, perform, champion, snapshot or champion.snapshot)
        reach("retrain.prepared")
        asked = _Asked(job, perform, fence, reason, requested_by, force)
        if force:  # what an earlier run left may be the very thing that is broken
            shutil.rmtree(job.folder, ignore_errors=True)
        judged = None if force else desk.journal.last(desk.name, "verdict", key=job.key)
        entry = _challenge(asked) if judged is None else judged
        version, verdict = entry.payload["version"], _verdict(entry)
        due = verdict.promote and champion.adapter_digest != entry.payload["adapter_digest"]
        if due and desk.kb.promotion.mode is PromotionMode.APPROVE:
            waiting = evidence_of(desk, version).digest
            return RetrainOutcome(version, verdict, None, judged is None, waiting)
        published = _promote(asked, version, verdict) if due else None
    return RetrainOutcome(version, verdict, published, judged is None)


def _verdict(entry: Entry) -> Verdict:
    return Verdict(entry.payload["promote"], entry.payload["reason"])


def _promote(asked: _Asked, version: int, verdict: Verdict) -> Published:
    """Publish the challenger with the snapshot that answers by now."""
    desk = asked.job.desk
    return promote(
        desk,
        asked.perform,
        version=version,
        expected=asked.job.champion.model_version,
        actor=FLOW,
        why=verdict.reason,
        evidence=evidence_of(desk, version).digest,
    )


def _challenge(asked: _Asked) -> Entry:
    """Train, weigh, judge, register; the verdict goes to the journal last, as one entry.

    What the training left on disk goes after that: MLflow has the rows and the adapter.
    """
    job, desk = asked.job, asked.job.desk
    plan = plan_of(job, estimated(job, asked.perform))
    title = f"training on {job.examples.current}, {desk.now:%Y-%m-%d %H:%M}"
    with desk.tracker.training_run(title, desk.now, key=job.key, parent=asked.requested_by) as run:
        run.log_plan(job.examples, job.config, asked.reason, estimate=cost_line(plan))
        reach("retrain.planned")
        write_examples(job.examples, job.examples_folder, config=job.config)
        reach("retrain.written")
        run.log_examples(job.examples, sorted(job.examples_folder.iterdir()))
        reach("retrain.exampled")
        _train(asked, run, plan)
        reach("retrain.trained")
        weighed = _weigh(asked)
        reach("retrain.weighed")
        run.log_weighing(job.examples, weighed)
        reach("retrain.logged")
        version = asked.perform(
            "Registering the challenger", lambda _: _register(asked, weighed, run), retries=2
        )
    payload = _payload(asked, weighed, version)
    entry = desk.journal.append(
        desk.name,
        "verdict",
        payload,
        time=desk.now,
        key=job.key,
        fence=asked.fence,
        errands=telling.of_verdict(desk, payload),
    )
    reach("retrain.judged")
    shutil.rmtree(job.folder, ignore_errors=True)
    reach("retrain.tidied")
    return entry


def _train(asked: _Asked, run: TrainingRun, plan: TrainingPlan) -> None:
    """Train in a child process, from the last checkpoint of a run that was killed, if any."""
    job, desk = asked.job, asked.job.desk
    if job.adapter_folder.exists():  # finished by a run that was killed before its verdict
        read_adapter(job.adapter_folder, base=desk.base)
        return
    told = ProcessJob(
        desk.base,
        job.examples_folder,
        job.config,
        job.adapter_folder,
        job.start.adapter_folder if job.start else None,
    )
    file = desk.kb.training.accelerate

    def work(on_progress: OnProgress) -> Adapter:
        listeners = Listeners(run.on_step(on_progress), run.log_sample, _log.warning)
        accelerate_file = None if file is None else desk.settings.resolve(file)
        return train(told, listeners, accelerate_file=accelerate_file)

    asked.perform(f"Training the challenger: {cost_line(plan)}", work)


def _weigh(asked: _Asked) -> Weighed:
    """Put the champion and each candidate on the same rows; take the one that passes best."""
    job, desk = asked.job, asked.job.desk
    serving = desk.registry.version(job.champion.model_name, job.champion.model_version)
    champion = _scored(asked, "Weighing the champion", serving.adapter_folder)
    # The oldest first, as they were trained.
    candidates = candidate_adapters(job.adapter_folder)[: job.config.candidates][::-1]
    scores = [
        _scored(asked, f"Weighing the challenger ({n} of {len(candidates)})", each.folder)
        for n, each in enumerate(candidates, start=1)
    ]
    evaluations = [
        compare_scores(champion, each, seed=job.config.seed, looks=len(candidates))
        for each in scores
    ]
    first = job.champion.adapter_digest == ""
    choice = choose(evaluations, desk.kb.promotion_policy(), first=first)
    at = choice.index
    return Weighed(candidates[at], champion, scores[at], evaluations[at], choice.verdict)


def _scored(asked: _Asked, title: str, folder: Path | None) -> Scores:
    base, examples = asked.job.desk.base, asked.job.examples
    return asked.perform(title, lambda tell: score(base, folder, examples, on_progress=tell))


def _register(asked: _Asked, weighed: Weighed, run: TrainingRun) -> ModelVersion:
    job, desk = asked.job, asked.job.desk
    start = job.start
    origin = Provenance(
        champion_version=job.champion.model_version,
        start=str(job.config.start),
        started_from=start.adapter_digest if start else "",
        reason=asked.reason,
    )
    version = desk.registry.register(
        name=desk.model_name,
        base=desk.base,
        adapter=weighed.adapter,
        snapshot=job.examples.current,
        data_digest=job.examples.digest,
        requested_by=asked.requested_by,
        run_id=run.run_id,
        evaluation=weighed.evaluation,
        verdict=weighed.verdict,
        card=version_card(desk.name, desk.base, job.examples, weighed, origin),
        reference=job.examples.reference,
        champion=job.champion.model_version,
        parent_run=start.run_id if start else "",
        # By force it is registered anew: what was there may be damaged.
        key="" if asked.force else job.key,
    )
    reach("retrain.registered")
    at = desk.registry.pointed(desk.model_name, CHALLENGER)
    desk.registry.point(desk.model_name, CHALLENGER, version.version, expected=at)
    reach("retrain.pointed")
    return version


def _payload(asked: _Asked, weighed: Weighed, version: ModelVersion) -> dict[str, Any]:
    job = asked.job
    return {
        "version": version.version,
        "promote": weighed.verdict.promote,
        "reason": weighed.verdict.reason,
        "snapshot": job.examples.current,
        "reference": job.examples.reference,
        "champion_version": job.champion.model_version,
        "evaluation": asdict(weighed.evaluation),
        "adapter_digest": weighed.adapter.digest,
        "data_digest": job.examples.digest,
        "start": job.start.version if job.start else None,
        "seconds": weighed.adapter.seconds + weighed.evaluation.seconds,
        "tokens": weighed.adapter.tokens,
        "requested_by": asked.requested_by,
    }
