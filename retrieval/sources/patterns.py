"""Which paths of a source are documents, by gitignore-style patterns. Only file with pathspec."""

import re

from pathspec import PathSpec

DOCUMENTS = tuple(
    f"**/*.{ending}"
    for ending in (
        *("md", "markdown", "rst", "txt", "html", "htm", "pdf", "docx", "pptx", "xlsx"),
        *("csv", "tsv", "ipynb", "eml"),
    )
)
"""What is taken in unless settings say otherwise: what people write to be read, and not code."""


class Patterns:
    """Chooses paths below a root, forward slashes between folders.

    >>> wanted = Patterns(("*.md",), ("drafts/",))
    >>> [path for path in ("a.md", "b.txt", "drafts/c.md") if wanted.choose(path)]
    ['a.md']
    """

    def __init__(self, include: tuple[str, ...], exclude: tuple[str, ...] = ()) -> None:
        self._skips = bool(exclude)
        # `*.md` and `**/*.md` take in every name with that ending: no need for an expression.
        simple = (re.fullmatch(r"(?:\*\*/)?\*(\.\w+)", pattern) for pattern in include)
        negated = any(pattern.startswith("!") for pattern in include)
        self._endings = () if negated else tuple(found[1] for found in simple if found)
        self._include = PathSpec.from_lines("gitignore", include)
        self._exclude = PathSpec.from_lines("gitignore", exclude)

    def choose(self, path: str) -> bool:
        """True if the path of a file is included and not excluded."""
        plain = _one_line(path)
        included = plain.endswith(self._endings) or self._include.match_file(plain)
        return included and not (self._skips and self._exclude.match_file(plain))

    def skip(self, folder: str) -> bool:
        """True if a folder, its path ending in /, is excluded with all that is in it."""
        return self._skips and self._exclude.match_file(_one_line(folder))


def _one_line(path: str) -> str:
    # A line break in a name would end the match early: the patterns are regular expressions.
    return path.replace("\n", " ")
