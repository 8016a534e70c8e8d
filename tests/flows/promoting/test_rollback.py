"""Going back: the earlier release answers, what is left is withdrawn, and nothing undoes it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import flows.rollback
from flows.desk import Desk
from flows.errors import FrozenError, NoReleaseError, WithdrawnError
from flows.journal import lease
from flows.promoting.champion import reconcile
from flows.promoting.promotions import attempts, frozen, refuse_frozen, withdrawn
from flows.refresh import refresh
from flows.release import Published
from flows.rollback import resume, rollback
from flows.steps import quietly
from retrieval.errors import EmbedderChangedError, SnapshotMissingError
from retrieval.records import Snapshot
from tests.flows.challengers import alias_of, damage, judge, opened, promoted, register
from tests.flows.conftest import Place
from training.errors import ModelCorruptError
from training.prompt import PROMPT_DIGEST


@pytest.fixture(scope="module")
def promoted_over(first_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Release 1 of ten real documents; then an edit and a promotion over it."""
    folder = tmp_path_factory.mktemp("promoted") / "place"
    shutil.copytree(first_release, folder)
    with opened(folder) as desk:
        document = next((folder / "docs").rglob("*.md"))
        document.write_text(document.read_text() + "\n\nOne more paragraph, about tides.\n")
        refresh(desk, quietly)
        model = register(desk, 0)
        judge(desk, model)
        promoted(desk, model.version, expected=1)
    return folder


@pytest.fixture
def place(promoted_over: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(promoted_over, tmp_path / "place")
    return Place(tmp_path / "place", capsys)


@pytest.fixture
def desk(place: Place, warm: None) -> Iterator[Desk]:
    with opened(place.folder) as desk:
        yield desk


def first(desk: Desk) -> Published:
    return desk.journal.history("docs")[0]


def back(desk: Desk, to: Published, *, model_only: bool = False) -> Published:
    return rollback(
        desk,
        quietly,
        to.release.id[:8],
        actor="person Ada",
        why="worse answers",
        model_only=model_only,
    )


def test_an_earlier_release_answers_again_and_is_frozen(desk: Desk):
    earlier, left = first(desk).release, desk.release().release

    published = back(desk, first(desk))

    assert published == desk.release()
    assert published.release == earlier
    assert (published.kind, published.reason) == ("rollback", "worse answers")
    assert alias_of(desk) == earlier.model_version == 1
    line = attempts(desk.journal, "docs")[-1]
    assert (line.actor, line.outcome.value) == ("person Ada", "withdrawn")
    assert (line.before, line.after, line.release) == (left.model_version, 1, earlier.id)
    freeze = frozen(desk.journal, "docs")
    assert freeze is not None
    assert (freeze.actor, freeze.why) == ("person Ada", "worse answers")
    with pytest.raises(FrozenError, match=r"person Ada .*worse answers.*driftline resume docs"):
        refuse_frozen(desk.journal, "docs")


def test_the_model_alone_goes_back_and_nothing_is_frozen(desk: Desk):
    serving = desk.release().release

    published = back(desk, first(desk), model_only=True)

    assert published.release.snapshot == serving.snapshot != first(desk).release.snapshot
    assert published.release.model_version == alias_of(desk) == 1
    assert frozen(desk.journal, "docs") is None
    assert withdrawn(desk.journal, "docs", 2) is not None


def test_no_automatic_promotion_takes_back_what_was_withdrawn(desk: Desk):
    back(desk, first(desk), model_only=True)

    with pytest.raises(WithdrawnError, match="person Ada: worse answers"):
        promoted(desk, 2, expected=1)

    assert desk.release().release.model_version == alias_of(desk) == 1


def test_a_frozen_knowledge_base_takes_no_automatic_promotion(desk: Desk):
    back(desk, first(desk))
    model = register(desk, 1)
    judge(desk, model)

    with pytest.raises(FrozenError):
        promoted(desk, model.version, expected=1)
    resume(desk, actor="person Ada", why="mended")
    promoted(desk, model.version, expected=1)

    assert desk.release().release.model_version == model.version


def test_nothing_is_published_over_a_frozen_release_until_it_is_resumed(place: Place, desk: Desk):
    back(desk, first(desk))
    frozen_at = desk.release()

    refreshed, checked = (place.run(name, "docs", "--json") for name in ("refresh", "monitor"))

    for done in (refreshed, checked):
        assert (done.status, done.json["error"]["code"]) == (4, "FROZEN")
        assert "person Ada" in done.json["error"]["message"]
    assert desk.release() == frozen_at
    resume(desk, actor="person Ada", why="mended")
    assert place.run("refresh", "docs", "--json").status == 0
    assert desk.release().release.snapshot != frozen_at.release.snapshot


def test_a_rollback_to_what_was_withdrawn_lifts_it(desk: Desk):
    newest = desk.release()
    back(desk, first(desk), model_only=True)
    assert withdrawn(desk.journal, "docs", 2) is not None

    back(desk, newest, model_only=True)

    assert withdrawn(desk.journal, "docs", 2) is None
    assert withdrawn(desk.journal, "docs", 1) is not None
    assert desk.release().release.model_version == alias_of(desk) == 2


def test_back_to_an_earlier_snapshot_of_the_same_model_withdraws_nothing(desk: Desk):
    with_first_model = desk.journal.history("docs")[1]
    back(desk, with_first_model)
    withdrawals = len(attempts(desk.journal, "docs"))

    back(desk, first(desk))

    assert desk.release().release.snapshot == first(desk).release.snapshot
    assert len(attempts(desk.journal, "docs")) == withdrawals
    assert withdrawn(desk.journal, "docs", 1) is None


def test_resuming_what_is_not_frozen_changes_nothing(desk: Desk):
    assert resume(desk, actor="person Ada", why="") is None
    assert desk.journal.last("docs", "freeze") is None


def test_killed_before_the_alias_it_is_frozen_and_the_next_run_moves_the_alias(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(flows.rollback, "move_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            back(desk, first(desk))
    assert frozen(desk.journal, "docs") is not None
    assert (desk.release().release.model_version, alias_of(desk)) == (1, 2)

    with lease.hold(desk.journal, "docs") as fence:
        assert reconcile(desk, fence) is None

    assert alias_of(desk) == 1


def test_a_damaged_champion_is_left_for_the_earlier_one(desk: Desk):
    model = register(desk, 2)
    judge(desk, model)
    promoted(desk, model.version, expected=2)
    damage(model)

    back(desk, first(desk))

    assert desk.release().release.model_version == alias_of(desk) == 1


def test_a_damaged_model_is_not_gone_back_to(desk: Desk):
    model = register(desk, 3)
    judge(desk, model)
    promoted(desk, model.version, expected=2)
    to, other = desk.release(), register(desk, 4)
    judge(desk, other)
    promoted(desk, other.version, expected=model.version)
    serving = desk.release()
    damage(model)

    with pytest.raises(ModelCorruptError):
        back(desk, to)

    assert desk.release() == serving
    assert frozen(desk.journal, "docs") is None
    assert attempts(desk.journal, "docs")[-1].outcome.value == "refused"


def test_a_snapshot_that_is_gone_is_told_and_its_model_can_still_come_back(desk: Desk):
    serving, gone = desk.release(), first(desk)
    kept = Snapshot.parse(serving.release.snapshot)
    desk.index.tidy([kept], now=datetime.now(UTC) + timedelta(days=30))

    with pytest.raises(SnapshotMissingError, match="--model-only"):
        back(desk, gone)
    assert desk.release() == serving

    back(desk, gone, model_only=True)

    assert desk.release().release.model_version == 1


def test_another_embedder_than_the_settings_name_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    serving = desk.release()
    monkeypatch.setitem(vars(desk), "embedder", Other())

    with pytest.raises(EmbedderChangedError, match="--model-only"):
        back(desk, first(desk))

    assert desk.release() == serving


class Other:
    fingerprint = "other"


def test_an_unknown_release_is_told_and_leaves_no_line(desk: Desk):
    before = len(attempts(desk.journal, "docs"))

    with pytest.raises(NoReleaseError, match="driftline history docs"):
        rollback(desk, quietly, "0000000000", actor="person Ada", why="")

    assert len(attempts(desk.journal, "docs")) == before


def test_the_prompt_of_now_is_what_is_published(desk: Desk):
    assert back(desk, first(desk)).release.prompt_digest == PROMPT_DIGEST


def test_the_commands_go_back_and_on_and_tell(place: Place, desk: Desk):
    earlier = place.history()[0]["release"]

    done = place.run("rollback", "docs", earlier, "--why", "worse", "--by", "Ada", "--json")
    shown = place.run("status", "--json").json["docs"]
    resumed = place.run("resume", "docs", "--by", "Ada", "--json")
    again = place.run("resume", "docs")

    assert (done.status, done.json["release"], done.json["frozen"]) == (0, earlier, True)
    assert (shown["release"], shown["frozen"]) == (earlier, "worse")
    assert resumed.json == {"kb": "docs", "resumed": True}
    assert "was not frozen" in again.out
    assert place.run("status", "--json").json["docs"]["frozen"] is None
    assert place.history()[-1]["kind"] == "rollback"
