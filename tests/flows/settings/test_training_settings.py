"""Settings of a training and a promotion: what reaches the run, and what each mistake is told."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from flows.errors import SettingsError
from flows.settings.knowledge_base import Kb
from flows.settings.settings import load_settings
from flows.settings.training import PromotionMode, Training
from training.judging.promotion import PromotionPolicy
from training.records import FIRST, LATER, FinetuneConfig, Start

SOURCE = '[kb.docs.source]\npath = "docs"\n'
# What the settings say in other words, or never.
_ELSEWHERE = {"holdout_salt", "holdout_share", "warmup_share"}


def kb(tmp_path: Path, text: str) -> Kb:
    file = tmp_path / "driftline.toml"
    file.write_text(SOURCE + text, encoding="utf-8")
    return load_settings(file).knowledge_base("docs")


def test_every_number_of_a_training_can_be_set():
    known = {field.name for field in fields(FinetuneConfig)} - _ELSEWHERE

    assert known <= set(Training.model_fields)


def test_every_number_of_the_file_reaches_the_run(tmp_path: Path):
    text = (
        '[kb.docs.training]\nbudget_tokens = 9000\nstart = "base"\nrank = 8\nalpha = 24\n'
        "dropout = 0.1\nlearning_rate = 0.002\nbatch_rows = 6\nmicro_rows = 3\n"
        "max_row_tokens = 512\nepochs = 2\ndifference_share = 0.4\nreplay_share = 0.2\n"
        "answer_share = 0.3\ncorrection_share = 0.1\nrefusal_share = 0.3\npacking = true\n"
        "gradient_checkpointing = true\nfour_bit = true\ncheckpoint_share = 0.25\n"
        "candidates = 3\nsamples = 5\nholdout_text_rows = 7\nholdout_answer_rows = 8\n"
        "holdout_cloze_rows = 9\nholdout_general_rows = 10\nseed = 11\n"
    )

    config = kb(tmp_path, text).finetune_config()

    assert config == FinetuneConfig(
        budget_tokens=9000,
        start=Start.BASE,
        rank=8,
        alpha=24,
        dropout=0.1,
        learning_rate=0.002,
        batch_rows=6,
        micro_rows=3,
        max_row_tokens=512,
        epochs=2,
        difference_share=0.4,
        replay_share=0.2,
        answer_share=0.3,
        correction_share=0.1,
        refusal_share=0.3,
        packing=True,
        gradient_checkpointing=True,
        four_bit=True,
        checkpoint_share=0.25,
        candidates=3,
        samples=5,
        holdout_text_rows=7,
        holdout_answer_rows=8,
        holdout_cloze_rows=9,
        holdout_general_rows=10,
        seed=11,
    )


def test_conversations_get_their_share_only_where_there_are_any(tmp_path: Path):
    without = kb(tmp_path, "").finetune_config()
    beside = kb(tmp_path, '[kb.docs.training]\nchat = "chat.jsonl"\n').finetune_config()

    assert without.chat_share == 0
    assert beside.chat_share == Training().chat_share > 0


def test_a_promotion_waits_for_a_person_only_where_it_is_told_to(tmp_path: Path):
    usual = kb(tmp_path, "").promotion
    careful = kb(tmp_path, '[kb.docs.promotion]\nmode = "approve"\n').promotion

    assert usual.mode is PromotionMode.AUTO
    assert careful.mode is PromotionMode.APPROVE


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(
            "budget_tokens = 900\nbudget_minutes = 3", "not in both", id="two-budgets-of-one-run"
        ),
        pytest.param("budget_minutes = 0", "greater than 0", id="no-time-at-all"),
        pytest.param("budget_minutes = inf", "finite", id="endless"),
        pytest.param("chat_share = 0.2", "would do nothing", id="a-share-of-no-chat"),
        pytest.param("answer_share = 0.9", "1 are given", id="one-share-alone"),
        pytest.param(
            "difference_share = 0.5\nreplay_share = 0.3\nanswer_share = 0.3\ncorrection_share = 0",
            "add up to 1.10",
            id="shares-over-one",
        ),
        pytest.param(
            "difference_share = 0\nreplay_share = 0\nanswer_share = 0\ncorrection_share = 0",
            "add up to 0.00",
            id="nothing-to-train-on",
        ),
        pytest.param('start = "latest"', "'base', 'champion' or 'challenger'", id="no-such-start"),
        pytest.param("candidates = 0", "greater than or equal to 1", id="no-candidate"),
        pytest.param("checkpoint_share = 0", "greater than 0", id="a-checkpoint-never"),
        pytest.param("holdout_salt = 'x'", "holdout_salt", id="salt-is-not-to-be-turned"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, line: str, said: str):
    with pytest.raises(SettingsError) as raised:
        kb(tmp_path, f"[kb.docs.training]\n{line}\n")

    assert said in str(raised.value)
    assert "driftline.toml" in str(raised.value)


def test_shares_that_add_up_to_one_are_taken(tmp_path: Path):
    text = (
        "[kb.docs.training]\ndifference_share = 0.7\nreplay_share = 0.1\nanswer_share = 0.1\n"
        "correction_share = 0.1\n"
    )

    assert kb(tmp_path, text).finetune_config().difference_share == 0.7


def test_a_first_adapter_learns_to_answer_and_a_later_one_what_is_new(tmp_path: Path):
    training = kb(tmp_path, "")

    first = training.finetune_config(first=True)
    later = training.finetune_config(first=False)

    assert first == FinetuneConfig().by(FIRST)
    assert later == FinetuneConfig().by(LATER)


def test_shares_that_are_given_are_for_every_run(tmp_path: Path):
    text = (
        "[kb.docs.training]\ndifference_share = 0.4\nreplay_share = 0.2\nanswer_share = 0.3\n"
        "correction_share = 0.1\n"
    )

    training = kb(tmp_path, text)

    first, later = (training.finetune_config(first=first) for first in (True, False))
    assert first == replace(later, learning_rate=FIRST.learning_rate, refusal_share=FIRST.refusal)
    assert (later.learning_rate, later.refusal_share) == (LATER.learning_rate, LATER.refusal)


def test_a_learning_rate_that_is_given_is_for_every_run(tmp_path: Path):
    training = kb(tmp_path, "[kb.docs.training]\nlearning_rate = 0.002\n")

    rates = {training.finetune_config(first=first).learning_rate for first in (True, False)}

    assert rates == {0.002}


def test_every_margin_can_be_set_and_reaches_the_judge(tmp_path: Path):
    margins: dict[str, Any] = {field.name: 0.2 for field in fields(PromotionPolicy)}
    margins |= {"text_rows": 3, "answer_rows": 4, "part_rows": 5, "documents": 6}
    lines = "\n".join(f"{name} = {value}" for name, value in margins.items())

    policy = kb(tmp_path, f"[kb.docs.promotion]\n{lines}\n").promotion_policy()

    assert policy == PromotionPolicy(**margins)
    assert kb(tmp_path, "").promotion_policy() == PromotionPolicy()
