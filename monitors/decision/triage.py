"""Which memory has to move: is the refreshed index enough, or are the weights stale? Pure."""

from __future__ import annotations

from monitors.records import Triage
from monitors.wording import printable

# Nine in ten: what is left of a staleness at the retrain level is then under one question in a
# hundred, less than the 0.01 that the estimate itself is read to.
ENOUGH = 0.9
_ONE = 0.01
_NOT_MEASURED = "how much of it the refreshed index has cured was not measured"


def triage(stale_probes: int, answered: int) -> Triage:
    """Return what the refreshed index has cured, from counts of probes.

    `stale_probes` are answerable now but not from the reference, `answered` are those of them for
    which the refreshed index finds a chunk that holds the answer. Raises ValueError where fewer
    are stale than answered.

    >>> triage(200, 186).reason
    'the refreshed index answers 93 % of the stale questions already; 7 % are left to the weights'
    """
    if not 0 <= answered <= stale_probes:
        msg = f"{answered} of {stale_probes} stale probes cannot be answered."
        raise ValueError(msg)
    if stale_probes == 0:
        return Triage(0, 1.0, "no probe is stale, so nothing is left to the weights")
    cured = answered / stale_probes
    return Triage(stale_probes, cured, _in_words(stale_probes, answered))


def advice(found: Triage | None, reference: str, *, stale: bool) -> str:
    """Say what the triage means; `stale` if the staleness has reached the retrain level.

    A fresh index answers what it finds a passage for, with any weights. It does not change what
    they say without a passage, nor the words they know to read one with.
    """
    reason = _NOT_MEASURED if found is None else found.reason
    if stale:
        return f"{reason}; without a passage the weights still answer from {printable(reference)}"
    if found is None or found.stale_probes == 0:
        return reason
    if found.cured >= ENOUGH:
        return f"{reason}; the index is enough for now"
    return f"{reason}; before retraining, look at what the search does not find"


def _in_words(stale_probes: int, answered: int) -> str:
    index = "the refreshed index answers"
    if answered == 0:
        return f"{index} none of the stale questions, all are left to the weights"
    if answered == stale_probes:
        return f"{index} every one of the stale questions already"
    cured = answered / stale_probes
    stale = "of the stale questions already"
    return f"{index} {_whole(cured)} {stale}; {_whole(1 - cured)} are left to the weights"


def _whole(share: float) -> str:
    """Round a share that is neither none nor all so that it reads as neither."""
    if share < _ONE:
        return "under 1 %"
    return "over 99 %" if share > 1 - _ONE else f"{share * 100:.0f} %"
