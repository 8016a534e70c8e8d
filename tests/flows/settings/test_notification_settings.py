"""Whom the settings name, what they may say, and when things are tried again or told together."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.errors import SettingsError
from flows.settings.settings import Settings, load_settings
from flows.telling.notices import NoticeKind
from flows.telling.timing import DailyTime, next_try

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def configure(tmp_path: Path):
    def configured(table: str) -> Settings:
        file = tmp_path / "driftline.toml"
        file.write_text(f'{table}[kb.docs.source]\npath = "docs"\n', encoding="utf-8")
        return load_settings(file)

    return configured


def test_waits_double_with_a_jitter_of_half_that_belongs_to_the_key():
    waits = [next_try("key", attempts, NOON) - NOON for attempts in range(1, 40)]
    whole = [min(timedelta(seconds=30) * 2**n, timedelta(hours=24)) for n in range(39)]

    assert all(most / 2 <= wait <= most for wait, most in zip(waits, whole, strict=True))
    others = {next_try(f"key-{n}", 5, NOON) for n in range(50)}
    assert len(others) == 50
    assert next_try("key", 5, NOON) == next_try("key", 5, NOON)


@pytest.mark.parametrize(
    ("told", "due"),
    [
        (datetime(2026, 3, 28, 7, 0, tzinfo=UTC), datetime(2026, 3, 29, 6, tzinfo=UTC)),
        (datetime(2026, 3, 28, 6, 59, tzinfo=UTC), datetime(2026, 3, 28, 7, tzinfo=UTC)),
        (datetime(2026, 10, 24, 6, 0, tzinfo=UTC), datetime(2026, 10, 25, 7, tzinfo=UTC)),
    ],
    ids=["into-summer", "a-minute-before", "into-winter"],
)
def test_the_time_of_a_digest_follows_the_wall_clock(told: datetime, due: datetime):
    assert DailyTime.parse("08:00", "Europe/Berlin").next_after(told) == due


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[notify.targets.team]\n", "give either url_variable or url_file"),
        ('[notify.targets.team]\nurl = "json://x"\n', "url"),
        ('[notify]\nkinds = ["wach"]\n', "watch"),
        ("[notify]\nkinds = []\n", "kinds"),
        ('[notify]\nquiet_hours = "22-6"\n', "two different times"),
        ('[notify]\ndigest = "8:00"\n', "must be a time of day, such as '08:00'"),
        (
            '[notify]\ntime_zone = "Europe/Berln"\n',
            "must name a time zone, such as 'Europe/Berlin'",
        ),
        ('[notify]\nmlflow_address = "https://u:p@x.org"\n', "mlflow_address"),
    ],
    ids=["no-url", "url-in-file", "kind", "no-kinds", "hours", "digest", "zone", "password"],
)
def test_a_mistake_in_the_table_is_named(configure, table: str, said: str):
    with pytest.raises(SettingsError, match=said):
        configure(table)


def test_a_target_takes_from_the_table_what_it_does_not_say_itself(configure):
    notify = configure(
        '[notify]\nkinds = ["failed", "blocked"]\ndigest = "08:00"\nquiet_hours = "22:00-06:00"\n'
        '[notify.targets.a]\nurl_variable = "TEAM_URL"\n'
        '[notify.targets.b]\nurl_variable = "TEAM_URL"\nkinds = ["watch"]\ndigest = "09:30"\n'
    ).notify

    first, second = notify.addressee("a"), notify.addressee("b")

    assert notify.listening_to(NoticeKind.WATCH) == ("b",)
    assert notify.listening_to(NoticeKind.FAILED) == ("a",)
    assert (str(first.digest.at), str(second.digest.at)) == ("08:00:00", "09:30:00")
    assert first.quiet_hours == second.quiet_hours is not None
    assert notify.addressee("c") is None
