"""Office files: real ones made here, and those that want to do harm."""

import io
import zipfile
from collections.abc import Callable

import docx
import openpyxl
import pptx
import pytest

from retrieval.errors import DocumentRefusedError
from retrieval.formats import archive, tables
from retrieval.parsing import parse
from retrieval.records import RefusalCode, Section


def word(write: Callable[["docx.document.Document"], None]) -> bytes:
    document = docx.Document()
    write(document)
    return saved(document)


def saved(document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Prices"
    for row in rows:
        book.active.append(row)
    return saved(book)


def repacked(data: bytes, changes: dict[str, Callable[[bytes], bytes]]) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.infolist():
            change = changes.get(part.filename, bytes)
            new.writestr(part.filename, change(old.read(part)))
    return file.getvalue()


def refusal(uri: str, data: bytes) -> RefusalCode:
    with pytest.raises(DocumentRefusedError) as refused:
        parse(uri, data)
    return refused.value.reason_code


def hello(document) -> None:
    document.add_paragraph("hello")


def test_word_headings_lists_and_tables_are_read_in_order():
    def write(document):
        document.add_paragraph("before")
        document.add_heading("One", 1)
        document.add_paragraph("first\tsecond")
        document.add_paragraph("item", style="List Bullet")
        document.add_heading("Two", 2)
        table = document.add_table(2, 2)
        table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
        table.cell(1, 0).text, table.cell(1, 1).text = "c", "d"
        document.add_paragraph("after")

    document = parse("a.docx", word(write))

    assert document.title == "One"
    assert document.sections == (
        Section((), "before"),
        Section(("One",), "first\tsecond\n\nitem"),
        Section(("One", "Two"), "a | b\nc | d\n\nafter"),
    )


def test_word_title_style_is_the_title_and_the_outermost_heading():
    def write(document):
        document.add_heading("The book", 0)
        document.add_heading("Part", 1)
        document.add_paragraph("text")

    document = parse("a.docx", word(write))

    assert document.title == "The book"
    assert document.sections == (Section(("The book", "Part"), "text"),)


def test_word_title_of_the_properties_stands_where_no_heading_does():
    def write(document):
        document.core_properties.title = "Annual report"
        document.add_paragraph("text")

    assert parse("a.docx", word(write)).title == "Annual report"
    assert parse("note.docx", word(hello)).title == "note"


def test_a_heading_of_a_style_that_is_based_on_a_heading_counts():
    def write(document):
        style = document.styles.add_style("Chapter", 1)
        style.base_style = document.styles["Heading 2"]
        document.add_paragraph("Mine", style="Chapter")
        document.add_paragraph("text")

    assert parse("a.docx", word(write)).sections == (Section(("Mine",), "text"),)


def test_what_was_deleted_is_gone_and_what_was_inserted_is_there():
    def insert(xml: bytes) -> bytes:
        run = b"<w:r><w:t>%s</w:t></w:r>"
        changes = (
            b"<w:p><w:ins>"
            + run % b"new"
            + b"</w:ins><w:moveFrom>"
            + run % b"moved"
            + b"</w:moveFrom><w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>"
            b"<w:sdt><w:sdtContent><w:p>" + run % b"controlled" + b"</w:p></w:sdtContent></w:sdt>"
        )
        return xml.replace(b"<w:sectPr", changes + b"<w:sectPr", 1)

    data = repacked(word(hello), {"word/document.xml": insert})

    assert parse("a.docx", data).text == "hello\n\nnew\n\ncontrolled"


def test_merged_cells_are_said_once_and_a_hostile_span_costs_nothing():
    def write(document):
        table = document.add_table(2, 3)
        table.cell(0, 0).merge(table.cell(0, 2)).text = "wide"
        table.cell(1, 0).text = "x"

    def widen(xml: bytes) -> bytes:
        return xml.replace(b'gridSpan w:val="3"', b'gridSpan w:val="2000000000"')

    data = repacked(word(write), {"word/document.xml": widen})

    assert parse("a.docx", data).text == "wide\nx |  |"


def test_right_to_left_text_is_kept_and_its_marks_are_not():
    document = parse("a.docx", word(lambda document: document.add_paragraph("\u202bשלם\u202c עלם")))

    assert (document.text, document.neutralised) == ("שלם עלם", 2)


def test_slides_have_titles_text_tables_and_notes():
    show = pptx.Presentation()
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Plan"
    first.placeholders[1].text = "step one\nstep two"
    first.notes_slide.notes_text_frame.text = "say hello"
    second = show.slides.add_slide(show.slide_layouts[6])
    table = second.shapes.add_table(1, 2, 0, 0, 100, 100).table
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"

    document = parse("a.pptx", saved(show))

    assert document.title == "Plan"
    assert document.sections == (
        Section(("Plan",), "step one\nstep two\n\nsay hello"),
        Section(("Slide 2",), "a | b"),
    )


def test_rows_of_a_sheet_say_what_their_values_are():
    data = workbook([["part", "price"], ["bolt", 3.0], ["nut", None], [None, 2.5]])

    document = parse("a.xlsx", data)

    assert document.sections == (
        Section(("Prices",), "part: bolt; price: 3\npart: nut\nprice: 2.5"),
    )


def test_a_formula_without_a_value_stays_a_text():
    data = workbook([["x", "y"], ["a", "=cmd|'/C calc'!A0"]])

    assert parse("a.xlsx", data).text == "x: a; y: =cmd|'/C calc'!A0"


def test_a_formula_with_a_value_is_its_value():
    data = repacked(
        workbook([["sum", "y"], ["=1+1", "a"]]),
        {
            "xl/worksheets/sheet1.xml": lambda xml: (
                xml.replace(b"<v />", b"<v>2</v>")
                .replace(b"<v></v>", b"<v>2</v>")
                .replace(b"<v/>", b"<v>2</v>")
            )
        },
    )

    assert parse("a.xlsx", data).text == "sum: 2; y: a"


def test_a_sheet_that_claims_all_rows_and_columns_is_read_for_what_it_has():
    data = repacked(
        workbook([["a", "b"]]),
        {
            "xl/worksheets/sheet1.xml": lambda xml: xml.replace(
                b'ref="A1:B1"', b'ref="A1:XFD1048576"'
            )
        },
    )

    assert parse("a.xlsx", data).text == "a | b"


def test_rows_over_the_limit_are_left_out_and_the_text_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 2)

    assert parse("a.csv", b"1,2\n3,4\n").text == "1 | 2\n3 | 4"
    assert parse("a.csv", b"1,2\n3,4\n5,6\n").text.endswith("3 | 4\n… rows 3 on were left out")


def test_cells_over_the_limit_are_left_out_and_the_text_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "MAX_CELLS", 4)

    assert parse("a.csv", b"1,2\n3,4\n5\n").text.endswith("… rows 3 on were left out")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b'a,b\n"x\ny",2\n', "a: x y; b: 2", id="quoted-newline"),
        pytest.param(b"a,b\n1\n1,2,3\n", "a: 1\na: 1; b: 2; 3", id="ragged"),
        pytest.param(b"a;b\n1,5;2\n", "a: 1,5; b: 2", id="semicolons"),
        pytest.param(b"1,2\n3,4\n", "1 | 2\n3 | 4", id="no-names"),
        pytest.param(b'a,b\n=cmd|x,"@y"\n', "a: =cmd|x; b: @y", id="formula"),
        pytest.param(b'a,b\n"never ends,2\n3,4\n', "a: never ends,2 3,4", id="open-quote"),
    ],
)
def test_comma_separated_values(data: bytes, text: str):
    assert parse("a.csv", data).text == text


def test_tab_separated_values():
    assert parse("a.tsv", b"a\tb\n1\t2, 3\n4\t5, 6\n").text == "a: 1; b: 2, 3\na: 4; b: 5, 6"


def bomb() -> bytes:
    return repacked(
        word(hello),
        {"word/document.xml": lambda xml: xml + b" " * (archive.MAX_EXPANDED_BYTES // 4)},
    )


def truncated() -> bytes:
    return word(hello)[:-2000]


def wrong_checksum() -> bytes:
    data = bytearray(word(hello))
    at = data.index(b"word/document.xml") + len(b"word/document.xml") + 100
    data[at] ^= 0xFF
    return bytes(data)


LAUGHS = b'<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
EXTERNAL = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


def with_doctype(doctype: bytes, part: str = "word/document.xml") -> bytes:
    return repacked(word(hello), {part: lambda xml: xml.replace(b"?>", b"?>" + doctype, 1)})


def in_utf_16() -> bytes:
    def change(xml: bytes) -> bytes:
        text = xml.decode().replace("UTF-8", "UTF-16", 1)
        return text.replace("?>", "?>" + EXTERNAL.decode(), 1).encode("utf-16")

    return repacked(word(hello), {"word/document.xml": change})


def in_utf_7() -> bytes:
    return repacked(
        word(hello), {"word/document.xml": lambda xml: xml.replace(b"UTF-8", b"UTF-7", 1)}
    )


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(bomb, RefusalCode.TOO_BIG, id="bomb"),
        pytest.param(truncated, RefusalCode.DAMAGED, id="truncated"),
        pytest.param(wrong_checksum, RefusalCode.DAMAGED, id="wrong-checksum"),
        pytest.param(lambda: with_doctype(LAUGHS), RefusalCode.UNSAFE, id="billion-laughs"),
        pytest.param(lambda: with_doctype(EXTERNAL), RefusalCode.UNSAFE, id="external-entity"),
        pytest.param(
            lambda: with_doctype(EXTERNAL, "docProps/core.xml"), RefusalCode.UNSAFE, id="elsewhere"
        ),
        pytest.param(in_utf_16, RefusalCode.UNSAFE, id="in-utf-16"),
        pytest.param(in_utf_7, RefusalCode.UNSAFE, id="in-utf-7"),
        pytest.param(lambda: b"PK\x03\x04", RefusalCode.DAMAGED, id="only-a-beginning"),
        pytest.param(lambda: b"no zip", RefusalCode.DAMAGED, id="no-zip"),
        pytest.param(lambda: workbook([["a"]]), RefusalCode.EMPTY, id="a-workbook-renamed"),
        pytest.param(lambda: word(lambda document: None), RefusalCode.EMPTY, id="no-text"),
        pytest.param(
            lambda: b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"),
            RefusalCode.ENCRYPTED,
            id="password",
        ),
        pytest.param(lambda: b"\xd0\xcf\x11\xe0", RefusalCode.BINARY, id="old-under-a-new-name"),
    ],
)
def test_a_hostile_or_broken_word_file_is_refused(make: Callable[[], bytes], code: RefusalCode):
    assert refusal("a.docx", make()) is code


def test_a_hostile_workbook_is_refused_before_its_parser_sees_it():
    data = repacked(
        workbook([["a"]]),
        {"xl/workbook.xml": lambda xml: b'<?xml version="1.0"?>' + LAUGHS + xml},
    )

    assert refusal("a.xlsx", data) is RefusalCode.UNSAFE


@pytest.mark.parametrize("ending", ["doc", "xls", "ppt", "msg"])
def test_old_binary_files_are_refused_with_the_cure(ending: str):
    with pytest.raises(DocumentRefusedError, match=r"save it as \.docx") as refused:
        parse(f"a.{ending}", b"\xd0\xcf\x11\xe0")

    assert refused.value.reason_code is RefusalCode.BINARY


def test_a_file_with_macros_is_read_as_text_alone():
    assert parse("a.docm", word(hello)).text == "hello"
    assert parse("a.xlsm", workbook([["a", "b"]])).text == "a | b"
