"""The zip archives that Office files are, vetted before any part of them is parsed."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from retrieval.errors import DocumentRefusedError
from retrieval.records import RefusalCode

MAX_EXPANDED_BYTES = 200_000_000
MAX_EXPANSION = 200  # times; real workbooks reach 50, a bomb 1,000 a layer
MAX_PARTS = 20_000
_SMALL_BYTES = 5_000_000  # no bomb, whatever the expansion
_CHUNK_BYTES = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0"
_MARKUP = (".xml", ".rels", ".vml")
_OVERLAP_BYTES = 64
# In UTF-8 and both UTF-16: the two encodings that the standard allows.
_DECLARES = re.compile(
    b"|".join(
        re.escape(word.encode(encoding))
        for word in ("<!DOCTYPE", "<!ENTITY")
        for encoding in ("ascii", "utf-16-le", "utf-16-be")
    )
)
_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,99}<|\xff\xfe<\0|\xfe\xff\0<|\Z")
_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?encoding=["'](?P<name>[^"']{0,40})["']""")
_ENCODINGS = {"utf-8", "utf-16", "us-ascii", "ascii", "iso-8859-1", "windows-1252"}


def open_vetted(data: bytes) -> zipfile.ZipFile:
    """Return the archive once it is known to be whole, of bearable size, and free of DTDs.

    Sizes are those the directory claims; zipfile never unpacks more than that. Raises
    DocumentRefusedError with DOC_TOO_BIG, DOC_ENCRYPTED, DOC_DAMAGED or DOC_UNSAFE.
    """
    if data.startswith(_OLE):
        raise _ole(data)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        _refuse_bomb(archive, len(data))
        for part in archive.infolist():
            if part.filename.lower().endswith(_MARKUP):
                _vet(archive, part)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, LookupError) as error:
        reason = "the archive it consists of is cut off or damaged"
        raise damaged(reason) from error
    except (NotImplementedError, RuntimeError) as error:
        reason = "it is packed in a way that only a password or another program can open"
        raise DocumentRefusedError(RefusalCode.ENCRYPTED, reason) from error
    return archive


def damaged(reason: str) -> DocumentRefusedError:
    """Return the refusal of a document that its own format says cannot be right."""
    return DocumentRefusedError(RefusalCode.DAMAGED, reason)


def _ole(data: bytes) -> DocumentRefusedError:
    if "EncryptedPackage".encode("utf-16-le") in data:
        reason = "it is protected with a password"
        return DocumentRefusedError(RefusalCode.ENCRYPTED, reason)
    reason = "it is a file of the old binary kind under a new ending: save it again"
    return DocumentRefusedError(RefusalCode.BINARY, reason)


def _refuse_bomb(archive: zipfile.ZipFile, packed: int) -> None:
    parts = archive.infolist()
    expanded = sum(part.file_size for part in parts)
    bomb = expanded > _SMALL_BYTES and expanded > MAX_EXPANSION * packed
    if bomb or expanded > MAX_EXPANDED_BYTES or len(parts) > MAX_PARTS:
        reason = f"unpacked, its {packed:,} bytes would be {expanded:,} in {len(parts):,} parts"
        raise DocumentRefusedError(RefusalCode.TOO_BIG, reason)
    if any(part.flag_bits & 1 for part in parts):
        raise DocumentRefusedError(RefusalCode.ENCRYPTED, "it is protected with a password")


def _vet(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Read a part to its end, so that its checksum is compared, and refuse a DTD in it."""
    before = b""
    for chunk in _chunks(archive, part):
        if not before and (not _BEGINS.match(chunk) or not _plainly_encoded(chunk)):
            reason = f"its part {part.filename!r} is not XML in UTF-8 or UTF-16"
            raise DocumentRefusedError(RefusalCode.UNSAFE, reason)
        if _DECLARES.search(before + chunk):
            reason = f"its part {part.filename!r} declares entities, which no Office program writes"
            raise DocumentRefusedError(RefusalCode.UNSAFE, reason)
        before = chunk[-_OVERLAP_BYTES:]


def _plainly_encoded(beginning: bytes) -> bool:
    found = _ENCODING.search(beginning[:400])
    return found is None or found["name"].decode("latin-1").lower() in _ENCODINGS


def _chunks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
