"""What the tests of a knowledge base spent is remembered from check to check, and spent once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.checking.schedules import Schedule, keep_null, keep_schedule, read_null, read_schedule
from flows.journal import lease
from flows.journal.journal import Journal, open_journal
from monitors.sampling.schedule import LEVEL, OwnNull, Spent

NOW = datetime(2026, 5, 4, tzinfo=UTC)
NULL = OwnNull(level=0.05, draws=200, alarms=8, share=0.04, low=0.02, high=0.077)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def topics(journal: Journal, reference: str = "docs@1") -> Schedule:
    return read_schedule(journal, "docs", "topics", reference)


def looked_at(schedule: Schedule, *contents: str) -> Schedule:
    """Return the schedule after a look at each of these contents."""
    for content in contents:
        schedule = schedule.after(schedule.look(content), content)
    return schedule


def keep(journal: Journal, schedule: Schedule) -> None:
    with lease.hold(journal, "docs") as fence:
        keep_schedule(journal, "docs", schedule, time=NOW, fence=fence)


def test_a_content_tested_twice_spends_once_and_gives_the_same_look(journal: Journal):
    once = looked_at(topics(journal), "a", "b")

    twice = looked_at(once, "a", "b", "a")

    assert twice == once
    assert once.look("a") == topics(journal).look("a")
    assert once.look("b") == looked_at(topics(journal), "a").look("b")


def test_another_content_takes_the_next_look_at_a_lower_level(journal: Journal):
    first = looked_at(topics(journal), "a")

    second = first.look("b")

    assert (first.look("a").number, second.number) == (1, 2)
    assert 0 < second.level < first.look("a").level
    assert looked_at(first, "b").spent.spent == pytest.approx(first.look("a").level + second.level)


def test_a_check_that_was_killed_before_it_was_kept_takes_the_same_look(journal: Journal):
    keep(journal, looked_at(topics(journal), "a"))
    before = topics(journal).look("b")
    looked_at(topics(journal), "b")  # and killed here

    assert topics(journal).look("b") == before


def test_a_check_that_was_killed_after_it_was_kept_takes_the_same_look(journal: Journal):
    before = topics(journal).look("a")
    keep(journal, looked_at(topics(journal), "a"))

    assert topics(journal).look("a") == before
    assert looked_at(topics(journal), "a") == topics(journal)


def test_what_is_kept_is_what_is_read(journal: Journal):
    schedule = looked_at(topics(journal), "a", "b", "c")

    keep(journal, schedule)

    assert topics(journal) == schedule
    assert schedule.spent.looks == 3


def test_a_new_reference_begins_a_new_schedule(journal: Journal):
    keep(journal, looked_at(topics(journal), "a", "b"))

    renewed = topics(journal, "docs@7")

    assert renewed.spent == Spent()
    assert renewed.look("a").number == 1
    assert topics(journal).spent.looks == 2


def test_each_kind_of_test_has_a_schedule_of_its_own(journal: Journal):
    keep(journal, looked_at(topics(journal), "a"))

    assert read_schedule(journal, "docs", "questions", "docs@1").spent == Spent()


def test_nothing_is_written_where_nothing_was_spent(journal: Journal):
    schedule = looked_at(topics(journal), "a")
    keep(journal, schedule)

    keep(journal, looked_at(topics(journal), "a"))

    assert journal.count("docs", "schedule") == 1


def test_with_all_spent_only_what_was_tested_before_is_looked_at():
    spent = Schedule("topics:docs@1", Spent(spent=LEVEL, tested=("a",)), {"a": (1, 0.01)})

    known, new = spent.look("a"), spent.look("b")

    assert (known.level, known.held_back) == (0.01, "")
    assert "is spent" in new.held_back
    assert spent.after(new, "b") == spent


def test_the_false_alarm_rate_is_remembered_for_its_reference(journal: Journal):
    with lease.hold(journal, "docs") as fence:
        keep_null(journal, "docs", "docs@1", NULL, time=NOW, fence=fence)

    assert read_null(journal, "docs", "docs@1") == NULL
    assert read_null(journal, "docs", "docs@2") is None
    assert read_null(journal, "other", "docs@1") is None
