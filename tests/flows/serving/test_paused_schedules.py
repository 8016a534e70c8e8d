"""What a deployment leaves of a person's doing at schedules; no server is asked."""

from uuid import UUID

import pytest
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule

from flows.serving.orchestration import _schedules
from flows.settings.schedule import Begin

EVERY = Begin("", "5 * * * *", "UTC")
HANDBOOK = Begin("handbook", "0 6 * * *", "UTC")


def there(slug: str, *, active: bool) -> DeploymentSchedule:
    """Make a schedule that a server has, with an older cron line."""
    return DeploymentSchedule(
        id=UUID(int=1),
        schedule=CronSchedule(cron="0 * * * *", timezone="UTC"),
        active=active,
        slug=slug,
    )


@pytest.mark.parametrize(
    ("found", "active"),
    [
        pytest.param([], True, id="a-new-one-runs"),
        pytest.param([there(EVERY.slug, active=True)], True, id="it-ran"),
        pytest.param([there(EVERY.slug, active=False)], False, id="a-person-paused-it"),
        pytest.param([there(HANDBOOK.slug, active=False)], False, id="all-before-it-were-paused"),
        pytest.param([there("mine", active=False)], True, id="a-person-paused-their-own"),
    ],
)
def test_a_declared_schedule_is_paused_where_a_person_paused_it(
    found: list[DeploymentSchedule],
    active: bool,  # noqa: FBT001 - a column of the table
):
    declared = _schedules([EVERY], found)[0]

    assert declared.active is active
    assert isinstance(declared.schedule, CronSchedule)
    assert declared.schedule.cron == "5 * * * *"


@pytest.mark.parametrize("active", [True, False])
def test_a_schedule_that_a_person_added_stays_as_it_is(active: bool):  # noqa: FBT001
    declared, added = _schedules([EVERY], [there("mine", active=active)])

    assert (declared.slug, added.slug, added.active) == (EVERY.slug, "mine", active)
