"""What LanceDB is asked is written in one file: no value of a document becomes part of a filter."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILDER = "retrieval/filters.py"
# Of the calls that take a filter, those of a table; what SQLAlchemy and numpy call so is not.
_TAKES_A_FILTER = {"where", "delete", "count_rows", "when_not_matched_by_source_delete", "scanner"}
_SQL = re.compile(r"\b(?:IN \(|IS (?:NOT )?NULL\b|AND \w|OR \w|LIKE )|\w = '|\w = \d+$")


def store_files() -> list[Path]:
    """Return the files that search, read or write a table."""
    files = {ROOT / "retrieval" / "store.py", *(ROOT / "retrieval").glob("table_*.py")}
    return sorted(files)


def written(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield texts with the look of a filter, and their lines; a docstring is none."""
    quiet = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "x" for p in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = "" if id(node) in quiet else node.value
        else:
            continue
        if _SQL.search(text):
            yield node.lineno, text


def handed_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the filters that are put together right where they are used."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in _TAKES_A_FILTER:
            continue
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if isinstance(argument, ast.JoinedStr | ast.BinOp):
                yield node.lineno, ast.unparse(argument)


@pytest.mark.parametrize("file", store_files(), ids=lambda file: file.name)
def test_a_filter_is_written_in_one_file_only(file: Path):
    tree = ast.parse(file.read_text(encoding="utf-8"))

    assert list(handed_in(tree)) == []
    assert list(written(tree)) == []


@pytest.mark.parametrize(
    "code",
    [
        "table.search().where(f\"uri = '{uri}'\")",
        "table.delete('uri = ' + uri)",
        "clause = f\"digest IN ({', '.join(digests)})\"",
        "clause = 'document_digest IS NOT NULL'",
    ],
    ids=["f-string", "sum", "variable", "no-value"],
)
def test_the_look_for_filters_finds_them(code: str):
    tree = ast.parse(code)

    assert [*handed_in(tree), *written(tree)]


def test_the_builder_is_where_it_is_said_to_be():
    tree = ast.parse((ROOT / BUILDER).read_text(encoding="utf-8"))

    assert list(written(tree))
