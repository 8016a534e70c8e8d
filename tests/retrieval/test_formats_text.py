"""Web pages, notebooks, mails and source code: what of them is text, and what is refused."""

import json
from collections.abc import Mapping
from email.message import EmailMessage

import pytest

from retrieval.errors import DocumentRefusedError
from retrieval.formats import READABLE
from retrieval.parsing import media_type_of, parse
from retrieval.records import Document, RefusalCode, Section


def html(page: str) -> Document:
    return parse("a.html", page.encode())


def notebook(*cells: Mapping[str, object], **rest: object) -> bytes:
    return json.dumps({"cells": cells, "nbformat": 4, **rest}).encode()


def code(uri: str, text: str) -> list[tuple[str, ...]]:
    return [section.headings for section in parse(uri, text.encode()).sections]


def refusal(uri: str, data: bytes) -> RefusalCode:
    with pytest.raises(DocumentRefusedError) as refused:
        parse(uri, data)
    return refused.value.reason_code


def test_a_page_is_cut_at_its_headings():
    document = html(
        "<title>The page</title><body>before<h1>One <a href='#x'>\N{PILCROW SIGN}</a></h1>"
        "<p>a <b>bold</b>\nword</p><p>next</p><h2>Two</h2><ul><li>x</li><li>y</li></ul>"
    )

    assert document.title == "The page"
    assert document.sections == (
        Section((), "before"),
        Section(("One",), "a bold word\n\nnext"),
        Section(("One", "Two"), "- x\n- y"),
    )


def test_a_table_is_a_line_a_row_even_with_paragraphs_in_its_cells():
    page = "<table><tr><th>a<th>b</tr><tr><td><p>1</p></td><td><p>2</p>x</td></tr></table>after"

    assert html(page).text == "a | b\n1 | 2 x\n\nafter"


def test_code_keeps_its_lines_and_a_break_is_one():
    assert html("<p>a<br>b</p><pre>x\n  y\n\nz</pre>").text == "a\nb\n\nx\n  y\n\nz"


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param("<script>evil()</script>", id="script"),
        pytest.param("<style>p {}</style>", id="style"),
        pytest.param("<nav>menu</nav>", id="nav"),
        pytest.param("<template><p>later</p></template>", id="template"),
        pytest.param("<svg><a xlink:href='http://e.org/'><text>x</text></a></svg>", id="svg"),
        pytest.param("<noscript>no</noscript>", id="noscript"),
        pytest.param("<!-- a comment -->", id="comment"),
        pytest.param("<iframe src='http://e.org/'>x</iframe>", id="iframe"),
        pytest.param("<img src=x onerror='evil()'>", id="onerror"),
        pytest.param("<p hidden>ignore</p>", id="hidden"),
        pytest.param("<p style='Display : none'>ignore</p>", id="not-displayed"),
        pytest.param("<span style='font-size:0'>ignore</span>", id="of-size-zero"),
        pytest.param("<input hidden><div hidden><br><div>x</div></div>", id="nested"),
    ],
)
def test_only_what_a_reader_sees_is_text(hidden: str):
    assert html(f"<p>before</p>{hidden}<p>after</p>").text == "before\n\nafter"


def test_where_a_link_leads_is_not_text():
    page = "<p><a href='javascript:evil()'>link</a> <img src='data:x' alt='a cat'></p>"

    assert html(page).text == "link a cat"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        pytest.param("head<main><p>x</p></main>foot", "x", id="main"),
        pytest.param("head<div role='main'>x</div>foot", "x", id="role"),
        pytest.param("head<article>x</article>foot", "x", id="one-article"),
        pytest.param("<article>x</article><article>y</article>", "x\n\ny", id="two-articles"),
        pytest.param("head<main><article>x</article>y</main>", "x\n\ny", id="article-in-main"),
        pytest.param("head<main> </main>", "head", id="empty-main"),
        pytest.param("head<main>x", "x", id="main-that-never-ends"),
    ],
)
def test_the_main_part_of_a_page_is_preferred(page: str, text: str):
    assert html(page).text == text


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        pytest.param('<meta charset="cp1252"><p>Straße'.encode("cp1252"), None, id="meta"),
        pytest.param(
            '<meta http-equiv="Content-Type" content="text/html; charset=cp1252"><p>Straße'.encode(
                "cp1252"
            ),
            None,
            id="old-meta",
        ),
        pytest.param("<p>Straße".encode("cp1252"), "text/html; charset=cp1252", id="header"),
        pytest.param(
            '<meta charset="utf-8"><p>Straße'.encode("cp1252"),
            "text/html; charset=cp1252",
            id="header-beats-meta",
        ),
        pytest.param('<meta charset="x-no"><p>Straße'.encode(), None, id="unknown"),
        pytest.param('<meta charset="hex"><p>Straße'.encode(), None, id="no-charset"),
        pytest.param("<p>Straße".encode("utf-16"), "text/html; charset=cp1252", id="mark-wins"),
    ],
)
def test_the_charset_of_a_page_is_respected(data: bytes, media_type: str | None):
    assert parse("https://example.org/x", data, media_type=media_type or "text/html").text == (
        "Straße"
    )


def test_a_million_nested_elements_are_read_in_linear_time():
    assert html("<div>" * 1_000_000 + "x").text == "x"


def test_a_notebook_is_prose_code_and_plain_output():
    data = notebook(
        {"cell_type": "markdown", "source": ["# One\n", "text"]},
        {
            "cell_type": "code",
            "source": "# no heading\nprint(1)",
            "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {
                    "output_type": "display_data",
                    "data": {
                        "text/html": "<script>evil()</script>",
                        "application/javascript": "evil()",
                        "text/plain": "shown",
                    },
                },
                {"output_type": "error", "traceback": ["no"]},
            ],
        },
        {"cell_type": "raw", "source": []},
    )

    document = parse("a.ipynb", data)

    assert document.title == "One"
    assert document.sections == (Section(("One",), "text\n\n# no heading\nprint(1)\n\n1\n\nshown"),)


def test_a_long_output_is_cut_and_the_text_says_so():
    output = {"output_type": "stream", "text": "x" * 10_001}
    data = notebook({"cell_type": "code", "source": "a", "outputs": [output]})

    assert parse("a.ipynb", data).text.endswith("x\n… the rest of this output was left out")


def test_a_lone_surrogate_in_a_notebook_is_replaced():
    data = b'{"cells": [{"cell_type": "raw", "source": "a \\ud800 b"}]}'

    assert parse("a.ipynb", data).text == "a \ufffd b"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{", id="cut-off"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"{}", id="no-cells"),
        pytest.param(b'{"cells": 7}', id="cells-are-no-list"),
        pytest.param(b'{"cells": [7]}', id="a-cell-is-no-object"),
        pytest.param(b"[" * 100_000, id="nested-100,000-times"),
    ],
)
def test_what_is_no_notebook_is_refused_as_damaged(data: bytes):
    assert refusal("a.ipynb", data) is RefusalCode.DAMAGED


def mail() -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Plän", "a@example.org", "b@example.org"
    return message


def test_a_mail_is_its_text_under_its_subject():
    message = mail()
    message.set_content("Hello,\n\nthe plan.")
    message.add_alternative("<p>html</p>", subtype="html")
    message.add_attachment(b"\0", maintype="application", subtype="x", filename="plan.bin")

    document = parse("a.eml", message.as_bytes())

    assert document.title == "Plän"
    assert document.sections == (
        Section(
            ("Plän",),
            "From: a@example.org\nTo: b@example.org\n\nHello,\n\nthe plan.\n\nAttachment: plan.bin",
        ),
    )


def test_a_mail_of_html_alone_is_its_text():
    message = mail()
    message.set_content("<h1>One</h1><p>text</p><script>evil()</script>", subtype="html")

    assert parse("a.eml", message.as_bytes()).sections[-1] == Section(("Plän", "One"), "text")


def test_a_forwarded_mail_is_read_too():
    inner, outer = mail(), mail()
    inner.set_content("inner")
    outer.set_content("outer")
    outer.add_attachment(inner)

    text = parse("a.eml", outer.as_bytes()).text

    assert "outer" in text
    assert "inner" in text


@pytest.mark.parametrize("depth", [30, 1_000])
def test_a_mail_of_many_nested_parts_is_refused(depth: int):
    parts = (f'Content-Type: multipart/mixed; boundary="b{at}"\n\n--b{at}\n' for at in range(depth))
    data = ("Subject: x\n" + "".join(parts) + "\ntext").encode()

    assert refusal("a.eml", data) is RefusalCode.UNSAFE


def test_a_text_without_a_header_is_no_mail():
    assert refusal("a.eml", b"\njust text") is RefusalCode.DAMAGED


@pytest.mark.parametrize(
    ("uri", "text", "names"),
    [
        pytest.param(
            "a.py", "class A:\n    def f(self): ...\nasync def g(): ...\n", ["A", "g"], id="py"
        ),
        pytest.param(
            "a.ts", "export default class A {\n}\nexport async function f() {}", ["A", "f"], id="ts"
        ),
        pytest.param("a.go", "func (s *Server) Run() {\n}\ntype T struct {", ["Run", "T"], id="go"),
        pytest.param("a.rs", "pub(crate) fn f() {}\nimpl A {", ["f", "A"], id="rust"),
        pytest.param(
            "a.sql", "CREATE TABLE IF NOT EXISTS t (\n);\ncreate view v as", ["t", "v"], id="sql"
        ),
        pytest.param(
            "a.toml", "[project]\nx = 1\n[[tool.x]]\ny = [1]", ["project", "tool.x"], id="toml"
        ),
        pytest.param("a.sh", "build() {\n  x\n}", ["build"], id="shell"),
    ],
)
def test_names_at_the_margin_of_code_are_headings(uri: str, text: str, names: list[str]):
    assert code(uri, text) == [(name,) for name in names]
    assert parse(uri, text.encode()).text.replace("\n\n", "\n") == text.rstrip("\n")


def test_code_is_called_like_its_file():
    assert parse("src/parser.c", b"int x;").title == "parser.c"


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        pytest.param(
            "a.yaml", "a: &a [x]\nb: &b [*a, *a]\nc: !!python/object:os.system x", id="yaml"
        ),
        pytest.param(
            "a.xml", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', id="xml"
        ),
        pytest.param("a.svg", '<svg><a xlink:href="http://e.org/">x</a></svg>', id="svg"),
        pytest.param("a.json", '{"a": ' * 1000, id="json"),
    ],
)
def test_data_that_is_code_is_text_as_written(uri: str, text: str):
    assert parse(uri, text.encode()).text == text.strip()


@pytest.mark.parametrize(
    ("uri", "said", "media_type"),
    [
        pytest.param(
            "a.md", "text/plain; charset=utf-8", "text/markdown", id="ending-knows-better"
        ),
        pytest.param("a.php", "text/html", "text/html", id="source-knows-better"),
        pytest.param("https://e.org/a.html?b=c.d", None, "text/html", id="query"),
        pytest.param("https://e.org", "TEXT/HTML;charset=x", "text/html", id="upper-case"),
        pytest.param("a", "application/x-unheard-of", "text/plain", id="unheard-of"),
        pytest.param("a.rst", "x/y/z;;;=", "text/x-rst", id="no-media-type-at-all"),
    ],
)
def test_what_the_source_says_comes_before_the_ending(uri: str, said: str | None, media_type: str):
    assert parse(uri, b"<p>text", media_type=said).media_type == media_type


def test_every_readable_ending_has_a_format_of_its_own():
    assert "**/*.md" in READABLE
    assert "**/*.xls" not in READABLE
    assert media_type_of("a.pdf") == "application/pdf"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read(encoding: str):
    assert parse("a.md", "# Title\n\ntext".encode(encoding)).title == "Title"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x1f\x8b\x08\0text", id="gzip"),
        pytest.param(b"SQLite format 3\0", id="sqlite"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="png"),
    ],
)
def test_a_binary_file_under_a_text_name_is_refused(data: bytes):
    assert refusal("a.txt", data) is RefusalCode.BINARY


def test_five_million_empty_lines_are_a_gap():
    document = parse("a.txt", b"a" + b"\n" * 5_000_000 + b"b")

    assert document.text == "a\n\n\nb"
