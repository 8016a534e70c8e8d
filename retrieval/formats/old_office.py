"""Documents of Office before 2007, and mail of Outlook: refused, with the cure."""

from typing import NoReturn

from retrieval.errors import DocumentRefusedError
from retrieval.records import RefusalCode


def read(_data: bytes, _charset: str | None) -> NoReturn:
    """Raise DocumentRefusedError: no reader of these formats is kept up by anybody."""
    reason = (
        "it is a file of the old binary kind (.doc, .xls, .ppt, .msg): "
        "save it as .docx, .xlsx, .pptx or .eml"
    )
    raise DocumentRefusedError(RefusalCode.BINARY, reason)
