"""The whole job on real documents: index, serve, move, refresh, measure, decide, retrain, promote.

Run it with `make demo`. It goes on where it stands: a second run finds nothing changed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.desk import Desk, open_desk
from flows.monitor import monitor
from flows.records import MonitorOutcome
from flows.settings.settings import load_settings
from flows.showing.display import Display
from flows.steps import OnProgress
from monitors.wording import percent

ROOT = Path(__file__).resolve().parent.parent
# Two close releases, whose difference must not ask for retraining, and a later one that must.
RELEASES = ("2.10.0", "2.11.0", "2.15.0")
TEXT = (".rst", ".md", ".txt")

SETTINGS = """\
# Settings of the demo: the documentation of Scrapy, or our own handbook if it cannot be fetched.
home = "driftline"

[kb.scrapy.source]
path = "scrapy"

[kb.handbook.source]
path = "handbook"
"""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A knowledge base of the demo and its versions, oldest first, as folders."""

    kb: str
    title: str
    versions: tuple[tuple[str, Path], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One version of the documents, checked."""

    version: str
    outcome: MonitorOutcome
    seconds: float


def main() -> None:
    """Run the demo in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo")
    parser.add_argument("--handbook", action="store_true", help="use our own handbook")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    display = Display()
    corpus = handbook() if arguments.handbook else scrapy(folder, display) or handbook()
    settings_file = folder / "driftline.toml"
    settings_file.write_text(SETTINGS, encoding="utf-8")
    started = time.monotonic()
    steps = run(corpus, folder, settings_file, display)
    show(steps, corpus, folder, settings_file, time.monotonic() - started)


def run(corpus: Corpus, folder: Path, settings_file: Path, display: Display) -> list[Step]:
    """Check each version that is not behind us yet; at the end of the road, the last one again."""
    settings = load_settings(settings_file)
    placed = folder / f"{corpus.kb}.version"
    names = [name for name, _ in corpus.versions]
    at = placed.read_text(encoding="utf-8") if placed.exists() else names[0]
    steps = []
    for version, documents in corpus.versions[names.index(at) :]:
        say(display, f"\n{corpus.title} {version}")
        place(documents, folder / corpus.kb)
        placed.write_text(version, encoding="utf-8")
        began = time.monotonic()
        with open_desk(settings, corpus.kb) as desk:
            outcome = monitor(desk, display)
        steps.append(Step(version, outcome, time.monotonic() - began))
        tell(display, outcome)
    return steps


def scrapy(folder: Path, display: Display) -> Corpus | None:
    """Fetch three source releases of Scrapy once; None, and a sentence, if they cannot be."""
    sources = folder / "sources"
    versions = []
    for release in RELEASES:
        documents = sources / release
        if not documents.is_dir():
            title = f"Fetching the documentation of Scrapy {release}"
            if not display(title, partial(fetch, release, documents)):
                say(display, "Scrapy's documentation cannot be fetched, so this is our handbook.")
                return None
        versions.append((release, documents))
    return Corpus("scrapy", "Scrapy", tuple(versions))


def fetch(release: str, documents: Path, _: OnProgress) -> bool:
    """Download one source release with pip and unpack the text of its documentation."""
    download = documents.parent / "download" / release
    command = ["download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *command, "--dest", str(download), f"scrapy=={release}"],
        capture_output=True,
        check=False,
    )
    archives = sorted(download.glob("*.tar.gz"))
    if done.returncode or not archives:
        return False
    draft = documents.with_name(f"{documents.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    with tarfile.open(archives[0]) as archive:
        for member in archive:
            inside = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isfile() and inside.parts[:1] == ("docs",) and inside.suffix in TEXT:
                member.name = str(inside.relative_to("docs"))
                archive.extract(member, draft, filter="data")
    draft.rename(documents)
    return True


def handbook() -> Corpus:
    """Return the handbook that ships with the project."""
    folders = [ROOT / "examples" / "handbook" / f"v{number}" for number in (1, 2, 3)]
    versions = tuple((folder.name, folder) for folder in folders)
    return Corpus("handbook", "Our handbook", versions)


def place(documents: Path, live: Path) -> None:
    """Put one version where the knowledge base looks; files that stay the same are not touched."""
    wanted = {path.relative_to(documents) for path in documents.rglob("*") if path.is_file()}
    for path in [path for path in live.rglob("*") if path.is_file()]:
        if path.relative_to(live) not in wanted:
            path.unlink()
    for name in wanted:
        new, there = documents / name, live / name
        if not there.exists() or there.read_bytes() != new.read_bytes():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, there)


def say(display: Display, text: str) -> None:
    """Say a line between the progress lines."""
    display.console.print(Text(text, style="bold"))


def tell(display: Display, outcome: MonitorOutcome) -> None:
    """Say what was decided, and what came of it."""
    decision = outcome.check.decision
    display.console.print(Text(f"  {decision.action.value}: {decision.reason}"))
    if outcome.retraining:
        verdict = outcome.retraining.verdict
        word = "promoted" if verdict.promote else "not promoted"
        display.console.print(Text(f"  {word}: {verdict.reason}"))


def show(
    steps: list[Step], corpus: Corpus, folder: Path, settings_file: Path, seconds: float
) -> None:
    """Print the table at the end, champion before and after, the cost, and what opens what."""
    console = Console(highlight=False)
    columns = ("version", "changed", "unseen", "decision", "embedded", "release", "model", "time")
    table = Table(*columns, title=f"{corpus.title}: what happened")
    for step in steps:
        table.add_row(*row(step))
    console.print(table)
    with open_desk(load_settings(settings_file), corpus.kb) as desk:
        console.print(champion(desk))
    console.print(Text(f"It took {seconds:.0f} s, all of it on this machine.\n"))
    command = f".venv/bin/driftline --config {relative(settings_file)}"
    opens = {
        f"{command} history {corpus.kb}": "every release with its reason",
        f'{command} ask {corpus.kb} "…"': "an answer from the documents, with citations",
        f"{command} drift {corpus.kb}": "the signals now",
        f"{command} up": "Prefect and MLflow in the browser; Ctrl-C stops them",
        f"rm -r {relative(folder)}": "begin again",
    }
    for line, meaning in opens.items():
        console.print(Text(f"  {line}", style="bold"))
        console.print(Text(f"      {meaning}"))


def row(step: Step) -> tuple[str, ...]:
    """Return a version as a row of the table."""
    check, retraining = step.outcome.check, step.outcome.retraining
    plan, leading = check.refresh.plan, check.report.signal("unseen_shingles")
    changed = len(plan.added) + len(plan.edited) + len(plan.moved) + len(plan.removed)
    promoted = retraining.published if retraining else None
    serving = promoted or check.refresh.published
    return (
        step.version,
        str(changed),
        percent(leading.score) if leading and leading.score is not None else "?",
        check.decision.action.value,
        str(check.refresh.refreshed.embedded),
        serving.release.id[:8],
        f"{serving.release.model_version}" + (" (new)" if promoted else ""),
        f"{step.seconds:.0f} s",
    )


def champion(desk: Desk) -> Table:
    """Return the last weighing as a table: champion before and after, and what it cost."""
    entry = desk.journal.last(desk.name, "verdict")
    table = Table("the last retraining", "champion", "challenger")
    if entry is None:
        return table
    e = entry.payload["evaluation"]
    table.add_row("version", str(entry.payload["champion_version"]), str(entry.payload["version"]))
    rows = {"new text, bits per byte": "new", "old text, bits per byte": "old",
            "answers from passages, token F1": "f1"}  # fmt: skip
    for name, measure in rows.items():
        table.add_row(name, *(f"{e[measure][who]:.3f}" for who in ("champion", "challenger")))
    table.add_row("training and weighing, seconds", "", f"{entry.payload['seconds']:.0f}")
    table.add_row("promoted", "", "yes" if entry.payload["promote"] else "no")
    return table


def relative(path: Path) -> str:
    """Return a path as short as it can be typed from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    main()
