"""Erasing a document: no place has it any more, nothing brings it back, what is left is told."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from mlflow import MlflowClient

from flows.erasing.places import places_to_search
from flows.erasing.plan import begin, file_of, subject_of
from flows.erasing.proof import prove
from flows.erasing.receipt import Receipt
from flows.errors import BusyError, NothingToForgetError
from flows.forget import forget
from flows.search import search
from flows.steps import quietly
from retrieval.errors import SnapshotMissingError
from retrieval.records import Snapshot
from tests.flows.erasing.forgotten_place import build, code_of, move_on, trained_documents
from tests.flows.tiny_place import TinyPlace

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NEW_NAME = "kept-by-the-archive.md"


@dataclass(frozen=True)
class Forgotten:
    """A place from which one document was erased, and how things stood before."""

    place: TinyPlace
    uri: str
    code: str
    found_before: dict[str, int]
    releases_before: tuple[str, ...]
    reference_before: str
    receipt: Receipt
    status: Any


@pytest.fixture(scope="module")
def forgotten(tmp_path_factory: pytest.TempPathFactory) -> Forgotten:
    """Plant, edit, check, train, promote, move, rebuild, check; then forget; made once."""
    place = build(tmp_path_factory.mktemp("forgotten") / "place")
    with place.desk() as desk:
        uri = trained_documents(desk)[0]
    move_on(place, uri, to=NEW_NAME)
    with place.desk() as desk:
        work = begin(desk, subject_of(desk, [NEW_NAME]), named="x", actor="", why="")
        before = prove(list(places_to_search(desk)), work.traces, lambda _: None)
        history = tuple(dict.fromkeys(p.release.id for p in desk.journal.history("docs")))
        reference = desk.release().release.trained_on
        receipt = forget(desk, quietly, [NEW_NAME], actor="person Ada", why="its author asked")
    return Forgotten(
        place,
        uri,
        code_of(uri),
        dict(before.found),
        history,
        reference,
        receipt,
        place.run_json("status"),
    )


def test_before_it_every_kind_of_place_has_the_document(forgotten: Forgotten):
    places = " ".join(forgotten.found_before)

    told = [
        *("index/docs.lance/data", "index/docs.2.lance/data", "kb/docs/measured.json"),
        *("kb/docs/reports", "edits.json", "documents.json", "examples.parquet"),
        *("mlflow.db", "journal.db"),
    ]
    assert [each for each in told if each not in places] == []


def test_no_decoded_file_has_a_trace_of_it(forgotten: Forgotten):
    proof = forgotten.receipt.proof

    assert proof.found == ()
    assert proof.unread == ()
    assert {"lance", "sqlite", "parquet", "json"} <= dict(proof.kinds).keys()


def test_no_file_has_its_name_or_its_code_as_plain_bytes(forgotten: Forgotten):
    home = forgotten.place.folder / ".driftline"
    needles = [needle.encode() for needle in (forgotten.code, forgotten.uri, NEW_NAME)]

    holding = [
        file
        for file in home.rglob("*")
        if file.is_file() and any(needle in file.read_bytes() for needle in needles)
    ]

    assert holding == []


def test_every_release_that_held_it_is_withdrawn_and_says_so(forgotten: Forgotten):
    with forgotten.place.desk() as desk:
        vector = [desk.release(release) for release in forgotten.releases_before]
        with pytest.raises(SnapshotMissingError, match=r"was withdrawn.*person Ada") as told:
            search(desk, "lid", quietly, limit=1, as_of=forgotten.releases_before[0])

    assert len(vector) == len(forgotten.releases_before) == len(forgotten.receipt.withdrawn)
    assert forgotten.uri not in str(told.value)


def test_answers_do_not_cite_it(forgotten: Forgotten):
    asked = f"Who writes the code {forgotten.code} on every lid?"

    hits = forgotten.place.run_json("search", "docs", asked)["hits"]

    assert hits
    assert NEW_NAME not in {hit["uri"] for hit in hits}
    assert not any(forgotten.code in hit["text"] for hit in hits)


def test_the_chain_of_the_journal_holds_although_entries_were_rewritten(forgotten: Forgotten):
    with forgotten.place.desk() as desk:
        redactions = desk.journal.entries("docs", "redaction")

        assert desk.journal.first_broken() is None
        assert redactions
        assert [e.payload["found"] for e in desk.journal.entries("docs", "erasure")] == [0]


def test_drift_is_still_measured_from_what_the_champion_knows(forgotten: Forgotten):
    drift = forgotten.place.run_json("drift", "docs")

    assert forgotten.reference_before != drift["reference"]
    assert drift["signals"]
    with forgotten.place.desk() as desk:
        assert desk.index.holds(Snapshot.parse(drift["reference"]))


def test_the_adapter_that_was_trained_on_it_is_tainted_and_a_retraining_asked_for(
    forgotten: Forgotten,
):
    with forgotten.place.desk() as desk:
        waiting = [errand for errand in desk.journal.waiting() if errand.kind == "retrain"]
        tag = MlflowClient(desk.settings.tracking_uri).get_model_version(desk.model_name, "2")

    assert forgotten.receipt.tainted == (2,)
    assert forgotten.receipt.champion_tainted
    assert [errand.payload["champion"] for errand in waiting] == [2]
    assert "person Ada" in tag.tags["driftline.tainted"]
    assert forgotten.status["docs"]["tainted"] is not None


def test_nobody_promotes_or_goes_back_to_a_tainted_version(forgotten: Forgotten):
    shown = forgotten.place.run("promote", "docs", "--version", "2", "--json").json

    promoted = forgotten.place.run(
        "promote", "docs", "--version", "2", "--evidence", shown["evidence"], "--json"
    )
    back = forgotten.place.run("rollback", "docs", forgotten.receipt.release, "--json")

    # It answers already, which is said first; going back to it is refused for what it knows.
    assert promoted.json["error"]["code"] in {"PROMOTE_CONFLICT", "TAINTED"}
    assert (back.status, back.json["error"]["code"]) == (4, "TAINTED")


def test_a_receipt_has_neither_name_nor_text(forgotten: Forgotten):
    folder = forgotten.place.folder / ".driftline" / "kb" / "docs" / "erasures"
    texts = [file.read_text() for file in sorted(folder.iterdir())]

    assert [file.suffix for file in sorted(folder.iterdir())] == [".json", ".md"]
    assert json.loads(texts[0])["digest"] == forgotten.receipt.digest
    assert forgotten.receipt.digest in texts[1]
    assert not any(forgotten.code in text or NEW_NAME in text for text in texts)


def test_the_next_refresh_does_not_bring_it_back(forgotten: Forgotten):
    place = forgotten.place
    copy = place.folder / "docs" / "copy.md"
    copy.write_bytes((place.folder / "docs" / NEW_NAME).read_bytes())

    refreshed = place.run("refresh", "docs", "--json")
    copy.unlink()
    again = place.run_json("refresh", "docs")

    assert [each["code"] for each in refreshed.json["refused"]] == ["DOC_DENIED"]
    assert refreshed.json["added"] == again["added"] == 0
    with place.desk() as desk:
        held = desk.index.documents(Snapshot.parse(desk.release().release.snapshot))
        assert NEW_NAME not in held
        assert len(held) == 23


def test_status_counts_what_is_left(forgotten: Forgotten):
    place = forgotten.place

    stands = place.run_json("status", "docs")["docs"]

    with place.desk() as desk:
        snapshot = Snapshot.parse(desk.release().release.snapshot)
        assert stands["documents"] == len(desk.index.documents(snapshot))
        assert stands["chunks"] == desk.index.count(snapshot)


def test_the_next_training_does_not_begin_with_the_tainted_adapter(forgotten: Forgotten):
    plan = forgotten.place.run_json("retrain", "docs", "--plan")

    assert plan["start"] == "base"


def test_forgetting_it_again_returns_the_same_receipt(forgotten: Forgotten):
    with forgotten.place.desk() as desk:
        again = forget(desk, quietly, [NEW_NAME], actor="person Bea", why="again")

    assert again == forgotten.receipt


def test_what_was_never_there_is_told_and_nothing_is_denied(forgotten: Forgotten):
    with forgotten.place.desk() as desk:
        with pytest.raises(NothingToForgetError, match=r"device-0\d\.md"):
            forget(desk, quietly, ["device-0.md"], actor="person Ada", why="a slip")

        assert len(desk.journal.entries("docs", "denial")) == 1
        assert not file_of(desk).exists()


def test_a_training_under_way_is_not_disturbed(forgotten: Forgotten):
    from flows.journal import lease  # noqa: PLC0415

    with (
        forgotten.place.desk() as desk,
        lease.hold(desk.journal, "docs:training"),
        pytest.raises(BusyError),
    ):
        forget(desk, quietly, ["device-01.md"], actor="person Ada", why="asked")


def test_a_subject_lists_its_documents_and_waits_for_that_very_list(forgotten: Forgotten):
    place, code = forgotten.place, code_of("device-07.md")
    asked = ("forget", "docs", "--subject", code.upper(), "--why", "asked", "--json")

    listed = place.run(*asked)
    other = place.run(*asked, "--accept", "0" * 12)
    nobody = place.run("forget", "docs", "--subject", "Ada Lovelace", "--why", "x", "--json")

    assert (listed.status, listed.json["documents"]) == (4, ["device-07.md"])
    assert (other.status, other.json["error"]["code"]) == (4, "SUBJECT_CHANGED")
    assert (nobody.status, nobody.json["error"]["code"]) == (1, "NOTHING_TO_FORGET")


def test_an_accepted_subject_is_erased_after_an_earlier_erasure(forgotten: Forgotten):
    place = forgotten.place
    asked = ("forget", "docs", "--subject", code_of("device-08.md"), "--why", "asked", "--by", "Bo")
    digest = place.run(*asked, "--json").json["digest"]

    done = place.run_json(*asked, "--accept", digest[:6])

    assert (done["documents"], done["proof"]["found"], done["actor"]) == (1, {}, "person Bo")
    assert place.run("search", "docs", "lid", "--as-of", forgotten.receipt.release).status == 1
    with place.desk() as desk:
        assert len(desk.journal.entries("docs", "denial")) == 2
        assert desk.journal.first_broken() is None
