"""Questions that a chunk answers in its own words, found by rule. Pure: no model writes them.

Every answer stands in the chunk, so a model is taught to read and never to invent. The most
natural forms come first; a gap to fill is the last resort.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.examples.sentences import Cell, cells, plain, sentences
from training.examples.wording import Clause, clause, common_words, first_part

_MOST_ANSWER_WORDS = 12
_LONGEST_SENTENCE = 300
_QUESTION_WORDS = range(3, 26)
_NOUN = (
    "setting|option|argument|parameter|method|class|command|attribute|signal|function|exception|"
    "field|key|header|middleware|flag|extension|plan|button|code"
)
_NAME = re.compile(
    r"(?:[A-Z][A-Z0-9]*(?:[_-][A-Z0-9]+)+|[A-Z]{4,}|[\w.]+\(\)|[A-Za-z0-9]{2,}(?:[._]+[A-Za-z0-9]{2,})+)"
)
_NUMBER = (
    r"(?:\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|"
    r"thirty|forty|sixty|ninety|a hundred|a thousand)"
)
_ABOUT = r"(?:(?:up to|at least|at most|about|exactly|only) )?"
# A plural, and none of the words that only end like one.
_UNIT = (
    r"(?!plus|minus|times|less|across|this|always)"
    r"(?:(?:working|calendar|consecutive|full|wrong|paid|further) )?[a-z]{3,}s"
)
_AMOUNT = rf"(?P<measure>{_ABOUT}{_NUMBER} (?P<unit>{_UNIT}))\b(?P<after>.*)"
_MEASURE = re.compile(rf"^(?P<verb>){_AMOUNT}")
_MODAL_MEASURE = re.compile(rf"^(?P<verb>[a-z]+ ){_AMOUNT}")  # can | have | six members
_TIMED = re.compile(
    rf"^(?P<before>.*?)\b(?P<lead>within|for|after|every|in|by) "
    rf"(?P<measure>{_ABOUT}{_NUMBER} (?P<unit>{_UNIT}))\b"
)
_MONEY = re.compile(rf"^{_NUMBER} (?:euro|pounds|dollars)\b(?: (?:a|per) [a-z]+)?")
_DEFAULT = re.compile(r"^Defaults?(?: value)?(?: is)?:?\s+(?P<value>[^()]+?)(?:\s\(|$)")
_DEFAULTS_TO = re.compile(r"^(?:The )?(?P<name>[\w.-]+)(?: \w+)? defaults to (?P<value>[^;]+)")
_RENAMED = re.compile(
    r"(?:The )?(?P<old>\S*\w)(?: \w+){0,2} (?:was|has been|is now|were) renamed to "
    r"(?P<new>[\w.()]+)"
)
_DEPRECATED = re.compile(
    r"(?:The )?(?P<old>[\w.()]+)(?: \w+){0,2} (?:is|are|has been) deprecated[^.;]*[,.;] "
    r"(?:[Pp]lease )?(?:use|You should use|you can use) (?:the )?(?:new )?(?P<new>[\w.()]+)"
)
_USE = re.compile(
    r"^(?:You can use|Use|You should use) (?:the )?(?P<name>\S+)(?: \w+)? to (?P<aim>.+)$"
)
_TO_USE = re.compile(r"^To (?P<aim>[a-z][^,]+), use (?:the )?(?P<name>[\w.()-]+)")
_TO_SET = re.compile(
    r"^To (?P<aim>[a-z][^,]+), set (?:the )?(?P<name>[A-Z_]{4,})(?: \w+)? to (?P<value>[\w.-]+)"
)
_KEY_VALUE = re.compile(r"^(?P<key>[A-Z][a-zA-Z]+(?: [a-z]\w+){0,2}): (?P<value>[^:]+)$")
_THING = re.compile(rf"^[Tt]he (?P<name>\S+) (?P<noun>{_NOUN})$")
_SIGNATURE = re.compile(
    r"^\s*\.\. (?:py:)?(?:class|method|classmethod|staticmethod|function|exception|signal):: "
    r"(?:async )?(?P<name>[\w.]+)\((?P<arguments>[^()\n]{2,120})\)",
    re.MULTILINE,
)
_ADDED = re.compile(r"^\s*\.\. versionadded:: (?P<version>\d[\w.]*)", re.MULTILINE)
# Keys of remarks, not of facts.
_REMARKS = re.compile(
    r"\b(?:note|example|warning|tip|hint|caution|important|see|default|it|instance|after|added)\b"
)
# Words that point at what stands elsewhere: the answer would not be one.
_POINTING = re.compile(
    r"\b(?:following|below|above|this|these|those|here|see|previous|next|such|it|they|them)\b",
    re.IGNORECASE,
)
_DANGLING = re.compile(r"\s(?:the|a|an|to|of|and|or|is|in|on|for|by|with|as|from|at|that|not)$")
_SAYING = re.compile(
    r"accept|allow|begin|carry|contain|control|cover|disable|enable|measure|mean|need|override|"
    r"prevent|prove|provide|raise|receive|replace|require|return|show|stop|store|support"
)
_CUT_SHORT = re.compile(r"^an? \S+$")  # "a hosted", before the comma of "a hosted, cloud-based"
_TELLING = re.compile(r"(?:an?|the|one|\d[\d.,]*|[A-Z_]{3,})\s\S+|[A-Z_]{4,}$")
_PREPOSITION = re.compile(r"^ (?:in|of|at|per|a|on|for|from|before|after|with|to) ")
_WINDING = re.compile(r"[,;:(]|\b(?:never|not|at most)\b|\d")
_ASKING = re.compile(
    r"^(?:how|what|why|when|where|which|who|can|could|does?|is|are|should|will|must|may) .*\?$",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^(?:when|if|while|as|by|in|for|to|with|once|after|before)\b", re.IGNORECASE)
_ODD_COLUMN = re.compile(r"\b(?:what|when|who|how|why|if|to|about)\b|ed$|\d")
GAP = "___"


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
    subject = plain(headings[-1]) if headings else plain(title)
    lower = common_words(text)
    found = [*_of_heading(subject, text), *_of_tables(text), *_of_signatures(text)]
    gaps: list[Question] = []
    for sentence in (s for s in sentences(text) if len(s) <= _LONGEST_SENTENCE):
        asked = list(_of_sentence(sentence, subject, plain(title), lower))
        found += asked
        gaps += [] if asked else _gaps(sentence)
    kept: dict[str, Question] = {}
    for question in filter(is_sound, [*found, *gaps]):
        kept.setdefault(question.text.casefold(), question)
    return list(kept.values())


def is_sound(question: Question) -> bool:
    """Return True if the question gives nothing away and the answer is short and says something."""
    answer, words = question.answer, question.answer.split()
    return (
        0 < len(words) <= _MOST_ANSWER_WORDS
        and len(question.text.split()) in _QUESTION_WORDS
        and bool(re.search(r"\w", answer))
        and answer.casefold() not in question.text.casefold()
        and not re.search(r"[{}<>|\\]|https?:|::", answer + question.text)
        and not _POINTING.search(answer)
        and not re.search(
            r"\b(?:it|this|these|those|they|them)\b|the default\?", question.text.casefold()
        )
        and not _DANGLING.search(answer)
        and answer.count("(") == answer.count(")")
        and answer.count('"') % 2 == question.text.count('"') % 2 == 0
    )


def _of_heading(subject: str, text: str) -> Iterator[Question]:
    if _NAME.fullmatch(subject):
        for added in _ADDED.finditer(text):
            yield Question(f"Since which version is there {subject}?", added["version"], added[0])
    elif _ASKING.match(subject):
        opening = next(sentences(text), ":")
        if not _OPENING.match(opening) and not opening.endswith(":"):
            yield Question(subject, first_part(opening), opening)


def _of_tables(text: str) -> Iterator[Question]:
    for cell in cells(text):
        short = len(cell.key.split()) <= 5 and len(cell.column.split()) <= 3  # noqa: PLR2004
        odd = _ODD_COLUMN.search(cell.column.casefold())
        if short and not odd and cell.key and cell.column and len(cell.value) > 1:
            yield Question(_of_cell(cell), cell.value, f"{cell.key} {cell.value}")


def _of_signatures(text: str) -> Iterator[Question]:
    for found in _SIGNATURE.finditer(text):
        asked = f"Which arguments does {found['name']} take?"
        yield Question(asked, found["arguments"].strip(), found[0].strip())


def _of_cell(cell: Cell) -> str:
    """Return a question for a cell; names of things stand in the first column or in the header.

    >>> _of_cell(Cell("price per month", "Grove", "4.90")), _of_cell(Cell("B-03", "cause", "x"))
    ('What is the price per month of Grove?', 'What is the cause of B-03?')
    >>> _of_cell(Cell("calls a day", "Grove", "4"))
    'How many calls a day are there with Grove?'
    """
    key, column = cell.key, cell.column
    if column[0].isupper() and key[0].islower():
        key, column = column, key
    column = column if column[:2].isupper() else column[0].lower() + column[1:]
    many = column.split()[0].endswith("s") and re.match(r"\d", cell.value)
    verb = "are" if column.split()[0].endswith("s") else "is"
    return (
        f"How many {column} are there with {key}?"
        if many
        else f"What {verb} the {column} of {key}?"
    )


def _of_sentence(sentence: str, subject: str, title: str, lower: set[str]) -> Iterator[Question]:
    for text, answer in _by_form(sentence, subject, title):
        yield Question(text, answer.rstrip(".,;:"), sentence)
    cut = clause(sentence, lower)
    if cut is not None:
        for text, answer in (*_measures(cut), *_statements(cut)):
            yield Question(text, answer, sentence)


def _by_form(sentence: str, subject: str, title: str) -> Iterator[tuple[str, str]]:
    """Yield what fixed forms of documentation say: defaults, renames, replacements, uses."""
    if (found := _DEFAULT.match(sentence)) and _NAME.fullmatch(subject):
        yield f"What is the default of {subject}?", found["value"]
    if found := _DEFAULTS_TO.match(sentence):
        yield f"What does {found['name']} default to?", first_part(found["value"])
    if found := _RENAMED.search(sentence):
        yield f"What was {found['old']} renamed to?", found["new"]
    if found := _DEPRECATED.search(sentence):
        yield f"What should I use instead of {found['old']}?", found["new"]
    if found := _TO_SET.match(sentence):
        yield f"What should {found['name']} be set to, to {found['aim']}?", found["value"]
    if found := _USE.match(sentence) or _TO_USE.match(sentence):
        yield f"What can I use to {first_part(found['aim'])}?", found["name"]
    if (found := _KEY_VALUE.match(sentence)) and not _REMARKS.search(found["key"].casefold()):
        key = found["key"] if found["key"][1].isupper() else found["key"].lower()
        of = title if subject in {title, key} else f"{title}, {subject}"
        yield f"{of}: what is the {key}?", first_part(found["value"])


def _measures(cut: Clause) -> Iterator[tuple[str, str]]:
    """Yield questions about numbers: how many, how often, for how long, how much."""
    if found := _MONEY.match(cut.rest):
        if cut.base == "cost":
            yield f"How much does {cut.subject} cost?", found[0]
    elif found := (_MODAL_MEASURE if cut.modal else _MEASURE).match(cut.rest):
        after = first_part(found["after"]) if _PREPOSITION.match(found["after"]) else ""
        if cut.modal or not cut.auxiliary:
            asked = cut.asked(f"{found['verb']}{after}")
            yield f"How many {found['unit']} {asked}?", found["measure"]
    elif (found := _TIMED.match(cut.rest)) and not _WINDING.search(found["before"]):
        yield f"{_lead(found)} {cut.asked(found['before'].strip())}?", found["measure"]


def _lead(found: re.Match[str]) -> str:
    if found["lead"] == "every":
        return "How often"
    return f"{found['lead'].capitalize()} how many {found['unit']}"


def _statements(cut: Clause) -> Iterator[tuple[str, str]]:
    """Yield what a thing is, what it does, and which thing does it."""
    thing = _THING.match(cut.subject)
    told = first_part(cut.rest)
    if cut.subject.casefold().startswith("only "):
        if cut.verb in {"may", "must", "can"}:
            yield f"Who {cut.verb} {told}?", cut.subject
    elif _CUT_SHORT.match(told):
        return
    elif thing and not cut.auxiliary and _NAME.fullmatch(thing["name"]):
        yield f"Which {thing['noun']} {cut.verb} {told}?", thing["name"]
    elif cut.verb in {"is", "are"} and _TELLING.match(told):
        yield f"What {cut.verb} {cut.subject}?", told
    elif _SAYING.fullmatch(cut.base) and len(told.split()) > 1:
        yield f"What {cut.asked('')}?", told


def _gaps(sentence: str) -> list[Question]:
    """Return the sentence with one name or number taken out, if there is a telling one."""
    words = sentence.split()
    if not 7 <= len(words) <= 22 or not sentence.endswith(".") or _POINTING.search(sentence):  # noqa: PLR2004
        return []
    for at, word in enumerate(words[2:], start=2):
        bare = word.strip(".,;:\"'")
        if is_name(bare) or re.fullmatch(r"\d+(?:[.,:]\d+)*", bare):
            held = [*words[:at], word.replace(bare, GAP), *words[at + 1 :]]
            asked = f"Which {_kind(bare, words[at + 1 :])} belongs in the gap: {' '.join(held)}"
            return [Question(asked, bare, sentence, gap=True)]
    return []


def is_name(word: str) -> bool:
    """Return True for what is written like an identifier: `A_B`, `f()`, `a.b`, `HTTP`.

    >>> is_name("RETRY_TIMES"), is_name("scrapy.Spider"), is_name("Spider")
    (True, True, False)
    """
    return bool(_NAME.fullmatch(word))


def fill_in(sentence: str, start: int, end: int) -> Question | None:
    """Return a sentence as a gap in place of its signs from start up to end, if that is sound.

    >>> fill_in("The retry times are 3 by default now.", 20, 21).text
    'Which number belongs in the gap: The retry times are ___ by default now.'
    """
    if _POINTING.search(sentence):
        return None
    bare, after = sentence[start:end], sentence[end:].split()
    held = f"{sentence[:start]}{GAP}{sentence[end:]}"
    gap = Question(
        f"Which {_kind(bare, after)} belongs in the gap: {held}", bare, sentence, gap=True
    )
    return gap if is_sound(gap) else None


def _kind(bare: str, after: Sequence[str]) -> str:
    if bare[0].isdigit():
        return "number"
    noun = after[0].strip(".,;:") if after else ""
    return noun if re.fullmatch(_NOUN, noun) else "name"
