"""PDF files: their text layer, their outline, and what they do to be believed."""

import io
import zlib
from typing import cast

import pytest
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    StreamObject,
    TextStringObject,
)

from retrieval.errors import DocumentRefusedError
from retrieval.formats import pdf
from retrieval.parsing import parse
from retrieval.records import RefusalCode, Section


def writer(*pages: str) -> PdfWriter:
    made = PdfWriter()
    for lines in pages:
        page = made.add_blank_page(300, 300)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        content = DecodedStreamObject()
        shown = "".join(f"({line}) Tj 0 -20 Td " for line in lines.split("\n"))
        content.set_data(f"BT /F1 12 Tf 20 250 Td {shown}ET".encode())
        page[NameObject("/Contents")] = content
    return made


def saved(made: PdfWriter) -> bytes:
    file = io.BytesIO()
    made.write(file)
    return file.getvalue()


def refusal(data: bytes) -> RefusalCode:
    with pytest.raises(DocumentRefusedError) as refused:
        parse("a.pdf", data)
    return refused.value.reason_code


def test_the_outline_cuts_a_page_where_its_words_stand():
    made = writer("before\nOne\ntext", "more\nTwo\nend")
    first = made.add_outline_item(title="One", page_number=0)
    made.add_outline_item(title="Two", page_number=1, parent=first)
    made.add_outline_item(title="Not on the page", page_number=1)

    document = parse("a.pdf", saved(made))

    assert document.sections == (
        Section((), "before"),
        Section(("One",), "text"),
        Section(("Not on the page",), "more"),
        Section(("Not on the page", "Two"), "end"),
    )


def test_the_title_is_of_the_properties_if_a_person_wrote_it():
    made = writer("text")
    made.add_metadata({"/Title": "Annual report"})
    assert parse("a.pdf", saved(made)).title == "Annual report"

    made.add_metadata({"/Title": "Microsoft Word - draft.doc"})
    assert parse("a.pdf", saved(made)).title == "a"


def test_scripts_and_embedded_files_are_not_text():
    made = writer("text")
    script = DictionaryObject(
        {
            NameObject("/S"): NameObject("/JavaScript"),
            NameObject("/JS"): TextStringObject("evil()"),
        }
    )
    made.pages[0][NameObject("/AA")] = DictionaryObject({NameObject("/O"): script})
    made.add_attachment("evil.txt", b"evil")

    assert parse("a.pdf", saved(made)).text == "text"


@pytest.mark.parametrize(
    ("user", "owner", "readable"),
    [
        pytest.param("secret", "secret", False, id="password"),
        pytest.param("", "secret", True, id="empty-password"),
    ],
)
def test_a_file_that_opens_without_a_password_is_read(user: str, owner: str, *, readable: bool):
    made = writer("text")
    made.encrypt(user, owner, algorithm="AES-256")
    data = saved(made)

    if readable:
        assert parse("a.pdf", data).text == "text"
    else:
        assert refusal(data) is RefusalCode.ENCRYPTED


def test_a_file_of_images_alone_is_refused_in_words():
    made = PdfWriter()
    made.add_blank_page(100, 100)

    with pytest.raises(DocumentRefusedError, match="no text layer") as refused:
        parse("a.pdf", saved(made))

    assert refused.value.reason_code is RefusalCode.EMPTY


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"%PDF-1.7\n", id="only-a-beginning"),
        pytest.param(saved(writer("text"))[:200], id="truncated"),
        pytest.param(b"text", id="no-pdf"),
    ],
)
def test_a_broken_file_is_refused_as_damaged(data: bytes):
    assert refusal(data) is RefusalCode.DAMAGED


def test_an_outline_that_leads_in_circles_is_left():
    made = writer("text")
    item = made.add_outline_item(title="One", page_number=0)
    made.add_outline_item(title="Two", page_number=0)
    first = cast("DictionaryObject", item.get_object())
    first[NameObject("/Next")] = item
    first[NameObject("/First")] = item

    assert "text" in parse("a.pdf", saved(made)).text


def test_pages_over_the_limit_are_left_out_and_the_text_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pdf, "MAX_PAGES", 1)

    assert parse("a.pdf", saved(writer("one", "two"))).text == "one\n\n… pages 2 on were left out"


def test_a_stream_packed_many_times_is_not_unpacked_without_end():
    data = b" " * 100_000_000
    for _ in range(3):
        data = zlib.compress(data, 9)
    made = writer("text")
    content = cast("StreamObject", made.pages[0]["/Contents"].get_object())
    content.set_data(data)
    content[NameObject("/Filter")] = ArrayObject([NameObject("/FlateDecode")] * 3)

    assert refusal(saved(made)) in {RefusalCode.DAMAGED, RefusalCode.EMPTY}
