"""A run that waits for a person: suspended with a form that shows the evidence, then promoting."""

from __future__ import annotations

from prefect import runtime
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from flows.desk import Desk
from flows.promote import promote as promote_version
from flows.promote import reason_of
from flows.promoting.evidence import DIGITS, Evidence
from flows.promoting.promotions import person
from flows.release import Published
from flows.serving import timeline
from flows.serving.task_steps import as_task
from flows.showing.promotion import evidence_markdown

_KIND = "approval"


class Approval(RunInput):
    """What a person fills in to let a run go on."""

    evidence: str = Field(description=f"The first {DIGITS} digits of the evidence shown above.")
    by: str = Field(description="Who approves, for the history.", min_length=1)


def asked(desk: Desk) -> int | None:
    """Return the version that this very run waits for approval of, None if it does not wait.

    A resumed run starts from the top. The documents may have moved meanwhile; without this it
    would train on them anew, and never promote what the person saw.
    """
    entry = desk.journal.last(desk.name, _KIND, key=str(runtime.flow_run.id))
    return int(entry.payload["version"]) if entry else None


def ask(desk: Desk, shown: Evidence) -> Approval:
    """Return the form as it was filled in; the first time, suspend the run, which ends it here.

    The digest is part of the suspension's key: a run that is resumed after the evidence changed
    is suspended again, with a form that shows what holds now.
    """
    payload = {"version": shown.version, "evidence": shown.digest}
    desk.journal.append(desk.name, _KIND, payload, time=desk.now, key=str(runtime.flow_run.id))
    form = Approval.with_initial_data(description=evidence_markdown(shown))
    return suspend_flow_run(wait_for_input=form, key=shown.digest[:DIGITS])


def promote(desk: Desk, shown: Evidence, *, evidence: str, by: str) -> Published:
    """Promote on evidence that a person named, and leave it in Prefect's timeline."""
    published = promote_version(
        desk,
        as_task,
        version=shown.version,
        expected=shown.champion,
        actor=person(by),
        why=reason_of(shown),
        evidence=evidence,
    )
    timeline.leave_publication("promotion", desk.name, published)
    return published
