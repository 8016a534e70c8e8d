"""Whatever a document says is shown as text: in Markdown, HTML, messages, whoever renders them."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import html
from markdown_it import MarkdownIt

from flows.records import Check
from flows.telling.notices import Notice, NoticeKind, message_of
from flows.tracking import cards
from monitors.charts import Levels
from monitors.page import render
from monitors.records import Action, Cost, Decision
from tests.flows.checks import REFRESHED
from tests.monitors.reports import HOSTILE, report_saying

CORPUS = HOSTILE | {
    "image": "![x](https://evil.example/x.png)",
    "reference-image": "![x][1]\n\n[1]: https://evil.example/x.png",
    "markdown-link": "[free](javascript:alert(1))",
    "autolink": "<https://evil.example/?q=1>",
    "bare-address": "read https://evil.example/x and www.evil.example",
    "svg": "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>",
    "entity": "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62;",
    "comment": "<!-- --><style>*{display:none}</style>",
    "cell": "a | b\n|---|---|\n| <b>x</b> |",
    "fence": "```html\n<script>alert(1)</script>\n```",
    "heading": "x\n# Heading\n---\n> quote\n- [ ] task",
    "jinja": "{{ cycler.__init__.__globals__ }} {% raw %} ${7*7} #{7*7}",
    "data": "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "unclosed": "<img src='x' onerror='alert(1)' ",
}
# What our own cards are made of; anything else came out of a document.
_OURS = {
    "h2",
    "p",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "strong",
    "code",
    "ul",
    "li",
    "em",
    "br",
    "div",
}
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)


def check(text: str) -> Check:
    decision = Decision(Action.RETRAIN, text, Cost(1.0, 2.0, text, text), needs_approval=True)
    report = replace(report_saying(text), reference="docs@1", current="docs@2")
    return Check(7, REFRESHED, report, decision, None)


def markdown(text: str) -> dict[str, str]:
    return {
        "check card": cards.check_card(check(text)),
        "check table": cards.check_table(check(text)),
        "escaped": f"## {cards.escape(text)}",
        "refresh card": cards.refresh_card(
            replace(REFRESHED, published=replace(REFRESHED.published, reason=text))
        ),
    }


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_markdown_shows_what_a_document_says_and_renders_none_of_it(text: str):
    for name, written in markdown(text).items():
        # As the most generous renderer would: HTML is let through, tables and strikes are on.
        made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        tree = html.fromstring(f"<div>{made.render(written)}</div>")

        assert {node.tag for node in tree.iter()} <= _OURS, name
        assert not [key for node in tree.iter() for key in node.attrib if key != "style"], name


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_no_address_of_a_document_becomes_a_link_where_bare_ones_do(text: str):
    for name, written in markdown(text).items():
        assert not _LINK.search(written), name


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_the_page_has_no_element_and_no_attribute_of_a_document(text: str):
    def structure(said: str) -> set[tuple[str, tuple[str, ...]]]:
        levels = Levels(watch=0.03, retrain=0.09)
        page = render(
            report_saying(said), check(said).decision, levels=levels, title=said, data=said
        )
        tree = html.fromstring(page)
        return {(str(node.tag), tuple(node.keys())) for node in tree.iter()}

    assert structure(text) <= structure("plain") | {("del", ()), ("ins", ()), ("br", ())}


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_a_run_s_name_is_one_line_without_control_characters(text: str):
    title = cards.check_title(check(text))

    assert title.isprintable()
    assert "\n" not in title


def test_the_corpus_is_hostile():
    made = MarkdownIt("commonmark", {"html": True}).enable("table")

    tags = {
        node.tag
        for text in CORPUS.values()
        for node in html.fromstring(f"<div>{made.render(text)}</div>").iter()
    }

    assert {"script", "img", "a", "svg", "style"} <= {str(tag) for tag in tags}


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_a_message_holds_no_markup_of_a_document(text: str):
    time = datetime(2026, 11, 1, tzinfo=UTC)
    notice = Notice("id", NoticeKind.RETRAIN, "docs", time, text, link="")

    message = message_of(notice)

    assert not set("<>[]`@") & set(message.title + message.body)
    assert all(line.isprintable() for line in message.body.splitlines())
