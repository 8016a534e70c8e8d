"""Which reader reads which document: by what its source says it is, or by its ending."""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import urlsplit
from zipfile import BadZipFile

FOREIGN_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    BufferError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,  # of lxml, for a document that is not well-formed
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What the parsers of others raise over a damaged document, all of it seen or read in their code.

Never MemoryError: whoever limits memory says what that means.
"""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of document. `module` has the reader; `foreign` if a third party's parser is in it."""

    media_type: str
    module: str
    foreign: bool = True


PLAIN = Format("text/plain", "retrieval.formats.plain_text", foreign=False)
_MARKDOWN = Format("text/markdown", "retrieval.markdown")
_RST = Format("text/x-rst", "retrieval.restructured_text", foreign=False)
_HTML = Format("text/html", "retrieval.formats.html")
_PDF = Format("application/pdf", "retrieval.formats.pdf")
_OOXML = "application/vnd.openxmlformats-officedocument"
_DOCX = Format(f"{_OOXML}.wordprocessingml.document", "retrieval.formats.docx")
_PPTX = Format(f"{_OOXML}.presentationml.presentation", "retrieval.formats.pptx")
_XLSX = Format(f"{_OOXML}.spreadsheetml.sheet", "retrieval.formats.xlsx")
_CSV = Format("text/csv", "retrieval.formats.csv_table", foreign=False)
_TSV = Format("text/tab-separated-values", "retrieval.formats.csv_table", foreign=False)
_NOTEBOOK = Format("application/x-ipynb+json", "retrieval.formats.notebook")
_EMAIL = Format("message/rfc822", "retrieval.formats.email_message")
_OLD_OFFICE = Format("application/x-ole-storage", "retrieval.formats.old_office")


def _code(media_type: str) -> Format:
    return Format(media_type, "retrieval.formats.source_code", foreign=False)


_BY_ENDING: Mapping[str, Format] = MappingProxyType(
    dict.fromkeys((".md", ".markdown"), _MARKDOWN)
    | dict.fromkeys((".rst", ".rest"), _RST)
    | dict.fromkeys((".txt", ".text", ".log", ".adoc", ".tex"), PLAIN)
    | dict.fromkeys((".html", ".htm", ".xhtml"), _HTML)
    | {".pdf": _PDF, ".csv": _CSV, ".tsv": _TSV, ".ipynb": _NOTEBOOK, ".eml": _EMAIL}
    | dict.fromkeys((".docx", ".docm", ".dotx"), _DOCX)
    | dict.fromkeys((".pptx", ".pptm", ".ppsx"), _PPTX)
    | dict.fromkeys((".xlsx", ".xlsm", ".xltx"), _XLSX)
    | dict.fromkeys((".py", ".pyi"), _code("text/x-python"))
    | dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), _code("text/javascript"))
    | dict.fromkeys((".ts", ".tsx"), _code("text/x-typescript"))
    | dict.fromkeys((".c", ".h"), _code("text/x-c"))
    | dict.fromkeys((".cc", ".cpp", ".cxx", ".hh", ".hpp"), _code("text/x-c++"))
    | dict.fromkeys((".sh", ".bash"), _code("text/x-sh"))
    | dict.fromkeys((".yaml", ".yml"), _code("application/yaml"))
    | dict.fromkeys((".ini", ".cfg"), _code("text/x-ini"))
    | dict.fromkeys((".xml", ".svg", ".xsd"), _code("application/xml"))
    | {
        ".java": _code("text/x-java"),
        ".kt": _code("text/x-kotlin"),
        ".scala": _code("text/x-scala"),
        ".swift": _code("text/x-swift"),
        ".cs": _code("text/x-csharp"),
        ".go": _code("text/x-go"),
        ".rs": _code("text/x-rust"),
        ".rb": _code("text/x-ruby"),
        ".php": _code("text/x-php"),
        ".lua": _code("text/x-lua"),
        ".r": _code("text/x-r"),
        ".sql": _code("application/sql"),
        ".toml": _code("application/toml"),
        ".json": _code("application/json"),
        ".css": _code("text/css"),
        ".proto": _code("text/x-protobuf"),
    }
)
# Read only to say why not: with these endings people expect to be understood.
_REFUSED_BY_ENDING = dict.fromkeys((".doc", ".xls", ".ppt", ".msg"), _OLD_OFFICE)
_BY_MEDIA_TYPE: Mapping[str, Format] = MappingProxyType(
    {each.media_type: each for each in _BY_ENDING.values()}
    | {
        "application/xhtml+xml": _HTML,
        "application/javascript": _code("text/javascript"),
        "image/svg+xml": _code("application/xml"),
        "text/xml": _code("application/xml"),
        "text/x-markdown": _MARKDOWN,
        "text/yaml": _code("application/yaml"),
    }
)
# What servers say when they do not know; then the ending may know better.
_SAYS_NOTHING = {"", "text/plain", "application/octet-stream", "binary/octet-stream"}

READABLE: tuple[str, ...] = tuple(f"**/*{ending}" for ending in sorted(_BY_ENDING))
"""Patterns of every ending with a reader of its own, as .gitignore writes them."""


def choose_format(uri: str, media_type: str | None = None) -> Format:
    """Return the format; whatever is not known is plain text.

    >>> choose_format("docs/README.MD").media_type, choose_format("NEWS").media_type
    ('text/markdown', 'text/plain')
    >>> choose_format("https://example.org/a.php?b=c.md", "text/html; charset=utf-8").media_type
    'text/html'
    """
    said = _content_type(media_type).get_content_type() if media_type else ""
    if said not in _SAYS_NOTHING and said in _BY_MEDIA_TYPE:
        return _BY_MEDIA_TYPE[said]
    path = urlsplit(uri).path if "://" in uri else uri
    ending = PurePosixPath(path).suffix.lower()
    return _BY_ENDING.get(ending) or _REFUSED_BY_ENDING.get(ending) or PLAIN


def charset_of(media_type: str | None) -> str | None:
    """Return the charset that a Content-Type names.

    >>> charset_of('text/html; charset="ISO-8859-1"'), charset_of("text/html")
    ('iso-8859-1', None)
    """
    return _content_type(media_type).get_content_charset() if media_type else None


def _content_type(media_type: str) -> Message:
    header = Message()
    header["Content-Type"] = " ".join(media_type.split())
    return header
