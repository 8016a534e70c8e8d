"""Tables of runs that are prepared in MLflow, one for each thing a person asks. Pure.

MLflow shows no figure beside a run until each reader has chosen columns. What a reader shares is
kept in a tag of the experiment, so a view can be written there beforehand and linked to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from flows.tracking.run_figures import ANSWERS, COST, DECIDED, HELPED, MOVED
from flows.tracking.run_links import KIND, ROLE, ROLES, run_page, view_page

SHARED = "mlflow.sharedViewState."
"""What MLflow's page puts before a shared view's key to name its tag."""


# In pixels: for half a sentence, and for a figure.
_WIDE, _NARROW = 360, 120


@dataclass(frozen=True, slots=True)
class View:
    """A table of the runs of some roles, newest first: what it answers, its columns in order."""

    key: str
    question: str
    roles: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def state(self) -> str:
        """The view as MLflow's page reads it: what differs from a table that nobody touched."""
        # MLflow's filter knows neither OR nor a list of a tag's values.
        others = [f"tags.`{ROLE}` != '{role}'" for role in ROLES if role not in self.roles]
        state = {
            "searchFilter": " AND ".join(others),
            # Sorted by time, the page hides a run beneath its parent. The knowledge base is the
            # same in all, and equals stand newest first.
            "orderByKey": "tags.`driftline.kb`",
            "orderByAsc": False,
            "selectedColumns": list(self.columns),
            "columnOrder": list(self.columns),
            "columnWidths": {name: _WIDE if name in _WORDS else _NARROW for name in self.columns},
            "runListHidden": False,
            "viewMaximized": False,
        }
        return json.dumps(state, sort_keys=True)


def _tag(name: str) -> str:
    return f"tags.`{name}`"


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


_WORDS = {_tag(name) for name in ANSWERS}

VIEWS = (
    View(
        "checks",
        "What moved, what was decided?",
        ("check",),
        (_metric("drift/staleness"), "params.`champion_version`", _tag(DECIDED), _tag(MOVED)),
    ),
    View(
        "trainings",
        "What did it cost, did it help?",
        ("training", "promotion"),
        (_metric("helped/f1_change"), _tag(COST), _tag(DECIDED), _tag(HELPED)),
    ),
    View(
        "releases",
        "What answered, and why?",
        ("release", "promotion"),
        (_metric("index/documents"), _tag(DECIDED), _tag(MOVED), _tag("driftline.snapshot")),
    ),
)


def experiment_note(kb: str, experiment: str, timeline: str) -> str:
    """Return the description of an experiment: how to read it, with a link for each question.

    A page shows the first line until a reader opens the rest, so the links are there.
    """
    pages = {view.question: view_page(experiment, view.key) for view in VIEWS}
    pages["How did it go over time?"] = run_page(experiment, timeline, "model-metrics")
    pages["Which model answers?"] = f"#/models/driftline-{kb}?{KIND}"
    links = " · ".join(f"[{question}]({page})" for question, page in pages.items())
    return (
        f"{links}\n\n"
        f"Everything Driftline saw, decided, trained for `{kb}`: one run a check, beneath it the "
        "release that it published and the training that it asked for; one run whose steps are "
        "the checks; the registered model, whose alias `champion` is the version that answers.\n\n"
        "Choose two checks or two trainings and press *Compare*: parameters say what each was "
        "about, the tags `driftline.moved`, `.decided`, `.cost` and `.helped` answer in words."
    )
