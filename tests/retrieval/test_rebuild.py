"""Documents that stay for a while, and an index made anew: by another embedder, cut otherwise."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retrieval.errors import (
    EmbedderChangedError,
)
from retrieval.records import Completeness
from tests.retrieval.builders import HashingEmbedder, double, paragraph, single

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EMBEDDER, OTHER = "a" * 64, "b" * 64


def test_a_missing_document_stays_for_the_grace_period_and_not_longer(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.grace = 7 * DAY
    kb.refresh(now=NOON)
    shelf.delete("b.md")

    missed = kb.plan(now=NOON + DAY)
    kb.refresh(now=NOON + DAY)
    nearly = kb.plan(now=NOON + 8 * DAY - timedelta(seconds=1))
    over = kb.plan(now=NOON + 8 * DAY)

    assert (missed.leaving, missed.removed) == (("b.md",), ())
    assert missed.sources[0].missing == 1
    assert (nearly.leaving, nearly.removed) == (("b.md",), ())
    assert (over.leaving, over.removed) == ((), ("b.md",))


def test_a_document_that_came_back_has_its_whole_grace_again(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.grace = 7 * DAY
    kb.refresh(now=NOON)
    shelf.delete("b.md")
    kb.refresh(now=NOON)
    shelf.write({"b.md": "beta"})
    kb.refresh(now=NOON + 3 * DAY)
    shelf.delete("b.md")
    kb.refresh(now=NOON + 4 * DAY)

    assert kb.plan(now=NOON + 10 * DAY).leaving == ("b.md",)
    assert kb.plan(now=NOON + 11 * DAY).removed == ("b.md",)


def test_a_document_that_is_leaving_is_never_calm(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.grace, shelf.calm = 7 * DAY, True
    kb.refresh(now=NOON)
    shelf.delete("b.md")
    kb.refresh(now=NOON)

    assert kb.plan(now=NOON + 7 * DAY).removed == ("b.md",)


def test_another_embedder_makes_another_table_and_leaves_the_old_one(tmp_path: Path):
    _, kb = single(tmp_path, a="alpha", b="beta")
    old = kb.refresh()
    embedder = kb.use(OTHER)

    plan, new = kb.plan(), kb.refresh()

    assert (plan.rebuild, plan.base, plan.written) == (True, old.snapshot, 2)
    assert (plan.added, plan.edited, plan.removed, plan.unchanged) == ((), (), (), 2)
    assert (old.snapshot.generation, new.snapshot.generation) == (1, 2)
    assert new.content_digest != old.content_digest
    assert sorted(embedder.embedded) == ["alpha", "beta"]
    assert kb.texts(old.snapshot) == kb.texts(new.snapshot)
    assert kb.plan().changes_nothing


def test_cutting_another_way_embeds_only_what_is_new(tmp_path: Path):
    _, kb = single(tmp_path, short="alpha", long=f"{paragraph('1')}\n\n{paragraph('2')}")
    kb.refresh()
    kb.embedder.embedded.clear()
    kb.max_tokens = 20

    refreshed = kb.refresh()

    assert refreshed.snapshot.generation == 2
    assert kb.embedder.embedded == [paragraph("1"), paragraph("2")]


def test_a_rebuild_carries_over_what_the_sources_do_not_show(tmp_path: Path):
    one, two, kb = double(tmp_path)
    kb.grace = 7 * DAY
    kb.refresh(now=NOON)
    before = kb.texts()
    one.delete("a.md")
    one.locked = {"b.md"}
    two.completeness = Completeness.FAILED
    embedder = kb.use(OTHER)

    plan = kb.plan(now=NOON)
    kb.refresh(now=NOON)

    assert plan.leaving == ("one:a.md",)
    assert plan.kept == ("one:b.md", "two:a.md", "two:c.md")
    assert kb.texts() == before
    assert sorted(embedder.embedded) == ["alpha", "beta", "delta", "gamma"]
    kb.rows_digest()


def test_the_embedder_of_before_finds_its_vectors_and_today_s_documents(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha", b="beta")
    kb.refresh()
    kb.use(OTHER)
    shelf.write({"a.md": "alpha, edited", "c.md": "gamma"})
    shelf.delete("b.md")
    kb.refresh()
    shelf.write({"a.md": "alpha"})
    embedder = kb.use(EMBEDDER)

    kb.refresh()

    assert embedder.embedded == ["gamma"]
    assert kb.texts() == {"a.md": ["alpha"], "c.md": ["gamma"]}


def test_going_back_to_an_embedder_takes_no_document_back_to_what_it_said_then(tmp_path: Path):
    _, two, kb = double(tmp_path)
    kb.refresh()
    kb.use(OTHER)
    two.write({"a.md": "gamma, edited", "new.md": "new"})
    two.delete("c.md")
    kb.refresh()
    now = kb.texts()
    kb.use(EMBEDDER)
    two.completeness = Completeness.FAILED

    refreshed = kb.refresh()

    assert kb.texts(refreshed.snapshot) == now
    assert kb.index.head() == refreshed.snapshot


def test_a_rebuild_of_what_is_gone_makes_an_empty_table(tmp_path: Path):
    shelf, kb = single(tmp_path, a="alpha")
    kb.refresh()
    shelf.delete("a.md")
    kb.use(OTHER)

    refreshed = kb.refresh()

    assert (refreshed.snapshot.generation, refreshed.documents) == (2, 0)
    assert kb.plan().changes_nothing


def test_an_embedder_that_changed_under_its_name_is_refused(tmp_path: Path):
    class Changed(HashingEmbedder):
        def embed(self, texts, *, on_progress=None):
            return super().embed([f"{text} otherwise" for text in texts])

    shelf, kb = single(tmp_path, a="alpha")
    kb.refresh()
    shelf.write({"b.md": "beta"})
    kb.embedder = Changed()

    with pytest.raises(EmbedderChangedError, match="same name"):
        kb.refresh()
