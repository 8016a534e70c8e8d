"""Parts of an Office file as XML trees, by their relations. With html, the only file with lxml."""

import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any

from lxml import etree

from retrieval.formats.archive import damaged

Element = Any  # lxml has no types of its own

_PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
)
_CORE = "docProps/core.xml"


def read_part(archive: zipfile.ZipFile, name: str) -> Element:
    """Return the root of a part; raise DocumentRefusedError with DOC_DAMAGED if there is none."""
    if name not in archive.namelist():
        reason = f"it has no part {name!r}"
        raise damaged(reason)
    root = etree.fromstring(archive.read(name), _PARSER)
    for element in root.iter(etree.ProcessingInstruction, etree.Entity):
        element.text = None
    return root


def main_part(archive: zipfile.ZipFile) -> str:
    """Return the name of the part that holds the document itself."""
    for kind, target in related(archive, "").values():
        if kind == "officeDocument":
            return target
    reason = "it names no document among its parts"
    raise damaged(reason)


def related(archive: zipfile.ZipFile, name: str) -> dict[str, tuple[str, str]]:
    """Return what a part refers to inside of the archive: kind and name, by relation id."""
    folder, own = posixpath.split(name)
    relations = posixpath.join(folder, "_rels", f"{own}.rels")
    if relations not in archive.namelist():
        return {}
    return {
        each.get("Id", ""): (
            each.get("Type", "").rsplit("/", 1)[-1],
            posixpath.normpath(posixpath.join("/", folder, each.get("Target", ""))).lstrip("/"),
        )
        for each in read_part(archive, relations)
        if each.get("TargetMode") != "External"
    }


def related_of_kind(archive: zipfile.ZipFile, name: str, kind: str) -> list[str]:
    """Return the parts of one kind that a part refers to and that are there."""
    there = set(archive.namelist())
    return [
        part for found, part in related(archive, name).values() if found == kind and part in there
    ]


def local(element: Element) -> str:
    """Return a tag without its namespace, of which there are two, transitional and strict."""
    tag = element.tag
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute by its local name."""
    return next((v for k, v in element.attrib.items() if k.rsplit("}", 1)[-1] == name), None)


def descendants(element: Element, *names: str) -> Iterator[Element]:
    """Yield the elements with one of the local names, in document order."""
    return element.iter(*(f"{{*}}{name}" for name in names))  # type: ignore[no-any-return]


def title_of(archive: zipfile.ZipFile) -> str | None:
    """Return the title that the document's properties give."""
    if _CORE not in archive.namelist():
        return None
    found = next(descendants(read_part(archive, _CORE), "title"), None)
    return found.text if found is not None else None
