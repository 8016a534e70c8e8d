"""A refresh that edited one document, as a check hands it on to MLflow and Prefect."""

from datetime import UTC, datetime

from flows.records import RefreshOutcome
from flows.release import Published, Release
from retrieval.records import Refreshed, RefreshPlan, Snapshot

RELEASE = Release(
    kb="docs",
    snapshot="docs@2",
    content_digest="c",
    embedder="e",
    model_name="driftline-docs",
    model_version=3,
    trained_on="docs@1",
    base="b",
    base_digest="base",
    adapter_digest="adapter",
    prompt_digest="p",
)
PLAN = RefreshPlan(
    kb="docs",
    base=None,
    added=(),
    edited=("a.md",),
    moved=(),
    removed=(),
    kept=(),
    unchanged=0,
    documents_before=1,
    refused=(),
    chunks=2,
    written=2,
    embedded=2,
    digest="d",
)
DONE = Refreshed(Snapshot.parse("docs@2"), "c", 1_000, 12_345, 20, 12_325, 1.0)
REFRESHED = RefreshOutcome(
    PLAN,
    DONE,
    Published(1, datetime(2026, 5, 4, tzinfo=UTC), "refresh", "1 edited", RELEASE),
    is_new=True,
)
