"""Text up to a key word, and that word: what a model knows without a passage. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from training.examples.chunks import Chunk
from training.examples.questions import is_name
from training.examples.sentences import sentences
from training.records import Row, RowKind

# Longer numbers are those of tickets and pull requests, which nobody knows.
_NUMBER = re.compile(r"\d{1,3}(?:[.:]\d{1,3})*")
_LEAST_WORDS_BEFORE = 5
_MOST_CHARACTERS_BEFORE = 600


def cloze_rows(chunks: Iterable[Chunk]) -> Iterator[Row]:
    """Yield one row for each chunk with a name or number that its text has not mentioned before.

    The trail and the sentences before are given, so that the word is the only thing to know.
    """
    for chunk in chunks:
        if (found := _key_word(chunk)) is not None:
            before, word = found
            yield Row(
                kind=RowKind.CLOZE,
                uri=chunk.uri,
                document_digest=chunk.document_digest,
                chunk=chunk.digest,
                text=word,
                question=f"{chunk.trail}\n\n{before}",
                fresh=chunk.fresh,
            )


def _key_word(chunk: Chunk) -> tuple[str, str] | None:
    """Return the last key word of the chunk's prose and the text before it."""
    said = " ".join(sentences(chunk.text))
    words = list(re.finditer(r"\S+", said))
    for word in reversed(words[_LEAST_WORDS_BEFORE:]):
        bare = word[0].strip(".,;:\"'()[]")
        before = said[: word.start() + word[0].find(bare)]
        telling = is_name(bare) or _NUMBER.fullmatch(bare)
        if telling and not re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", f"{chunk.trail} {before}"):
            return before[-_MOST_CHARACTERS_BEFORE:].rstrip(), bare
    return None
