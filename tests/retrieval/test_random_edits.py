"""Whatever happens to sources, settings and files, the index holds what a plain model says."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from retrieval import refresh as refreshing
from retrieval.errors import EmptyCorpusError, SourceUnreachableError
from retrieval.records import Completeness
from retrieval.sources import Feed
from tests.retrieval.builders import HashingEmbedder, KnowledgeBase, Shelf

# What the embedder reads of each text, chunk by chunk, worked out by hand.
CONTENTS: dict[bytes, list[str]] = {
    b"alpha": ["alpha"],
    b"beta": ["beta"],
    b"one\n\ntwo": ["one\n\ntwo"],
    b"# H\n\nunder": ["H\nunder"],
    b"# H\n\nunder\n\n# I\n\nalpha": ["H\nunder", "I\nalpha"],
    b"# H\n\nunder\n\n# H\n\nunder": ["H\nunder", "H\nunder"],
    b"# A\n\n1\n\n# B\n\n2\n\n# C\n\n3\n\n# D\n\n4": ["A\n1", "B\n2", "C\n3", "D\n4"],
    "\U0001f600".encode(): ["\U0001f600"],
}
BROKEN = (b"", b" \n\t\n", b"\0\1\2 no text \3\4")
PATHS = ("a.md", "b.md", "sub/c.md", "sub/d.md", "x' OR '1'='1.md", "caf%E9.md", "n\nl.md")
SOURCES = ("one", "two")
EMBEDDERS = ("a" * 64, "b" * 64)
GARBAGE = b"no database at all" * 100

sources = st.sampled_from(SOURCES)
paths = st.sampled_from(PATHS)
contents = st.sampled_from([*CONTENTS, *CONTENTS, *BROKEN])


class Killed(Exception):  # noqa: N818 not an error
    """Stands for a kill in the middle of embedding."""


class AnyRefresh(RuleBasedStateMachine):
    """`held` is what the index must say: for each uri the bytes and the trust it was taken in with.

    `tables` are the generations, each an embedder and the texts it has vectors of; `journaled` are
    texts with vectors of a run that was killed, by embedder.
    """

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._small_batches = patch.object(refreshing, "EMBED_BATCH", 2)
        self._small_batches.start()
        self.shelves = {name: Shelf() for name in SOURCES}
        self.content: dict[str, dict[str, bytes]] = {name: {} for name in SOURCES}
        self.configured = set(SOURCES)
        self.trust = dict.fromkeys(SOURCES, "trusted")
        self.kb = KnowledgeBase(Path(self._folder.name), ())
        self.held: dict[str, tuple[bytes, str]] = {}
        self.tables: list[tuple[str, set[str]]] = []
        self.journaled: dict[str, set[str]] = {name: set() for name in EMBEDDERS}

    def teardown(self) -> None:
        self._small_batches.stop()
        self._folder.cleanup()

    @initialize(documents=st.dictionaries(st.tuples(sources, paths), contents, min_size=5))
    def begin(self, documents: dict[tuple[str, str], bytes]) -> None:
        for (source, path), content in documents.items():
            self.write(source, path, content)
        self.refresh()

    @rule(source=sources, path=paths, content=contents)
    def write(self, source: str, path: str, content: bytes) -> None:
        self.content[source][path] = content
        self.shelves[source].write({path: content})

    @rule(source=sources, path=paths)
    def delete(self, source: str, path: str) -> None:
        if self.content[source].pop(path, None) is not None:
            self.shelves[source].delete(path)

    @rule(source=sources, path=paths, other=sources, name=paths, leave=st.booleans())
    def move_or_copy(self, source: str, path: str, other: str, name: str, *, leave: bool) -> None:
        content = self.content[source].get(path)
        if content is not None:
            if not leave:
                self.delete(source, path)
            self.write(other, name, content)

    @rule(source=sources, path=paths)
    def touch(self, source: str, path: str) -> None:
        if path in self.content[source]:
            self.shelves[source].touch(path)

    @rule(source=sources, path=paths)
    def lock_or_unlock(self, source: str, path: str) -> None:
        self.shelves[source].locked ^= {path}

    @rule(source=sources, mood=st.sampled_from(Completeness), hidden=st.sets(paths))
    def change_mood(self, source: str, mood: Completeness, hidden: set[str]) -> None:
        self.shelves[source].completeness = mood
        self.shelves[source].hidden = hidden if mood is Completeness.PARTIAL else set()

    @rule(source=sources)
    def recover(self, source: str) -> None:
        self.shelves[source].locked = set()
        self.change_mood(source, Completeness.COMPLETE, set())

    @rule(calm=st.booleans())
    def tell_cheaply_or_not(self, *, calm: bool) -> None:
        for shelf in self.shelves.values():
            shelf.calm = calm

    @rule(names=st.sets(sources, min_size=1))
    def configure(self, names: set[str]) -> None:
        self.configured = names

    @rule(source=sources, trust=st.sampled_from(["trusted", "untrusted"]))
    def change_trust(self, source: str, trust: str) -> None:
        self.trust[source] = trust

    @rule(fingerprint=st.sampled_from(EMBEDDERS))
    def change_embedder(self, fingerprint: str) -> None:
        self.kb.embedder = HashingEmbedder(fingerprint)

    @precondition(lambda self: self.is_reachable())
    @rule()
    def refresh_with_the_other_embedder(self) -> None:
        [other] = set(EMBEDDERS) - {self.kb.embedder.fingerprint}
        self.change_embedder(other)
        self.refresh()

    @rule(name=st.sampled_from(["scan.db", "journal.db"]), garbage=st.booleans())
    def damage(self, name: str, *, garbage: bool) -> None:
        file = self.kb.folder / name
        if file.exists():
            if garbage:
                file.write_bytes(GARBAGE)
            else:
                file.unlink()
            if name == "journal.db":
                self.journaled = {name: set() for name in EMBEDDERS}

    @precondition(lambda self: self.is_reachable())
    @rule(batches=st.integers(1, 3))
    def refresh_and_be_killed(self, batches: int) -> None:
        left = batches
        expected = self.expected()

        def count_down(done: int, total: int) -> None:
            nonlocal left
            left -= 1
            if total > refreshing.EMBED_BATCH:
                self.journaled[fingerprint] |= set(self.kb.embedder.embedded)
            if left == 0:
                raise Killed

        fingerprint = self.kb.embedder.fingerprint
        self.kb.embedder.embedded.clear()
        self.kb.feeds = self.feeds()
        with self.kb.draft() as draft:
            if len(self.texts_to_embed(expected)) <= refreshing.EMBED_BATCH * (batches - 1):
                return  # it would be done before
            try:
                self.kb.apply(draft, on_progress=count_down)
            except Killed:
                return

    @precondition(lambda self: self.is_reachable())
    @rule()
    def refresh(self) -> None:
        expected = self.expected()
        to_embed = self.texts_to_embed(expected)
        before, same = self.kb.index.head(), expected == self.held
        self.kb.embedder.embedded.clear()
        self.kb.feeds = self.feeds()
        if before is None and not expected:
            with pytest.raises(EmptyCorpusError):
                self.kb.refresh()
            return

        refreshed = self.kb.refresh()

        assert sorted(self.kb.embedder.embedded) == sorted(to_embed)
        if same and not (self.is_another_embedder() and expected):
            assert refreshed.snapshot == before
        else:
            assert refreshed.snapshot != before
            self.note_table(expected)
        self.held = expected
        self.journaled = {name: set() for name in EMBEDDERS}
        assert self.kb.index.head() == refreshed.snapshot
        assert self.kb.texts() == {uri: CONTENTS[data] for uri, (data, _) in expected.items()}
        assert {
            uri: state.trust for uri, state in self.kb.index.documents(refreshed.snapshot).items()
        } == {uri: trust for uri, (_, trust) in expected.items()}
        assert self.kb.plan().changes_nothing
        assert not (self.kb.folder / "journal.db").exists()

    @precondition(lambda self: not self.is_reachable())
    @rule()
    def refresh_out_of_reach(self) -> None:
        self.kb.feeds = self.feeds()
        with pytest.raises(SourceUnreachableError):
            self.kb.refresh()

    @invariant()
    def nothing_else_changes_the_index(self) -> None:
        assert self.kb.texts().keys() == self.held.keys()

    def is_reachable(self) -> bool:
        return any(
            self.shelves[name].completeness is not Completeness.FAILED for name in self.configured
        )

    def feeds(self) -> list[Feed]:
        return [
            Feed(self.shelves[name], name, self.trust[name]) for name in sorted(self.configured)
        ]

    def is_another_embedder(self) -> bool:
        return bool(self.tables) and self.tables[-1][0] != self.kb.embedder.fingerprint

    def expected(self) -> dict[str, tuple[bytes, str]]:
        """Return what the index must hold after a refresh now."""
        return {
            uri: state for name in self.configured for uri, state in self.expected_of(name).items()
        }

    def expected_of(self, name: str) -> dict[str, tuple[bytes, str]]:
        shelf = self.shelves[name]
        known = {uri: state for uri, state in self.held.items() if uri.startswith(f"{name}:")}
        whole = shelf.completeness is Completeness.COMPLETE
        now = {} if whole else dict(known)
        if shelf.completeness is Completeness.FAILED:
            return now
        for path, content in self.content[name].items():
            uri = f"{name}:{path}"
            if path in shelf.locked or content in BROKEN:
                now |= {uri: known[uri]} if uri in known else {}
            elif path not in shelf.hidden:
                now[uri] = (content, self.trust[name])
        return now

    def texts_to_embed(self, expected: dict[str, tuple[bytes, str]]) -> set[str]:
        fingerprint = self.kb.embedder.fingerprint
        known = set(self.journaled[fingerprint])
        for embedder, texts in self.tables:
            known |= texts if embedder == fingerprint else set()
        return {text for content, _ in expected.values() for text in CONTENTS[content]} - known

    def note_table(self, expected: dict[str, tuple[bytes, str]]) -> None:
        texts = {text for content, _ in expected.values() for text in CONTENTS[content]}
        if self.tables and not self.is_another_embedder():
            self.tables.pop()
        self.tables.append((self.kb.embedder.fingerprint, texts))


TestAnyRefresh = AnyRefresh.TestCase
TestAnyRefresh.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
