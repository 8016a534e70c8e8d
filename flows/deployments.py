"""The flows that Prefect schedules and people start: the same runs, each step a Prefect task.

One of three files that know Prefect. Every entrypoint of prefect.yaml is here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from prefect import Task, flow, get_run_logger, runtime
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from flows import approval, cards
from flows.desk import Desk, open_desk
from flows.errors import BusyError, FlowError, NoReleaseError
from flows.evidence import Evidence, evidence_of
from flows.maintain import maintain as tidy_index
from flows.monitor import monitor as run_check
from flows.promote import promote as promote_version
from flows.promote import reason_of
from flows.promotions import person
from flows.records import MonitorOutcome, Request
from flows.refresh import refresh as refresh_index
from flows.release import Published
from flows.rendering import hub_lines
from flows.retrain import retrain as train_challenger
from flows.rollback import rollback as go_back
from flows.settings import load_settings
from flows.steps import OnProgress
from retrieval.errors import RetrievalError
from training.errors import TrainingError

T = TypeVar("T")

_RETRAIN = "retrain/retrain"
_OURS = (FlowError, RetrievalError, TrainingError)
_ATTEMPTS = 5


@flow(name="monitor", flow_run_name="monitor {kb}", log_prints=False)
def monitor(kb: str = "") -> None:
    """Refresh, measure drift, decide, and ask for a retraining where it is justified.

    Args:
        kb: The knowledge base; left empty, every knowledge base of the settings, one by one.
    """
    _for_each(kb, lambda desk: _show(desk.name, run_check(desk, as_task, ask=ask_deployment)))


@flow(name="refresh", flow_run_name="refresh {kb}")
def refresh(kb: str, accept: str = "") -> str:
    """Bring the index up to date with the documents and publish a release; return its id.

    Args:
        kb: The knowledge base.
        accept: The digest of a plan that a guard stopped and a person has looked at.
    """
    with open_desk(load_settings(), kb, now=_scheduled_time()) as desk:
        outcome = refresh_index(desk, as_task, accept=accept or None)
    card = cards.refresh_card(outcome)
    create_markdown_artifact(
        card, key=artifact_key("refresh", kb), description=outcome.published.reason
    )
    return outcome.published.release.id


@flow(name="maintain", flow_run_name="maintain {kb}")
def maintain(kb: str = "") -> None:
    """Compact the index and drop the versions that no kept release needs.

    Args:
        kb: The knowledge base; left empty, every knowledge base of the settings, one by one.
    """
    # A knowledge base that is busy, or has no release yet, waits for the next night.
    _for_each(kb, _tidy, waiting=(BusyError, NoReleaseError))


@flow(name="retrain", flow_run_name="retrain {kb} on {snapshot}")
def retrain(
    kb: str,
    snapshot: str = "",
    reason: str = "asked for by hand",
    requested_by: str = "",
    force: bool = False,  # noqa: FBT001, FBT002 - Prefect passes parameters by name
) -> str:
    """Train a challenger, weigh it, promote it if it is better; return the verdict in words.

    In the mode `approve` the run is suspended until a person resumes it with the evidence.

    Args:
        kb: The knowledge base.
        snapshot: What to train on, e.g. docs@42; left empty, the one that answers now.
        reason: Why, for the history.
        requested_by: The MLflow run of the check that asked for it.
        force: Train again what was judged before.
    """
    with open_desk(load_settings(), kb, now=_scheduled_time()) as desk:
        waiting = approval.asked(desk)
        if waiting is None:
            outcome = train_challenger(
                desk,
                as_task,
                snapshot=snapshot or None,
                reason=reason,
                requested_by=requested_by,
                force=force,
            )
            said = "promoted" if outcome.verdict.promote else "not promoted"
            text = f"Version {outcome.version} {said}: {outcome.verdict.reason}"
            waiting = outcome.version if outcome.waiting else None
        if waiting is not None:
            text = _promote_approved(desk, waiting)
    create_markdown_artifact(cards.escape(text), key=artifact_key("retrain", kb))
    return text


@flow(name="promote", flow_run_name="promote {kb}")
def promote(kb: str, evidence: str, by: str, version: int = 0) -> str:
    """Promote a challenger on evidence that a person has seen; return the new release's id.

    Args:
        kb: The knowledge base.
        evidence: The digest that `driftline promote KB` shows; its first 12 digits do.
        by: Who decides, for the history.
        version: The version of the model; left at 0, the one that was judged last.
    """
    with open_desk(load_settings(), kb, now=_scheduled_time()) as desk:
        published = _promote(desk, evidence_of(desk, version or None), evidence=evidence, by=by)
    return published.release.id


@flow(name="rollback", flow_run_name="rollback {kb} to {release}")
def rollback(
    kb: str,
    release: str,
    by: str,
    why: str = "asked for by hand",
    model_only: bool = False,  # noqa: FBT001, FBT002 - Prefect passes parameters by name
) -> str:
    """Publish an earlier release again and freeze the knowledge base; return the release's id.

    Args:
        kb: The knowledge base.
        release: The id of the release to go back to, or its first digits.
        by: Who decides, for the history.
        why: Why, for the history.
        model_only: Keep the snapshot that answers now, and do not freeze the knowledge base.
    """
    with open_desk(load_settings(), kb, now=_scheduled_time()) as desk:
        published = go_back(
            desk, as_task, release, actor=person(by), why=why, model_only=model_only
        )
    return published.release.id


def as_task(title: str, work: Callable[[OnProgress], T], *, retries: int = 0) -> T:
    """Perform one step as a task; faults of the world are retried, our own verdicts are not."""
    logger = get_run_logger()

    def step() -> T:
        told = 0

        def tell(done: int, total: int) -> None:
            nonlocal told
            quarter = 4 * done // max(total, 1)
            if quarter > told:
                told = quarter
                logger.info("%s: %d of %d", title, done, total)

        return work(tell)

    performed: Task[[], T] = Task(
        fn=step,
        name="step",
        task_run_name=title,
        retries=retries,
        retry_delay_seconds=[5, 30],
        retry_condition_fn=_is_a_fault,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return performed()


def artifact_key(kind: str, kb: str) -> str:
    """Return the name of a timeline of artifacts; Prefect knows no underscores in it.

    >>> artifact_key("check", "my_docs")
    'check-my-docs'
    """
    return f"{kind}-{kb}".replace("_", "-")


def ask_deployment(request: Request) -> str | None:
    """Ask for a retraining through its deployment, once for each key; None without a server.

    A server answers a repeated key with the run it already has. Only if that run broke is the
    next one asked for, under the next key.
    """
    if not PREFECT_API_URL.value():
        return None
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            run: Any = run_deployment(
                _RETRAIN,
                parameters={
                    "kb": request.kb,
                    "snapshot": request.snapshot,
                    "reason": request.reason,
                    "requested_by": request.requested_by,
                },
                idempotency_key=f"{request.key}-{attempt}",
                timeout=0,
                as_subflow=False,
            )
        except ObjectNotFound:
            return None
        broken = run.state is not None and (run.state.is_crashed() or run.state.is_failed())
        if not broken:
            return f"flow run {run.name}"
    return f"nothing: {_ATTEMPTS} runs for this text broke, see {_RETRAIN} in Prefect"


def _for_each(
    kb: str, work: Callable[[Desk], None], *, waiting: tuple[type[FlowError], ...] = ()
) -> None:
    """Do the work for one knowledge base, or for all; one that fails does not stop the others."""
    settings = load_settings()
    stopped = []
    for name in [kb] if kb else sorted(settings.kb):
        try:
            with open_desk(settings, name, now=_scheduled_time()) as desk:
                work(desk)
        except waiting as error:
            get_run_logger().warning("%s: %s", error.code, error)
        except _OURS as error:
            get_run_logger().error("%s: %s", error.code, error)
            stopped.append(error)
    if stopped:
        raise stopped[0]


def _promote_approved(desk: Desk, version: int) -> str:
    """Promote on the evidence that a person names; until one does, the run ends here, suspended."""
    shown = evidence_of(desk, version)
    if shown.champion == version:
        return f"Version {version} is the champion already, by another approval."
    given = approval.ask(desk, shown)
    _promote(desk, shown, evidence=given.evidence, by=given.by)
    return f"Version {version} promoted by {given.by}: {shown.reason}"


def _promote(desk: Desk, shown: Evidence, *, evidence: str, by: str) -> Published:
    return promote_version(
        desk,
        as_task,
        version=shown.version,
        expected=shown.champion,
        actor=person(by),
        why=reason_of(shown),
        evidence=evidence,
    )


def _tidy(desk: Desk) -> None:
    outcome = tidy_index(desk, as_task)
    done = outcome.tidied
    told = "%s: %d versions removed, %d left, %d bytes in use"
    removed, left = done.versions_removed, done.versions_left
    get_run_logger().info(told, desk.name, removed, left, done.bytes_after)
    for line in hub_lines(outcome.hubs):
        get_run_logger().warning("%s: %s", desk.name, line)


def _is_a_fault(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether trying again can help: yes for the world, no for what we refuse."""
    return not isinstance(state.result(raise_on_failure=False), _OURS)


def _scheduled_time() -> datetime:
    scheduled = runtime.flow_run.scheduled_start_time
    return datetime.fromisoformat(str(scheduled)).astimezone(UTC)


def _show(kb: str, outcome: MonitorOutcome) -> None:
    """Leave the check where people look in Prefect: the log, and a timeline of artifacts."""
    check = outcome.check
    get_run_logger().info("%s: %s", check.decision.action.value, check.decision.reason)
    create_markdown_artifact(
        cards.check_table(check),
        key=artifact_key("check", kb),
        description=cards.check_title(check),
    )
    if outcome.requested:
        get_run_logger().info("Retraining asked for: %s", outcome.requested)
