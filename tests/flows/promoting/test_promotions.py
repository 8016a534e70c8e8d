"""What the history says of freezes and withdrawals: read from the journal, no model anywhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.errors import FrozenError
from flows.journal.journal import Journal, open_journal
from flows.promoting.promotions import Attempt, Freeze, Outcome, refuse_frozen, withdrawn
from tests.flows.journal.journals import NOW, sqlite_url

KB = "docs"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(sqlite_url(tmp_path)) as opened:
        yield opened


def freeze(journal: Journal, *, frozen: bool = True) -> None:
    line = Freeze(NOW, frozen, "person Ada", "worse answers").line
    journal.append(KB, line.kind, line.payload, time=NOW)


def attempt(journal: Journal, outcome: Outcome, before: int, after: int) -> None:
    line = Attempt(NOW, "person Ada", outcome, before, after, "worse answers").line
    journal.append(KB, line.kind, line.payload, time=NOW, key=line.key)


def test_a_frozen_knowledge_base_refuses_and_names_who_froze_it_and_the_cure(journal: Journal):
    freeze(journal)

    with pytest.raises(FrozenError, match=r"person Ada .*worse answers.*`driftline resume docs`"):
        refuse_frozen(journal, KB)


def test_what_was_never_frozen_or_was_let_go_on_refuses_nothing(journal: Journal):
    refuse_frozen(journal, KB)
    freeze(journal)
    freeze(journal, frozen=False)

    refuse_frozen(journal, KB)


@pytest.mark.parametrize(
    ("later", "still"),
    [
        pytest.param(None, True, id="nothing-since"),
        pytest.param((Outcome.PROMOTED, 1, 2), False, id="promoted-again"),
        pytest.param((Outcome.REFUSED, 1, 2), True, id="refused-since"),
        pytest.param((Outcome.PROMOTED, 1, 3), True, id="another-was-promoted"),
    ],
)
def test_a_version_stays_withdrawn_until_a_promotion_of_it_succeeds(
    journal: Journal, later: tuple[Outcome, int, int] | None, *, still: bool
):
    attempt(journal, Outcome.WITHDRAWN, 2, 1)
    if later:
        attempt(journal, *later)

    assert (withdrawn(journal, KB, 2) is not None) is still
