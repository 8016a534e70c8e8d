"""A document that can no longer be taken in answers with its old text, and says so."""

import pytest

from tests.flows.conftest import Place
from tests.retrieval.test_formats_pdf import saved, writer

pytestmark = pytest.mark.usefixtures("warm")

NAME = "billing/failed-payments.md"
QUESTION = "The grace period is 14 days from the invoice date."


def hit(place: Place, question: str = QUESTION, *options: str) -> dict[str, object]:
    found: dict[str, object]
    found = place.run("search", "docs", question, *options, "--json").json["hits"][0]
    return found


def test_a_document_that_became_binary_answers_as_stale_until_it_is_repaired(place: Place):
    repaired = (place.docs / NAME).read_bytes()
    (place.docs / NAME).write_bytes(b"\x00\x01\x02" * 100)

    broken = place.run("refresh", "docs", "--json")
    then = hit(place)
    shown = place.run("search", "docs", QUESTION)
    calm = place.run("refresh", "docs", "--json")
    still = hit(place)
    (place.docs / NAME).write_bytes(repaired)
    mended = place.run("refresh", "docs", "--json")
    now = hit(place)

    assert (broken.status, broken.json["kept"], broken.json["removed"]) == (6, 1, 0)
    assert [refused["code"] for refused in broken.json["refused"]] == ["DOC_BINARY"]
    assert (then["uri"], then["stale"]) == (NAME, broken.json["refused"][0]["reason"])
    assert "stale:" in shown.out
    assert (calm.status, still["stale"]) == (6, then["stale"])
    assert (mended.status, mended.json["embedded"]) == (0, 0)
    assert (now["uri"], now["stale"]) == (NAME, None)


def test_only_the_document_itself_is_stale(place: Place):
    (place.docs / NAME).write_bytes(b"\x00\x01\x02" * 100)
    place.run("refresh", "docs")

    assert hit(place, "How do I sign in with two steps?")["stale"] is None


def test_an_earlier_release_is_not_stale(place: Place):
    (place.docs / NAME).write_bytes(b"\x00\x01\x02" * 100)
    place.run("refresh", "docs")
    first = place.history()[0]["release"]

    assert hit(place, QUESTION, "--as-of", first)["stale"] is None


def test_an_edited_document_beside_a_stale_one_is_taken_in(place: Place):
    (place.docs / NAME).write_bytes(b"\x00\x01\x02" * 100)
    (place.docs / "new.md").write_text("# New\n\nThe wall charger hums at night.")

    done = place.run("refresh", "docs", "--json")

    assert (done.status, done.json["added"], done.json["kept"]) == (6, 1, 1)
    found = hit(place, "What hums at night?")
    assert (found["uri"], found["stale"]) == ("new.md", None)


def test_a_document_that_was_encrypted_answers_as_stale(place: Place):
    made = writer("The wall charger hums.")
    (place.docs / "manual.pdf").write_bytes(saved(made))
    place.run("refresh", "docs")
    made.encrypt("a password", algorithm="RC4-128")
    (place.docs / "manual.pdf").write_bytes(saved(made))

    done = place.run("refresh", "docs", "--json")
    found = hit(place, "Which charger hums?")

    (refused,) = done.json["refused"]
    assert (done.status, refused["code"]) == (6, "DOC_ENCRYPTED")
    assert (found["uri"], found["stale"]) == ("manual.pdf", refused["reason"])
