"""What a look at the whole journal found: for scripts, for people, and as an error."""

from __future__ import annotations

from typing import Any

from flows.errors import JournalCorruptError
from flows.journal.chain import Chain, Damage, Fault

_SENTENCES = {
    Damage.CHANGED: "Entry {at} does not have the digest that it was written with: it was changed.",
    Damage.MISSING: "Entry {at} is missing, and entries after it are there.",
    Damage.REORDERED: "Another entry stands in the place of entry {at}: entries were reordered.",
    Damage.UNLINKED: "Entry {at} is not the one that was written: it, or the one before it, was "
    "written anew with a digest of its own.",
    Damage.TRUNCATED: "Entry {at} and what followed it are gone: entry {known} was noted outside "
    "of the journal, so its end was cut off, or an old copy was put in its place.",
}


def chain_object(chain: Chain) -> dict[str, Any]:
    """Return what was found; `known` is the entry that was noted elsewhere, or null."""
    return {
        "entries": chain.entries,
        "head": str(chain.head) if chain.head else None,
        "redacted": chain.redacted,
        "known": str(chain.known) if chain.known else None,
        "intact": chain.fault is None,
    }


def chain_view(chain: Chain) -> str:
    """Say that every entry is as it was written, and what could not be known."""
    told = [f"{chain.entries:,} entries, each as it was written and after the one before it."]
    if chain.redacted:
        told.append(
            f"{chain.redacted} of them were rewritten by erasures, which say so themselves."
        )
    if chain.known is None:
        told.append(
            "No newest entry was noted outside of the journal, so a cut-off end would not show."
        )
    if chain.head is not None:
        told.append(
            f"The newest entry is {chain.head}. Noted somewhere else, it shows later that nothing "
            "up to it was changed: `driftline history --verify --known ENTRY`."
        )
    return "\n".join(told)


def refuse_damaged(chain: Chain) -> None:
    """Raise JournalCorruptError, which names the first entry that is not right, if one is not."""
    if chain.fault is not None:
        msg = f"{sentence(chain.fault, chain)} {_cure(chain.fault)}"
        raise JournalCorruptError(msg)


def sentence(fault: Fault, chain: Chain) -> str:
    """Return what is wrong with the first entry that is not right."""
    known = chain.known.sequence if chain.known else fault.sequence
    return _SENTENCES[fault.damage].format(at=fault.sequence, known=known)


def _cure(fault: Fault) -> str:
    return (
        f"What comes before entry {fault.sequence} holds, and what answers still answers. Compare "
        "with the newest backup; to go on from one, put it in the journal's place and remove "
        "`journal.head` in the home folder."
    )
