"""Reports for tests: one that says a given text wherever a report can say anything."""

from monitors.records import (
    ChangeKind,
    DocumentDrift,
    DriftReport,
    FactKind,
    FactualEdit,
    Housekeeping,
    HousekeepingKind,
    NewTopic,
    Part,
    PartDrift,
    Signal,
    TopicDocument,
    Triage,
    WordDrift,
)

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "quote": "' onload='alert(1)",
    "frame": "</iframe></svg></style><script>alert(1)</script>",
    "link": "javascript:alert(1)",
    "template": "{{ 7 * 7 }}{% include 'x' %}",
    "bidi": "a\u202eb",
    "nul": "a\x00b",
    "terminal": "a\x1b[2J\x1b]0;b\x07",
    "markup": "[bold]a[/bold] [/nothing]",
}


def report_saying(text: str) -> DriftReport:
    """Return a report whose every free text is `text`."""
    return DriftReport(
        reference=text,
        current=text,
        staleness=0.1,
        signals=(Signal(text, 0.2, 0.1, drifted=True, reason=text),),
        documents=(DocumentDrift(text, 1.0, ChangeKind.EDITED),),
        reference_chunks=10,
        current_chunks=12,
        parts=tuple(PartDrift(part, text, 1.0, 1) for part in Part),
        words_came=(WordDrift(text, 0, 3),),
        words_went=(WordDrift(text, 3, 0),),
        edits=(FactualEdit(text, FactKind.NUMBER, text, text, f"{text} 1", f"{text} 2"),),
        edits_found=1,
        housekeeping=(Housekeeping(HousekeepingKind.MOVED, (text,), text),),
        topic=NewTopic(0.5, 0.05, (TopicDocument(text, 0.1, unusual=False),), (text,), text),
        triage=Triage(4, 0.5, text),
    )
