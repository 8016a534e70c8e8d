"""Incoming documents as a sample: are they about what the reference is about? Composes, pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitors.corpus import Corpus, joined
from monitors.pair import Pair
from monitors.records import ChangeKind, NewTopic, TopicDocument
from monitors.sampling.permutation import PermutationTest
from monitors.sampling.schedule import Look, OwnNull, alarms, content_of, own_null, permutations_for
from monitors.signals import topics
from monitors.wording import percent

# One comparison by itself, outside any schedule.
SINGLE = Look(number=1, level=0.05, permutations=permutations_for(0.05))
_TOLD = 20
_UNUSUAL = 0.05


def incoming_content(pair: Pair) -> str | None:
    """Return the digest of all incoming documents, None if there are none."""
    digests = [pair.current.document_digests[chunks.start] for _, chunks in _arrived(pair)]
    return content_of(digests) if digests else None


def measure_topic(pair: Pair, look: Look, *, null: OwnNull | None = None) -> NewTopic | None:
    """Test the new documents of a pair against those that the reference has; None without any."""
    new = _incoming(pair)
    found = topics.measure(
        _known(pair), new, permutations=look.permutations, level=look.level, seed=0
    )
    if found is None:
        return None
    p_value = found.test.p_value
    count = sum(1 for _ in new.documents())
    alarm = p_value is not None and alarms(look, p_value)
    return NewTopic(
        p_value=p_value,
        level=look.level,
        documents=tuple(
            TopicDocument(document.uri, document.distance, alarm and document.as_far <= _UNUSUAL)
            for document in found.documents[:_TOLD]
        ),
        words=found.words if alarm else (),
        reason=" ".join(
            [_verdict(p_value, look, count, found.test.reason), *_mixed(found.mix), *_held(null)]
        ),
    )


def play_null(pair: Pair, *, out_of_time: Callable[[], bool]) -> OwnNull | None:
    """Return how often the test alarms on draws of the reference's own documents.

    As many are drawn as came in, so that it is the rate of this very test; None if too few.
    """
    incoming = sum(1 for _ in _incoming(pair).documents())
    played = topics.play(_known(pair), incoming=max(1, incoming), level=SINGLE.level)
    return None if played is None else own_null(played, out_of_time=out_of_time)


def _verdict(p_value: float | None, look: Look, count: int, reason: str) -> str:
    documents = f"{count} new document{'s' * (count != 1)}"
    if p_value is None:
        return f"{documents}, not tested: {reason}."
    relation = "at or under" if alarms(look, p_value) else "over"
    said = "a topic that the reference lacks" if alarms(look, p_value) else "no new topic"
    place = f", look {look.number} of the schedule" if look is not SINGLE else ""
    return f"{documents}: {said} (p = {p_value:.2g}, {relation} {look.level:.2g}{place})."


def _mixed(mix: PermutationTest | None) -> Iterable[str]:
    """Say how the mix of subjects moved, which is told and is no alarm."""
    if mix is not None and mix.p_value is not None:
        yield (
            f"Mix of subjects: p = {mix.p_value:.2g} by the discrepancy of means, which any batch "
            "about one known subject moves."
        )


def _held(null: OwnNull | None) -> Iterable[str]:
    if null is not None:
        yield (
            f"Stated false-alarm rate {percent(null.level)}; on {null.draws} draws of this "
            f"knowledge base's own documents {percent(null.share)} "
            f"[{percent(null.low)}, {percent(null.high)}]."
        )


def _arrived(pair: Pair) -> Iterable[tuple[str, slice]]:
    return (
        (uri, chunks)
        for uri, chunks in pair.current.documents()
        if pair.kinds.get(uri) is ChangeKind.NEW
    )


def _incoming(pair: Pair) -> Corpus:
    held = {uri for uri, _ in _arrived(pair)}
    return pair.current.without(set(pair.current.uris) - held)


def _known(pair: Pair) -> Corpus:
    return joined(pair.steady, pair.reference)
