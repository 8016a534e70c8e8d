"""What a web source remembers of a page between two listings, and its body until it is read."""

import json
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass
from typing import Self

MAX_SPOOL = 2_000_000_000  # bytes on disk; what is beyond is fetched again when it is read
_IN_MEMORY = 8_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Note:
    """One page as it was seen last. `stamp` is the digest of its body, whatever the ETag says."""

    stamp: str
    size: int
    media_type: str = ""
    etag: str = ""
    last_modified: str = ""
    addresses: tuple[str, ...] = ()
    canonical: str | None = None
    listed: bool = True

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for the page only if it changed."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `str(note)` back; None for anything else, which costs one full fetch.

        >>> Note.parse(str(Note("sha256:0", 1))) == Note("sha256:0", 1), Note.parse("{}")
        (True, None)
        """
        try:
            fields = json.loads(text)
            if not isinstance(fields, dict):
                return None
            return cls(**(fields | {"addresses": tuple(fields["addresses"])}))
        except (ValueError, TypeError, KeyError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self))


class Memory:
    """Notes by address in a mapping of texts, which may be lost at any time."""

    def __init__(self, texts: MutableMapping[str, str]) -> None:
        self._texts = texts

    def note(self, address: str) -> Note | None:
        """Return what is remembered of a page."""
        text = self._texts.get(address)
        return None if text is None else Note.parse(text)

    def conditions(self, address: str) -> Mapping[str, str]:
        """Return the headers of a conditional request."""
        note = self.note(address)
        return note.conditions if note is not None else {}

    def keep(self, address: str, note: Note) -> None:
        """Remember a page."""
        self._texts[address] = str(note)

    def forget_others(self, addresses: Mapping[str, Note]) -> None:
        """Forget the pages that a whole listing did not see."""
        for address in [each for each in self._texts if each not in addresses]:
            del self._texts[address]


class Spool:
    """Bodies in one temporary file, which goes when it is closed."""

    def __init__(self, max_bytes: int = MAX_SPOOL) -> None:
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._max_bytes = max_bytes
        self._end = 0
        self._places: dict[str, tuple[int, int]] = {}

    def keep(self, address: str, body: bytes) -> None:
        """Keep a body if there is room for it."""
        if self._end + len(body) > self._max_bytes:
            return
        if self._file is None:
            self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 see close()
        self._file.seek(self._end)
        self._file.write(body)
        self._places[address] = (self._end, len(body))
        self._end += len(body)

    def body(self, address: str) -> bytes | None:
        """Return a body that was kept."""
        if self._file is None or address not in self._places:
            return None
        at, size = self._places[address]
        self._file.seek(at)
        return self._file.read(size)

    def close(self) -> None:
        """Delete the bodies."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._places.clear()
        self._end = 0
