"""Links between runs of MLflow, both ways: an id in a tag, and a line in the description. Pure.

An address is relative to MLflow's own page, so it holds at any host and behind any proxy. Every
link of a description is made from the run's tags, so it can be made anew at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

ROLE = "driftline.role"
# Which process writes a run, as a lease names its holder; and why a run was ended by another.
PROCESS, ENDED = "driftline.process", "driftline.ended"
ROLES = ("check", "release", "training", "promotion", "model", "timeline", "superseded")
_WORDS = {
    "driftline.check_run": "the check",
    "driftline.release_run": "the release",
    "driftline.training_run": "the training",
    "driftline.promotion_run": "the promotion",
}
_VERSION, _KB = "driftline.version", "driftline.kb"
_HEADING = "\n\n---\nSee also: "
# MLflow 3 opens on its page for generative AI unless told otherwise.
KIND = "workflowType=machine_learning"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that says it is running; `process` is who writes it, "" before Driftline noted that."""

    id: str
    role: str
    process: str


def tag_of(role: str) -> str:
    """Return the tag in which other runs name a run of this role.

    >>> tag_of("check")
    'driftline.check_run'
    """
    return f"driftline.{role}_run"


def linked(note: str, tags: Mapping[str, str], experiment: str) -> str:
    r"""Return a description that ends with links to what a run's tags name.

    >>> linked("Why.", {"driftline.check_run": "ab12"}, "7")
    'Why.\n\n---\nSee also: [the check](#/experiments/7/runs/ab12?workflowType=machine_learning)'
    """
    links = [
        _link(words, f"experiments/{experiment}/runs/{quote(tags[tag])}")
        for tag, words in _WORDS.items()
        if tags.get(tag)
    ]
    if version := tags.get(_VERSION):
        model = quote(f"driftline-{tags.get(_KB, '')}")
        links.append(_link(f"version {version}", f"models/{model}/versions/{quote(version)}"))
    body = note.partition(_HEADING)[0]
    return body + _HEADING + " · ".join(links) if links else body


def run_page(experiment: str, run: str, tab: str = "") -> str:
    """Return the address of a run's page within MLflow."""
    return f"#/experiments/{experiment}/runs/{quote(run)}{f'/{tab}' if tab else ''}?{KIND}"


def view_page(experiment: str, view: str) -> str:
    """Return the address of a prepared table of runs within MLflow."""
    return f"#/experiments/{experiment}/runs?viewStateShareKey={quote(view)}&{KIND}"


def _link(words: str, page: str) -> str:
    return f"[{words}](#/{page}?{KIND})"
