"""Refreshing through the command line: what is published, what is refused, what still answers."""

from pathlib import Path
from typing import Never

import pytest

from flows.desk import Desk
from flows.journal import lease
from flows.journal.journal import Journal
from flows.refresh import refresh
from flows.steps import quietly
from tests.flows.conftest import Place


def still_answers(place: Place) -> bool:
    """Return whether release 1 answers as if nothing had happened."""
    found = place.run("search", "docs", "How long is the grace period?", "--json")
    first = place.history()[0]["release"]
    return found.status == 0 and found.json["release"] == first and bool(found.json["hits"])


def test_an_unchanged_corpus_costs_nothing_and_publishes_nothing(place: Place):
    done = place.run("refresh", "docs", "--json")

    assert done.status == 0
    assert (done.json["embedded"], done.json["unchanged"]) == (0, 10)
    assert len(place.history()) == 1


def test_one_edited_paragraph_embeds_one_chunk_and_publishes_at_once(place: Place):
    place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21 days")

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["edited"], done.json["embedded"]) == (0, 1, 1)
    first, second = place.history()
    assert second["release"] == done.json["release"] != first["release"]
    assert (second["kind"], second["snapshot"]) == ("refresh", "docs@3")
    assert second["model_version"] == first["model_version"]
    assert second["reason"] == "documents: 1 edited"


def test_a_plan_writes_nothing(place: Place):
    place.edit("billing/failed-payments.md", "14 days", "21 days")
    files = {path: path.stat().st_mtime_ns for path in place.folder.rglob("*/index/**/*")}

    planned = place.run("plan", "docs", "--json")

    assert (planned.status, planned.json["edited"]) == (0, 1)
    assert {p: p.stat().st_mtime_ns for p in place.folder.rglob("*/index/**/*")} == files
    assert len(place.history()) == 1


def test_a_missing_folder_is_told_and_the_old_release_answers(place: Place):
    place.docs.rename(place.folder / "elsewhere")

    done = place.run("refresh", "docs", "--json")

    assert done.status == 4
    assert done.json["error"]["code"] == "SRC_UNREACHABLE"
    assert str(place.docs) in done.err
    assert still_answers(place)


def test_an_emptied_folder_removes_nothing(place: Place):
    for path in place.docs.rglob("*.*"):
        path.unlink()

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["error"]["code"]) == (4, "SRC_EMPTY")
    assert still_answers(place)


def test_an_empty_first_folder_publishes_nothing(place: Place):
    (place.folder / "none").mkdir()
    with (place.folder / "driftline.toml").open("a") as settings:
        settings.write('[kb.none.source]\npath = "none"\n')

    done = place.run("refresh", "none", "--json")

    assert (done.status, done.json["error"]["code"]) == (4, "EMPTY_CORPUS")
    assert place.run("history", "none", "--json").json == []


def test_a_mass_removal_asks_first_and_is_done_once_accepted(place: Place):
    place.run("refresh", "docs")  # the folder is a copy: from now on this is the place
    for path in [*(place.docs / "accounts").iterdir(), place.docs / "billing" / "vouchers.txt"]:
        path.unlink()
    planned = place.run("plan", "docs", "--json").json

    blocked = place.run("refresh", "docs", "--json")
    wrong = place.run("refresh", "docs", "--accept", "0" * 12, "--json")
    assert still_answers(place)
    accepted = place.run("refresh", "docs", "--accept", planned["digest"][:12], "--json")

    assert (blocked.status, blocked.json["error"]["code"]) == (4, "MASS_DELETE_BLOCKED")
    assert f"--accept {planned['digest'][:6]}" in blocked.err
    assert (wrong.status, wrong.json["error"]["code"]) == (4, "PLAN_MISMATCH")
    assert (accepted.status, accepted.json["removed"]) == (0, 6)


def test_another_folder_with_other_documents_asks_first(place: Place):
    place.run("refresh", "docs")
    place.docs.rename(place.folder / "elsewhere")
    place.docs.mkdir()
    (place.docs / "strange.md").write_text("Nothing that was here before.")

    blocked = place.run("refresh", "docs", "--json")

    assert (blocked.status, blocked.json["error"]["code"]) == (4, "SRC_CHANGED")
    assert still_answers(place)


def test_half_of_a_small_corpus_may_go_without_a_word(place: Place):
    for path in (place.docs / "accounts").iterdir():
        path.unlink()

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["removed"]) == (0, 5)


def test_a_binary_file_is_refused_by_name_and_the_rest_goes_on(place: Place):
    (place.docs / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00")
    place.edit("billing/failed-payments.md", "14 days", "21 days")

    done = place.run("refresh", "docs", "--json")

    assert done.status == 6
    (refused,) = done.json["refused"]
    assert (refused["uri"], refused["code"]) == ("picture.md", "DOC_BINARY")
    assert done.json["edited"] == 1
    assert len(place.history()) == 2


def test_a_document_that_became_unreadable_keeps_its_old_text(place: Place):
    (place.docs / "billing" / "failed-payments.md").write_bytes(b"\x00\x01\x02")

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["removed"]) == (6, 0)
    assert still_answers(place)


def test_a_second_run_at_the_same_time_is_told_who_is_at_work(place: Place, desk: Desk):
    with lease.hold(desk.journal, "docs"):
        done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["error"]["code"]) == (3, "BUSY")
    assert "process" in done.err


def test_a_typo_in_the_settings_is_told_with_the_nearest_name(place: Place):
    with (place.folder / "driftline.toml").open("a") as settings:
        settings.write("[kb.docs.polcy]\n")

    done = place.run("refresh", "docs")

    assert done.status == 2
    assert "driftline.toml:5: unknown key 'kb.docs.polcy'. Did you mean 'policy'?" in done.err


@pytest.mark.parametrize(
    ("model", "code"),
    [("package:no-such-model", "PACKAGE_MISSING"), ("./no/such/folder", "EMBEDDER_MISSING")],
)
def test_a_missing_embedder_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, model: str, code: str
):
    monkeypatch.setenv("DRIFTLINE_EMBEDDER__MODEL", model)

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["error"]["code"]) == (2, code)
    assert "pip install" in done.err


def test_a_missing_base_model_stops_answers_and_not_the_index(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DRIFTLINE_MODEL__BASE", "package:no-such-model")
    place.edit("billing/failed-payments.md", "14 days", "21 days")

    refreshed = place.run("refresh", "docs", "--json")
    asked = place.run("ask", "docs", "How long is the grace period?", "--json")

    assert (refreshed.status, refreshed.json["edited"]) == (0, 1)
    assert (asked.status, asked.json["error"]["code"]) == (2, "PACKAGE_MISSING")


def test_a_commit_that_was_never_published_is_published_by_the_next_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    place.edit("billing/failed-payments.md", "14 days", "21 days")

    def killed(*_: object, **__: object) -> Never:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "publish", killed)
        assert place.run("refresh", "docs").status == 130
    assert still_answers(place)
    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["embedded"], done.json["snapshot"]) == (0, 0, "docs@3")
    assert [entry["snapshot"] for entry in place.history()] == ["docs@2", "docs@3"]


def test_the_same_documents_make_the_same_release_anywhere(
    place: Place, desk: Desk, tmp_path: Path
):
    """A corpus that went away and came back is the release it was."""
    name = "billing/failed-payments.md"
    original = (place.docs / name).read_text(encoding="utf-8")
    place.edit(name, "14 days", "21 days")
    refresh(desk, quietly)

    (place.docs / name).write_text(original, encoding="utf-8")
    refresh(desk, quietly)

    first, second, third = place.history()
    assert first["release"] == third["release"] != second["release"]
    assert third["snapshot"] == "docs@4"


def test_an_earlier_release_can_be_searched_as_it_was(place: Place):
    place.edit("billing/failed-payments.md", "The grace period is 14 days", "It is 21 days")
    place.run("refresh", "docs")
    first = place.history()[0]["release"]
    question = "The grace period is 14 days from the invoice date."

    then = place.run("search", "docs", question, "--as-of", first[:8], "--json").json
    now = place.run("search", "docs", question, "--json").json

    assert "The grace period is 14 days" in then["hits"][0]["text"]
    assert then["release"] == first
    assert not any("The grace period is 14 days" in hit["text"] for hit in now["hits"])


def test_an_unknown_release_is_told(place: Place):
    done = place.run("search", "docs", "text", "--as-of", "ffffffff", "--json")

    assert (done.status, done.json["error"]["code"]) == (1, "NO_RELEASE")


@pytest.mark.parametrize("question", ["", "  \n", "\0", "x" * 8_001], ids=len)
def test_a_question_that_is_none_is_told(place: Place, question: str):
    done = place.run("search", "docs", question)

    assert done.status == 2
    assert "question" in done.err
