"""Source code and configuration as written; names defined at the left margin are headings.

Never parsed or loaded: a YAML or XML file full of anchors and entities is so many characters.
"""

import re

from retrieval.decoding import decode
from retrieval.outline import Heading, Outline, split_sections

_DEFINES = re.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|abstract|final|async|unsafe"
    r"|open|sealed|data|pub(?:\([a-z]{1,9}\))?)[ ]){0,5}"
    r"(?:def|class|function|func|fun|fn|interface|struct|enum|trait|impl|module|namespace|type"
    r"|(?i:create(?: or replace)?[ ](?:table|view|function|procedure|trigger|index)"
    r"(?: if not exists)?))\*?[ ](?:\([^()\n]{0,80}\)[ ])?(?P<name>[\w.$:\"`]{1,100})"
    r"|\[{1,2}(?P<table>[\w. \"':/-]{1,100})\]{1,2}[ ]{0,9}$"  # of TOML and INI
    r"|(?P<shell>[\w-]{1,100})[ ]{0,3}\(\)[ ]{0,3}\{"
)


def read(data: bytes, charset: str | None) -> Outline:
    r"""Return the code under the names it defines. It has no title but its file's name.

    >>> [s.headings for s in read(b"import a\n\ndef f():\n    pass\n", None).sections]
    [(), ('f',)]
    """
    lines = decode(data, charset=charset).split("\n")
    found = ((at, _DEFINES.match(line)) for at, line in enumerate(lines) if line[:1].strip())
    # The line that defines a name is code too: the heading takes up no line of its own.
    headings = [Heading(1, _name(match), at, at) for at, match in found if match]
    return Outline(None, split_sections(lines, headings))


def _name(match: re.Match[str]) -> str:
    name: str = match["name"] or match["table"] or match["shell"]
    return name.strip("\"`:' ") or name
