"""Measure how far a corpus has moved since the reference: every signal, and what is behind it."""

from __future__ import annotations

from dataclasses import dataclass

from monitors import attribution
from monitors.calibration import Features, estimate
from monitors.decision.policy import Thresholds
from monitors.decision.reasons import figure
from monitors.decision.triage import triage
from monitors.hygiene.housekeeping import find_housekeeping
from monitors.pair import Pair
from monitors.records import DriftReport, NewTopic, Signal, Triage
from monitors.signals import (
    digests,
    edits,
    novelty,
    shingles,
    staleness,
    topic_mix,
    vocabulary,
)
from monitors.signals.staleness import ProbedStaleness

# What a page or a table shows; the count is of all.
_MOST_EDITS = 200


@dataclass(frozen=True, slots=True)
class _Share:
    """A measured share on its way to a signal: what it is a share of, in words."""

    name: str
    score: float | None
    threshold: float
    meaning: str
    unmeasured: str = "one side has no vectors"
    low: float | None = None
    high: float | None = None


def measure_drift(
    pair: Pair,
    *,
    reference_name: str,
    current_name: str,
    thresholds: Thresholds | None = None,
    topic: NewTopic | None = None,
) -> DriftReport:
    """Measure a pair; what needs vectors or a search is left out where it has none.

    The comparison is cumulative: give it the snapshot that the serving model was trained on,
    never yesterday's, or slow drift is never seen. What is only housekeeping is named and left
    out of every signal. `topic` is what the incoming documents were found to be about.
    """
    limits = thresholds or Thresholds()
    housekeeping = find_housekeeping(pair, folders=pair.folders)
    rest = pair.without({uri for each in housekeeping for uri in each.uris})
    unseen = shingles.measure(rest)
    probed = staleness.measure(rest)
    facts = edits.measure(rest.reference, rest.current)
    came, went = attribution.words_moved(rest)
    stale = estimate(Features(unseen.share, probed))
    shares = _shares(rest, unseen, probed, facts.count, limits)
    tested = [] if topic is None else [_of_topic(topic)]
    return DriftReport(
        reference=reference_name,
        current=current_name,
        staleness=stale.share,
        staleness_low=stale.low,
        staleness_high=stale.high,
        signals=(*map(_signal, shares), *tested),
        documents=attribution.documents(pair.kinds, unseen),
        reference_chunks=pair.reference_chunks,
        current_chunks=pair.current_chunks,
        parts=attribution.parts(rest, unseen),
        words_came=came,
        words_went=went,
        edits=facts.edits[:_MOST_EDITS],
        edits_found=facts.count,
        housekeeping=housekeeping,
        topic=topic,
        triage=_triage(probed),
    )


def unmeasured(reference_name: str, current_name: str) -> DriftReport:
    """Return the report of a comparison that could not be made: it has no signal."""
    return DriftReport(reference_name, current_name, 0.0, (), (), 0, 0)


def _shares(
    pair: Pair,
    unseen: shingles.UnseenShingles,
    probed: ProbedStaleness | None,
    edited: int,
    limits: Thresholds,
) -> list[_Share]:
    changed = digests.measure_changed(pair, unseen)
    return [
        _Share("unseen_shingles", unseen.share, limits.unseen_shingles,
               "of all runs of five words are not in the reference"),
        _Share("changed_chunks", changed.changed, limits.changed_chunks,
               f"of the current chunks are new or changed ({figure(changed.new, 1)} say something "
               f"new, {figure(changed.edited, 1)} edit what stood there)"),
        _Share("removed_chunks", digests.measure_removed(pair), limits.removed_chunks,
               "of the reference chunks are gone or changed"),
        _Share("novelty", novelty.measure(pair), limits.novelty,
               "of the current chunks are unlike anything in the reference"),
        _Share("probed_staleness", None if probed is None else probed.share,
               limits.probed_staleness,
               "of what can be asked is answered by the current text alone" + _asked(probed),
               "there is no full-text search, or nothing in what is new can be asked",
               None if probed is None else probed.low, None if probed is None else probed.high),
        _Share("vocabulary", vocabulary.measure(pair).divergence, limits.vocabulary,
               "of a bit lies between the words then and now"),
        _Share("topic_mix", topic_mix.measure(pair), limits.topic_mix,
               "of a bit lies between the topics then and now"),
        _Share("factual_edits", min(1.0, edited / max(1, pair.current_chunks)),
               limits.factual_edits,
               f"is the count of facts that changed in otherwise equal sentences ({edited}) over "
               "the count of chunks"),
    ]  # fmt: skip


def _signal(measured: _Share) -> Signal:
    score, threshold = measured.score, measured.threshold
    if score is None:
        reason = f"not measured: {measured.unmeasured}"
        return Signal(measured.name, None, threshold, drifted=False, reason=reason)
    relation = "is at or over" if score >= threshold else "is under"
    return Signal(
        measured.name,
        score,
        threshold,
        drifted=score >= threshold,
        reason=f"{figure(score, 1)} {measured.meaning}, which {relation} {figure(threshold, 1)}",
        low=measured.low,
        high=measured.high,
    )


def _of_topic(topic: NewTopic) -> Signal:
    """Return the test for new topics as a signal: one minus p grows with the evidence."""
    p_value = topic.p_value
    return Signal(
        "new_topics",
        None if p_value is None else 1 - p_value,
        1 - topic.level,
        drifted=p_value is not None and p_value <= topic.level,
        reason=topic.reason,
        p_value=p_value,
    )


def _asked(probed: ProbedStaleness | None) -> str:
    if probed is None or not probed.probes:
        return ""
    return f" ({probed.probes} questions asked of both, {probed.stale} of them stale)"


def _triage(probed: ProbedStaleness | None) -> Triage | None:
    return None if probed is None else triage(probed.unanswered, probed.stale)
