"""`driftline deploy` repeated: nothing doubled, nothing that a person did undone, changes told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.serving.automations import CHANGED
from flows.serving.deploy import Deployed, deploy
from flows.settings.settings import Settings, load_settings
from tests.flows.serving.conftest import Served

pytestmark = pytest.mark.slow

WAKING = "driftline: check when documents change"


@pytest.fixture
def settings(served: Served) -> Iterator[Settings]:
    """Return the settings of what serves, and deploy them anew when the test is over."""
    found = load_settings(served.folder / "driftline.toml")
    with temporary_settings({PREFECT_API_URL: f"{served.prefect}/api"}):
        yield found
        deploy(found, datetime.now(UTC))


def again(settings: Settings) -> Deployed:
    return deploy(settings, datetime.now(UTC))


def deployment(served: Served, name: str = "monitor") -> dict[str, Any]:
    found: dict[str, Any] = served.api(f"/deployments/name/{name}/{name}", method="GET")
    return found


def activate(served: Served, *, active: bool, slug: str = "driftline") -> None:
    found = deployment(served)
    [schedule] = [each for each in found["schedules"] if each["slug"] == slug]
    path = f"/deployments/{found['id']}/schedules/{schedule['id']}"
    served.api(path, {"active": active}, method="PATCH")


def planned(settings: Settings, **tables: Any) -> Settings:
    return Settings(**{**settings.model_dump(exclude_unset=True), **tables})


def test_what_is_as_declared_is_not_touched(served: Served, settings: Settings):
    before = deployment(served)["updated"]

    done = again(settings)

    assert done.changes == ()
    assert deployment(served)["updated"] == before


def test_a_schedule_that_a_person_paused_stays_paused(served: Served, settings: Settings):
    activate(served, active=False)
    try:
        unchanged = again(settings)
        other = again(planned(settings, schedule={"monitor": "5 * * * *"}))
        [schedule] = deployment(served)["schedules"]
    finally:
        activate(served, active=True)

    assert [(c.name, c.done) for c in unchanged.changes] == [("monitor driftline", "kept")]
    assert ("monitor", "updated", "schedules") in {(c.name, c.done, c.note) for c in other.changes}
    assert (schedule["schedule"]["cron"], schedule["active"]) == ("5 * * * *", False)


def test_a_schedule_that_a_person_added_stays(served: Served, settings: Settings):
    found = deployment(served)
    mine = {"schedule": {"cron": "7 7 * * *", "timezone": "UTC"}, "active": False}
    served.api(f"/deployments/{found['id']}/schedules", [mine])

    again(planned(settings, schedule={"monitor": "5 * * * *"}))

    there = deployment(served)["schedules"]
    added = next(each for each in there if each["slug"] is None)
    served.api(f"/deployments/{found['id']}/schedules/{added['id']}", method="DELETE")
    assert len(there) == 2
    assert (added["schedule"]["cron"], added["active"]) == ("7 7 * * *", False)


def test_a_schedule_of_its_own_for_a_knowledge_base_passes_its_name(
    served: Served, settings: Settings
):
    docs = settings.kb["docs"].model_dump(exclude_unset=True)
    own = {**docs, "schedule": {"monitor": "*/20 * * * *", "timezone": "Europe/Berlin"}}

    again(planned(settings, kb={"docs": own, "other": docs}))

    there = {each["slug"]: each for each in deployment(served)["schedules"]}
    assert set(there) == {"driftline-docs", "driftline-other"}
    assert there["driftline-docs"]["parameters"] == {"kb": "docs"}
    assert there["driftline-docs"]["schedule"]["timezone"] == "Europe/Berlin"
    assert deployment(served)["parameter_openapi_schema"]["properties"]["kb"]["enum"] == [
        "",
        "docs",
        "other",
    ]


def test_an_automation_that_a_person_switched_off_stays_off(served: Served, settings: Settings):
    def automation() -> dict[str, Any]:
        [found] = served.api("/automations/filter", {"automations": {"name": {"any_": [WAKING]}}})
        return dict(found)

    path = f"/automations/{automation()['id']}"
    served.api(path, {"enabled": False}, method="PATCH")
    try:
        done = again(settings)
        found = automation()
    finally:
        served.api(path, {"enabled": True}, method="PATCH")

    assert [(c.what, c.done) for c in done.changes] == [("automation", "kept")]
    assert found["enabled"] is False
    assert found["trigger"]["expect"] == [CHANGED]


def test_what_a_person_changed_by_mistake_is_put_right_and_told(served: Served, settings: Settings):
    found = deployment(served, "refresh")
    served.api(f"/deployments/{found['id']}", {"description": "mine"}, method="PATCH")

    done = again(settings)

    assert [(c.name, c.done, c.note) for c in done.changes] == [
        ("refresh", "updated", "description")
    ]
    assert deployment(served, "refresh")["description"] == found["description"]
    assert replace(done, changes=()).lines()[0].startswith("Nothing to change")
