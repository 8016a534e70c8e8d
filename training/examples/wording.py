"""English by rule: what stands before the verb, which verb, and how a question turns them. Pure.

No parser and no model: a sentence that fits no rule is not asked about.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MODALS = _words("can must may will should")
_AUXILIARIES = _words("is are was were") | _MODALS
# Verbs that documents use of things. Not those whose -s form is a common plural noun as well
# ("requests", "results"): they would split a subject in two.
_VERBS = _words(
    "accept add allow appear apply arrive ask avoid become begin belong block bring carry "
    "cause charge clear close collect come compare consist contain continue control convert "
    "cost count cover create decide define delete depend describe determine disable download "
    "emit enable end enforce erase exist expect expire export extend fetch follow force "
    "forward generate give go guard handle happen hear help hold identify ignore implement "
    "import include indicate inherit inspect keep last lead let listen lose make manage mean "
    "measure modify monitor move need obey offer open override overwrite parse pass pause pay "
    "perform prevent process produce prove provide pull raise reach read receive reduce refer "
    "reject remain remove replace report represent require reset resolve restore retry return "
    "run save see send serve set show skip specify start stay stop store support switch take "
    "tell terminate track trigger turn unlock use wait work write yield"
)
_NOT_A_SUBJECT = _words(
    "it its this that these those they their you your we our he she his her i if when "
    "whenever while because since after before in on at by for from to with without there "
    "here what which who whose where why how then however also note please see and but or nor "
    "so as until unless once during under between among although though instead otherwise "
    "thus therefore usually sometimes first second finally another other others both either "
    "neither such some most many more any use set call make do not never nothing nobody even "
    "just now today again one two three beyond above below per like via all each none say "
    "additionally alternatively unlike same"
)
_CLAUSE = _words(
    "that which who whose whom where when while if because whether and or this these those it "
    "what there only also now still always one ones following above below "
    "first last latter former previous next other note example"
)
_DETERMINERS = _words("a an the every each no")
_MOST_SUBJECT_WORDS = 7
_LEAST_SUBJECT = 3


def _third_person(verb: str) -> str:
    if re.search(r"(?:s|x|z|ch|sh|o)$", verb):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if re.search(r"[^aeiou]y$", verb) else f"{verb}s"


_BASE_OF = {_third_person(verb): verb for verb in _VERBS} | {"has": "have"}


@dataclass(frozen=True, slots=True)
class Clause:
    """A statement cut at its verb: "The relay | opens | for 20 seconds"."""

    subject: str
    verb: str
    rest: str

    @property
    def auxiliary(self) -> bool:
        """True if the verb itself moves to the front of a question."""
        return self.verb in _AUXILIARIES

    @property
    def modal(self) -> bool:
        """True if another verb follows as it stands in a dictionary: "can have"."""
        return self.verb in _MODALS

    @property
    def base(self) -> str:
        """The verb as it stands after "does"; an auxiliary as it is."""
        return _BASE_OF.get(self.verb, self.verb)

    def asked(self, rest: str) -> str:
        """Return the clause in the order of a question, with `rest` after the verb.

        >>> clause("The relay opens for 20 seconds.").asked("")
        'does the relay open'
        >>> clause("Invoices are kept for ten years.", lower={"invoices"}).asked("kept")
        'are invoices kept'
        """
        words = (self.verb, self.subject) if self.auxiliary else ("does", self.subject, self.base)
        return " ".join((*words, rest)).strip()


def clause(sentence: str, lower: Collection[str] = ()) -> Clause | None:
    """Return a sentence cut at its first verb, or None if its subject is not a plain one.

    `lower` are words known in lower case: a subject that begins with one loses its capital.

    >>> clause("A voucher that is used expires.") is None
    True
    """
    words = sentence.rstrip(".").split()
    for at, word in enumerate(words[1 : _MOST_SUBJECT_WORDS + 1], start=1):
        if word.casefold() in _CLAUSE or re.search(r"[,;:()?!]$", words[at - 1]):
            return None
        if word in _AUXILIARIES or word in _BASE_OF:
            if word in _BASE_OF and words[at + 1 : at + 2] and words[at + 1] in _AUXILIARIES:
                continue  # "The charge costs are …": a noun after all
            return _clause_at(words, at, lower)
    return None


def _clause_at(words: list[str], at: int, lower: Collection[str]) -> Clause | None:
    first = words[0].casefold().strip("\"'(")
    adverb = first.endswith(("ly", "ing")) and first != "only"
    if first in _NOT_A_SUBJECT or first in _BASE_OF or adverb or not words[at + 1 :]:
        return None
    if len(" ".join(words[:at])) < _LEAST_SUBJECT or " ".join(words[:at]).count('"') % 2:
        return None
    return Clause(_lowered(words[:at], lower), words[at], " ".join(words[at + 1 :]))


def _lowered(words: list[str], lower: Collection[str]) -> str:
    first = words[0].casefold()
    keep = first not in _DETERMINERS and first not in lower
    return " ".join(words if keep else [first, *words[1:]])


def first_part(text: str) -> str:
    """Return a text up to where its first clause ends.

    >>> first_part("a box, which hears sensors"), first_part("1,000 rows (at most)")
    ('a box', '1,000 rows')
    """
    ends = (
        r"[,;:](?=\s)|\s[-\u2013\u2014(]|\.\s|"
        r"\s(?:which|because|so that|unless|although|whereas|while)\s"
    )
    return re.split(ends, text.strip(), maxsplit=1)[0].strip().rstrip(".:;,")


def common_words(text: str) -> set[str]:
    """Return the words that are written small, and never as a name in the middle of a sentence.

    >>> sorted(common_words("Use Scrapy: scrapy is an item. See `Item` too."))
    ['an', 'is', 'too']
    """
    small = set(re.findall(r"\b[a-z]{2,}\b", text))
    literals = " ".join(re.findall(r"`[^`]+`|(?<=[a-z,] )[A-Z]\w+", text))
    return small - {word.casefold() for word in re.findall(r"[A-Za-z]+", literals)}
