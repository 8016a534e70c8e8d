"""The data part of the page stays bounded, and the whole opens offline."""

import re
from pathlib import Path

from monitors.charts import Levels
from monitors.records import Action, Decision, DriftReport
from monitors.report import sample, write_report
from tests.monitors.builders import chunk_table, prose


def test_the_sample_keeps_the_same_documents_on_both_sides():
    names = [f"{number}.md" for number in range(20)]
    old = chunk_table({name: ["old"] for name in names})
    new = chunk_table({name: ["new", "more"] for name in names})

    drawn = set(sample(old, 5)["uri"].to_pylist())

    assert len(drawn) == 5
    assert drawn == set(sample(new, 5)["uri"].to_pylist())
    assert sample(old, 20).num_rows == 20


def test_the_page_names_nothing_to_fetch_and_no_text_of_a_document(tmp_path: Path):
    table = chunk_table({f"{number}.md": [f"secretword {prose(number)}"] for number in range(4)})
    report = DriftReport("a@1", "a@2", 0.0, (), (), 4, 4)

    page = write_report(
        table, table, tmp_path / "check.html",
        report=report, decision=Decision(Action.NONE, "calm"), levels=Levels(0.05, 0.1),
    )  # fmt: skip

    text = page.read_text(encoding="utf-8")
    ours = text.partition("<iframe")[0]  # what is framed cannot fetch: the policy stands over it
    assert "default-src 'none'" in ours
    assert not re.search(r"""(?:src|href)=["']?https?:|@import|url\(["']?https?:""", ours)
    assert "secretword" not in text
    assert "Calm." in text
    assert list(tmp_path.iterdir()) == [page]
