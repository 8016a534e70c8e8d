"""Word documents, walked as XML.

python-docx leaves out content controls and accepted insertions, in which whole chapters stand,
and believes how many columns a cell claims to span.
"""

import re
import zipfile

from retrieval.formats.archive import open_vetted
from retrieval.formats.ooxml import (
    Element,
    attribute,
    descendants,
    local,
    main_part,
    read_part,
    related_of_kind,
    title_of,
)
from retrieval.outline import Draft, Outline, sensible_title

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_MAX_STYLE_DEPTH = 12  # styles inherit; a circle must end
_TITLE_LEVEL = 0
_GONE = ("del", "moveFrom", "Fallback")  # deleted, moved away, said again for old programs
_SPACES = {"tab": "\t", "br": "\n", "cr": "\n", "p": "\n", "noBreakHyphen": "-"}


def read(data: bytes, _charset: str | None) -> Outline:
    """Return paragraphs and tables in reading order, foot- and endnotes last."""
    archive = open_vetted(data)
    name = main_part(archive)
    levels = _levels_of_styles(archive, name)
    draft = Draft()
    for part in (
        name,
        *related_of_kind(archive, name, "footnotes"),
        *related_of_kind(archive, name, "endnotes"),
    ):
        root = read_part(archive, part)
        for gone in list(descendants(root, *_GONE)):
            gone.clear()
        draft.gap()
        _write_blocks(draft, root, levels)
    titles = (each.text for each in draft.headings if each.level == _TITLE_LEVEL)
    return draft.outline(next(titles, None) or sensible_title(title_of(archive)))


def _write_blocks(draft: Draft, parent: Element, levels: dict[str, int]) -> None:
    for child in parent:
        kind = local(child)
        if kind == "p":
            _write_paragraph(draft, child, levels)
        elif kind == "tbl":
            draft.gap()
            draft.lines.extend(filter(None, map(_row, descendants(child, "tr"))))
            draft.gap()
        else:  # a body, a content control, an insertion: whatever may hold blocks
            _write_blocks(draft, child, levels)


def _write_paragraph(draft: Draft, paragraph: Element, levels: dict[str, int]) -> None:
    text = _text(paragraph)
    properties = next((child for child in paragraph if local(child) == "pPr"), None)
    level = None if properties is None else _level(properties, levels)
    if level is not None:
        draft.gap()
        draft.head(level, text)
    elif (
        text and properties is not None and next(descendants(properties, "numPr"), None) is not None
    ):
        draft.write(f"- {text}")
    elif text:
        draft.gap()
        draft.write(text)


def _row(row: Element) -> str:
    cells = [" ".join(_text(cell).split()) for cell in row if local(cell) in {"tc", "sdt"}]
    return " | ".join(cells) if any(cells) else ""


def _text(element: Element) -> str:
    parts: list[str] = []
    for each in descendants(element, "t", *_SPACES):
        kind = local(each)
        # A tab that is a child of `tabs` is where a tab would stop, not a tab.
        if kind == "t":
            parts.append(each.text or "")
        elif each is not element and local(each.getparent()) != "tabs":
            parts.append(_SPACES[kind])
    return "".join(parts).strip()


def _levels_of_styles(archive: zipfile.ZipFile, name: str) -> dict[str, int]:
    """Return the heading level of each paragraph style that has one, by the style's id."""
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    for part in related_of_kind(archive, name, "styles"):
        for style in descendants(read_part(archive, part), "style"):
            own = attribute(style, "styleId") or ""
            level = _own_level(style)
            if level is not None:
                levels[own] = level
            based[own] = _value(style, "basedOn") or ""
    for _ in range(_MAX_STYLE_DEPTH):
        levels |= {k: levels[up] for k, up in based.items() if up in levels and k not in levels}
    return levels


def _own_level(style: Element) -> int | None:
    name = _value(style, "name") or ""
    found = _HEADING.fullmatch(name)
    if found or name.lower() == "title":
        return int(found[1]) if found else _TITLE_LEVEL
    return _outline_level(style)


def _level(properties: Element, levels: dict[str, int]) -> int | None:
    own = _outline_level(properties)
    return own if own is not None else levels.get(_value(properties, "pStyle") or "")


def _outline_level(element: Element) -> int | None:
    value = _value(element, "outlineLvl") or ""
    return int(value) + 1 if re.fullmatch("[0-8]", value) else None  # 9 says: body text


def _value(element: Element, name: str) -> str | None:
    found = next(descendants(element, name), None)
    return None if found is None else attribute(found, "val")
