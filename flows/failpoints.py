"""Named places in the flows where a test can stop a run, and the list of all there are.

One mechanism, `DRIFTLINE_FAILPOINT=NAME[=ACTION][:TIMES]`, for the flows and both libraries, which
do not know each other: each package lists its own names. Add a name here with what is true there,
and reach it in one place; the tests see to the rest.
"""

from retrieval import failpoints as in_retrieval
from retrieval.failpoints import reach
from training import failpoints as in_training

__all__ = ["FAILPOINTS", "arm", "every_failpoint", "reach"]

FAILPOINTS = {
    # Leases and the journal
    "lease.taken": "A lease is held; nothing was done under it.",
    "lease.freeing": "The work under a lease is done; the lease is not given back.",
    "journal.committing": "What was written to the journal is not committed.",
    "journal.committed": "What was written to the journal is committed; the writer does not know.",
    # refresh
    "refresh.blocked": "A guard said no, and the journal knows.",
    "release.recorded": "The journal knows what a refresh changed; no release names the snapshot.",
    "release.published": "The release answers; nothing was told to anybody.",
    "refresh.staleness": "Documents that are stale are written down.",
    "refresh.tracked": "A refresh by hand is in MLflow.",
    # The champion and its alias
    "champion.registered": "The base model is registered; no alias points at it.",
    "champion.pointed": "The alias in MLflow is moved; the journal has not confirmed it.",
    "champion.confirmed": "The journal has confirmed where the alias is.",
    "champion.objected": "A person's move of the alias is refused, and not yet undone.",
    "champion.followed": "A person's move of the alias is published, and not yet confirmed.",
    # monitor
    "monitor.reconciled": "Alias and journal agree; nothing is refreshed.",
    "leftovers.ended": "No run in MLflow is running whose process died.",
    "leftovers.written": "Every publication has its run in MLflow.",
    "monitor.blocked": "What stopped a check is in MLflow.",
    "monitor.refreshed": "The fresh release answers; no drift is measured.",
    "monitor.measured": "Drift is measured, and a decision made; nothing is written.",
    "monitor.contested": "What came in was asked about; nothing is written of it.",
    "report.written": "The page of a check is written.",
    "monitor.tracked": "The check is in MLflow, and not in the journal.",
    "report.kept": "The measurement is written under another name, and not in its place.",
    "monitor.remembered": "What the tests of a check spent is in the journal.",
    "monitor.checked": "The check is in the journal; nobody was asked to retrain.",
    # MLflow runs
    "tracking.opened": "A run in MLflow is open, with nothing in it.",
    "tracking.filled": "A run in MLflow has all that it was to have, and is still open.",
    "tracking.timeline": "A check's run is closed; the timeline has no step of it.",
    # maintain
    "maintain.tidied": "The index is compacted, what nothing needs removed.",
    "maintain.indexed": "The search indices of the compacted version are built.",
    "maintain.settled": "The compacted version is synced to the disk.",
    "maintain.recorded": "The journal knows what upkeep did; no release names the version.",
    "maintain.published": "The compacted version answers.",
    # promote, rollback, resume
    "promotion.refused": "The journal knows that a promotion was refused, and why.",
    "promote.settled": "Alias and journal agree before a promotion.",
    "promote.published": "The challenger answers; the alias lags.",
    "promote.moved": "The alias follows a promotion; MLflow has no run of it.",
    "promote.tracked": "A promotion is in MLflow.",
    "rollback.settled": "Alias and journal agree before a rollback.",
    "rollback.looked": "The release to go back to can be read.",
    "rollback.published": "The earlier release answers and is frozen; the alias lags.",
    "rollback.moved": "The alias follows a rollback; MLflow has no run of it.",
    "rollback.tracked": "A rollback is in MLflow.",
    "resume.lifted": "A freeze is lifted.",
    # retrain
    "retrain.held": "The lease of trainings is held; no rows are chosen.",
    "retrain.prepared": "The rows are chosen.",
    "retrain.planned": "The training's run in MLflow says what is planned.",
    "retrain.written": "The rows lie in files for the training process.",
    "retrain.exampled": "The rows are in MLflow; nothing is trained.",
    "retrain.trained": "The adapter is trained, and not weighed.",
    "retrain.weighed": "Champion and challenger are weighed; nothing says so.",
    "retrain.logged": "The weighing is in MLflow; there is no version.",
    "retrain.registered": "The challenger is a version; no alias points at it.",
    "retrain.pointed": "The alias `challenger` points at the version; there is no verdict.",
    "retrain.judged": "The verdict is in the journal; what the training left is on the disk.",
    "retrain.tidied": "What the training left is removed; nothing is promoted.",
    # verify --repair, and what a refresh mends by itself
    "repair.restored": "What answered before is the newest version; what is damaged is in place.",
    "repair.aside": "What cannot be read is set aside; no release names what took its place.",
    "repair.mended": "A refresh has the version before answer; nothing is refreshed.",
    "repair.condemned": "The table is given up; the journal does not say so.",
    "repair.recorded": "The journal says that the next refresh makes the index anew.",
    "repair.published": "What is whole answers; the alias lags.",
    "repair.moved": "The alias follows a repair; MLflow has no run of it.",
    "repair.tracked": "A repair is in MLflow.",
    # forget
    "forget.denied": "The documents are denied in the journal; every place still has them.",
    "forget.begun": "What to look for is written down; every place still has the documents.",
    "forget.written": "The table without the documents is there; no release names it.",
    "forget.carried": "What drift is measured from has a table without the documents too.",
    "forget.indexed": "The search indices of the table without the documents are built.",
    "forget.published": "A release without the documents answers; the old tables are still there.",
    "forget.removed": "A table that held the documents is gone.",
    "forget.blocked": "The journal blocks the model versions that know the documents.",
    "forget.tainted": "Model versions that know the documents are marked in MLflow too.",
    "forget.measured": "Caches that only save work are gone.",
    "forget.scans": "The scan cache does not name the documents any more.",
    "forget.pages": "What trainings left, mirrors and pages are gone.",
    "forget.caches": "Nothing beside the index has the documents.",
    "forget.artifacts": "MLflow's files do not have the documents; its database does.",
    "forget.tracking": "MLflow's database does not have the documents.",
    "forget.journal": "The journal quotes nothing of the documents.",
    "forget.proved": "Every file was searched; there is no receipt.",
    "forget.receipt": "The receipt is written; the journal has no entry of it.",
    "forget.recorded": "The erasure is in the journal; what to look for is still written down.",
}
"""Every failpoint of the flows, by flow in the order a run reaches them, and what is true there."""


def every_failpoint() -> dict[str, str]:
    """Return the failpoints of all packages, each with what is true there."""
    return {**FAILPOINTS, **in_retrieval.FAILPOINTS, **in_training.FAILPOINTS}


def arm(order: str) -> None:
    """Have this process stopped by `NAME[=ACTION][:TIMES]`, wherever the name is; "" for never.

    The environment variable does the same for a process from its start.
    """
    in_retrieval.arm(order)
    in_training.arm(order)
