"""docs/training.md says what every setting of a training and a promotion is, and no other."""

import re
from pathlib import Path

import pytest

from flows.settings.training import Promotion, Training

PAGE = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return (
        PAGE.partition(f"### `[kb.NAME.{title}]`")[2].partition("\n### ")[0].partition("\n## ")[0]
    )


@pytest.mark.parametrize(("title", "table"), [("training", Training), ("promotion", Promotion)])
def test_every_setting_is_described(title: str, table: type[Training | Promotion]):
    described = set(re.findall(r"`([a-z0-9_]+)`", section(title)))

    assert set(table.model_fields) <= described


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("budget_tokens", "44000"),
        ("max_row_tokens", "384"),
        ("candidates", "1"),
        ("samples", "2"),
        ("seed", "17"),
        ("checkpoint_share", "0.1"),
        ("epochs", "3"),
        ("start", '"champion"'),
    ],
)
def test_a_default_that_is_told_is_the_default(name: str, shown: str):
    default = Training.model_fields[name].default

    (row,) = [line for line in section("training").splitlines() if line.startswith(f"| `{name}`")]

    assert f"| {shown} |" in row or f"| `{shown}` |" in row
    assert str(getattr(default, "value", default)) == shown.strip('"')


def test_the_margins_of_the_table_are_the_defaults():
    promotion = Promotion()

    assert f"| token F1 | {promotion.f1_loss:.2f} |" in PAGE
    assert f"| refusals of what is absent | {promotion.abstention_loss:.2f} |" in PAGE
    assert f"| stale memory | {promotion.stale_rise:.2f} |" in PAGE
    assert f"| new text, old text | {promotion.bits_loss:.0%} of bits |".replace("%", " %") in PAGE
    told = f"| general text | {promotion.general_loss:.0%} of bits |".replace("%", " %")
    assert told in PAGE
