"""Questions that a chunk answers in its own words, found by rule. Pure: no model writes them.

Every answer stands in the chunk, so a model is taught to read and never to invent. Rules come in
the order of how natural their questions sound; a gap to fill is the last resort.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.sentences import cells, plain, sentences
from training.wording import Clause, clause, first_part

_MOST_ANSWER_WORDS = 14
_QUESTION_WORDS = range(3, 25)
_NAME = re.compile(r"(?:[A-Z][A-Z0-9]*(?:[_-][A-Z0-9]+)+|[A-Z]{4,}|[\w.]+\(\)|\w+(?:[._]\w+)+)")
_NUMBER = (
    r"(?:\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|"
    r"thirty|forty|sixty|ninety|a hundred|a thousand)"
)
_UNIT = r"(?:(?:working|calendar|consecutive|full|wrong|paid|further|clamp) )?[a-z]{3,}s"
_MEASURE = re.compile(
    rf"^(?P<measure>(?:(?:up to|at least|at most|about|exactly|only) )?{_NUMBER} (?P<unit>{_UNIT}))\b"
    r"(?P<after>.*)"
)
_TIMED = re.compile(
    rf"^(?P<before>.*?)\b(?P<lead>within|for|after|every|in|by) "
    rf"(?P<measure>(?:up to |at least |at most |about )?{_NUMBER} (?P<unit>{_UNIT}))\b(?P<after>.*)"
)
_MONEY = re.compile(rf"^(?P<price>{_NUMBER} (?:euro|pounds|dollars)\b(?: (?:a|per) [a-z]+)?)")
_DEFAULT = re.compile(r"^Defaults?(?: value)?(?: is)?:?\s+(?P<value>.+)$")
_DEFAULTS_TO = re.compile(
    r"^(?:The )?(?P<name>[\w.-]+)(?: \w+)? (?:defaults to|is by default|by default is) (?P<value>.+)"
)
_RENAMED = re.compile(
    r"(?:The )?(?P<old>\S*\w)(?: \w+){0,2} (?:was|has been|is now|were) renamed to (?P<new>[\w.()]+)"
)
_DEPRECATED = re.compile(
    r"(?:The )?(?P<old>[\w.()]+)(?: \w+){0,2} (?:is|are|has been) deprecated[^.;]*[,.;] "
    r"(?:[Pp]lease )?(?:use|You should use|you can use) (?:the )?(?:new )?(?P<new>[\w.()]+)"
)
_USE = re.compile(r"^(?:You can use|Use|You should use) (?:the )?(?P<name>\S+)(?: \w+)? to (?P<aim>.+)$")
_TO_USE = re.compile(r"^To (?P<aim>[a-z][^,]+), use (?:the )?(?P<name>[\w.()-]+)")
_KEY_VALUE = re.compile(r"^(?P<key>[A-Z][\w ]{2,28}): (?P<value>[^:]+)$")
_THING = re.compile(
    r"^The (?P<name>\S+) (?P<noun>setting|option|argument|parameter|method|class|command|attribute|"
    r"signal|function|exception|field|key|header|middleware|flag|extension|plan|button|code)$"
)
_ADDED = re.compile(r"^\s*\.\. versionadded:: (?P<version>\d[\w.]*)", re.MULTILINE)
_SAYING = frozenset(
    "accept allow begin carry contain control cover disable enable measure mean need override "
    "prevent prove provide raise receive replace require return show stop store support".split()
)
_GAP = "___"


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its answer in the words of the text, and the line that holds the answer.

    A gap is a sentence with its key word taken out, for want of a better question.
    """

    text: str
    answer: str
    evidence: str
    gap: bool = False


def list_questions(title: str, headings: Sequence[str], text: str) -> list[Question]:
    """Return what can be asked about a chunk, best first, each question once.

    >>> found = list_questions("Relay", ["Relay"], "The relay opens for 20 seconds.")
    >>> found[0].text, found[0].answer
    ('For how many seconds does the relay open?', '20 seconds')
    """
    subject = plain(headings[-1]) if headings else title
    lower = set(re.findall(r"\b[a-z]{2,}\b", text))
    found = [*_of_heading(subject, text), *_of_tables(text)]
    gaps: list[Question] = []
    for sentence in sentences(text):
        asked = list(_of_sentence(sentence, subject, plain(title), lower))
        found += asked
        gaps += [] if asked else _gaps(sentence)
    kept = {q.text.casefold(): q for q in reversed([*found, *gaps]) if _is_sound(q)}
    return list(reversed(kept.values()))


def _is_sound(question: Question) -> bool:
    """Return True if the question gives nothing away and the answer is short and says something."""
    words = question.answer.split()
    return (
        0 < len(words) <= _MOST_ANSWER_WORDS
        and len(question.text.split()) in _QUESTION_WORDS
        and bool(re.search(r"\w", question.answer))
        and question.answer.casefold() not in question.text.casefold()
        and not re.search(r"[{}<>|\\]|https?:|::|^\W*$", question.answer + question.text)
        and not question.answer.endswith((" the", " a", " to", " of", " and", " or", " is"))
    )


def _of_heading(subject: str, text: str) -> Iterator[Question]:
    if _NAME.fullmatch(subject):
        for added in _ADDED.finditer(text):
            yield Question(f"Since which version is there {subject}?", added["version"], added[0])
    elif subject.endswith("?"):
        opening = next(sentences(text), "")
        yield Question(subject, first_part(opening), opening)


def _of_tables(text: str) -> Iterator[Question]:
    for cell in cells(text):
        short = len(cell.key.split()) <= 5 and len(cell.column.split()) <= 4  # noqa: PLR2004
        if short and cell.key and cell.column and cell.value.casefold() not in {"yes", "no", "-"}:
            asked = f"{cell.key}: what is the {cell.column[:1].lower()}{cell.column[1:]}?"
            yield Question(asked, cell.value, cell.value)


def _of_sentence(sentence: str, subject: str, title: str, lower: set[str]) -> Iterator[Question]:
    for text, answer in _by_form(sentence, subject, title):
        yield Question(text, first_part(answer), sentence)
    cut = clause(sentence, lower)
    if cut is not None:
        for text, answer in (*_measures(cut), *_statements(cut)):
            yield Question(text, answer, sentence)


def _by_form(sentence: str, subject: str, title: str) -> Iterator[tuple[str, str]]:
    """Yield what fixed forms of documentation say: defaults, renames, replacements, uses."""
    if (found := _DEFAULT.match(sentence)) and _NAME.fullmatch(subject):
        yield f"What is the default of {subject}?", found["value"]
    if found := _DEFAULTS_TO.match(sentence):
        yield f"What does {found['name']} default to?", found["value"]
    if found := _RENAMED.search(sentence):
        yield f"What was {found['old']} renamed to?", found["new"]
    if found := _DEPRECATED.search(sentence):
        yield f"What should I use instead of {found['old']}?", found["new"]
    if found := _USE.match(sentence) or _TO_USE.match(sentence):
        yield f"What can I use to {first_part(found['aim'])}?", found["name"]
    if found := _KEY_VALUE.match(sentence):
        key = found["key"][0].lower() + found["key"][1:]
        yield f"What is the {key} of {title}?", found["value"].split(",")[0]


def _measures(cut: Clause) -> Iterator[tuple[str, str]]:
    """Yield questions about numbers: how many, how often, for how long, how much."""
    if found := _MONEY.match(cut.rest):
        if cut.base == "cost":
            yield f"How much does {cut.subject} cost?", found["price"]
        return
    if found := _MEASURE.match(cut.rest):
        after = first_part(found["after"]) if len(found["after"].split()) <= 8 else ""  # noqa: PLR2004
        if not (cut.auxiliary and cut.verb in {"is", "are", "was", "were"}):
            yield f"How many {found['unit']} {cut.asked(after)}?", found["measure"]
        return
    found = _TIMED.match(cut.rest)
    if found and not re.search(r"[,;:(]|\bnever\b|\bnot\b", found["before"]):
        yield f"{_lead(found)} {cut.asked(found['before'].strip())}?", found["measure"]


def _lead(found: re.Match[str]) -> str:
    if found["lead"] == "every":
        return "How often"
    return f"{found['lead'].capitalize()} how many {found['unit']}"


def _statements(cut: Clause) -> Iterator[tuple[str, str]]:
    """Yield what a thing is, what it does, and which thing does it."""
    thing = _THING.match(f"{cut.subject[:1].upper()}{cut.subject[1:]}")
    told = first_part(cut.rest)
    if thing and not cut.auxiliary and _NAME.fullmatch(thing["name"]):
        yield f"Which {thing['noun']} {cut.verb} {told}?", thing["name"]
    elif cut.verb in {"is", "are"} and re.match(r"(?:an?|the|one|\d[\d.,]*|[A-Z_]{3,})\b", told):
        yield f"What {cut.verb} {cut.subject}?", told
    elif cut.base in _SAYING and len(told.split()) > 1:
        yield f"What {cut.asked('')}?", told
    elif cut.verb in {"may", "must", "can"} and cut.subject.startswith(("Only", "only")):
        yield f"Who {cut.verb} {told}?", cut.subject


def _gaps(sentence: str) -> list[Question]:
    """Return the sentence with one name or number taken out, if there is a telling one."""
    words = sentence.split()
    if not 7 <= len(words) <= 24 or not sentence.endswith("."):  # noqa: PLR2004
        return []
    for at, word in enumerate(words[2:], start=2):
        bare = word.strip(".,;:()\"'")
        if _NAME.fullmatch(bare) or re.fullmatch(r"\d[\d.,:]*", bare):
            held = [*words[:at], word.replace(bare, _GAP), *words[at + 1 :]]
            kind = "number" if bare[0].isdigit() else "name"
            asked = f"Which {kind} belongs in the gap: {' '.join(held)}"
            return [Question(asked, bare, sentence, gap=True)]
    return []
