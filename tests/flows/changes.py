"""Synthetic changes to a folder of documents: other looks, other places, damage, planted facts."""

import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

Edit = Callable[[str], str]
Name = Callable[[str], str]

_BULLET = re.compile(r"(?:[-*+]|\d+[.)]) ")
_PROSE = re.compile(r"[A-Z\"'*`(\[]?[\w`*]+[ ,]")
_RULE = re.compile(r"([^\w\s])\1{2,}$")


def blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Yield what blank lines part, and whether it is read as prose: no code, table or heading."""
    fenced = False
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        marks = sum(line.lstrip().startswith(("```", "~~~")) for line in lines)
        prose = not (fenced or marks) and bool(_PROSE.match(lines[0]) or _BULLET.match(lines[0]))
        yield prose and not any(_RULE.match(line) or "  " in line.strip() for line in lines), block
        fenced ^= marks % 2 == 1


def prose_only(edit: Edit, text: str) -> str:
    """Change the paragraphs and the lists of a text, and nothing else."""
    return "\n\n".join(edit(block) if prose else block for prose, block in blocks(text))


def _filled(block: str, width: int) -> str:
    """Fill a paragraph, or each item of a list, to another width."""
    items = [""]
    for line in block.split("\n"):
        if _BULLET.match(line):
            items.append(line)
        elif line[:1].isspace() and not _BULLET.match(items[-1]):
            return block
        else:
            items[-1] += f" {line.strip()}"
    fill = partial(textwrap.fill, width=width, break_on_hyphens=False, break_long_words=False)
    return "\n".join(
        fill(item.strip(), subsequent_indent="   "[: 2 * bool(_BULLET.match(item))])
        for item in items
        if item.strip()
    )


def rewrapped(width: int) -> Edit:
    """Fill every paragraph and every item of a list to another width."""
    return partial(prose_only, lambda block: _filled(block, width))


def setext(text: str) -> str:
    """Underline the first two levels of Markdown's headings."""
    text = re.sub(r"(?m)^# (.+)$", lambda m: f"{m[1]}\n{'=' * len(m[1])}", text)
    return re.sub(r"(?m)^## (.+)$", lambda m: f"{m[1]}\n{'-' * len(m[1])}", text)


def other_adornments(text: str) -> str:
    """Underline the headings of reStructuredText with other characters."""
    return re.sub(r"(?m)^([=~^-])\1{3,}$", lambda m: {"=": "#"}.get(m[1], "+") * len(m[0]), text)


def other_bullets(text: str) -> str:
    """Begin list items with another bullet."""
    return re.sub(r"(?m)^( *)([*-]) (?=\S)", lambda m: m[1] + {"*": "- ", "-": "* "}[m[2]], text)


def other_markdown(text: str) -> str:
    """Write Markdown as another converter would: fences, emphasis, tables, numbers, links."""
    text = re.sub(r"(?m)^```(\w+)$", r"``` {.\1}", text).replace("```", "~~~")
    text = re.sub(r"\*\*([^*\n]+)\*\*", r"__\1__", text)
    text = re.sub(r"(?m)^\| (.*) \|$", r"\1", text)
    text = re.sub(r"(?m)^\d+\. ", "1. ", text)
    links = dict.fromkeys(re.findall(r"\]\(([^)\s]+)\)", text))
    for number, target in enumerate(links, start=1):
        text = text.replace(f"]({target})", f"][{number}]") + f"\n[{number}]: {target}\n"
    return setext(text)


def markdown(text: str) -> str:
    """Convert what documentation uses most of reStructuredText to Markdown."""
    text = re.sub(r"(?m)^\.\. _[^\n]+:\n\n?", "", text)
    for level, mark in enumerate("=-~^", start=1):
        rule = rf"{re.escape(mark)}{{3,}}"
        text = re.sub(rf"(?m)^(?:{rule}\n)?(\S.*)\n{rule}$", rf"{'#' * level} \1", text)
    text = re.sub(r"(?m)^( *)\.\. (note|warning|tip|seealso)::[ \n]+", r"\1> **\2**: ", text)
    text = re.sub(r"(?m)^\.\. code-block:: (\w+)\n\n((?:(?: +.*)?\n)+)", r"```\1\n\2```\n\n", text)
    text = re.sub(r":[\w:]+:`([^`<]+?)\s*<([^`>]+)>`", r"[\1](#\2)", text)
    text = re.sub(r":[\w:]+:`[~!]?([^`]+)`", r"`\1`", text)
    text = re.sub(r"`([^`<]+?)\s*<([^`>]+)>`__?", r"[\1](\2)", text)
    return re.sub(r"::$", ":", text, flags=re.MULTILINE).replace("``", "`")


def misread(encoding: str) -> Edit:
    """Read the bytes of UTF-8 as another encoding."""
    return lambda text: text.encode().decode(encoding, errors="replace")


def elsewhere(uri: str) -> str:
    """Name a document in another folder."""
    return f"archive/2031/{uri}"


def renamed(suffix: str, uri: str) -> str:
    """Name a document by another ending."""
    return str(Path(uri).with_suffix(suffix))


@dataclass(frozen=True)
class Change:
    """What becomes of every document: its text, its names, and by what name it must be known."""

    kind: str
    edit: Edit = str
    names: tuple[Name, ...] = (str,)

    def applied(self, documents: dict[str, str]) -> dict[str, str]:
        return {
            name(uri): self.edit(text) for uri, text in documents.items() for name in self.names
        }


@dataclass(frozen=True)
class Planted:
    """One fact that was changed: where, and what stands there instead."""

    uri: str
    was: str
    now: str


@dataclass(frozen=True)
class Plant:
    """A change of every so many facts that a pattern finds in prose, and by what kind it is known.

    `change` makes the new fact of a match; `every` leaves out the others, so that all are listed.
    """

    kind: str
    pattern: str
    change: Callable[[re.Match[str]], str]
    every: int = 1

    def applied(self, documents: dict[str, str]) -> tuple[dict[str, str], list[Planted]]:
        planted: list[Planted] = []
        found = 0

        def change(match: re.Match[str]) -> str:
            nonlocal found
            found += 1
            if found % self.every:
                return match[0]
            planted.append(Planted(uri, match[0], self.change(match)))
            return planted[-1].now

        changed = {}
        for uri, text in documents.items():
            changed[uri] = prose_only(lambda block: re.sub(self.pattern, change, block), text)
        return changed, planted


def read_folder(folder: Path) -> dict[str, str]:
    """Return uri → text of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in files}


def write_folder(folder: Path, documents: dict[str, str]) -> Path:
    """Write documents byte for byte, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for uri, text in documents.items():
        path = folder / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder
