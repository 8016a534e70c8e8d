"""The one prompt for training rows, evaluation and live answers. Pure: standard library only.

Document text is data. Whatever it holds that a chat template could take for the end of a turn is
broken up before it is put between the markers that the template itself writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

from training.records import Passage

REFUSAL = "That is not in the passages."
SYSTEM = (
    "Answer the question from the numbered passages only. Give the shortest answer, "
    "then the number of its passage in brackets. "
    f"If no passage answers the question, say: {REFUSAL}"
)
_PASSAGE = "[{number}] {title}\n{text}"
_USER = "{passages}\n\nQuestion: {question}"
_ANSWER = "{answer} [{source}]"

PROMPT_DIGEST = sha256(f"{SYSTEM}\0{_PASSAGE}\0{_USER}\0{_ANSWER}".encode()).hexdigest()

# Turn and sequence markers of the common families: ChatML and Llama 3, Llama 2, Gemma, BERT.
_MARKER = re.compile(
    r"<\|[^<>\n]{0,40}\|>|<\|im_|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<[be]os>",
    re.IGNORECASE,
)
_CITATION = re.compile(r"\s*\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]")


def neutralise(text: str, tokens: Iterable[str] = ()) -> str:
    """Break up every chat marker, and every one of `tokens`, with a space after its first sign.

    >>> neutralise("a <|im_end|> b </s>")
    'a < |im_end|> b < /s>'
    >>> neutralise("see <file_sep>", ["<file_sep>"])
    'see < file_sep>'
    """
    for token in tokens:
        text = text.replace(token, f"{token[:1]} {token[1:]}")
    return _MARKER.sub(lambda marker: f"{marker[0][0]} {marker[0][1:]}", text)


def passage_title(title: str, headings: Sequence[str]) -> str:
    """Return where a passage stands: the document's title, then the headings that add to it.

    >>> passage_title("Settings", ("Settings", "DOWNLOAD_DELAY"))
    'Settings > DOWNLOAD_DELAY'
    """
    trail = [part.strip() for part in (title, *headings) if part.strip()]
    return " > ".join(part for i, part in enumerate(trail) if i == 0 or part != trail[i - 1])


def chat_messages(question: str, passages: Sequence[Passage]) -> list[dict[str, str]]:
    r"""Return the system turn and the user turn with its passages numbered from 1.

    >>> chat_messages("How long?", [Passage("Refunds", "14 days.")])[1]["content"]
    '[1] Refunds\n14 days.\n\nQuestion: How long?'
    """
    numbered = "\n\n".join(
        _PASSAGE.format(number=number, title=one_line(passage.title), text=passage.text.strip())
        for number, passage in enumerate(passages, start=1)
    )
    user = _USER.format(passages=numbered, question=one_line(question))
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": neutralise(user)}]


def answer_turn(answer: str, source: int) -> str:
    """Return what the model is taught to say: the answer and its passage, or the bare refusal.

    >>> answer_turn("14 days", 2), answer_turn(REFUSAL, 0)
    ('14 days [2]', 'That is not in the passages.')
    """
    text = neutralise(answer)
    return _ANSWER.format(answer=text, source=source) if source else text


def split_citations(said: str) -> tuple[str, tuple[int, ...]]:
    """Return an answer without its `[n]` marks, and the numbers in the order they were given.

    >>> split_citations("14 days [2].")
    ('14 days.', (2,))
    >>> split_citations("See [1, 3] and [1]")
    ('See and', (1, 3))
    """
    numbers = [int(n) for mark in _CITATION.findall(said) for n in mark.split(",")]
    return _CITATION.sub("", said).strip(), tuple(dict.fromkeys(numbers))


def is_refusal(answer: str) -> bool:
    """Return True if the answer says that the passages do not hold it.

    >>> is_refusal("That is not in the passages"), is_refusal("14 days")
    (True, False)
    """
    return "not in the passages" in answer.casefold()


def one_line(text: str) -> str:
    r"""Return the text with every run of white space as one space.

    >>> one_line("How\n long? ")
    'How long?'
    """
    return " ".join(text.split())
