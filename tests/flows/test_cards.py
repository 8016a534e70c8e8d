"""What people read in MLflow is escaped, and says what happened."""

import pytest
from markdown_it import MarkdownIt

from flows.cards import escape


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "![x](http://example.org/x.png)",
        "[link](javascript:alert(1))",
        "a | b",
        "# heading",
        "`code`",
        "<img src=x onerror=alert(1)>.md",
    ],
)
def test_no_name_becomes_markup(text: str):
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(escape(text))

    assert rendered.startswith("<p>")
    assert rendered.count("<") == 2  # the paragraph alone


def test_control_and_bidi_characters_are_shown_and_not_obeyed():
    assert "\u202e" not in escape("a\u202eb\nc")
