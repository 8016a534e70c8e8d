"""Bad inputs, each taken from the source to a search: what a list of faults says they must get."""

import os
from pathlib import Path

import pytest

from retrieval.chunking import chunk_document
from retrieval.embedding import LocalEmbedder
from retrieval.parsing import parse
from retrieval.records import RefusalCode
from retrieval.sources.folder import FolderSource
from retrieval.table_search import Query
from tests.retrieval.builders import DIMENSION, Corpus
from tests.retrieval.web_server import serve_site

COPIES = 2_000
LONG_NAME = "n" * 250
NAME_MAX_FOLDERS = 20  # of 250 bytes each: a path longer than the 4,096 that a system call takes


def refusals(corpus: Corpus, source: FolderSource | None = None) -> list[tuple[str, RefusalCode]]:
    return [(refusal.uri, refusal.code) for refusal in corpus.plan(source).refused]


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "/proc/self/environ", "/etc/"])
def test_a_link_to_what_never_ends_or_is_not_ours_is_refused(corpus: Corpus, target: str):
    corpus.write({"a.md": "alpha"})
    (corpus.folder / "link.md").symlink_to(target)

    refreshed = corpus.refresh()

    assert refreshed.documents == 1
    folder = "/" if target.endswith("/") else ""
    assert refusals(corpus) == [(f"link.md{folder}", RefusalCode.LINK_OUTSIDE)]


def test_a_path_too_long_for_a_system_call_stops_nobody(corpus: Corpus):
    """Whatever becomes of the document itself, the others are indexed and none is removed."""
    corpus.write({"a.md": "alpha", "b.md": "beta"})
    corpus.refresh()
    here = os.open(corpus.folder, os.O_RDONLY)
    for _ in range(NAME_MAX_FOLDERS):
        os.mkdir(LONG_NAME, dir_fd=here)  # a path would be too long
        here, above = os.open(LONG_NAME, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    with os.fdopen(os.open("deep.md", os.O_CREAT | os.O_WRONLY, dir_fd=here), "w") as file:
        file.write("deep down")
    os.close(here)
    corpus.write({"c.md": "gamma"})

    plan, refreshed = corpus.planned_refresh()
    again = corpus.plan()

    deep = f"{LONG_NAME}/" * NAME_MAX_FOLDERS + "deep.md"
    told = {refusal.uri for refusal in plan.refused}
    assert {"a.md", "b.md", "c.md"} <= corpus.texts().keys()
    assert plan.removed == ()
    assert deep in corpus.texts() or any(deep.startswith(uri) for uri in told)
    assert refreshed.documents == len(corpus.texts())
    assert again.changes_nothing


@pytest.mark.parametrize("year", [-2_177_452_800, 0, 4_070_908_800], ids=["1901", "1970", "2099"])
def test_a_clock_gone_mad_is_no_edit(corpus: Corpus, year: int):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    os.utime(corpus.path("a.md"), (year, year))

    plan, refreshed = corpus.planned_refresh()

    assert (plan.edited, plan.unchanged, refreshed.embedded) == ((), 1, 0)


def test_an_edit_under_the_old_size_and_time_is_still_seen(corpus: Corpus):
    corpus.write({"a.md": "alpha"})
    corpus.refresh()
    before = Path(corpus.path("a.md")).stat()
    corpus.write({"a.md": "omega"})
    os.utime(corpus.path("a.md"), ns=(before.st_atime_ns, before.st_mtime_ns))

    corpus.refresh()

    assert corpus.texts() == {"a.md": "omega"}


def test_many_copies_of_one_document_are_embedded_once_and_found_as_one_hit(corpus: Corpus):
    corpus.write({f"{at:05}.md": "# Notice\n\nThe same for all." for at in range(COPIES)})
    corpus.write({"other.md": "# Other\n\nSomething else."})

    refreshed = corpus.refresh()

    text = "Notice\nThe same for all."
    vector = corpus.embedder.embed_query(text)
    query = Query("the same for all", vector, limit=5)
    first, *others = corpus.index.search(refreshed.snapshot, query)
    assert (refreshed.documents, refreshed.embedded) == (COPIES + 1, 2)
    assert first.uri == "00000.md"
    assert 0 < len(first.also) <= DIMENSION * 3
    assert [hit.uri for hit in others] == ["other.md"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("word " * 100_000, id="words"),
        pytest.param("x" * 500_000, id="one-word"),
        pytest.param("猫" * 150_000, id="no-spaces"),
        pytest.param("\u200d\U0001f469" * 60_000, id="joined-emoji"),
    ],
)
def test_one_endless_line_is_cut_within_the_window(corpus: Corpus, line: str):
    corpus.write({"a.txt": line})

    chunks = corpus.chunks()

    texts = [chunk.embedded_text for chunk in chunks]
    assert len(chunks) > 100
    assert max(corpus.embedder.count_tokens(texts)) <= corpus.embedder.max_tokens


SCRIPTS = {
    "chinese": "支付失败的原因通常很无聊。卡已过期、卡号更换、银行要求确认。" * 60,
    "thai": "การชำระเงินล้มเหลวมักเกิดจากบัตรหมดอายุหรือธนาคารต้องการการยืนยัน" * 40,
    "arabic": "يفشل الدفع غالبًا لأسباب مملة: بطاقة منتهية أو رقم جديد. " * 50,
    "hindi": "भुगतान अक्सर साधारण कारणों से विफल होता है। " * 50,
    "switching": "Payment 支付 Zahlung оплата платёж دفع भुगतान 결제 " * 60,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈👍🏽" * 200,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_cut_within_the_models_own_window(script: str, minilm: LocalEmbedder):
    document = parse("a.txt", SCRIPTS[script].encode())

    chunks = chunk_document(document, minilm.count_tokens, max_tokens=minilm.max_tokens)

    counts = minilm.count_tokens([chunk.embedded_text for chunk in chunks])
    assert max(counts) <= minilm.max_tokens
    said = "".join("".join(chunk.text for chunk in chunks).split())
    assert said == "".join(document.text.split())


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        pytest.param(b'a,b\n"one\ntwo",3\n', ["one", "two", "3"], id="newline-in-quotes"),
        pytest.param(b"a,b\n1\n2,3,4\n", ["1", "2", "3", "4"], id="ragged"),
        pytest.param(
            b"a,b\n=cmd|' /C calc'!A0,@SUM(1)\n", ["=cmd|' /C calc'!A0", "@SUM(1)"], id="formulas"
        ),
        pytest.param(b'a,b\n"never closed,1\n2,3\n', ["never closed", "2"], id="open-quote"),
        pytest.param(b"a;b\r1;2\r", ["1", "2"], id="old-line-ends"),
    ],
)
def test_an_odd_table_keeps_its_words(data: bytes, texts: list[str]):
    read = parse("a.csv", data).text

    assert all(text in read for text in texts)


def test_nothing_that_a_document_points_to_is_asked_for(corpus: Corpus):
    with serve_site() as site:
        corpus.write(
            {
                "a.md": f"# A\n\n![x]({site.root}/a.png) <img src='{site.root}/b.png'> text",
                "b.html": f"<link rel=stylesheet href='{site.root}/c.css'><p>text"
                f"<iframe src='{site.root}/d'></iframe><svg><use href='{site.root}/e'/></svg>",
                "c.rst": f"C\n=\n\n.. image:: {site.root}/f\n\n.. include:: /etc/passwd\n\ntext",
                "d.xml": f'<!DOCTYPE a SYSTEM "{site.root}/g.dtd"><a>text</a>',
            }
        )
        source = FolderSource(corpus.folder, include=("**",))

        plan, _ = corpus.planned_refresh(source)

    assert (plan.added, plan.refused) == (("a.md", "b.html", "c.rst", "d.xml"), ())
    assert site.asked == []
    assert "root:" not in corpus.texts()["c.rst"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param(
            "a.parquet", b"PAR1\x15\x04\x15\x10\x15\x14" + bytes(90) + b"PAR1", id="parquet"
        ),
        pytest.param("a.arrow", b"ARROW1\0\0\xff\xff\xff\xff" + bytes(90), id="arrow"),
        pytest.param("a.bin", b"\x80\x04cos\nsystem\n(S'x'\ntR." + bytes(40), id="pickle"),
        pytest.param("a.db", b"SQLite format 3\0" + bytes(90), id="sqlite"),
        pytest.param("a.exe", b"MZ\x90\0\x03" + bytes(90), id="program"),
    ],
)
def test_a_file_without_a_reader_is_refused_as_binary(corpus: Corpus, name: str, data: bytes):
    corpus.write({name: data, "a.md": "alpha"})

    found = refusals(corpus, FolderSource(corpus.folder, include=("**",)))

    assert found == [(name, RefusalCode.BINARY)]
