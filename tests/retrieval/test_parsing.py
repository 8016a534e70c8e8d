"""Bytes to sections: headings of three kinds of text, and what is refused."""

import codecs

import pytest

from retrieval.errors import DocumentRefusedError
from retrieval.parsing import parse
from retrieval.records import Document, RefusalCode, Section


def markdown(text: str) -> Document:
    return parse("docs/page.md", text.encode())


def rst(text: str) -> Document:
    return parse("docs/page.rst", text.encode())


def plain(text: str) -> Document:
    return parse("docs/page.txt", text.encode())


def trails(document: Document) -> list[tuple[str, ...]]:
    return [section.headings for section in document.sections]


def test_markdown_is_cut_at_atx_and_setext_headings():
    document = markdown("# One #\nfirst\n\nTwo\n---\nsecond\n\n### Three\nthird")

    assert document.sections == (
        Section(("One",), "first"),
        Section(("One", "Two"), "second"),
        Section(("One", "Two", "Three"), "third"),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("```\n# no\n```", id="fence"),
        pytest.param("~~~sh\n# no\n~~~", id="tilde-fence"),
        pytest.param("    # no", id="indented-code"),
        pytest.param("> # no", id="quote"),
        pytest.param("- # no", id="list"),
        pytest.param("#no", id="hashtag"),
        pytest.param("<!--\n# no\n-->", id="comment"),
        pytest.param("text\n\n---\n\ntext", id="rule"),
        pytest.param("\\# no", id="escaped"),
    ],
)
def test_what_only_looks_like_a_heading_is_text_as_written(text: str):
    document = markdown(f"# Title\n\n{text}\n")

    assert document.sections == (Section(("Title",), text),)


def test_a_sibling_heading_ends_the_trail_of_the_one_before():
    document = markdown("# A\na\n## B\nb\n# C\nc\n### D\nd")

    assert trails(document) == [("A",), ("A", "B"), ("C",), ("C", "D")]


def test_text_before_the_first_heading_has_no_trail():
    assert trails(markdown("before\n\n# A\n\nafter")) == [(), ("A",)]


def test_a_heading_with_nothing_under_it_is_text_of_the_section_above():
    document = markdown("# A\n\n## B\n\n## C\n\nc\n\n# D")

    assert document.sections == (
        Section(("A",), "B"),
        Section(("A", "C"), "c"),
        Section((), "D"),
    )


def test_a_line_too_long_for_a_heading_is_text():
    document = markdown("# " + "x" * 300 + "\n\ntext")

    assert trails(document) == [()]
    assert "x" * 300 in document.text


def test_text_keeps_its_line_breaks_indents_and_markup():
    text = "a *b*  \nc\n\n    code\n\n\n| x | y |\n|---|---|"

    assert markdown(f"# T\n\n\n{text}\n\n").text == text


@pytest.mark.parametrize(
    ("front", "title"),
    [
        pytest.param("title: Hello there", "Hello there", id="plain"),
        pytest.param('title: "Quoted: yes"', "Quoted: yes", id="double-quoted"),
        pytest.param("title: 'single'", "single", id="single-quoted"),
        pytest.param("tags: [a]\ntitle: Later", "Later", id="not-the-first-key"),
        pytest.param("title: >-\n  folded", "Heading", id="block-is-not-understood"),
        pytest.param("title: *alias", "Heading", id="alias-is-not-followed"),
        pytest.param("title: !!python/object:os.system x", "Heading", id="tag-is-not-read"),
        pytest.param("titles: x", "Heading", id="another-key"),
    ],
)
def test_a_simple_title_in_front_matter_is_respected(front: str, title: str):
    document = markdown(f"---\n{front}\n---\n# Heading\n\ntext")

    assert document.title == title
    assert document.sections == (Section(("Heading",), "text"),)


def test_front_matter_that_never_ends_is_text():
    assert "title: x" in markdown("---\ntitle: x\n\ntext").text


def test_front_matter_alone_is_an_empty_document():
    with pytest.raises(DocumentRefusedError) as refused:
        markdown("---\ntitle: x\n---\n")

    assert refused.value.reason_code is RefusalCode.EMPTY


def test_restructured_text_levels_are_in_order_of_appearance():
    document = rst(
        "=====\nTitle\n=====\n\nintro\n\nPart\n----\n\npart\n\nDetail\n~~~~~~\n\ndetail\n\n"
        "Other\n-----\n\nother\n"
    )

    assert document.title == "Title"
    assert document.sections == (
        Section(("Title",), "intro"),
        Section(("Title", "Part"), "part"),
        Section(("Title", "Part", "Detail"), "detail"),
        Section(("Title", "Other"), "other"),
    )


def test_overlined_and_underlined_with_one_character_are_two_levels():
    document = rst("====\nBook\n====\n\nChapter\n=======\n\ntext")

    assert trails(document) == [("Book", "Chapter")]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        pytest.param("Title\n=====\nSub\n---\ntext", ["Title", "Sub"], id="without-blank-lines"),
        pytest.param(".. _label:\nTitle\n=====\n\ntext", ["Title"], id="right-after-a-label"),
        pytest.param("A longer title\n====\n\ntext", ["A longer title"], id="short-underline"),
        pytest.param(" ====\n Indented\n ====\n\ntext", [], id="indented"),
        pytest.param("====\n Inset\n====\n\ntext", ["Inset"], id="inset-overlined"),
        pytest.param("text\nmore\n====\n", [], id="second-line-of-a-paragraph"),
        pytest.param("text\n\n----\n\ntext", [], id="transition"),
        pytest.param("Title\n===\n\ntext", [], id="underline-too-short"),
        pytest.param("1. Numbered\n===========\n\ntext", ["1. Numbered"], id="enumerated"),
        pytest.param("- item\n------\n", [], id="bullet"),
        pytest.param("=====  =====\nA      B\n=====  =====\n1      2\n", [], id="simple-table"),
        pytest.param("+---+\n| A |\n+---+\n", [], id="grid-table"),
        pytest.param("::\n\n    Title\n    =====\n", [], id="literal-block"),
        pytest.param("=====\nA\n====\n\nx", ["A"], id="overline-of-another-length"),
    ],
)
def test_restructured_text_headings_follow_the_rules_of_docutils(text: str, titles: list[str]):
    found = rst(f"{text}\nend")

    assert [heading for trail in trails(found)[-1:] for heading in trail] == titles


def test_plain_text_has_its_first_line_as_title_and_as_text():
    document = plain("\nRelease notes\n\nMuch changed.")

    assert document.title == "Release notes"
    assert document.sections == (Section((), "Release notes\n\nMuch changed."),)


def test_underlined_plain_text_is_cut_at_its_headings():
    assert trails(plain("Models\n======\n\nFields\n------\n\ntext")) == [("Models", "Fields")]


def test_a_document_without_a_heading_is_called_like_its_file():
    assert markdown("only text").title == "page"
    assert rst("only text").title == "page"


def test_the_digest_is_of_the_bytes_and_not_of_the_text():
    assert parse("a.md", b"x\r\ny").digest != parse("a.md", b"x\ny").digest
    assert parse("a.md", b"x\r\ny").text == parse("a.md", b"x\ny").text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("straße № 7".encode(), id="utf-8"),
        pytest.param(codecs.BOM_UTF8 + "straße № 7".encode(), id="utf-8-with-mark"),
        pytest.param("straße № 7".encode("utf-16"), id="utf-16"),
        pytest.param(codecs.BOM_UTF16_BE + "straße № 7".encode("utf-16-be"), id="utf-16-be"),
        pytest.param("straße № 7".encode("utf-32"), id="utf-32"),
    ],
)
def test_unicode_is_read_with_and_without_a_mark(data: bytes):
    assert parse("a.md", data).text == "straße № 7"


def test_a_text_in_an_older_encoding_is_read():
    text = "Die Straße führt über die Brücke, und die Gärten blühen schöner als je zuvor. " * 5

    assert parse("a.md", text.encode("cp1252")).text == text.strip()


def test_utf_8_with_a_broken_byte_is_still_read_as_utf_8():
    text = "Die Straße führt über die Brücke in die Gärten. " * 10

    document = parse("a.md", text.encode() + b"\xff")

    assert document.text == text + "\ufffd"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", RefusalCode.EMPTY, id="no-bytes"),
        pytest.param(b" \n\t\r\n", RefusalCode.EMPTY, id="white-space"),
        pytest.param(codecs.BOM_UTF8, RefusalCode.EMPTY, id="a-mark-alone"),
        pytest.param(codecs.BOM_UTF16_LE, RefusalCode.EMPTY, id="a-utf-16-mark-alone"),
        pytest.param("\u200b\ufeff\n".encode(), RefusalCode.EMPTY, id="invisible"),
        pytest.param(b"text\0text", RefusalCode.BINARY, id="nul"),
        pytest.param("text\0text".encode("utf-16"), RefusalCode.BINARY, id="nul-in-utf-16"),
        pytest.param(b"%PDF-1.7 text", RefusalCode.BINARY, id="pdf"),
        pytest.param(b"PK\x03\x04word/document.xml", RefusalCode.BINARY, id="zip"),
        pytest.param(b"x" * 98 + b"\x01\x02", RefusalCode.BINARY, id="control-bytes-over"),
        pytest.param(codecs.BOM_UTF16_LE + b"odd", RefusalCode.ENCODING, id="broken-utf-16"),
        pytest.param("ü".encode() * 50 + b"\xff" * 20, RefusalCode.ENCODING, id="much-is-broken"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, code: RefusalCode):
    with pytest.raises(DocumentRefusedError) as refused:
        parse("a.md", data)

    assert refused.value.reason_code is code


def test_a_few_control_bytes_are_let_through():
    assert parse("a.md", b"x" * 99 + b"\x01").text.startswith("xxx")


@pytest.mark.parametrize("ending", ["md", "rst", "txt"])
@pytest.mark.parametrize(
    "unit",
    ["a", "*", "[", "`", ">", "#", "-", "=", "\\", "\n", "> ", "- ", "# a\n", "a\n=\n", "|", '"'],
)
def test_no_run_of_marks_is_read_in_more_than_linear_time(ending: str, unit: str):
    text = "x\n" + unit * (100_000 // len(unit))  # squared, it would not end

    document = parse(f"a.{ending}", text.encode())

    assert "x" in document.text
