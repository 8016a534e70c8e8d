"""Questions by rule: what is asked, what is answered, and what is left alone."""

import pytest

from training.examples.questions import Question, list_questions
from training.examples.sentences import plain, sentences


def asked(text: str, *, title: str = "Handbook", heading: str = "") -> list[tuple[str, str]]:
    found = list_questions(title, [heading] if heading else [], text)
    return [(question.text, question.answer) for question in found]


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        (
            "The relay opens for 20 seconds.",
            "For how many seconds does the relay open?",
            "20 seconds",
        ),
        (
            "A refund to a card is on its way within 5 working days.",
            "Within how many working days is a refund to a card on its way?",
            "5 working days",
        ),
        (
            "The gateway sends its readings to the cloud every ten seconds.",
            "How often does the gateway send its readings to the cloud?",
            "ten seconds",
        ),
        (
            "A household can have up to six members.",
            "How many members can a household have?",
            "up to six members",
        ),
        (
            "The Family plan costs 9.90 euro a month.",
            "How much does the Family plan cost?",
            "9.90 euro a month",
        ),
        (
            "The grace period is 14 days from the invoice date.",
            "What is the grace period?",
            "14 days from the invoice date",
        ),
        (
            "A **claim code** is the nine-character code printed under a gateway.",
            "What is a claim code?",
            "the nine-character code printed under a gateway",
        ),
        (
            "E-155 is a welded contact: the power did not fall.",
            "What is E-155?",
            "a welded contact",
        ),
        (
            "Only a qualified electrician may fit a heat relay.",
            "Who may fit a heat relay?",
            "Only a qualified electrician",
        ),
        (
            "The ``DNS_RESOLVER`` setting was renamed to :setting:`TWISTED_DNS_RESOLVER`.",
            "What was DNS_RESOLVER renamed to?",
            "TWISTED_DNS_RESOLVER",
        ),
        (
            "``MailSender`` is deprecated. Use ``smtplib`` for mail. To send mail, use smtplib.",
            "What can I use to send mail?",
            "smtplib",
        ),
        (
            "Use :func:`print_live_refs` to get a list of all live objects.",
            "What can I use to get a list of all live objects?",
            "print_live_refs",
        ),
        (
            "The ``JOBDIR`` setting enables persistence support.",
            "Which setting enables persistence support?",
            "JOBDIR",
        ),
        (
            "| | Seed | Grove |\n|---|---|---|\n| price per month | 0.00 | 4.90 |",
            "What is the price per month of Grove?",
            "4.90",
        ),
        (
            "| code | cause |\n|---|---|\n| B-03 | not enough money |",
            "What is the cause of B-03?",
            "not enough money",
        ),
        (
            "The folder holds the file ``manifest.json`` until the import begins.",
            "Which name belongs in the gap: The folder holds the file ___ until the import begins.",
            "manifest.json",
        ),
    ],
)
def test_a_statement_becomes_the_question_that_a_person_would_ask(
    text: str, question: str, answer: str
) -> None:
    assert (question, answer) in asked(text)


def test_a_default_belongs_to_the_heading_it_stands_under() -> None:
    text = "Default: ``[6023, 6073]``\n\nThe port range to use."

    assert asked(text, heading="TELNETCONSOLE_PORT") == [
        ("What is the default of TELNETCONSOLE_PORT?", "[6023, 6073]")
    ]
    assert asked(text, heading="How it works") == []


def test_a_question_as_heading_is_asked_as_it_stands() -> None:
    assert asked("Yes. It does since 2012.", heading="Does Scrapy run on Windows?") == [
        ("Does Scrapy run on Windows?", "Yes")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "It is a box that counts.",
        "This setting is the one to use.",
        "A voucher that is redeemed late expires.",
        "If the relay loses power, the heater is the only load.",
        "The following setting is the default.",
        "The answer is the one described below.",
        "Basically this is a simple spider.",
        "Note: the lid is the top.",
        "For example: [301, 302]",
        "",
        "word",
    ],
)
def test_what_would_make_a_silly_question_is_left_alone(text: str) -> None:
    assert asked(text) == []


def test_code_and_directives_are_not_asked_about() -> None:
    text = (
        "Run it like this::\n\n    The relay opens for 20 seconds.\n\n"
        ".. code-block:: python\n\n    The lamp costs 5 euro a month.\n\n"
        "```\nThe lid stays for 9 seconds.\n```\n"
    )

    assert asked(text) == []


def test_the_body_of_a_note_is_prose() -> None:
    text = ".. note::\n\n    The relay opens for 20 seconds.\n"

    assert asked(text) == [("For how many seconds does the relay open?", "20 seconds")]


def test_an_answer_never_stands_in_its_question() -> None:
    text = "The 20 seconds rule is the 20 seconds rule. A relay relay is a relay relay."

    assert all(answer.casefold() not in text.casefold() for text, answer in asked(text))


def test_gaps_come_after_every_natural_question() -> None:
    text = "Every box ships with the file manifest.json on its disk. The relay opens for 9 seconds."

    gaps = [question.gap for question in list_questions("Box", [], text)]

    assert gaps == sorted(gaps)
    assert True in gaps


def test_names_keep_their_capital_and_common_words_lose_it() -> None:
    text = "Invoices are kept for ten years. All invoices count. Scrapy provides two helpers."

    assert ("For how many years are invoices kept?", "ten years") in asked(text)
    assert ("How many helpers does Scrapy provide?", "two helpers") in asked(text)


def test_a_question_is_asked_once_a_chunk() -> None:
    text = "The relay opens for 20 seconds.\n\nThe relay opens for 30 seconds."

    assert asked(text) == [("For how many seconds does the relay open?", "20 seconds")]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000,
        "a " * 50_000,
        "`" * 20_000,
        "The " + "x" * 50_000 + " is the end.",
        "|" * 20_000,
        "<" * 20_000,
        "[" * 20_000,
        "*a" * 10_000,
        "A: " * 10_000,
        "within two days " * 3_000,
        "a_" * 20_000,
    ],
    ids=range(11),
)
def test_hostile_text_takes_no_time(text: str) -> None:
    """A rule that backtracks over 50,000 signs would hang here, and the run with it."""
    questions: list[Question] = list_questions("T", [text[:100]], text)

    assert len(questions) < 1_000


def test_markup_goes_and_words_stay() -> None:
    assert plain("``a``, :meth:`~x.y.z`, `b`_, [c](d) and **e**") == "a, z, b, c and e"
    assert list(sentences("See e.g. the lid. Then 5.5 V. Done")) == [
        "See e.g. the lid.",
        "Then 5.5 V.",
        "Done",
    ]
