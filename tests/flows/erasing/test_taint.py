"""A version that was trained on what was erased never takes or takes back the champion's place."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from flows.desk import Desk
from flows.erasing.erasures import TAINT, taint_of
from flows.errors import TaintedError
from flows.journal import lease
from flows.promoting.champion import reconcile
from flows.rollback import rollback
from flows.steps import quietly
from tests.flows.challengers import NOW, build, opened, promoted
from training.tainting import Taints, Trained, tainted_among


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A champion, version 1, and two challengers that were judged better."""
    return build(tmp_path / "place", challengers=2)


def taint(desk: Desk, *versions: int) -> None:
    payload = {"versions": list(versions), "actor": "person Ada", "why": "asked"}
    desk.journal.append(desk.name, TAINT, payload, time=NOW, key="e1")


def test_it_is_not_promoted_and_the_other_one_is(folder: Path):
    with opened(folder) as desk:
        taint(desk, 2)

        with pytest.raises(TaintedError, match=r"Version 2 .* person Ada had erased"):
            promoted(desk, 2, expected=1, actor="person Bea")
        after = promoted(desk, 3, expected=1)

    assert after.release.model_version == 3


def test_nobody_goes_back_to_it(folder: Path):
    with opened(folder) as desk:
        first = desk.release().release.id
        promoted(desk, 3, expected=1)
        taint(desk, 1)

        with pytest.raises(TaintedError, match="Version 1"):
            rollback(desk, quietly, first, actor="person Bea", why="slower", model_only=True)

        assert desk.release().release.model_version == 3


def test_an_alias_that_is_moved_to_it_by_hand_is_set_back(folder: Path):
    with opened(folder) as desk:
        taint(desk, 2)
        client = MlflowClient(desk.settings.tracking_uri)
        client.set_registered_model_alias(desk.model_name, "champion", "2")

        with lease.hold(desk.journal, desk.name) as fence:
            followed = reconcile(desk, fence)

        assert followed is None
        assert desk.registry.pointed(desk.model_name, "champion") == 1


def test_a_version_is_marked_for_people_and_names_the_snapshot_that_took_over(folder: Path):
    with opened(folder) as desk:
        taints = Taints(desk.settings.tracking_uri, desk.model_name)

        taints.mark(2, "erasure e1 by person Ada")
        taints.move_snapshot("docs@1", "docs@2.1")

        tags = MlflowClient(desk.settings.tracking_uri).get_model_version(desk.model_name, "2").tags
        assert tags["driftline.tainted"] == "erasure e1 by person Ada"
        assert {each.snapshot for each in taints.trained()} == {"docs@2.1"}
        assert taint_of(desk.journal, desk.name, 2) is None  # the journal alone decides


def trained(version: int, *, begun_from: str = "", rows: bool = True) -> Trained:
    examples = Path(f"rows-{version}") if rows else None
    return Trained(version, f"docs@{version}", f"a{version}", begun_from, f"run{version}", examples)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([trained(2), trained(3)], (2,)),
        ([trained(2), trained(3, begun_from="a2"), trained(4, begun_from="a3")], (2, 3, 4)),
        ([trained(3), trained(4, begun_from="a3")], ()),
        ([trained(3, rows=False), trained(4, rows=False)], (4,)),
        ([], ()),
    ],
    ids=["its-rows-name-it", "begun-from-one", "neither", "rows-gone", "nothing-trained"],
)
def test_who_knows_a_document_is_told_by_rows_by_origin_and_else_by_snapshot(
    versions: list[Trained], expected: tuple[int, ...]
):
    found = tainted_among(versions, lambda folder: folder.name == "rows-2", "docs@4".__eq__)

    assert found == expected
