"""How an answer counts: token F1, exact words, refusal, stale memory. Pure."""

from __future__ import annotations

import re
import string
from collections import Counter

from training.examples.sentences import plain
from training.prompt import is_refusal, split_citations
from training.records import Row
from training.weighing import RowScore


def answer_score(row: Row, *, bits: float, said: str) -> RowScore:
    """Return the score of an answer; silence and noise are failures, not gaps.

    `bits` are per byte, of the right answer. Exact words are counted only where there is an
    answer, stale memory only where there was another one.
    """
    refused, bare = is_refusal(said), plain(split_citations(said)[0])
    answerable = bool(row.source)
    return RowScore(
        uri=row.uri,
        chunk=row.chunk,
        bits=bits,
        kind=row.kind,
        fresh=row.fresh,
        answerable=answerable,
        f1=answer_f1(said, row),
        exact=holds(bare, plain(row.text)) and not refused if answerable else None,
        refused=refused,
        stale=not refused and _is_stale(bare, row) if row.stale else None,
        answer=said,
    )


def answer_f1(said: str, row: Row) -> float:
    """Return the token F1 of an answer without its citation; a refusal is right or wrong."""
    refused = is_refusal(said)
    if refused or not row.source:
        return float(refused and not row.source)
    return token_f1(plain(split_citations(said)[0]), plain(row.text))


def token_f1(said: str, wanted: str) -> float:
    """Return the harmonic mean of precision and recall over words, as SQuAD counts them.

    Case, punctuation and articles do not count (Rajpurkar et al. 2016).

    >>> token_f1("The 14 days.", "14 days"), token_f1("14", "14 days")
    (1.0, 0.6666666666666666)
    """
    got, want = _words(said), _words(wanted)
    shared = sum((Counter(got) & Counter(want)).values())
    if not got or not want:
        return float(got == want)
    return 2 * shared / (len(got) + len(want))


def holds(said: str, wanted: str) -> bool:
    """Return True if the wanted words stand in what was said, one after the other.

    >>> holds("It takes 14 days.", "14 Days"), holds("14 or 15 days", "14 days")
    (True, False)
    """
    got, want = _words(said), _words(wanted)
    starts = range(len(got) - len(want) + 1)
    return bool(want) and any(got[at : at + len(want)] == want for at in starts)


def _is_stale(said: str, row: Row) -> bool:
    """Return True if the old fact was given. "10" is no old fact where "10 days" is the new one."""
    old, new = plain(row.stale), plain(row.text)
    nearer = token_f1(said, old) > token_f1(said, new)
    return holds(said, old) and not (row.source and holds(said, new)) and nearer


def _words(text: str) -> list[str]:
    bare = "".join(sign for sign in text.casefold() if sign not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", bare).split()
