"""From measurements to rows with limits, and to Markdown. Pure: measures and prints nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OURS = "Driftline"
FIRST, NOTHING, WORD, MOVED, UPGRADE = (
    "first build",
    "nothing changed",
    "one word in a long document",
    "25 documents moved",
    "next release",
)
STEPS = (FIRST, NOTHING, WORD, MOVED, UPGRADE)

CPU_LIMITS = {NOTHING: 0.03, WORD: 0.12, UPGRADE: 0.5}  # CPU seconds of ours beside the embedder
TIMES_LESS = 10  # than the best peer, when nothing changed
VERSIONS = {UPGRADE: 1}

Measured = Mapping[str, Mapping[str, float]]
"""By side: `cpu_s`, `embedder_cpu_s`, `embedded`, `versions` and `rows` of one step."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `holds` is None where there is no limit."""

    measure: str
    values: Mapping[str, float]
    digits: int = 0
    limit: str = ""
    holds: bool | None = None

    @property
    def verdict(self) -> str:
        """Whether the limit holds, in words."""
        return {True: "ok", False: "falls short", None: ""}[self.holds]

    def cells(self, sides: Iterable[str]) -> list[str]:
        """Return the measure, a value for each side, the limit and the verdict."""
        values = [
            f"{self.values[side]:,.{self.digits}f}" if side in self.values else "" for side in sides
        ]
        return [self.measure, *values, self.limit, self.verdict]


def excluded_rows(steps: Mapping[str, Measured], minimum: Mapping[str, int]) -> list[Row]:
    """Return what the steps cost beside a trivial embedder, held against the limits."""
    rows = []
    for step, measured in steps.items():
        rows.append(_at_most(f"{step}: CPU s", _beside(measured), CPU_LIMITS.get(step)))
        if step == NOTHING:
            rows.append(_times_less(_beside(measured)))
        rows.append(_exactly(f"{step}: chunks embedded", measured, "embedded", minimum.get(step)))
        rows.append(_exactly(f"{step}: table versions", measured, "versions", VERSIONS.get(step)))
    return rows


def included_rows(steps: Mapping[str, Measured]) -> list[Row]:
    """Return what the steps cost with a real embedder, all of it."""
    rows = []
    for step, measured in steps.items():
        costs = {side: cost["cpu_s"] for side, cost in measured.items()}
        rows.append(Row(f"{step}: CPU s", costs, 2))
        counts = {side: cost["embedded"] for side, cost in measured.items()}
        rows.append(Row(f"{step}: chunks embedded", counts))
    return rows


def recall_rows(shares: Mapping[str, float], characters: Mapping[str, float]) -> list[Row]:
    """Return the share of questions answered within five chunks, and how much text those are.

    >>> recall_rows({"Driftline": 0.8, "LangChain": 0.7}, {})[0].verdict
    'ok'
    """
    peers = [share for side, share in shares.items() if side != OURS]
    holds = shares[OURS] > max(peers) if peers and OURS in shares else None
    return [
        Row("recall@5 on cloze questions", shares, 3, "above the peers'", holds),
        Row("characters in the five chunks", characters),
    ]


def tables(results: Mapping[str, Any]) -> list[tuple[str, list[Row]]]:
    """Return the title and the rows of each part that was measured."""
    made = []
    if part := results.get("excluded"):
        title = f"{part['corpus']}, embedder excluded (trivial vectors)"
        made.append((title, excluded_rows(part["steps"], part["minimum"])))
    if part := results.get("included"):
        made.append((f"{part['corpus']}, MiniLM included", included_rows(part["steps"])))
    if part := results.get("recall"):
        title = f"{part['corpus']}, {part['questions']} questions, MiniLM"
        made.append((title, recall_rows(part["shares"], part["characters"])))
    return made


def sides_of(rows: Iterable[Row]) -> list[str]:
    """Return the sides that the rows have values for, in the order they come."""
    return list(dict.fromkeys(side for row in rows for side in row.values))


def markdown(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown: one table a part."""
    lines = []
    for title, rows in tables(results):
        sides = sides_of(rows)
        header = ["", *sides, "limit", ""]
        lines += [f"## {title}", "", _line(header), _line(["---"] * len(header))]
        lines += [_line(row.cells(sides)) for row in rows]
        lines.append("")
    return "\n".join([*lines, ""])


def _beside(measured: Measured) -> dict[str, float]:
    return {side: cost["cpu_s"] - cost["embedder_cpu_s"] for side, cost in measured.items()}


def _at_most(measure: str, values: Mapping[str, float], limit: float | None) -> Row:
    if limit is None or OURS not in values:
        return Row(measure, values, 3)
    return Row(measure, values, 3, f"≤ {limit}", values[OURS] <= limit)


def _times_less(values: Mapping[str, float]) -> Row:
    own = values.get(OURS)
    peers = {side: value / own for side, value in values.items() if own and side != OURS}
    holds = min(peers.values()) >= TIMES_LESS if peers else None
    return Row(f"{NOTHING}: times Driftline's CPU s", peers, 1, f"≥ {TIMES_LESS}", holds)


def _exactly(measure: str, measured: Measured, key: str, limit: int | None) -> Row:
    values = {side: cost[key] for side, cost in measured.items()}
    if limit is None or OURS not in values:
        return Row(measure, values)
    return Row(measure, values, 0, f"= {limit:,}", values[OURS] == limit)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
