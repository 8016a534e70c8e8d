"""A knowledge base's sources, as its desk opens them, leave out what its journal denies."""

from pathlib import Path

from flows.desk import Desk, open_desk
from flows.erasing.erasures import denial_of
from flows.settings.settings import load_settings
from tests.flows.journal.journals import NOW

NAMES = ("a.md", "b.md")


def listed(desk: Desk) -> list[str]:
    (feed,) = desk.feeds
    return [entry.uri for entry in feed.source.list_documents().entries]


def test_what_the_journal_denies_is_not_listed_also_where_the_denial_comes_later(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    for name in NAMES:
        (tmp_path / "docs" / name).write_text(f"# {name}\n\nA text of its own.\n")
    (tmp_path / "driftline.toml").write_text('[kb.docs.source]\npath = "docs"\n')
    with open_desk(load_settings(tmp_path / "driftline.toml"), "docs", now=NOW) as desk:
        before = listed(desk)

        line = denial_of(
            desk.journal, "docs", uris=["b.md"], contents=[], actor="person Ada", why="asked"
        ).line
        desk.journal.append("docs", line.kind, line.payload, time=NOW, key=line.key)
        after = listed(desk)

    assert before == list(NAMES)
    assert after == ["a.md"]
