"""Is this machine, and the Python on it, fit to run on? Nothing here needs the settings."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from flows.examining.examination import Observation, failed, ok, warning

_OLDEST_PYTHON, _NEXT_PYTHON = (3, 11), (3, 15)
# A refresh of a few thousand documents, and a training of the small model, were measured in these.
_ENOUGH_BYTES, _LEAST_BYTES = 4 * 2**30, 2**30
_WATCHED_SECONDS = 0.2
_LARGEST_SKEW_SECONDS = 0.1
_GPU = Path("/dev/nvidia0")
_CGROUP = Path("/sys/fs/cgroup")


def check_python(running: tuple[int, int] = sys.version_info[:2]) -> Observation:
    """Observe whether this Python is one that the suite runs on."""
    said = f"Python {running[0]}.{running[1]}"
    if _OLDEST_PYTHON <= running < _NEXT_PYTHON:
        return ok("python", said)
    oldest = ".".join(map(str, _OLDEST_PYTHON))
    return failed("python", said, f"install Python {oldest} or one not much newer")


def check_libraries(
    needed: Sequence[str] | None = None, installed: Callable[[str], str] = version
) -> Observation:
    """Observe whether every library is there, in a version that is known to work."""
    listed = requires("driftline") or [] if needed is None else needed
    wrong = [each for line in listed if (each := _mismatch(Requirement(line), installed))]
    if wrong:
        cure = "pip install -c constraints.txt -e ."
        return failed("libraries", "; ".join(wrong), cure)
    return ok("libraries", f"{len(listed)} requirements hold")


def check_torch(build: str | None = None, *, gpu: bool | None = None) -> Observation:
    """Observe whether torch was built for what is in this machine; it is not imported."""
    try:
        found = build or version("torch")
    except PackageNotFoundError:
        return failed("torch", "it is not installed", "pip install -c constraints.txt torch")
    has_gpu = _GPU.exists() if gpu is None else gpu
    if has_gpu and found.endswith("+cpu"):
        cure = "install torch from the index of its CUDA builds, or leave it: training takes longer"
        return warning("torch", f"{found} computes on the processor; there is a GPU", cure)
    return ok("torch", found)


def check_processor(environment: Mapping[str, str] = os.environ) -> Observation:
    """Observe how many cores there are for us, and whether more threads are asked for."""
    cores, threads = usable_cores(), environment.get("OMP_NUM_THREADS", "")
    said = f"{cores:g} of {psutil.cpu_count() or 1} cores are ours"
    if threads.isdecimal() and int(threads) > max(cores, 1):
        cure = f"set OMP_NUM_THREADS to {max(int(cores), 1)}, or unset it"
        return warning("processor", f"{said}; OMP_NUM_THREADS asks for {threads} threads", cure)
    return ok("processor", said)


def check_memory(available: int | None = None) -> Observation:
    """Observe how much memory is left to us."""
    left = usable_memory() if available is None else available
    said = f"{left / 2**30:.1f} GiB are available"
    if left < _LEAST_BYTES:
        return failed("memory", said, "end what takes it; under 1 GiB a refresh may be killed")
    if left < _ENOUGH_BYTES:
        return warning("memory", said, "a training needs about 4 GiB: run it when less else runs")
    return ok("memory", said)


def check_clock(
    wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
) -> Observation:
    """Observe whether the wall clock goes as fast as the steady one, over a fifth of a second."""
    began, since = wall(), steady()
    time.sleep(_WATCHED_SECONDS)
    skew = (wall() - began) - (steady() - since)
    if abs(skew) > _LARGEST_SKEW_SECONDS:
        said = f"the wall clock moved {skew:+.1f} s against the steady one"
        return warning("clock", said, "let NTP slew the clock and not step it; schedules follow it")
    return ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def usable_cores() -> float:
    """Return how many cores this process may use: its affinity, and its control group's quota."""
    allowed = float(len(os.sched_getaffinity(0)))
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    return min(allowed, int(quota) / int(period)) if quota.isdecimal() else allowed


def usable_memory() -> int:
    """Return the bytes that are left: of the machine, or of the control group if that is less."""
    free = int(psutil.virtual_memory().available)
    limit, used = _read(_CGROUP / "memory.max"), _read(_CGROUP / "memory.current")
    return min(free, int(limit) - int(used)) if limit.isdecimal() and used.isdecimal() else free


def _mismatch(needed: Requirement, installed: Callable[[str], str]) -> str:
    """Return how a requirement is not met, "" if it is, or if it is none here."""
    if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = installed(needed.name)
    except PackageNotFoundError:
        return f"{needed.name} is missing"
    # A local build such as 2.13.0+cpu is the version that it is a build of.
    if needed.specifier.contains(found.partition("+")[0], prereleases=True):
        return ""
    return f"{needed.name} is {found}, needed is {needed.specifier}"


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""
