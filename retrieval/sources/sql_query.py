"""A person's query as a sub-query of our own SELECTs: no value ever becomes part of their text."""

from dataclasses import dataclass

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    Label,
    LargeBinary,
    Select,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
    text,
)
from sqlalchemy.types import NullType

RowSelect = Select[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Query:
    """The query and which of its columns is what.

    Each SELECT of ours gives `key, bytes, modified, text, title`.
    `dialect` says how to ask for a length: too long a text is never transferred.
    """

    dialect: str
    text: str
    key_column: str
    text_column: str
    modified_column: str | None
    title_column: str | None
    max_bytes: int

    def listing(self) -> RowSelect:
        """Select all rows; texts and titles only if there is no `modified` to tell a change."""
        return self._select(with_text=self.modified_column is None)

    def reading(self, key: object) -> RowSelect:
        """Select the rows of one key, at most two."""
        # Without a type of its own the parameter takes that of the column: uuid, citext, char(8).
        wanted = bindparam("wanted", key, type_=NullType())
        return self._select(with_text=True).where(column(self.key_column) == wanted).limit(2)

    def _select(self, *, with_text: bool) -> RowSelect:
        size = self._size()
        # This binds a parameter in every statement: with one, PostgreSQL takes no second statement.
        short = case((size <= self.max_bytes, column(self.text_column)), else_=null())
        skipped = case((size <= self.max_bytes, null()), else_=null())
        return select(
            column(self.key_column).label("key"),
            size.label("bytes"),
            _or_null(self.modified_column, "modified"),
            (short if with_text else skipped).label("text"),
            _or_null(self.title_column if with_text else None, "title"),
        ).select_from(self._subquery())

    def _subquery(self) -> FromClause:
        # Only we bind parameters: a colon is a colon. The line break ends a comment at the end.
        plain = self.text.strip().rstrip(";").replace(":", r"\:") + "\n"
        return text(plain).columns().subquery("rows_of_query")

    def _size(self) -> ColumnElement[int]:
        written: ColumnClause[object] = column(self.text_column)
        if self.dialect != "sqlite":
            return func.octet_length(written)
        # length() counts the characters of a text and the bytes of a blob, of that without reading
        as_blob = func.length(cast(written, LargeBinary))
        return case((func.typeof(written) == "blob", func.length(written)), else_=as_blob)


def _or_null(name: str | None, label: str) -> Label[object]:
    value: ColumnElement[object] = literal_column("NULL") if name is None else column(name)
    return value.label(label)
