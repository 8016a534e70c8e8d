"""What a verification and a repair came to: an object for scripts, a table for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.examining.repair import Repaired
from flows.examining.verification import Verification
from monitors.wording import printable

_SHOWN = 20


def verification_object(found: Verification, repaired: Repaired | None) -> dict[str, Any]:
    """Return every finding with its cure, and what was put right where that was asked for."""
    done = None
    if repaired is not None:
        release = repaired.published.release.id if repaired.published else None
        done = {
            "release": release,
            "said": list(repaired.said),
            "anew": repaired.anew,
            "aside": list(repaired.aside),
        }
    return {
        "kb": found.kb,
        "release": found.release or None,
        "depth": found.depth.value,
        "intact": not found.findings,
        "findings": [asdict(each) for each in found.findings],
        "remarks": list(found.remarks),
        "checked": found.checked,
        "seconds": round(found.seconds, 3),
        "repaired": done,
    }


def verification_view(found: Verification, repaired: Repaired | None) -> RenderableType:
    """Show what is damaged, what still answers and what to do; or that all is whole."""
    looked = ", ".join(f"{count:,} {kind}" for kind, count in found.checked.items())
    head = f"{found.kb}, {found.depth.value}: {looked}; {found.seconds:.1f} s"
    parts: list[RenderableType] = [Text(head)]
    if found.findings:
        table = Table("code", "place", "what is wrong", "what answers", "what to do")
        for each in found.findings[:_SHOWN]:
            cells = (each.code, each.place, each.what, each.answers, each.cure)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        parts.append(table)
        if (more := len(found.findings) - _SHOWN) > 0:
            parts.append(Text(f"and {more:,} more; --json has all of them"))
    else:
        parts.append(Text("Nothing is damaged."))
    parts += [Text(printable(f"Note: {remark}.")) for remark in found.remarks]
    if repaired is not None:
        parts += [Text(printable(f"{said}.")) for said in repaired.said or ("Nothing to repair",)]
    return Group(*parts)
