"""The champion is weighed once for each text, and a model that is missing fails no check."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Never, TypeVar

import pyarrow as pa
import pytest

from flows.checking.surprise import BitsCache, Surprised, measure_surprise
from flows.desk import Desk
from flows.release import Release
from flows.steps import OnProgress, quietly
from tests.flows import checks
from tests.training.builders import chunk_table, invented
from training.judging.passages import Model, draw_passages

T = TypeVar("T")

OLD, NEW = invented(), invented(edition=2)
CHANGED = {uri for uri in OLD if OLD[uri] != NEW[uri]}
KNOWN = frozenset(chunk_table(OLD)["normal_digest"].to_pylist())
RELEASE = replace(checks.RELEASE, model_version=1)


def tables(*, changed: int = len(CHANGED)) -> dict[str, pa.Table]:
    """Return what a comparison of two editions reads, with this many documents changed."""
    moved = sorted(CHANGED)[:changed]
    return {
        "before": chunk_table({uri: OLD[uri] for uri in moved}),
        "now": chunk_table({uri: NEW[uri] for uri in moved}),
        "steady": chunk_table({uri: text for uri, text in OLD.items() if uri not in CHANGED}),
    }


def measured(desk: Any, release: Release, *, most: int = 14, **given: Any) -> Surprised:
    perform = given.pop("perform", quietly)
    parts = given or tables()
    return measure_surprise(desk, perform, release, **parts, known=KNOWN, most=most)


def at(folder: Path, *, base_digest: str = "base") -> Any:
    """Return a desk that has a folder and a base model's name, and no model at all."""
    return SimpleNamespace(folder=folder, base=SimpleNamespace(digest=base_digest))


def never(title: str, work: Callable[[OnProgress], T], *, retries: int = 0) -> Never:
    raise AssertionError(title)


def know_everything(folder: Path, release: Release) -> None:
    """Keep bits of every passage: the adapter saves a tenth on new text, a quarter on old."""
    passages = draw_passages(**tables(), known=KNOWN, most=14)
    base, champion = Model("base"), Model("base", release.adapter_digest)
    kept = {base.key(row): 2.0 for row in passages.rows}
    kept |= {champion.key(row): 1.8 for row in passages.new}
    kept |= {champion.key(row): 1.5 for row in (*passages.old, *passages.was)}
    BitsCache(folder / "surprise.db").keep(kept)


def test_none_are_weighed_if_none_are_asked_for(tmp_path: Path) -> None:
    found = measured(at(tmp_path), RELEASE, most=0, perform=never)

    assert found.signal.reason == "not measured: it is switched off"
    assert not list(tmp_path.iterdir())


def test_too_little_text_is_said_before_any_model_is_loaded(tmp_path: Path) -> None:
    found = measured(at(tmp_path), RELEASE, perform=never, **tables(changed=2))

    assert found.signal.score is None
    assert "passages from 2 documents of new text" in found.signal.reason
    assert found.weighed == 0


def test_what_was_weighed_before_is_not_weighed_again(tmp_path: Path) -> None:
    know_everything(tmp_path, RELEASE)

    found = measured(at(tmp_path), RELEASE, perform=never)

    assert (found.weighed, found.tokens, found.seconds) == (0, 0, 0)
    assert found.signal.score == pytest.approx(0.25 - 0.1)
    assert found.signal.drifted


def test_another_adapter_is_weighed_anew(tmp_path: Path) -> None:
    know_everything(tmp_path, RELEASE)
    other = replace(RELEASE, adapter_digest="another")

    with pytest.raises(AssertionError, match="Weighing the champion"):
        measured(at(tmp_path), other, perform=never)


def test_a_bare_base_model_is_weighed_without_a_control(tmp_path: Path) -> None:
    bare = replace(RELEASE, adapter_digest="")
    know_everything(tmp_path, RELEASE)

    found = measured(at(tmp_path), bare, perform=never)

    assert found.signal.score == 0
    assert "how hard the text is" in found.signal.reason


def test_a_model_that_is_not_there_leaves_the_signal_unmeasured(tmp_path: Path) -> None:
    found = measured(at(tmp_path, base_digest="other"), RELEASE)

    assert (found.signal.score, found.signal.drifted, found.weighed) == (None, False, 0)
    assert "Set `base` under `[model]` back" in found.signal.reason


def test_the_cost_is_said_before_it_is_paid(tmp_path: Path) -> None:
    said: list[str] = []

    def saying(title: str, work: Callable[[OnProgress], T], *, retries: int = 0) -> T:
        said.append(title)
        return work(lambda _done, _total: None)

    found = measured(at(tmp_path, base_digest="other"), RELEASE, perform=saying)

    texts = 2 * len(draw_passages(**tables(), known=KNOWN, most=14).rows)
    assert found.estimated_seconds > 0
    assert said[0].startswith(f"Weighing the champion ({texts} texts, ")
    assert said[0].endswith(f"about {found.estimated_seconds:.0f} s)")


def test_reading_creates_no_file(tmp_path: Path) -> None:
    assert BitsCache(tmp_path / "surprise.db").read(["a"]) == {}
    assert not list(tmp_path.iterdir())


def test_bits_are_read_by_their_keys_and_the_last_ones_win(tmp_path: Path) -> None:
    bits = BitsCache(tmp_path / "kb" / "surprise.db")
    bits.keep({"a": 1.0, "b": 2.0})
    bits.keep({"b": 3.0})

    assert bits.read(["b", "c"]) == {"b": 3.0}


@pytest.mark.parametrize("damage", [b"no database at all" * 99, b""], ids=["garbage", "empty"])
def test_a_damaged_file_costs_weighing_and_nothing_else(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "surprise.db"
    file.write_bytes(damage)
    bits = BitsCache(file)

    assert bits.read(["a"]) == {}
    bits.keep({"a": 1.0})
    assert bits.read(["a"]) == {"a": 1.0}


@pytest.mark.slow
def test_the_champion_is_weighed_once_and_its_speed_is_remembered(desk: Desk) -> None:
    release = desk.release().release

    first = measured(desk, release)
    again = measured(desk, release, perform=never)
    more = measured(desk, release, most=20)

    assert first.weighed > 0
    assert first.signal.score is not None
    assert again.signal == first.signal
    assert 0 < more.weighed < first.weighed
    assert more.estimated_seconds == pytest.approx(more.tokens * first.seconds / first.tokens)
