"""Settings: what is accepted, and what each mistake is told."""

import re
from dataclasses import fields, replace
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flows.errors import SettingsError, UnknownKbError
from flows.initialise import initialise
from flows.settings.knowledge_base import Limits
from flows.settings.policy import Policy
from flows.settings.settings import load_settings
from flows.settings.training import Training
from monitors.decision.policy import Mode, RetrainPolicy, Thresholds
from monitors.decision.quiet_hours import QuietHours
from retrieval.guards import RefreshLimits
from training.records import FinetuneConfig

MINIMAL = '[kb.docs.source]\npath = "docs"\n'


def settings(tmp_path: Path, text: str):
    file = tmp_path / "driftline.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def mistakes(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as raised:
        settings(tmp_path, text)
    return str(raised.value)


def test_a_source_is_all_that_must_be_said(tmp_path: Path):
    read = settings(tmp_path, MINIMAL)

    kb = read.knowledge_base("docs")
    assert read.resolve(kb.source.path) == tmp_path / "docs"
    assert read.home_folder == tmp_path / ".driftline"
    assert kb.retrain_policy() == RetrainPolicy()
    assert kb.refresh_limits() == RefreshLimits()
    assert kb.finetune_config() == FinetuneConfig()
    assert kb.thresholds() == Thresholds()


def test_several_knowledge_bases_stand_in_one_file(tmp_path: Path):
    read = settings(tmp_path, MINIMAL + '[kb.help.source]\npath = "help"\n')

    assert set(read.kb) == {"docs", "help"}


def test_every_number_of_the_file_reaches_the_policy(tmp_path: Path):
    read = settings(
        tmp_path,
        MINIMAL + '[kb.docs.policy]\nmode = "approve"\nbudget = 0.4\nwatch = 0.1\nretrain = 0.3\n'
        "hysteresis = 0.1\nagreeing = 2\nminimum_chunks = 3\ncooldown_hours = 36\n"
        "cooldown_checks = 4\nretrains_per_month = 5\n"
        'quiet_hours = "22:00-06:30"\ntime_zone = "Europe/Berlin"\n',
    )

    assert read.knowledge_base("docs").retrain_policy() == RetrainPolicy(
        mode=Mode.APPROVE,
        budget=0.4,
        watch=0.1,
        retrain=0.3,
        hysteresis=0.1,
        agreeing=2,
        minimum_chunks=3,
        cooldown=timedelta(hours=36),
        cooldown_checks=4,
        retrains_per_month=5,
        quiet_hours=QuietHours(time(22), time(6, 30), ZoneInfo("Europe/Berlin")),
    )


@pytest.mark.parametrize("name", [field.name for field in fields(Thresholds)])
def test_each_signals_threshold_is_read(tmp_path: Path, name: str):
    read = settings(tmp_path, MINIMAL + f"[kb.docs.policy]\n{name} = 0.3\n")

    assert read.knowledge_base("docs").thresholds() == replace(Thresholds(), **{name: 0.3})


def test_a_budget_is_all_that_must_be_said_of_the_levels(tmp_path: Path):
    read = settings(tmp_path, MINIMAL + "[kb.docs.policy]\nbudget = 0.4\n")

    policy = read.knowledge_base("docs").retrain_policy()
    assert (policy.retrain_level, policy.watch_level) == pytest.approx((0.4, 0.08))


def test_an_hours_price_is_read(tmp_path: Path):
    read = settings(tmp_path, MINIMAL + '[kb.docs.cost]\nper_hour = 2.5\ncurrency = "CHF"\n')

    cost = read.knowledge_base("docs").cost
    assert (cost.per_hour, cost.currency) == (2.5, "CHF")


@pytest.mark.parametrize("price", ["-0.01", "nan", "inf", "'cheap'"])
def test_a_price_that_is_none_is_refused(tmp_path: Path, price: str):
    told = mistakes(tmp_path, MINIMAL + f"[kb.docs.cost]\nper_hour = {price}\n")

    assert "4: 'kb.docs.cost.per_hour'" in told


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRIFTLINE_KB__DOCS__POLICY__RETRAIN", "0.4")
    monkeypatch.setenv("DRIFTLINE_HOME", str(tmp_path / "elsewhere"))

    read = settings(tmp_path, MINIMAL + "[kb.docs.policy]\nretrain = 0.2\nwatch = 0.1\n")

    assert read.knowledge_base("docs").policy.retrain == 0.4
    assert read.knowledge_base("docs").policy.watch == 0.1
    assert read.home_folder == tmp_path / "elsewhere"


def test_the_nearest_file_upwards_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "driftline.toml").write_text(MINIMAL)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)

    assert load_settings().file == tmp_path / "driftline.toml"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("retrian = 0.2", "3: unknown key 'kb.docs.policy.retrian'. Did you mean 'retrain'?"),
        ("watch = 1.5", "3: 'kb.docs.policy.watch': Input should be less than or equal to 1"),
        ("watch = 0", "3: 'kb.docs.policy.watch': Input should be greater than 0"),
        ("watch = -0.1", "3: 'kb.docs.policy.watch': Input should be greater than 0"),
        ("watch = nan", "3: 'kb.docs.policy.watch': Input should be a finite number"),
        ("watch = 'much'", "3: 'kb.docs.policy.watch': Input should be a valid number"),
        ("budget = inf", "3: 'kb.docs.policy.budget': Input should be a finite number"),
        (
            "mode = 'maybe'",
            "3: 'kb.docs.policy.mode': Input should be 'off', 'advise', 'approve' or 'auto'",
        ),
        ("watch = 0.3", "3: 'kb.docs.policy': watch (0.3) must not be over retrain (0.055)"),
        (
            "budget = 0.2\nretrain = 0.3",
            "3: 'kb.docs.policy': retrain (0.3) must not be over budget (0.2)",
        ),
        ("hysteresis = 1", "3: 'kb.docs.policy.hysteresis': Input should be less than 1"),
        ("cooldown_hours = 8785", "3: 'kb.docs.policy.cooldown_hours': Input should be less than"),
        ("retrains_per_month = 0", "3: 'kb.docs.policy.retrains_per_month': Input should be"),
        ("agreeing = 9", "3: 'kb.docs.policy.agreeing': Input should be less than or equal to 8"),
        (
            "quiet_hours = '22-6'",
            "3: 'kb.docs.policy.quiet_hours': must be two different times, such as '22:00-06:00'",
        ),
        ("quiet_hours = '06:00-06:00'", "3: 'kb.docs.policy.quiet_hours': must be two different"),
        (
            "quiet_hours = '22:00-06:00'\ntime_zone = 'Europe/Berln'",
            "4: 'kb.docs.policy.time_zone': must name a time zone, such as 'Europe/Berlin', got",
        ),
        (
            "time_zone = 'Europe/Berlin'",
            "3: 'kb.docs.policy': time_zone would do nothing without quiet_hours",
        ),
    ],
    ids=[
        *("typo", "over-one", "zero", "negative", "nan", "type", "infinite", "choice", "order"),
        *("over-budget", "no-exit", "cooldown", "cap", "agreeing", "quiet-hours", "no-quiet-hour"),
        *("zone", "idle-zone"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, lines: str, told: str):
    inner = lines.replace("\n", "\npolicy.")
    text = f'[kb.docs]\nsource = {{ path = "docs" }}\npolicy.{inner}\n'

    assert f"driftline.toml:{told}" in mistakes(tmp_path, text)


def test_every_mistake_is_told_at_once(tmp_path: Path):
    text = 'hoem = "x"\n' + MINIMAL + "[kb.docs.policy]\nwatch = 2\n[kb.docs.limtis]\n"

    told = mistakes(tmp_path, text)

    assert told.startswith("3 mistakes in the settings:")
    assert "1: unknown key 'hoem'. Did you mean 'home'?" in told
    assert "5: 'kb.docs.policy.watch'" in told
    assert "6: unknown key 'kb.docs.limtis'. Did you mean 'limits'?" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'kb' is missing"),
        ("[kb]\n", "'kb'"),
        ("[kb.docs]\n", "'kb.docs': give either one [source], or several as [sources.NAME]"),
        ("[kb.docs.source]\n", "'kb.docs.source.path' is missing"),
        (MINIMAL + "[kb.docs.sources.git]\npath='x'\n", "'kb.docs': give either one [source]"),
        ("[kb.docs.source]\nkind = 'ftp'\n", "kind must be one of folder, git, web, sql, store"),
        (
            "[kb.docs.source]\nkind = 'git'\nrepositry = 'x'\n",
            "3: unknown key 'kb.docs.source.repositry'. Did you mean 'repository'?",
        ),
        (
            "[kb.docs.sources.wiki]\nkind = 'web'\nstarts = ['x']\nmax_pages = 0\n",
            "4: 'kb.docs.sources.wiki.max_pages': Input should be greater than 0",
        ),
        (
            "[kb.docs.source]\nkind = 'sql'\nquery = 'q'\nkey = 'k'\ntext = 't'\n",
            "'kb.docs.source': give either url or url_variable",
        ),
        ('[kb."My Docs".source]\npath = "x"\n', "cannot name a knowledge base"),
        ("[kb.docs\n", "not TOML"),
        ("home = 1\nhome = 2\n", "not TOML"),
    ],
    ids=[
        "empty",
        "no-kb",
        "no-source",
        "no-path",
        "both",
        "kind",
        "typo-in-a-source",
        "value-in-one-of-several",
        "no-address",
        "bad-name",
        "torn",
        "twice",
    ],
)
def test_what_is_missing_or_torn_is_told(tmp_path: Path, text: str, told: str):
    assert told in mistakes(tmp_path, text)


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path):
    file = tmp_path / "driftline.toml"
    file.write_bytes(b'home = "\xff"\n')

    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(file)


def test_a_missing_file_names_the_cure(tmp_path: Path):
    with pytest.raises(SettingsError, match="driftline init"):
        load_settings(tmp_path / "driftline.toml")


def test_an_unknown_knowledge_base_names_the_known_ones(tmp_path: Path):
    with pytest.raises(UnknownKbError, match="There are: docs"):
        settings(tmp_path, MINIMAL).knowledge_base("dosc")


@pytest.mark.parametrize(
    ("table", "record"),
    [
        (Policy, (RetrainPolicy(), Thresholds())),
        (Limits, (RefreshLimits(),)),
        (Training, (FinetuneConfig(),)),
    ],
)
def test_the_settings_have_the_records_own_defaults(table, record):
    known = {f.name: getattr(part, f.name) for part in record for f in fields(part)}

    # Shares of a training's budget depend on where it starts: a test of their own says so.
    by_start = {"difference_share", "replay_share", "answer_share", "correction_share"}
    by_start |= {"learning_rate", "refusal_share"}
    by_start.add("chat_share")  # of no conversations there is no share
    shared = known.keys() & table.model_fields.keys() - by_start

    assert len(shared) >= 5
    assert {name: known[name] for name in shared} == {
        name: table.model_fields[name].default for name in shared
    }


def source_of(read, name):
    return read.kb[name].source


def test_init_writes_settings_that_can_be_read(tmp_path: Path):
    (tmp_path / "Our Docs").mkdir()

    file, name = initialise(tmp_path / "Our Docs", tmp_path)

    assert name == "our-docs"
    read = load_settings(file)
    assert read.resolve(source_of(read, name).path) == tmp_path / "Our Docs"


def test_what_init_comments_out_is_the_default(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    file, name = initialise(tmp_path / "docs", tmp_path)
    before, text = load_settings(file), file.read_text()

    file.write_text(re.sub(r"^# (?=[a-z_]+ = | )", "", text, flags=re.MULTILINE))

    after = load_settings(file)
    assert "include" in source_of(after, name).model_fields_set
    assert after.kb == before.kb
    assert (after.embedder, after.model) == (before.embedder, before.model)


def test_init_adds_a_second_knowledge_base_and_never_a_first_again(tmp_path: Path):
    for folder in ("docs", "help"):
        (tmp_path / folder).mkdir()
        initialise(tmp_path / folder, tmp_path)

    assert set(load_settings(tmp_path / "driftline.toml").kb) == {"docs", "help"}
    before = (tmp_path / "driftline.toml").read_text()
    with pytest.raises(SettingsError, match="already has a knowledge base 'docs'"):
        initialise(tmp_path / "docs", tmp_path)
    assert (tmp_path / "driftline.toml").read_text() == before
