"""How the documents of the sources differ from those of a snapshot. Pure: no third party."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from retrieval.records import DocumentState, Move, Refusal, Snapshot


@dataclass(frozen=True, slots=True)
class DocumentChanges:
    """How the documents of a source differ from those of a snapshot. Uris, sorted."""

    added: tuple[str, ...]
    edited: tuple[str, ...]
    moved: tuple[Move, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    leaving: tuple[str, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Grace:
    """How long a document must be gone from complete listings before it is removed.

    `since` says when it was first missed, by uri.
    """

    period: timedelta
    now: datetime
    since: Mapping[str, datetime]

    def over(self, uri: str) -> bool:
        """True if the document has been gone for long enough."""
        return self.now - self.since.get(uri, self.now) >= self.period


def compare_documents(
    before: Mapping[str, DocumentState],
    now: Mapping[str, DocumentState],
    *,
    refused: Collection[Refusal] = (),
    unseen: Callable[[str], bool] = lambda _: False,
    grace: Grace | None = None,
) -> DocumentChanges:
    """Compare two maps from uri to state.

    A move pairs a document that is gone with an added one of the same bytes, in order of uri; a
    copy is an addition. What was refused, or lies below a folder that was, is kept, and so is
    what is `unseen`: of a source whose listing is not complete.

    >>> one, two = DocumentState("1", "trusted"), DocumentState("2", "trusted")
    >>> compare_documents({"a": one, "b": two}, {"b": two, "c": one}).moved
    (Move(old='a', new='c'),)
    """
    protected = _Refused(refused)
    missing = sorted(before.keys() - now.keys())
    kept = [uri for uri in missing if unseen(uri) or uri in protected]
    gone = _without(missing, set(kept))
    fresh = sorted(now.keys() - before.keys())
    moved = _pair_moves(before, gone, now, fresh)
    removable = _without(gone, {move.old for move in moved})
    leaving = [uri for uri in removable if grace is not None and not grace.over(uri)]
    edited = [uri for uri in sorted(before.keys() & now.keys()) if before[uri] != now[uri]]
    return DocumentChanges(
        added=_without(fresh, {move.new for move in moved}),
        edited=tuple(edited),
        moved=moved,
        removed=_without(removable, set(leaving)),
        kept=tuple(kept),
        leaving=tuple(leaving),
        unchanged=len(before) - len(missing) - len(edited),
    )


class _Refused:
    """Whether a uri was refused: itself, or a folder above it (a refused uri ending in /)."""

    def __init__(self, refused: Collection[Refusal]) -> None:
        self._uris = {refusal.uri for refusal in refused}

    def __contains__(self, uri: str) -> bool:
        parts = uri.split("/")
        above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return uri in self._uris or any(folder in self._uris for folder in above)


def _pair_moves(
    before: Mapping[str, DocumentState],
    gone: Sequence[str],
    now: Mapping[str, DocumentState],
    fresh: Sequence[str],
) -> tuple[Move, ...]:
    waiting: dict[str, list[str]] = defaultdict(list)
    for uri in reversed(gone):
        waiting[before[uri].digest].append(uri)
    return tuple(
        Move(waiting[now[uri].digest].pop(), uri) for uri in fresh if waiting.get(now[uri].digest)
    )


def _without(uris: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    return tuple(uri for uri in uris if uri not in taken)


def collapsed_documents(bodies: Mapping[str, str]) -> tuple[str, ...]:
    """Return the uris that share the most frequent body; none if each body is there once.

    `bodies` are digests of what the edited documents say now, by uri.

    >>> collapsed_documents({"a": "login", "b": "login", "c": "text"})
    ('a', 'b')
    """
    [(body, count)] = Counter(bodies.values()).most_common(1) or [("", 0)]
    return tuple(uri for uri in sorted(bodies) if bodies[uri] == body) if count > 1 else ()


def plan_digest(
    base: Snapshot | None,
    changes: DocumentChanges,
    now: Mapping[str, DocumentState],
    refused: Collection[Refusal],
    recipe: str = "",
) -> str:
    """Return the sha256 of a plan: the same base and the same changes give the same digest.

    `recipe` is given where everything is made anew by it.
    """
    lines = [
        f"base {base}",
        *(f"added {_state(now[uri])} {uri!r}" for uri in changes.added),
        *(f"edited {_state(now[uri])} {uri!r}" for uri in changes.edited),
        *(f"moved {_state(now[move.new])} {move.old!r} {move.new!r}" for move in changes.moved),
        *(f"removed {uri!r}" for uri in changes.removed),
        *sorted(f"refused {refusal.code} {refusal.uri!r}" for refusal in refused),
        *([f"rebuild {recipe}"] if recipe else []),
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _state(state: DocumentState) -> str:
    return f"{state.digest} {state.trust}"
