"""How every knowledge base stands, in Prometheus' text format. Only file that knows its client.

No text of a document, no reason and no address is among the labels: names from the settings, and
words that the code knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flows.errors import PortTakenError
from flows.journal.journal import Journal
from flows.promoting.promotions import PROMOTION, Outcome
from flows.showing.look import Status
from flows.showing.status import Held
from monitors.records import Action

HOST = "127.0.0.1"
"""What is served has no password, so nobody but this machine may ask."""


@dataclass(slots=True)
class Totals:
    """What was counted in a journal so far: it is read on from where the last count ended."""

    decisions: Counter[str] = field(default_factory=Counter)
    guards: Counter[str] = field(default_factory=Counter)
    promotions: Counter[str] = field(default_factory=Counter)
    retrainings: int = 0

    def read_on(self, journal: Journal, kb: str) -> None:
        """Count what a knowledge base's journal holds beyond what was counted."""
        for kind, counted, word in (
            ("check", self.decisions, "action"),
            ("guard", self.guards, "code"),
            (PROMOTION, self.promotions, "outcome"),
        ):
            fresh = journal.count(kb, kind) - counted.total()
            if fresh > 0:
                counted.update(e.payload[word] for e in journal.entries(kb, kind, newest=fresh))
        self.retrainings = journal.count(kb, "verdict")


@dataclass(frozen=True, slots=True)
class Measured:
    """One knowledge base as it is told: how it stands, and what happened to it so far."""

    status: Status
    totals: Totals


Read = Callable[[], Sequence[Measured]]
"""Reads how every knowledge base stands now."""


class _Standings(Collector):
    """Reads anew each time that it is asked."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is would otherwise be read once more, to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, with a sample for each knowledge base that has the figure."""
        measured = self._read()
        for name, text, of in _GAUGES:
            gauge = GaugeMetricFamily(f"driftline_{name}", text, labels=["kb"])
            for each in measured:
                value = of(each.status)
                if value is not None:
                    gauge.add_metric([each.status.standing.kb], value)
            yield gauge
        yield from _labelled(measured)
        yield from _counted(measured)
        if measured:
            free = min(each.status.disk.free_bytes for each in measured)
            yield GaugeMetricFamily("driftline_disk_free_bytes", "Free on the disk of home.", free)
            told = max(each.status.now.timestamp() for each in measured)
            text = "When these figures were read; older, nobody updates them."
            yield GaugeMetricFamily("driftline_told_timestamp_seconds", text, told)


def text_of(read: Read) -> str:
    """Return all metrics as Prometheus reads them from a page or a file."""
    return generate_latest(_registry(read)).decode()


@contextmanager
def served(read: Read, port: int) -> Iterator[str]:
    """Serve the metrics on this machine while the block lasts; yield the address.

    Port 0 takes one that is free. Raises PortTakenError.
    """
    try:
        server, thread = start_http_server(port, addr=HOST, registry=_registry(read))
    except OSError as error:
        msg = (
            f"Something already listens on {HOST}:{port} ({error.strerror}). Stop it, or choose "
            "another port with `driftline metrics --serve PORT`."
        )
        raise PortTakenError(msg) from error
    try:
        yield f"http://{HOST}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(read: Read) -> CollectorRegistry:
    """Return a registry of our own: nothing about this process is worth telling."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Standings(read))
    return registry


def _of_last(end: str) -> Callable[[Status], float | None]:
    """Return what reads one figure of the last check's staleness."""

    def read(status: Status) -> float | None:
        last = status.standing.last
        value: float | None = getattr(last.staleness, end) if last and last.staleness else None
        return value

    return read


def _seconds_since(name: str) -> Callable[[Status], float | None]:
    """Return what reads how long ago a moment of the standing was."""

    def read(status: Status) -> float | None:
        then = getattr(status.standing, name)
        return None if then is None else float((status.now - then).total_seconds())

    return read


def _check_age(status: Status) -> float | None:
    last = status.standing.last
    return (status.now - last.time).total_seconds() if last else None


def _version(status: Status) -> float | None:
    published = status.standing.published
    return float(published.release.model_version) if published else None


_GAUGES: tuple[tuple[str, str, Callable[[Status], float | None]], ...] = (
    (
        "staleness_share",
        "Questions, 0..1, that the documents answer and the model's snapshot does not.",
        _of_last("share"),
    ),
    ("staleness_low_share", "Lower end of its 95 % interval.", _of_last("low")),
    ("staleness_high_share", "Upper end of its 95 % interval.", _of_last("high")),
    (
        "watch_level_share",
        "Staleness from which people are told.",
        lambda status: status.standing.watch_level,
    ),
    (
        "retrain_level_share",
        "Staleness from which it retrains.",
        lambda status: status.standing.retrain_level,
    ),
    (
        "snapshot_age_seconds",
        "Since the content that answers was first published.",
        _seconds_since("taken"),
    ),
    (
        "sources_read_age_seconds",
        "Since the sources were last read to the end.",
        _seconds_since("read"),
    ),
    ("last_check_age_seconds", "Since the last check.", _check_age),
    ("documents", "Documents in the index.", lambda status: status.standing.documents),
    ("chunks", "Chunks in the index.", lambda status: status.standing.chunks),
    (
        "old_text_documents",
        "Documents that answer with old text.",
        lambda status: sum(each.documents for each in status.standing.old_text),
    ),
    ("model_version", "Version of the model that answers.", _version),
    (
        "blocked",
        "1 where a guard stopped the last look at the sources.",
        lambda status: status.standing.stopped is not None,
    ),
    (
        "frozen",
        "1 where a rollback holds refreshes back.",
        lambda status: status.standing.frozen is not None,
    ),
    (
        "tainted",
        "1 where the model that answers was trained on text that was erased since.",
        lambda status: status.standing.tainted is not None,
    ),
    (
        "approval_waiting",
        "1 where a person has to say yes.",
        lambda status: status.standing.waiting is not None,
    ),
)


def _labelled(measured: Sequence[Measured]) -> Iterator[Metric]:
    """Yield what has a label beside the knowledge base's name."""
    outbox = GaugeMetricFamily(
        "driftline_outbox_waiting", "Errands that wait.", labels=["kb", "kind"]
    )
    held = GaugeMetricFamily("driftline_lease_held", "1 while held.", labels=["kb", "lease"])
    disk = GaugeMetricFamily("driftline_disk_bytes", "Disk in use.", labels=["kb", "part"])
    for each in measured:
        status, kb = each.status, each.status.standing.kb
        for errands in status.outbox:
            outbox.add_metric([kb, errands.kind], errands.waiting)
        held.add_metric([kb, "writer"], _surely_held(status.standing.writing))
        held.add_metric([kb, "training"], _surely_held(status.standing.training))
        disk.add_metric([kb, "index"], status.disk.index_bytes)
        disk.add_metric([kb, "adapters"], status.disk.adapters_bytes)
        disk.add_metric([kb, "mlflow"], status.disk.mlflow_bytes)
    yield from (outbox, held, disk)


def _counted(measured: Sequence[Measured]) -> Iterator[Metric]:
    """Yield the counters; a word that never came is told as 0, so that its first one is seen."""
    decisions = CounterMetricFamily(
        "driftline_decisions", "Decisions of checks.", labels=["kb", "action"]
    )
    guards = CounterMetricFamily("driftline_guards", "Looks stopped.", labels=["kb", "code"])
    retrainings = CounterMetricFamily("driftline_retrainings", "Verdicts given.", labels=["kb"])
    promotions = CounterMetricFamily(
        "driftline_promotions", "Attempts to change the champion.", labels=["kb", "outcome"]
    )
    for each in measured:
        kb, totals = each.status.standing.kb, each.totals
        for action in Action:
            decisions.add_metric([kb, action.value], totals.decisions[action.value])
        for code, count in sorted(totals.guards.items()):
            guards.add_metric([kb, code], count)
        for outcome in Outcome:
            promotions.add_metric([kb, outcome.value], totals.promotions[outcome.value])
        retrainings.add_metric([kb], totals.retrainings)
    yield from (decisions, guards, retrainings, promotions)


def _surely_held(held: Held | None) -> bool:
    return held is not None and held.certain
