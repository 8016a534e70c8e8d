"""When scheduled runs begin: wrong lines and zones are told at load, clock changes at deploy."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from prefect.client.schemas.schedules import CronSchedule

from flows.errors import SettingsError
from flows.serving.deployment_plan import declared, notices
from flows.settings.schedule import (
    Begin,
    KbSchedule,
    Schedule,
    begins,
    clock_changes,
    only_in_quiet_hours,
    read_cron,
)
from flows.settings.settings import Settings, load_settings
from monitors.decision.quiet_hours import QuietHours

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def settings(folder: Path, schedule: str = "", own: str = "") -> Settings:
    source = '[kb.docs.source]\npath = "docs"\n'
    text = f"[schedule]\n{schedule}\n[kb.docs.schedule]\n{own}\n{source}"
    (folder / "driftline.toml").write_text(text, encoding="utf-8")
    return load_settings(folder / "driftline.toml")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("60 * * * *", "minute '60', which must be 0 to 59", id="a-minute-too-many"),
        pytest.param("61 * * * *", "minute '61'", id="61-minutes"),
        pytest.param("0 24 * * *", "hour '24', which must be 0 to 23", id="hour-24"),
        pytest.param("0 0 0 * *", "day of the month '0', which must be 1 to 31", id="day-0"),
        pytest.param("0 0 * 13 *", "month '13', which must be 1 to 12", id="month-13"),
        pytest.param("0 0 * * 8", "day of the week '8', which must be 0 to 7", id="weekday-8"),
        pytest.param("0 0-25 * * *", "hour '25'", id="the-end-of-a-range"),
        pytest.param("* * * * * *", "there are 6", id="every-second"),
        pytest.param("0 * * *", "there are 4", id="four-fields"),
        pytest.param("", "there are 0", id="empty"),
        pytest.param("@hourly", "there are 1", id="a-nickname"),
        pytest.param("*/0 * * * *", "minute '*/0'", id="a-step-of-nothing"),
        pytest.param("0 9 * * mond", "day of the week 'mond'", id="a-misspelt-day"),
        pytest.param("-1 * * * *", "minute '-1'", id="negative"),
        pytest.param("R * * * *", "minute 'R'", id="random"),
    ],
)
def test_a_wrong_cron_line_is_told_with_the_field(line: str, told: str):
    with pytest.raises(ValueError, match="must be") as refused:
        read_cron(line)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    "line",
    ["0 * * * *", "59 23 31 12 7", "*/15 8-18 * * MON-FRI", "0 0 1,15 * *", "30 3 * * SUN"],
)
def test_what_is_taken_here_is_taken_by_prefect(line: str):
    assert CronSchedule(cron=read_cron(line)).cron == line


@pytest.mark.parametrize("table", ["schedule", "own"])
def test_a_wrong_schedule_is_told_when_the_settings_are_read(tmp_path: Path, table: str):
    with pytest.raises(SettingsError) as refused:
        settings(
            tmp_path, **{table: 'monitor = "61 * * * *"\ntimezone = "Europe/Berln"\nmoniter = "x"'}
        )

    told = str(refused.value)
    assert "3 mistakes" in told
    assert "minute '61', which must be 0 to 59" in told
    assert "such as 'Europe/Berlin'" in told
    assert "Did you mean 'monitor'?" in told


def test_all_knowledge_bases_share_a_schedule_until_one_has_its_own():
    same = begins("monitor", Schedule(), {"a": KbSchedule(), "b": KbSchedule()})
    other = begins("monitor", Schedule(), {"a": KbSchedule(), "b": KbSchedule(monitor="5 * * * *")})

    assert same == (Begin("", "0 * * * *", "UTC"),)
    assert other == (Begin("a", "0 * * * *", "UTC"), Begin("b", "5 * * * *", "UTC"))


def test_another_zone_alone_makes_it_a_schedule_of_its_own():
    found = begins("maintain", Schedule(), {"a": KbSchedule(), "b": KbSchedule(timezone=BERLIN)})

    assert [begin.timezone for begin in found] == ["UTC", BERLIN]


@pytest.mark.parametrize(
    ("own", "left"),
    [
        pytest.param({"a": KbSchedule(monitor="never")}, [], id="the-only-one"),
        pytest.param({"a": KbSchedule(monitor="never"), "b": KbSchedule()}, ["b"], id="one-of-two"),
    ],
)
def test_what_is_never_to_run_has_no_schedule(own: dict[str, KbSchedule], left: list[str]):
    assert [begin.kb for begin in begins("monitor", Schedule(), own)] == left


# In 2026 clocks in Berlin go from 02:00 to 03:00 on 29 March, from 03:00 to 02:00 on 25 October.
@pytest.mark.parametrize(
    ("cron", "days"),
    [
        pytest.param("0 2 * * *", ["03-29 once", "10-25 twice"], id="as-it-begins"),
        pytest.param("59 2 * * *", ["03-29 once", "10-25 twice"], id="as-it-ends"),
        pytest.param("0 3 * * *", [], id="just-after"),
        pytest.param("59 1 * * *", [], id="just-before"),
        pytest.param("30 2 * * 1", [], id="never-on-a-sunday"),
        pytest.param("30 2 * 10 *", ["10-25 twice"], id="in-october"),
        pytest.param("30 * * * *", [], id="every-hour"),
    ],
)
def test_a_fixed_hour_inside_a_clock_change_is_found(cron: str, days: list[str]):
    found = clock_changes(Begin("", cron, BERLIN), NEW_YEAR)

    assert [f"{c.start:%m-%d} {'twice' if c.twice else 'once'}" for c in found] == days


def test_a_zone_without_clock_changes_has_none():
    assert not list(clock_changes(Begin("", "30 2 * * *", "UTC"), NEW_YEAR))


def test_a_half_hour_clock_change_is_found_whole():
    [spring, autumn] = clock_changes(
        Begin("", "0,15,45 2,1 * * *", "Australia/Lord_Howe"), NEW_YEAR
    )

    assert (f"{spring.start:%H:%M}", f"{spring.end:%H:%M}", spring.twice) == (
        "01:30",
        "02:00",
        True,
    )
    assert (f"{autumn.start:%H:%M}", f"{autumn.end:%H:%M}", autumn.twice) == (
        "02:00",
        "02:30",
        False,
    )


def test_a_clock_change_is_told_with_its_day_and_cure(tmp_path: Path):
    told = notices(settings(tmp_path, f'maintain = "30 2 * * *"\ntimezone = "{BERLIN}"'), NEW_YEAR)

    assert len(told) == 2
    assert "on 2026-03-29, from 02:00 to 03:00, there is no local time" in told[0]
    assert "Choose another hour" in told[0]


def test_the_settings_take_the_place_of_the_schedules_of_prefect_yaml(tmp_path: Path):
    found = declared(settings(tmp_path, 'monitor = "7 * * * *"\nverify = "never"'))

    schedules = {each.name: [begin.cron for begin in each.begins] for each in found}
    assert schedules["monitor"] == ["7 * * * *"]
    assert schedules["maintain"] == ["30 3 * * *"]
    assert schedules["verify"] == []
    assert schedules["retrain"] == []


def test_without_settings_of_its_own_a_schedule_is_that_of_prefect_yaml(tmp_path: Path):
    written = {"monitor": "0 * * * *", "maintain": "30 3 * * *", "verify": "15 4 * * 0"}

    found = {each.name: each.begins for each in declared(settings(tmp_path))}

    assert {name: found[name][0].cron for name in written} == written


@pytest.mark.parametrize(
    ("cron", "zone", "hours", "only"),
    [
        pytest.param("0 2 * * *", "UTC", "22:00-06:00", True, id="nightly"),
        pytest.param("0 22 * * *", "UTC", "22:00-06:00", True, id="as-they-begin"),
        pytest.param("0 6 * * *", "UTC", "22:00-06:00", False, id="as-they-end"),
        pytest.param("0 * * * *", "UTC", "22:00-06:00", False, id="hourly"),
        pytest.param("0 2,12 * * *", "UTC", "22:00-06:00", False, id="one-of-two"),
        pytest.param("0 4 29 2 *", "UTC", "22:00-06:00", False, id="not-every-year"),
        # In UTC half past four, and half past three in summer.
        pytest.param("30 5 * * *", BERLIN, "00:00-05:00", True, id="another-zone"),
        pytest.param("30 6 * * *", BERLIN, "00:00-05:00", False, id="another-zone-in-winter"),
        pytest.param("never", "UTC", "22:00-06:00", False, id="by-hand"),
    ],
)
def test_a_schedule_in_quiet_hours_alone_is_known(cron: str, zone: str, hours: str, only: object):
    assert only_in_quiet_hours(Begin("docs", cron, zone), QuietHours.parse(hours)) is only


@pytest.mark.parametrize(
    ("mode", "refused"), [("auto", True), ("approve", True), ("advise", False)]
)
def test_checks_in_quiet_hours_alone_could_never_retrain_and_are_refused(
    tmp_path: Path, mode: str, refused: object
):
    policy = f'\n[kb.docs.policy]\nmode = "{mode}"\nquiet_hours = "22:00-06:00"'
    read = partial(settings, tmp_path, own=f'monitor = "0 2 * * *"\n{policy}')

    if not refused:
        assert read().kb["docs"].policy.quiet_hours == "22:00-06:00"
        return
    with pytest.raises(SettingsError, match=r"checks of 'docs'.*quiet hours alone"):
        read()
