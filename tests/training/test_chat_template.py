"""A foreign chat template: a program, run once where it can do no harm."""

from pathlib import Path

import pytest

from training.errors import ModelCorruptError, UnsafeModelError
from training.models import chat_template
from training.models.chat_template import check_chat_templates

PLAIN = "{% for m in messages %}{{ bos_token }}{{ m.role }}: {{ m.content }}{% endfor %}"


def folder_with(path: Path, template: str) -> Path:
    (path / "chat_template.jinja").write_text(template)
    return path


def test_a_plain_template_is_rendered_once_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_with(tmp_path, PLAIN)
    check_chat_templates(folder, remembered_in=tmp_path / "cache")
    monkeypatch.setattr(chat_template, "_check", lambda *_: pytest.fail("rendered again"))

    check_chat_templates(folder, remembered_in=tmp_path / "cache")


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% for i in range(10**12) %}{% endfor %}", "asks for too much"),
        ("{% for i in range(9**5) %}{% for j in range(9**5) %}{% endfor %}{% endfor %}", "5 s and"),
        ("{% set x = 'a' * 10**10 %}", "more than 512 MiB"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "asks for too much"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
    ],
    ids=["long-loop", "nested-loops", "memory", "recursion", "escape"],
)
def test_a_template_that_does_harm_ends_in_words_and_is_not_remembered(
    template: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsafeModelError, match=told):
        check_chat_templates(folder_with(tmp_path, template), remembered_in=tmp_path)

    assert not (tmp_path / "chat_templates").exists()


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ messages[99].content }}", "UndefinedError"),
        ("{{ raise_exception('System role not supported') }}", "System role not supported"),
        ("You are a helpful assistant.", "leaves out what was said"),
    ],
    ids=["syntax", "undefined", "no-system-turn", "no-question"],
)
def test_a_template_that_cannot_be_used_is_said_to_be_broken(
    template: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelCorruptError, match=told):
        check_chat_templates(folder_with(tmp_path, template), remembered_in=tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        '{"chat_template": "{% for %}"}',
        '{"chat_template": [{"name": "tool_use", "template": "{% for %}"}]}',
    ],
    ids=["text", "list"],
)
def test_a_template_in_the_tokenizer_config_is_checked_too(config: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(config)

    with pytest.raises(ModelCorruptError, match=r"'tokenizer_config\.json'"):
        check_chat_templates(tmp_path, remembered_in=tmp_path)


def test_a_template_among_the_additional_ones_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("{% for %}")

    with pytest.raises(ModelCorruptError, match=r"'rag\.jinja'"):
        check_chat_templates(tmp_path, remembered_in=tmp_path)


def test_a_template_longer_than_any_real_one_is_not_rendered(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, " " * 1_000_001)

    with pytest.raises(UnsafeModelError, match="1,000,000 at most"):
        check_chat_templates(folder, remembered_in=tmp_path)


def test_a_template_that_is_no_text_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")

    with pytest.raises(ModelCorruptError, match="not UTF-8"):
        check_chat_templates(tmp_path, remembered_in=tmp_path)


def test_a_folder_without_a_template_has_nothing_to_render(tmp_path: Path) -> None:
    check_chat_templates(tmp_path, remembered_in=tmp_path)

    assert not list(tmp_path.iterdir())
