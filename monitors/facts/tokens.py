"""What one token is to the comparison of two sentences, told from itself alone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from monitors.facts.fact_words import (
    CHOICES,
    CONTRACTED,
    MONTHS,
    NEGATIONS,
    NUMBER_WORDS,
    SILENT,
    UNIT_STEMS,
    UNITS,
    stem,
)

# How a row writes a place that a number holds; no token reads like this.
NUMBER = "#"
VERSION = re.compile(r"v?\d+(?:\.\d+){2}[\w.+-]*|v\d+(?:\.\d+)*|\d+(?:\.\d+)+(?:a|b|rc|\.x)\d*")
_DIGITS = re.compile(r"\d+")
_ABBREVIATIONS = frozenset({"e.g", "i.e", "a.k.a", "and/or"})
_ADDRESS = re.compile(r"[@/]|::|\w\.\w")


class Group(Enum):
    """What a token is to the comparison of two sentences."""

    WORD = "word"
    NUMBER = "number"
    UNIT = "unit"
    MONTH = "month"
    NAME = "name"
    PROPER = "proper"
    POLARITY = "polarity"
    CHOICE = "choice"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as every sentence reads it: `key` is how a row names it, `canon` what it says."""

    group: Group
    key: str
    canon: str


def choice(word: str) -> Token:
    """Return the token of one of two words that turn a statement round: enabled, disabled."""
    return Token(Group.CHOICE, f"?{CHOICES[word]}", word)


@lru_cache(maxsize=65_536)
def token_of(written: str) -> tuple[Token, ...]:
    """Classify a token by itself; a contraction is two."""
    bare = written.rstrip(".,;:!?/").strip("_").removesuffix("'s")
    folded = bare.casefold()
    if not folded:
        return ()
    if folded.endswith("n't"):
        verb = folded.removesuffix("n't")
        return (*token_of(CONTRACTED.get(verb, verb)), Token(Group.POLARITY, "", "not"))
    if folded == "cannot":
        return (*token_of("can"), Token(Group.POLARITY, "", "not"))
    return (_plain_token(bare, folded),)


def _plain_token(bare: str, folded: str) -> Token:
    return _listed(folded) or _shaped(bare, folded)


def _listed(folded: str) -> Token | None:
    """Return the token that a word list makes of it, None if it stands in none."""
    if folded in NEGATIONS:
        return Token(Group.POLARITY, "", folded)
    if folded in SILENT:
        return Token(Group.SILENT, "", folded)
    if folded in NUMBER_WORDS:
        return Token(Group.NUMBER, NUMBER, NUMBER_WORDS[folded])
    if folded in CHOICES and folded not in MONTHS:
        return choice(folded)
    return _timed(folded)


def _timed(folded: str) -> Token | None:
    if folded in MONTHS:
        return Token(Group.MONTH, stem(folded), folded)
    if folded in UNITS or stem(folded) in UNIT_STEMS:
        return Token(Group.UNIT, stem(folded), stem(folded))
    return None


def _shaped(bare: str, folded: str) -> Token:
    """Return the token that its looks make of it."""
    if _is_number(folded):
        return Token(Group.NUMBER, NUMBER, folded.replace(",", "") if "," in folded else folded)
    return _word(bare, folded)


def _is_number(folded: str) -> bool:
    return (
        folded[0].isdigit()
        or folded[0] in "+-$€£¥"
        or (folded[0] == "v" and folded[1:2].isdigit() and bool(VERSION.fullmatch(folded)))
    )


def _word(bare: str, folded: str) -> Token:
    if (
        (_ADDRESS.search(bare) and folded not in _ABBREVIATIONS)
        or "_" in bare
        or any(map(str.isdigit, bare))
        or (bare[1:] != bare[1:].lower())
    ):
        address = folded.partition("://")[2] or folded  # http or https is the same place
        return Token(Group.NAME, _DIGITS.sub("0", address), address)
    return Token(Group.PROPER if bare[0].isupper() else Group.WORD, stem(folded), folded)
