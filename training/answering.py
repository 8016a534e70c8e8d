"""A question answered from passages, with the passages behind the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from training.encoding import encode_question
from training.judging.inference import Asked
from training.models.adapters import load_for_inference
from training.models.loading import load_tokenizer
from training.prompt import REFUSAL, is_refusal, split_citations
from training.records import Answer, BaseModel, Passage

MOST_TOKENS = 64
_LEAST_SHARED = 0.5


class Answerer:
    """A model that is loaded once and answers from the passages it is given.

    Raises what `load_for_inference` raises.
    """

    def __init__(self, base: BaseModel, adapter_folder: Path | None) -> None:
        self._model = load_for_inference(base, adapter_folder)
        self._tokenizer = load_tokenizer(base)

    def answer(self, question: str, passages: Sequence[Passage]) -> Answer:
        """Return the answer and the numbers of its passages; without passages, the refusal.

        Only numbers of passages that were given count as citations. If the model names none, the
        answer is attributed by words: see `attribute`.
        """
        if not passages:
            return Answer(REFUSAL, (), refused=True)
        asked = encode_question(self._tokenizer, question, passages)
        (said,) = Asked(self._model, self._tokenizer, [asked]).answers(most_tokens=MOST_TOKENS)
        text, numbers = split_citations(said)
        if not text or is_refusal(text):
            return Answer(REFUSAL, (), refused=True)
        real = tuple(number for number in numbers if 1 <= number <= len(passages))
        return Answer(text, real or attribute(text, passages))


def attribute(answer: str, passages: Sequence[Passage]) -> tuple[int, ...]:
    """Return the number of the passage with most of the answer's words, if it has half of them.

    The earlier passage wins a tie: it was the nearer hit.

    >>> attribute("14 days", [Passage("A", "a month"), Passage("B", "14 days at most")])
    (2,)
    >>> attribute("never", [Passage("A", "a month")])
    ()
    """
    words = _words(answer)
    shares = [len(words & _words(f"{p.title} {p.text}")) / max(1, len(words)) for p in passages]
    best = max(range(len(shares)), key=lambda at: (shares[at], -at))
    return (best + 1,) if shares[best] >= _LEAST_SHARED else ()


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
