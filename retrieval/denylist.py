"""What a refresh must never take in again: uris and contents as keyed digests, no text. Pure."""

import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Denylist:
    """Documents that were erased, by uri and by the sha256 of their bytes, each under one key.

    Whoever has the key can confirm a guess, which is what a denylist is for; nobody can read it.
    """

    salt: str = ""
    uris: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()

    def denies(self, uri: str, within: str) -> bool:
        """True if a document is not to be read: by its uri, or by the one `within` its source.

        The second is what it was called before its source got a name in the settings.
        """
        if not self.uris:
            return False
        return keyed(self.salt, uri) in self.uris or keyed(self.salt, within) in self.uris

    def denies_content(self, digest: str) -> bool:
        """True for the bytes of an erased document, given their sha256, wherever they stand now."""
        return bool(self.contents) and keyed(self.salt, digest) in self.contents

    @property
    def digest(self) -> str:
        """What a plan that was made under this list depends on; "" for an empty one."""
        if not (self.uris or self.contents):
            return ""
        listed = "\n".join([*sorted(self.uris), "", *sorted(self.contents)])
        return hashlib.sha256(listed.encode()).hexdigest()


NOTHING_DENIED = Denylist()


def keyed(salt: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text under a salt in hex.

    >>> keyed("00", "a.md") == keyed("00", "a.md") != keyed("01", "a.md")
    True
    """
    data = text.encode("utf-8", "surrogatepass")
    return hmac.new(bytes.fromhex(salt), data, hashlib.sha256).hexdigest()
