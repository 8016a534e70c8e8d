"""The invariants that files and words show: bounds, what is told, that nothing foreign runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import flows
from flows.errors import EXIT_OF_CODE, Exit
from tests.faults.standing import Said, Standing

# What a run that ended must not leave: drafts, an unfinished run's needs, what is half gone.
_LEFTOVERS = ("*.part", "vectors.db", "*.removed", "*.job", ".*.tmp", "*.writing")
_LARGEST_LOG = 1 << 20
# Manifests, transactions and footers of files weigh the same for one row as for a million.
_OVERHEAD = 1 << 16
_MOST_COPIES = 3
_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".ckpt"}
_OWN_CODE = Path(flows.__path__[0]) / "served_model.py"
_LOADS = re.compile(
    rb"<(?:script|img|iframe|link|object|embed)[^>]*\s(?:src|href|data)\s*=\s*[\"']?\s*(?:https?:)?//",
    re.IGNORECASE,
)
_HANDLES = re.compile(rb"<[a-z][^>]*\son(?:error|load|click|mouseover)\s*=", re.IGNORECASE)
_CODE = re.compile(r"^([A-Z][A-Z_]+): .{20,}", re.MULTILINE)
CANARY = "executed"
"""What a planted text would make if it ever ran: a file of this name in the place."""


def bounded(at: Standing) -> Iterator[str]:
    """INV-8. What is kept has limits.

    At rest nothing is left of work that is done, and no training's files but those of one that
    goes on; logs are small. After upkeep the index takes at most three times what is kept, beside
    what a table of any size costs.
    """
    if at.at_rest:
        for pattern in _LEFTOVERS:
            for path in at.home.rglob(pattern):
                yield f"{path.relative_to(at.home)} was left"
    for path in at.home.rglob("*.log"):
        if path.stat().st_size > _LARGEST_LOG:
            yield f"{path.relative_to(at.home)} has {path.stat().st_size:,} bytes"
    if at.maintained:
        head = at.desk.index.head()
        wanted = {*at.kept, *([] if head is None else [head])}
        sizes = [at.rows(snapshot).nbytes for snapshot in wanted]
        most = _MOST_COPIES * sum(size + _OVERHEAD for size in sizes)
        taken = folder_bytes(at.home / "index")
        if taken > most:
            yield f"the index takes {taken:,} bytes, {most:,} are three times what is kept"


def folder_bytes(folder: Path) -> int:
    """Return what the files below a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def told(at: Standing) -> Iterator[str]:
    """INV-9. Every failure is told, with a code, and a status that scripts may rely on.

    Of each command that came to its end: a known status, no traceback, and where it failed a line
    `CODE: sentence` whose code belongs to that status. In the journal, a guard's entry has a code
    and a reason, a refused promotion a reason. In MLflow no training is running at rest, and no run
    at all once a check has looked there.
    """
    for said in at.told:
        yield from _said_well(said)
    for entry in at.entries("guard"):
        if not entry.payload.get("code") or not entry.payload.get("reason"):
            yield f"guard entry {entry.sequence} lacks its code or its reason"
    for entry in at.entries("promotion"):
        if not entry.payload["why"]:
            yield f"promotion entry {entry.sequence} does not say why"
    for run in at.runs.values() if at.at_rest else ():
        role = run.data.tags.get("driftline.role")
        if run.info.status == "RUNNING" and (role == "training" or at.is_checked):
            yield f"the {role} {run.info.run_name!r} is running, and nothing runs"


def _said_well(said: Said) -> Iterator[str]:
    asked, codes = " ".join(said.arguments), _CODE.findall(said.err)
    if said.status not in set(Exit):
        yield f"{asked} ended with {said.status}, which is not a status of ours"
    if "Traceback (most recent call last)" in said.err:
        yield f"{asked} showed a traceback"
    if said.status in {Exit.OK, Exit.PARTIAL, Exit.SETTINGS}:
        return
    if not codes:
        yield f"{asked} ended with {said.status} and no code: {said.err[-200:]!r}"
    elif EXIT_OF_CODE.get(codes[-1], Exit.FAILED) != said.status:
        yield f"{asked} ended with {said.status} and {codes[-1]}"


def nothing_foreign(at: Standing) -> Iterator[str]:
    """INV-10. No byte of a source, a model or an artifact runs, is unpickled, or is fetched.

    Nothing that only a pickle reads is kept; the only code among the artifacts is the script that
    serves a model, byte for byte; pages load nothing and have no handlers; no planted text ran.
    """
    for path in at.home.rglob("*"):
        if not path.is_file():
            continue
        name = path.relative_to(at.home)
        if path.suffix in _PICKLES:
            yield f"{name} is a pickle"
        if path.suffix in {".py", ".sh", ".so"} and path.read_bytes() != _OWN_CODE.read_bytes():
            yield f"{name} is code that is not ours"
        if path.suffix == ".html":
            yield from _on_a_page(name, path.read_bytes())
    if any(at.folder.rglob(CANARY)):
        yield "a planted text ran"


def _on_a_page(name: Path, page: bytes) -> Iterator[str]:
    if _LOADS.search(page):
        yield f"{name} loads something from elsewhere"
    if _HANDLES.search(page.partition(b"<iframe")[0]):
        yield f"{name} has a handler that a text brought"
