"""doctor: each check on both sides of its limit, all of them at once, and the exit status."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from flows.doctor import OF_THE_MACHINE, OF_THE_PLACE, examine
from flows.examining import (
    machine_checks,
    model_checks,
    place_checks,
    service_checks,
    training_room,
)
from flows.examining.examination import Grade, failed, ok, status_of, warning
from flows.journal import lease
from flows.journal.journal import open_journal
from flows.model_places import locate
from flows.settings.settings import Settings, load_settings
from tests.flows.conftest import Place
from tests.retrieval.postgres import Postgres, postgres  # noqa: F401 a fixture

OK, WARNING, FAILED = Grade.OK, Grade.WARNING, Grade.FAILED
GIB = 2**30
NEEDED = ["fastapi>=0.139,<0.151", "sqlalchemy[asyncio]>=2.0,<2.1", "pandas>=2.2,<3"]


def written(folder: Path, more: str = "") -> Settings:
    (folder / "docs").mkdir(exist_ok=True)
    file = folder / "driftline.toml"
    file.write_text(f'{more}\n[kb.docs.source]\npath = "docs"\n')
    return load_settings(file)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return written(tmp_path)


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Serve one status for every address on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def versions(**found: str) -> Callable[[str], str]:
    def installed(name: str) -> str:
        if name not in found:
            raise PackageNotFoundError(name)
        return found[name]

    return installed


@pytest.mark.parametrize(
    ("running", "grade"),
    [((3, 10), FAILED), ((3, 11), OK), ((3, 14), OK), ((3, 15), FAILED)],
    ids=["too-old", "oldest", "newest", "too-new"],
)
def test_a_python_is_one_that_the_suite_runs_on(running: tuple[int, int], grade: Grade):
    assert machine_checks.check_python(running).grade is grade


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"fastapi": "0.150.2", "sqlalchemy": "2.0.44", "pandas": "2.3.3"}, ""),
        ({"fastapi": "0.151.0", "sqlalchemy": "2.0.44", "pandas": "2.3.3"}, "fastapi is 0.151.0"),
        ({"fastapi": "0.150.2", "sqlalchemy": "2.1.0", "pandas": "2.3.3"}, "sqlalchemy is 2.1.0"),
        ({"fastapi": "0.150.2", "sqlalchemy": "2.0.44", "pandas": "3.0.0"}, "pandas is 3.0.0"),
        ({"fastapi": "0.150.2", "sqlalchemy": "2.0.44"}, "pandas is missing"),
    ],
    ids=["within", "fastapi", "sqlalchemy", "pandas", "missing"],
)
def test_a_library_outside_its_limits_is_named(found: dict[str, str], said: str):
    observed = machine_checks.check_libraries(NEEDED, versions(**found))

    assert observed.grade is (FAILED if said else OK)
    assert said in observed.said


def test_a_local_build_counts_as_the_version_that_it_is_of():
    observed = machine_checks.check_libraries(["torch==2.13.0"], versions(torch="2.13.0+cpu"))

    assert observed.grade is OK


def test_a_requirement_of_an_extra_is_none_here():
    needed = ['s3fs>=2026.9; extra == "s3"']

    assert machine_checks.check_libraries(needed, versions()).grade is OK


@pytest.mark.parametrize(
    ("build", "gpu", "grade"),
    [("2.13.0+cpu", False, OK), ("2.13.0+cpu", True, WARNING), ("2.13.0+cu130", True, OK)],
    ids=["no-gpu", "gpu-unused", "gpu-used"],
)
def test_a_build_of_torch_fits_the_machine(build: str, grade: Grade, *, gpu: bool):
    assert machine_checks.check_torch(build, gpu=gpu).grade is grade


@pytest.mark.parametrize(
    ("threads", "grade"),
    [("", OK), ("1", OK), ("100000", WARNING), ("many", OK)],
    ids=["unset", "few", "too-many", "no-number"],
)
def test_more_threads_than_cores_are_told(threads: str, grade: Grade):
    assert machine_checks.check_processor({"OMP_NUM_THREADS": threads}).grade is grade


@pytest.mark.parametrize(
    ("available", "grade"),
    [(GIB - 1, FAILED), (GIB, WARNING), (4 * GIB - 1, WARNING), (4 * GIB, OK)],
    ids=["under-1-GiB", "at-1-GiB", "under-4-GiB", "at-4-GiB"],
)
def test_little_memory_is_told_before_it_kills(available: int, grade: Grade):
    assert machine_checks.check_memory(available).grade is grade


@pytest.mark.parametrize(("jump", "grade"), [(0.0, OK), (3600.0, WARNING), (-3600.0, WARNING)])
def test_a_wall_clock_that_jumps_is_told(jump: float, grade: Grade):
    walls = iter([1_000.0, 1_000.2 + jump])
    steadies = iter([5.0, 5.2])

    observed = machine_checks.check_clock(lambda: next(walls), lambda: next(steadies))

    assert observed.grade is grade


@pytest.mark.parametrize(
    ("free", "grade"),
    [(2**29 - 1, FAILED), (2**29, WARNING), (2**30 - 1, WARNING), (2**30, OK)],
    ids=["too-little", "just-enough", "nearly-twice", "twice"],
)
def test_the_disk_has_room_for_what_is_needed(settings: Settings, free: int, grade: Grade):
    assert place_checks.check_room(settings, free).grade is grade


def test_a_training_has_room_or_it_is_told(settings: Settings):
    needed = 10 * 2**20  # under the least that a training of the model in the package needs

    observed = training_room.check_training_room(settings, 0)

    assert training_room.check_training_room(settings, 2**40).grade is OK
    assert training_room.check_training_room(settings, needed).grade is WARNING
    assert observed.grade is WARNING
    assert "rank" in observed.cure


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({}, 4 * (8 + 8) + 3 * (8 + 16)),
        ({"num_key_value_heads": 1}, 2 * (8 + 8) + 2 * (8 + 2) + 3 * (8 + 16)),
        ({"head_dim": 4}, 4 * (8 + 16) + 3 * (8 + 16)),
    ],
    ids=["plain", "shared-keys", "wide-heads"],
)
def test_what_a_training_needs_follows_from_the_layers(config: dict[str, int], count: int):
    block = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 4}

    found = training_room.training_bytes({**block, "num_hidden_layers": 3, **config}, 5)

    assert found == 5 * 3 * count * 44


@pytest.mark.parametrize(
    ("skew", "grade"), [(None, OK), (2.0, OK), (2.1, WARNING), (-2.1, WARNING)]
)
def test_a_database_with_another_time_is_told(place: Place, skew: float | None, grade: Grade):
    settings = load_settings(place.folder / "driftline.toml")

    assert service_checks.check_database_clock(settings, lambda _: skew).grade is grade


def test_a_file_has_no_clock_but_this_machines(place: Place):
    with open_journal(load_settings(place.folder / "driftline.toml").journal_url) as journal:
        assert service_checks.clock_skew(journal) is None


def test_a_servers_time_is_asked_of_the_server(postgres: Postgres):  # noqa: F811 a fixture
    with open_journal(postgres.create_database("clock")) as journal:
        found = service_checks.clock_skew(journal)

    assert found is not None
    assert abs(found) < 2


def test_the_index_is_needed_once_more(place: Place):
    settings = load_settings(place.folder / "driftline.toml")
    big = settings.home_folder / "index" / "docs.lance" / "data" / "big"
    with big.open("wb") as file:
        file.truncate(2**30)

    assert place_checks.check_room(settings, 2**30 - 1).grade is FAILED


@pytest.mark.parametrize(
    ("kind", "grade"),
    [("ext4", OK), ("xfs", OK), ("", OK), ("tmpfs", WARNING), ("overlay", WARNING),
     ("nfs4", WARNING), ("cifs", WARNING), ("9p", WARNING)],
)  # fmt: skip
def test_a_disk_that_may_forget_is_told(settings: Settings, kind: str, grade: Grade):
    assert place_checks.check_file_system(settings, kind).grade is grade


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory disk on this system")  # noqa: S108
def test_a_folder_in_memory_is_seen_as_such():
    assert place_checks.file_system_of(Path("/dev/shm")) == "tmpfs"  # noqa: S108


def test_the_nearest_mount_point_counts_and_names_that_only_look_alike_do_not():
    mounts = [("/", "ext4"), ("/srv", "nfs4"), ("/srv/docs", "xfs")]

    assert place_checks.file_system_of(Path("/srv/docs/a"), mounts) == "xfs"
    assert place_checks.file_system_of(Path("/srv/docs2"), mounts) == "nfs4"
    assert place_checks.file_system_of(Path("/srvx"), mounts) == "ext4"


def test_a_folder_that_can_be_written_is_ok_and_stays_as_it_was(settings: Settings, tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))

    assert place_checks.check_writing(settings).grade is OK
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_written_is_named_with_user_and_mode(tmp_path: Path):
    # Nobody may make a file there, root neither.
    settings = written(tmp_path, 'home = "/proc/self"')

    observed = place_checks.check_writing(settings)

    assert observed.grade is FAILED
    assert "/proc" in observed.said
    assert f"user {os.getuid()}" in observed.said
    assert "mode dr-xr-xr-x" in observed.said
    assert place_checks.check_file_times(settings).grade is FAILED


@pytest.mark.parametrize(("skew", "grade"), [(2.0, OK), (2.1, WARNING), (-30.0, WARNING)])
def test_a_disk_with_a_clock_of_its_own_is_told(settings: Settings, skew: float, grade: Grade):
    assert place_checks.check_file_times(settings, skew).grade is grade


def test_what_is_made_at_the_first_refresh_is_not_missed_before(settings: Settings):
    for check in (
        service_checks.check_journal,
        service_checks.check_leases,
        service_checks.check_mlflow,
    ):
        assert check(settings).grade is OK
    assert not settings.home_folder.exists()


def test_a_journal_that_is_none_is_told(settings: Settings):
    settings.home_folder.mkdir()
    (settings.home_folder / "journal.db").write_bytes(b"this is no database" * 100)

    assert service_checks.check_journal(settings).grade is FAILED
    assert service_checks.check_leases(settings).grade is FAILED


def test_a_held_lease_is_named_and_one_that_nobody_renews_is_told(settings: Settings):
    with open_journal(settings.journal_url) as journal, lease.hold(journal, "docs:training"):
        held = service_checks.check_leases(settings)
        stale = service_checks.check_leases(settings, now=time.time() + lease.TTL_SECONDS + 1)
    free = service_checks.check_leases(settings)

    assert (held.grade, stale.grade, free.grade) == (OK, WARNING, OK)
    assert f"'docs:training' is held by process {os.getpid()}" in held.said
    assert free.said == "none is held"


def test_a_damaged_database_of_mlflow_is_told(place: Place):
    settings = load_settings(place.folder / "driftline.toml")
    file = settings.home_folder / "mlflow.db"
    assert service_checks.check_mlflow(settings).grade is OK
    content = file.read_bytes()

    file.write_bytes(content[:100] + bytes(3_000) + content[3_100:])

    assert service_checks.check_mlflow(settings).grade is FAILED


@pytest.mark.parametrize(("status", "grade"), [(200, OK), (401, OK), (404, FAILED), (500, FAILED)])
def test_a_tracking_server_answers_or_is_told(tmp_path: Path, status: int, grade: Grade):
    with answering(status) as port:
        settings = written(tmp_path, f'[mlflow]\ntracking_uri = "http://127.0.0.1:{port}"')

        assert service_checks.check_mlflow(settings).grade is grade


def test_a_password_in_an_address_is_not_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    address = f"http://ada:secret@127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", address)

    observed = service_checks.check_prefect(settings)

    assert observed.grade is WARNING
    assert "secret" not in observed.said


@pytest.mark.parametrize(("answers", "grade"), [(True, OK), (False, WARNING)], ids=str)
def test_a_prefect_api_is_not_needed_by_hand(
    settings: Settings, grade: Grade, monkeypatch: pytest.MonkeyPatch, *, answers: bool
):
    with answering(200) as port:
        at = port if answers else free_port()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{at}/api")

        assert service_checks.check_prefect(settings).grade is grade


@pytest.mark.parametrize(
    ("status", "grade", "said"),
    [(None, OK, "is free"), (200, OK, "is served"), (404, FAILED, "something else listens")],
    ids=["free", "ours", "a-stranger"],
)
def test_a_port_is_free_or_served_by_what_belongs_there(
    tmp_path: Path, status: int | None, grade: Grade, said: str
):
    with answering(status or 200) as port:
        prefect = port if status else free_port()
        more = f"[servers]\nprefect_port = {prefect}\nmlflow_port = {free_port()}"

        observed = service_checks.check_ports(written(tmp_path, more))

    assert observed.grade is grade
    assert said in observed.said


@pytest.mark.parametrize(
    ("more", "grade"),
    [
        ("", OK),
        ('[model]\nbase = "package:no-such-model"', FAILED),
        ('[model]\nbase = "./no/such/folder"', FAILED),
        ('[model]\nbase = "someone/no-such-model"', WARNING),
    ],
    ids=["there", "no-package", "no-folder", "of-the-hub"],
)
def test_a_base_model_is_there_or_told(tmp_path: Path, more: str, grade: Grade):
    assert model_checks.check_base(written(tmp_path, more)).grade is grade


@pytest.mark.parametrize(
    ("more", "grade"),
    [
        ("", OK),
        ('[embedder]\nmodel = "package:no-such-model"', FAILED),
        ('[embedder]\naddress = "http://127.0.0.1:9"\nmax_tokens = 100', OK),
    ],
    ids=["there", "no-package", "behind-an-address"],
)
def test_an_embedder_is_there_or_told(tmp_path: Path, more: str, grade: Grade):
    assert model_checks.check_embedder(written(tmp_path, more)).grade is grade


def test_models_are_held_against_what_answers(place: Place, tmp_path: Path):
    settings = load_settings(place.folder / "driftline.toml")
    other = locate(settings.embedder.model)
    assert isinstance(other, Path)
    copied = tmp_path / "embedder"
    copied.mkdir()
    for path in other.rglob("*"):
        if path.is_file():
            there = copied / path.relative_to(other)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(path)
    config = copied / "config.json"
    told = config.read_text()
    config.unlink()
    config.write_text(told + "\n")  # what a damaged byte does: another digest
    changed = settings.model_copy(
        update={"embedder": settings.embedder.model_copy(update={"model": str(copied)})}
    )

    assert model_checks.check_embedder(settings).grade is OK
    assert model_checks.check_base(settings).grade is OK
    assert model_checks.check_embedder(changed).grade is WARNING


@pytest.mark.parametrize(
    ("grades", "status"),
    [((), 0), ((OK, OK), 0), ((OK, WARNING), 1), ((FAILED, WARNING), 2)],
    ids=["none", "well", "a-warning", "a-failure"],
)
def test_the_worst_decides_the_exit_status(grades: tuple[Grade, ...], status: int):
    make = {OK: ok("a", "b"), WARNING: warning("a", "b", "c"), FAILED: failed("a", "b", "c")}

    assert status_of(make[grade] for grade in grades) == status


def test_without_settings_the_machine_is_examined_and_the_mistake_named(tmp_path: Path):
    observed = examine(tmp_path / "driftline.toml")

    assert len(observed) == len(OF_THE_MACHINE) + 1
    assert observed[-1].grade is FAILED
    assert "driftline init" in observed[-1].cure


def test_everything_is_examined_in_under_ten_seconds(place: Place):
    began = time.monotonic()

    ran = place.run("doctor", "--json")

    told = ran.json
    assert time.monotonic() - began < 10
    assert len(told["checks"]) == len(OF_THE_MACHINE) + 1 + len(OF_THE_PLACE)
    assert ran.status == told["status"]
    assert {each["name"] for each in told["checks"] if each["grade"] == "failed"} == set()
    assert all(each["cure"] for each in told["checks"] if each["grade"] != "ok")


def test_the_doctor_comes_without_the_heavy_frameworks(place: Place):
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from flows.doctor import examine\n"
        f"examine(Path({str(place.folder / 'driftline.toml')!r}))\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(json.loads(done.stdout))
    assert loaded.isdisjoint({"lancedb", "torch", "transformers", "mlflow", "prefect", "evidently"})
