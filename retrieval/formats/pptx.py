"""Slides, walked as XML; python-pptx leaves out grouped shapes and would bring three libraries."""

import zipfile
from collections.abc import Iterator

from retrieval.formats.archive import open_vetted
from retrieval.formats.ooxml import (
    Element,
    attribute,
    descendants,
    local,
    main_part,
    read_part,
    related,
    related_of_kind,
    title_of,
)
from retrieval.outline import Draft, Outline, sensible_title

_TITLES = {"title", "ctrTitle"}
_FURNITURE = {"sldNum", "dt", "ftr", "hdr", "sldImg"}


def read(data: bytes, _charset: str | None) -> Outline:
    """Return the slides in the order they are shown, each under its title, notes last."""
    archive = open_vetted(data)
    draft = Draft()
    for number, part in enumerate(_slides(archive), 1):
        draft.gap()
        _write_slide(draft, read_part(archive, part), f"Slide {number}")
        for notes in related_of_kind(archive, part, "notesSlide"):
            draft.gap()
            for shape in descendants(read_part(archive, notes), "sp"):
                if _placeholder(shape) == "body":
                    draft.lines.extend(_paragraphs(shape))
    return draft.outline(sensible_title(title_of(archive)))


def _slides(archive: zipfile.ZipFile) -> Iterator[str]:
    main = main_part(archive)
    parts = related(archive, main)
    there = set(archive.namelist())
    for each in descendants(read_part(archive, main), "sldId"):
        # Two attributes are called id; the relation's has a namespace.
        key = next((v for k, v in each.attrib.items() if k.endswith("}id")), "")
        if key in parts and parts[key][1] in there:
            yield parts[key][1]


def _write_slide(draft: Draft, slide: Element, fallback: str) -> None:
    shapes = [each for each in descendants(slide, "sp", "tbl") if not _is_furniture(each)]
    titles = [each for each in shapes if _placeholder(each) in _TITLES]
    draft.head(1, " ".join(line for each in titles for line in _paragraphs(each)) or fallback)
    for shape in shapes:
        if local(shape) == "tbl":
            draft.lines.extend(_row(row) for row in descendants(shape, "tr"))
            draft.gap()
        elif _placeholder(shape) not in _TITLES:
            draft.lines.extend(_paragraphs(shape))
            draft.gap()


def _row(row: Element) -> str:
    return " | ".join(" ".join(_paragraphs(cell)) for cell in descendants(row, "tc"))


def _paragraphs(element: Element) -> Iterator[str]:
    for paragraph in descendants(element, "p"):
        runs = (
            (each.text or "") if local(each) == "t" else " "
            for each in descendants(paragraph, "t", "br")
        )
        text = " ".join("".join(runs).split())
        if text:
            yield text


def _is_furniture(shape: Element) -> bool:
    return _placeholder(shape) in _FURNITURE


def _placeholder(shape: Element) -> str | None:
    if local(shape) != "sp":
        return None
    found = next(descendants(shape, "ph"), None)
    return None if found is None else attribute(found, "type") or "body"
