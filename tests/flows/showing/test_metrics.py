"""Metrics: what Prometheus reads of a real journal, and what it must never read."""

import re
import socket
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from flows.errors import PortTakenError
from flows.journal.journal import Journal, open_journal
from flows.settings.training import PromotionMode
from flows.showing.disk_use import DiskUse
from flows.showing.look import Errands, Status
from flows.showing.metrics import HOST, Measured, Totals, served, text_of
from flows.showing.next_run import NextRun
from flows.showing.status import standing
from monitors.decision.policy import RetrainPolicy
from tests.flows.conftest import Place
from tests.flows.showing.test_status import HOUR, NOW, check, publish, refreshed

ROOT = Path(__file__).parents[3]
ALERTS = yaml.safe_load((ROOT / "docs" / "prometheus-alerts.yaml").read_text(encoding="utf-8"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as opened:
        yield opened


def measured(journal: Journal, totals: Totals | None = None) -> list[Measured]:
    counted = totals or Totals()
    counted.read_on(journal, "docs")
    stands = standing(
        journal, "docs", policy=RetrainPolicy(), promotion=PromotionMode.AUTO, now=NOW
    )
    errands = (Errands("notification", 3, NOW - HOUR),)
    disk = DiskUse(100, 20, 3, 4_000)
    return [Measured(Status(stands, NextRun(None, "", ""), errands, disk, NOW), counted)]


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return what a text says: name, knowledge base and other label → value."""
    return {
        (sample.name.removeprefix("driftline_"), *_values(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _values(labels: dict[str, str]) -> list[str]:
    return [labels[name] for name in sorted(labels, key=lambda name: (name != "kb", name))]


def told(journal: Journal) -> dict[tuple[str, ...], float]:
    return samples(text_of(lambda: measured(journal)))


def test_the_figures_are_those_of_the_journal(journal: Journal):
    refreshed(journal, NOW - 9 * HOUR, documents=7)
    publish(journal, NOW - 9 * HOUR, kind="first")
    check(journal, NOW - 2 * HOUR)
    check(journal, NOW - HOUR, action="retrain", staleness=0.06)

    found = told(journal)

    assert found["staleness_share", "docs"] == 0.06
    assert found["staleness_high_share", "docs"] == 0.05
    assert found["watch_level_share", "docs"] == pytest.approx(0.011)
    assert found["retrain_level_share", "docs"] == 0.055
    assert found["snapshot_age_seconds", "docs"] == 9 * 3600
    assert found["sources_read_age_seconds", "docs"] == 3600
    assert found["last_check_age_seconds", "docs"] == 3600
    assert (found["documents", "docs"], found["chunks", "docs"]) == (7, 21)
    assert found["decisions_total", "docs", "watch"] == 1
    assert found["decisions_total", "docs", "retrain"] == 1
    assert found["decisions_total", "docs", "blocked"] == 0
    assert found["outbox_waiting", "docs", "notification"] == 3
    assert found["disk_bytes", "docs", "index"] == 100
    assert found["disk_free_bytes",] == 4_000
    assert found["told_timestamp_seconds",] == NOW.timestamp()


def test_what_is_not_known_is_left_out_and_not_told_as_zero(journal: Journal):
    found = told(journal)

    assert ("staleness_share", "docs") not in found
    assert ("last_check_age_seconds", "docs") not in found
    assert ("model_version", "docs") not in found
    assert found["documents", "docs"] == 0


def test_guards_and_verdicts_are_counted(journal: Journal):
    for code in ("SRC_EMPTY", "SRC_EMPTY", "MASS_DELETE_BLOCKED"):
        journal.append("docs", "guard", {"code": code, "reason": "no"}, time=NOW)
    journal.append("docs", "verdict", {"version": 2, "promote": False}, time=NOW)

    found = told(journal)

    assert found["guards_total", "docs", "SRC_EMPTY"] == 2
    assert found["blocked", "docs"] == 1
    assert found["retrainings_total", "docs"] == 1
    assert found["promotions_total", "docs", "promoted"] == 0


def test_a_reader_that_is_asked_again_counts_only_what_came_since(journal: Journal):
    totals = Totals()
    check(journal, NOW - 2 * HOUR)
    measured(journal, totals)
    check(journal, NOW - HOUR)

    (found,) = measured(journal, totals)

    assert totals.decisions["watch"] == 2
    assert found.totals is totals


def test_no_reason_no_uri_and_no_address_is_told(journal: Journal):
    publish(journal, NOW - HOUR)
    reason = "secret-plan.md moved; password hunter2"
    check(journal, NOW, reason=reason)
    journal.append("docs", "guard", {"code": "SRC_EMPTY", "reason": reason}, time=NOW)
    journal.append("docs", "stale", {"documents": {"secret-plan.md": reason}}, time=NOW)

    text = text_of(lambda: measured(journal))

    assert "SRC_EMPTY" in text
    assert not re.search("secret|hunter2|moved", text)


def test_it_is_served_on_this_machine_and_read_anew_each_time(journal: Journal):
    with served(lambda: measured(journal), 0) as address:
        before = samples(read(address))
        check(journal, NOW)
        after = samples(read(address))

    assert address.startswith(f"http://{HOST}:")
    assert HOST == "127.0.0.1"
    assert ("staleness_share", "docs") not in before
    assert after["staleness_share", "docs"] == 0.03


def read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as response:  # noqa: S310 - loopback
        text: str = response.read().decode()
        return text


def test_a_port_that_is_taken_is_told_with_its_cure(journal: Journal):
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"{HOST}:{port}"), served(list, port):
            pytest.fail("it was served")


def test_the_command_prints_what_prometheus_reads(place: Place):
    found = samples(place.run("metrics").out)

    assert found["documents", "docs"] == 10
    assert abs(datetime.now(UTC).timestamp() - found["told_timestamp_seconds",]) < 600


def test_every_alert_asks_for_figures_that_there_are(journal: Journal):
    publish(journal, NOW - HOUR)
    check(journal, NOW)
    journal.append("docs", "guard", {"code": "SRC_EMPTY", "reason": "no"}, time=NOW)
    there = {f"driftline_{name}" for name, *_ in told(journal)}
    asked = {
        name
        for group in ALERTS["groups"]
        for rule in group["rules"]
        for name in re.findall(r"driftline_\w+", rule["expr"])
    }

    assert asked <= there
    assert all(f"`{name}`" in OPERATIONS for name in there)
