"""The sentences of a decision. Pure; what comes from a document is made safe to print, and cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from monitors.records import (
    Decision,
    DriftReport,
    FactualEdit,
    HousekeepingKind,
    NewTopic,
    Signal,
    Takeover,
)
from monitors.wording import listed, printable

# A fact is a number, a date or a name; what is longer is cut, so that a reason stays readable.
_LONGEST = 40
_TOLD = 3
# Texts that are planted for one question come in fives in the literature: all are named.
_MOST_TAKERS = 5
_LEAST_P = 0.001

_HOUSEKEEPING = {
    HousekeepingKind.FORMATTING: "only reformatted",
    HousekeepingKind.MOVED: "only moved",
    HousekeepingKind.DUPLICATED: "only copies of known text",
    HousekeepingKind.ENCODING: "only read in another encoding",
    HousekeepingKind.FOLDER_ADDED: "added as a whole folder",
    HousekeepingKind.FOLDER_LOST: "lost with a whole folder",
}


def sentences(*parts: str) -> str:
    """Join parts into sentences; the first stays lower case, empty ones are left out.

    >>> sentences("nothing moved", "", "three files were only moved")
    'nothing moved. Three files were only moved'
    """
    first, *others = [part for part in parts if part]
    return ". ".join([first, *(part[0].upper() + part[1:] for part in others)])


def relation(score: float, limit: float) -> str:
    """Say on which side of a limit a share is, with as many digits as it takes to see it.

    >>> relation(0.091, 0.08), relation(0.07996, 0.08), relation(0.08, 0.08)
    ('9.1 % is over 8 %', '7.996 % is under 8 %', '8 % is at the limit of 8 %')
    """
    if score == limit:
        return f"{figure(score, 1)} is at the limit of {figure(limit, 1)}"
    digits = next((n for n in range(1, 9) if figure(score, n) != figure(limit, n)), 9)
    word = "over" if score > limit else "under"
    return f"{figure(score, digits)} is {word} {figure(limit, digits)}"


def not_yet(score: float, level: float, until: float) -> str:
    """Say that a state is not left yet, though its level is not reached any more.

    >>> not_yet(0.019, 0.02, 0.016)
    'staleness 1.9 % is under 2 %, but not yet under 1.6 %'
    """
    return f"staleness {relation(score, level)}, but not yet under {figure(until)}"


def too_small(chunks: int, needed: int) -> str:
    """Say that there is not enough text.

    >>> too_small(1, 8)
    'not enough text to judge: 1 chunk, 8 are needed'
    """
    counted = f"{chunks} chunk{'' if chunks == 1 else 's'}"
    return f"not enough text to judge: {counted}, {needed} are needed"


def figure(share: float, digits: int = 2) -> str:
    """Write a share as a percentage with at most so many digits.

    >>> figure(0.08), figure(0.016)
    ('8 %', '1.6 %')
    """
    return f"{share * 100:.{digits}f}".rstrip("0").rstrip(".") + " %"


def scores(signals: Iterable[Signal]) -> str:
    """Name signals that were measured with their scores.

    >>> scores([Signal("changed_chunks", 0.5, 0.2, drifted=True, reason="")])
    'changed chunks 0.50'
    >>> scores([Signal("new_topics", 0.996, 0.95, drifted=True, reason="", p_value=0.004)])
    'new topics (p = 0.004)'
    """
    return ", ".join(f"{spoken(signal)} {_figure(signal)}" for signal in signals)


def _figure(signal: Signal) -> str:
    return f"{signal.score:.2f}" if signal.p_value is None else f"(p = {signal.p_value:.2g})"


def spoken(signal: Signal) -> str:
    """Return a signal's name as people say it."""
    return signal.name.replace("_", " ")


def measured(signal: Signal) -> bool:
    """Tell whether a signal has a score; one that is not a number (NaN) is none."""
    return signal.score is not None and signal.score == signal.score


def unmeasured(report: DriftReport) -> str:
    """Name what could not be measured, which is never taken for calm; "" if all was."""
    names = [spoken(signal) for signal in report.signals if not measured(signal)]
    return f"not measured: {', '.join(names)}" if names else ""


def facts(report: DriftReport) -> str:
    """Say how many facts changed, with the first of them; "" if none did."""
    if not report.edits_found:
        return ""
    changed = "one fact" if report.edits_found == 1 else f"{report.edits_found:,} facts"
    example = f", e.g. {_fact(report.edits[0])}" if report.edits else ""
    return f"{changed} changed, which no embedding sees{example}"


def housekeeping(report: DriftReport) -> str:
    """Say what was left out of every signal, and that it is no reason; "" if nothing was."""
    told = [
        f"{_documents(len(item.uris))} {_HOUSEKEEPING[item.kind]}"
        for item in report.housekeeping
        if item.uris
    ]
    return f"{' and '.join(told)}, which is no reason to retrain" if told else ""


def topic(found: NewTopic) -> str:
    """Say that a new topic came, with the documents that are unusual, the farthest first.

    >>> topic(NewTopic(0.004, 0.05, (), ("turbine",), ""))
    'a new topic came in (p = 0.004; words: turbine)'
    """
    unusual = [printable(document.uri) for document in found.documents if document.unusual]
    p = found.p_value or 0.0
    level = f"p = {p:.3f}" if p >= _LEAST_P else f"p < {_LEAST_P}"
    words = f"; words: {', '.join(map(_short, found.words[:_TOLD]))}" if found.words else ""
    more = ", …" if len(unusual) > _TOLD else ""
    named = f": {', '.join(unusual[:_TOLD])}{more}" if unusual else ""
    return f"a new topic came in ({level}{words}){named}"


def noting_takeovers(decision: Decision, found: Sequence[Takeover]) -> Decision:
    """Return a decision whose reason names what took answers; its action stays."""
    return replace(decision, reason=sentences(decision.reason, takeovers(found)))


def takeovers(found: Sequence[Takeover]) -> str:
    """Say which documents took answers from unchanged ones; "" if none did.

    >>> takeovers([Takeover("b.md", 4, ("a.md",), untrusted=False)])
    'text that came in takes the answers of unchanged documents, without holding them: b.md (4)'
    """
    if not found:
        return ""
    told = listed([f"{_short(taker.uri)} ({taker.probes})" for taker in found[:_MOST_TAKERS]])
    more = f" and {len(found) - _MOST_TAKERS:,} more" if len(found) > _MOST_TAKERS else ""
    return (
        "text that came in takes the answers of unchanged documents, without holding them: "
        f"{told}{more}"
    )


def _fact(edit: FactualEdit) -> str:
    return f"'{_short(edit.was)}' → '{_short(edit.now)}' in {printable(edit.uri)}"


def _short(text: str) -> str:
    return printable(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _documents(count: int) -> str:
    return "one document was" if count == 1 else f"{count:,} documents were"
