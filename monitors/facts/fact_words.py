"""Words by which facts are known: months, units, number words, opposites, negations. Pure."""

from __future__ import annotations

# Shorter words have no ending to take off.
_SHORT = 3

_MONTHS = (
    "january february march april may june july august september october november december"
    " jan feb mar apr jun jul aug sep sept oct nov dec"
)
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS = frozenset(f"{_MONTHS} {_WEEKDAYS}".split())
MONTH_NUMBERS = {
    month[:3]: str(number) for number, month in enumerate(_MONTHS.split()[:12], start=1)
}
_DOUBTFUL_MONTHS = "may march mar jan jun jul sep dec"
# These are months only beside a number: "may" is a verb far more often.
DOUBTFUL_MONTHS = frozenset(_DOUBTFUL_MONTHS.split())

_UNITS = (
    "% percent s ms us ns sec secs second minute min mins h hour hr hrs day week month year decade"
    " byte bytes bit bits b kb mb gb tb pb kib mib gib tib kbit mbit gbit hz khz mhz ghz"
    " px pt em rem mm cm m km inch feet mile g kg mg lb oz ml l c f k kw kwh w v am pm"
    " usd eur gbp dollar euro cent utc gmt"
)
UNITS = frozenset(_UNITS.split())

# "Second" is left out: it is a unit of time more often than a rank.
_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_RANKED = "first - third fourth fifth sixth seventh eighth ninth tenth"
_LARGE = {
    "once": 1, "twice": 2, "thrice": 3, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1_000,
    "million": 1_000_000, "billion": 1_000_000_000,
}  # fmt: skip
NUMBER_WORDS = (
    {word: str(value) for value, word in enumerate(_COUNTED.split())}
    | {word: str(value) for value, word in enumerate(_RANKED.split(), start=1)}
    | {word: str(value) for word, value in _LARGE.items()}
)

# Words of which one for another turns a statement round, or moves a bound or a duty (RFC 2119).
_CHOICES = (
    ("true", "false"), ("enabled", "disabled"), ("enable", "disable"), ("enables", "disables"),
    ("required", "optional"), ("allowed", "forbidden", "disallowed", "prohibited"),
    ("supported", "unsupported"), ("valid", "invalid"), ("safe", "unsafe"),
    ("include", "exclude"), ("included", "excluded"), ("with", "without"), ("before", "after"),
    ("minimum", "maximum"), ("min", "max"), ("least", "most"), ("more", "less", "fewer"),
    ("increase", "decrease"), ("either", "neither"), ("or", "nor"),
    ("must", "should", "may", "shall"), ("ascending", "descending"), ("on", "off"),
    ("possible", "impossible"), ("public", "private"), ("mutable", "immutable"),
    ("synchronous", "asynchronous"), ("above", "below"),
)  # fmt: skip
CHOICES = {word: choice[0] for choice in _CHOICES for word in choice}
NEGATIONS = frozenset({"not", "no", "never", "cannot"})
# What comes and goes with a negation: "it works" is "it does not work", "a" is "no" and "any".
SILENT = frozenset(
    {"a", "an", "the", "any", "some", "do", "does", "did", "always", "yes", "longer"}
)
CONTRACTED = {"ca": "can", "wo": "will", "sha": "shall"}
_VERSIONED = "version versions v release releases versionadded versionchanged deprecated since"
VERSIONED = frozenset(_VERSIONED.split())


def stem(word: str) -> str:
    """Return the word without the ending that number and person give it.

    >>> stem("raises") == stem("raise"), stem("days") == stem("day")
    (True, True)
    """
    if word in {"has", "have"}:
        return "have"
    if len(word) <= _SHORT or word.endswith("ss"):
        return word
    return word.removesuffix("s").removesuffix("e")


UNIT_STEMS = frozenset(stem(unit) for unit in UNITS if len(unit) >= _SHORT)
