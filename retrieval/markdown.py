"""Headings and front matter of Markdown. Nothing else here imports markdown-it."""

import re
from collections.abc import Sequence
from itertools import pairwise

from markdown_it import MarkdownIt

from retrieval.decoding import decode
from retrieval.outline import Heading, Outline, first_of, split_sections

# Blocks only: headings need no inline parsing, and inline parsing is where hostile text is slow.
_BLOCKS = MarkdownIt("commonmark").disable("inline")
_TITLE = re.compile(r"title:\s+(?P<title>[^\s>|&*!{\[].*)")


def read(data: bytes, charset: str | None) -> Outline:
    """Return the text without front matter; its title, or the first heading, is the title."""
    lines = decode(data, charset=charset).split("\n")
    title, begin = split_front_matter(lines)
    headings = list_headings("\n".join(lines[begin:]))
    return Outline(title or first_of(headings), split_sections(lines[begin:], headings))


def list_headings(text: str) -> list[Heading]:
    r"""Return ATX and setext headings in order; those in quotes, lists and code are text.

    >>> [heading.text for heading in list_headings("# One\n```\n# not\n```\nTwo\n---")]
    ['One', 'Two']
    """
    tokens = _BLOCKS.parse(text)
    return [
        Heading(int(token.tag[1:]), " ".join(inline.content.split()), *token.map)
        for token, inline in pairwise(tokens)
        if token.type == "heading_open"
        and token.level == 0
        and token.map is not None
        and inline.content.strip()
    ]


def split_front_matter(lines: Sequence[str]) -> tuple[str | None, int]:
    """Return the title a YAML front matter gives, and the line where the text begins.

    Only a plain or quoted `title:` is understood; YAML proper (aliases, tags, blocks) is not
    worth its risks for one line.

    >>> split_front_matter(["---", 'title: "Hello"', "---", "text"])
    ('Hello', 3)
    """
    if not lines or lines[0].rstrip() != "---":
        return None, 0
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() in {"---", "..."}), 0)
    titles = (_TITLE.fullmatch(line.rstrip()) for line in lines[1:end])
    title = next((found["title"] for found in titles if found), None)
    return title and _unquoted(title), end + 1 if end else 0


def _unquoted(value: str) -> str:
    quoted = re.fullmatch(r"""(["'])(?P<inside>.*)\1""", value)
    return quoted["inside"] if quoted else value
