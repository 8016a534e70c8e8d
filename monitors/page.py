"""The page of a check: our own HTML about one comparison. Only file that knows Jinja.

All text on it came from documents or may name one. Every value passes one door on its way into
the page: control and bidi characters are written out, then the template escapes it.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from monitors import charts
from monitors.charts import Levels, TrendPoint
from monitors.decision.reasons import figure
from monitors.records import Decision, DriftReport, FactualEdit, Part
from monitors.wording import percent, printable

# A version or a date is one token: "3.9" became "3.10", not "9" "10".
_TOKEN = re.compile(r"\s+|\w+(?:[.:-]\w+)*|[^\w\s]")
# Sentences of a reason begin with a capital or a count; what stands after "e.g." does not.
_SENTENCE = re.compile(r"\. (?=[A-Z0-9])")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# A sentence longer than this is no sentence; a reader wants the place of the change.
_LONGEST = 400
_AROUND = 60
# From so many on, the next larger unit says it better.
_LONG_SECONDS = _LONG_MINUTES = 90


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a sentence, and whether it is what changed."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """A factual edit with the changed words of both sentences marked."""

    edit: FactualEdit
    was: tuple[Span, ...]
    now: tuple[Span, ...]


def render(
    report: DriftReport,
    decision: Decision,
    *,
    levels: Levels,
    trend: Sequence[TrendPoint] = (),
    title: str,
    data: str = "",
    sampled: int = 0,
) -> str:
    """Return the whole page; `data` is a page of its own, shown in a sandboxed frame.

    The policy in the page lets nothing be fetched, and no script run but those of `data`, which
    are named by their digests.
    """
    return _environment().get_template("check.html").render(
        title=title,
        report=report,
        decision=decision,
        reasons=told(decision.reason),
        levels=levels,
        gauge=charts.gauge(report, levels),
        trend=charts.trend(trend, levels) if trend else None,
        edits=[marked(edit) for edit in report.edits],
        parts={part: [each for each in report.parts if each.part is part] for part in Part},
        scripts=" ".join(script_digests(data)) or "'none'",
        data=Markup(html.escape(data)),  # noqa: S704 - escaped right here
        sampled=sampled,
    )  # fmt: skip


def marked(edit: FactualEdit) -> Marked:
    """Return the edit with what differs between its sentences marked, word by word."""
    was, now = (_TOKEN.findall(_clipped(text)) for text in _window(edit))
    old: list[Span] = []
    new: list[Span] = []
    steps = difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes()
    for step, from_, to, new_from, new_to in steps:
        changed = step != "equal"
        old += [Span("".join(was[from_:to]), changed)] if to > from_ else []
        new += [Span("".join(now[new_from:new_to]), changed)] if new_to > new_from else []
    return Marked(edit, tuple(old), tuple(new))


def told(reason: str) -> list[str]:
    """Return the sentences of a reason as a person would write them.

    >>> told("staleness 2 % is over 1 %. Two files moved, e.g. a.md")
    ['Staleness 2 % is over 1 %.', 'Two files moved, e.g. a.md.']
    """
    return [f"{each[:1].upper()}{each[1:]}." for each in _SENTENCE.split(reason.rstrip("."))]


def duration(seconds: float) -> str:
    """Return a time in the unit that people would use.

    >>> duration(40), duration(600), duration(5400)
    ('40 s', '10 min', '1.5 h')
    """
    if seconds < _LONG_SECONDS:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < _LONG_MINUTES else f"{minutes / 60:,.1f} h"


def script_digests(page: str) -> list[str]:
    """Return a content security policy's names for the inline scripts of a page.

    >>> script_digests("<script>1</script>")
    ["'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='"]
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(page))
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def _window(edit: FactualEdit) -> tuple[str, str]:
    """Return both sentences on one line, from a little before where they begin to differ."""
    was, now = (" ".join(text.split()) for text in (edit.sentence_was, edit.sentence_now))
    equal = next(
        (at for at, (old, new) in enumerate(zip(was, now, strict=False)) if old != new),
        min(len(was), len(now)),
    )
    if max(len(was), len(now)) <= _LONGEST or equal <= _AROUND:
        return was, now
    start = was.rfind(" ", 0, equal - _AROUND) + 1
    return f"… {was[start:]}", f"… {now[start:]}"


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("monitors"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "figure": partial(figure, digits=1)}
    environment.filters["duration"] = duration
    return environment


def _plain(value: object) -> object:
    """Write out what would disturb the page; markup of the template's own passes."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
