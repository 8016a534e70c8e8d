"""The training process: says what it does, fails by name, dies with whoever started it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.training.builders import SMALL, answer_row, text_row, training_set
from tests.training.tiny import tiny_base
from training.errors import (
    DivergedError,
    ExamplesCorruptError,
    NoSpaceError,
    TrainingError,
    TrainKilledError,
)
from training.examples.example_files import examples_digest, write_examples
from training.fitting.finetune import finetune
from training.fitting.jobs import (
    FOLDER_TAKEN,
    Failure,
    Finished,
    Job,
    Notice,
    as_line,
    from_line,
    read_job,
    write_job,
)
from training.fitting.listeners import Listeners
from training.fitting.trainer_process import train
from training.models.adapter_files import read_adapter
from training.records import BaseModel, Passage, Sample, Start, TrainingSet, TrainingStep

PASSAGES = [Passage("Lids", "The red lid opens at noon."), Passage("Lamps", "The lamp is green.")]
QUESTION = answer_row("When does the red lid open?", "at noon", PASSAGES, source=1)
CONFIG = replace(SMALL, batch_rows=1, epochs=1, rank=4, alpha=8, dropout=0.1, samples=1)
# As `accelerate config` writes it. On CPUs its launcher starts several processes by MPI only.
LAUNCHED = """
compute_environment: LOCAL_MACHINE
distributed_type: 'NO'
use_cpu: true
num_machines: 1
num_processes: 1
mixed_precision: 'no'
"""
UNTRIED = LAUNCHED.replace("mixed_precision: 'no'", "mixed_precision: fp16")


@pytest.fixture(scope="module")
def tiny(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(base, tmp_path_factory.mktemp("tiny") / "model")


def stored(folder: Path, *, rows: int = 12) -> TrainingSet:
    """Write rows and return them under the digest that reading checks."""
    texts = [text_row(f"The lid number {n} opens at noon.") for n in range(rows)]
    examples = training_set(texts, answers=[QUESTION])
    examples = replace(examples, digest=examples_digest(examples, CONFIG))
    write_examples(examples, folder, config=CONFIG)
    return examples


def job_in(tmp_path: Path, base: BaseModel) -> Job:
    return Job(base, tmp_path / "examples", CONFIG, tmp_path / "adapter")


@pytest.fixture
def watched(tiny: BaseModel, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a process that waits for a long training, and the id of the training's process."""
    stored(tmp_path / "examples", rows=3_000)
    write_job(job_in(tmp_path, tiny), tmp_path / "told")
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.training.training_parent", str(tmp_path / "told")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout
    with parent, parent.stdout:
        yield parent, int(parent.stdout.readline())


def is_gone(process: int) -> bool:
    try:
        gone, _ = psutil.wait_procs([psutil.Process(process)], timeout=20)
    except psutil.NoSuchProcess:
        return True
    return bool(gone)


@pytest.mark.parametrize(
    "word",
    [
        TrainingStep(3, 40, 1.5, 1e-3, 120, 4.25),
        Sample(3, 'What is "a"\nb?', "é", "<|im_end|>"),
        Notice("two\nlines"),
        Failure("TRAIN_OOM", "no"),
        Finished("f" * 64),
    ],
    ids=lambda word: type(word).__name__,
)
def test_a_word_survives_the_way_as_one_line(word: TrainingStep) -> None:
    line = as_line(word)

    assert "\n" not in line
    assert from_line(f"{line}\n") == word


@pytest.mark.parametrize(
    "line",
    ["", "Loading", "1", "[]", "{}", '{"kind": "Evil"}', '{"kind": "Notice"}', '{"kind": []}'],
)
def test_a_line_that_is_no_word_is_passed_over(line: str) -> None:
    assert from_line(line) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TRAIN_DIVERGED", DivergedError),
        ("TRAIN_NO_SPACE", NoSpaceError),
        (FOLDER_TAKEN, FileExistsError),
        ("UNHEARD_OF", TrainingError),
    ],
)
def test_a_failure_is_the_error_of_the_other_process(code: str, kind: type[Exception]) -> None:
    error = Failure(code, "why").as_error()

    assert type(error) is kind
    assert str(error) == "why"


@pytest.mark.parametrize("start", [None, Path("adapters/first")])
def test_a_job_is_read_as_it_was_written(start: Path | None, tmp_path: Path) -> None:
    config = replace(CONFIG, start=Start.CHALLENGER, micro_rows=3, packing=True)
    base = BaseModel("a", Path("bases/a"), "d")
    job = Job(base, Path("examples"), config, Path("adapters/next"), start)

    write_job(job, tmp_path / "told")

    assert read_job(tmp_path / "told") == job


@pytest.mark.slow
def test_a_training_process_makes_the_adapter_of_the_same_training_here(
    tiny: BaseModel, tmp_path: Path
) -> None:
    steps, samples = list[TrainingStep](), list[Sample]()
    examples = stored(tmp_path / "examples")
    here = finetune(tiny, examples, CONFIG, tmp_path / "here")

    there = train(job_in(tmp_path, tiny), Listeners(on_step=steps.append, on_sample=samples.append))

    assert there.digest == here.digest
    assert there == read_adapter(tmp_path / "adapter", base=tiny)
    assert [step.step for step in steps] == list(range(1, 13))
    assert [sample.step for sample in samples] == [4, 8, 12]
    assert not (tmp_path / "adapter.job").exists()


@pytest.mark.slow
def test_a_killed_training_process_is_told_and_gone_on_from(
    tiny: BaseModel, tmp_path: Path
) -> None:
    notices, job = list[str](), job_in(tmp_path, tiny)
    examples = stored(tmp_path / "examples")

    def kill(step: TrainingStep) -> None:
        if step.step == 5:
            for child in psutil.Process().children():
                if "training.fitting.worker" in child.cmdline():
                    child.kill()

    with pytest.raises(TrainKilledError, match=r"signal 9.*goes on from the last checkpoint"):
        train(job, Listeners(on_step=kill))
    adapter = train(job, Listeners(on_notice=notices.append))

    assert any(notice.startswith("Resuming after step") for notice in notices)
    assert adapter.digest == finetune(tiny, examples, CONFIG, tmp_path / "here").digest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_error_in_the_process_is_the_same_error_here(tiny: BaseModel, tmp_path: Path) -> None:
    stored(tmp_path / "examples")
    job = job_in(tmp_path, tiny)
    wild = replace(job, config=replace(CONFIG, learning_rate=1e30))

    with pytest.raises(DivergedError, match=r"step \d+ of 12.*Lower `learning_rate`"):
        train(wild, Listeners())
    (tmp_path / "examples" / "examples.json").write_text("{}")
    with pytest.raises(ExamplesCorruptError):
        train(job, Listeners())

    assert not (tmp_path / "adapter").exists()


@pytest.mark.slow
def test_an_error_nobody_expected_is_told_with_where_to_look(tmp_path: Path) -> None:
    stored(tmp_path / "examples")
    nowhere = BaseModel("gone", tmp_path / "gone", "d")

    with pytest.raises(TrainingError, match="gone"):
        train(job_in(tmp_path, nowhere), Listeners())


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_training_process_ends_with_whoever_started_it(
    how: signal.Signals, watched: tuple[subprocess.Popen[str], int]
) -> None:
    parent, child = watched
    assert psutil.Process(child).is_running()

    os.kill(parent.pid, how)

    assert is_gone(child)
    assert parent.wait(20) != 0


@pytest.mark.slow
def test_a_listener_that_fails_leaves_no_process_behind(tiny: BaseModel, tmp_path: Path) -> None:
    stored(tmp_path / "examples")

    def fail(_: TrainingStep) -> None:
        msg = "the tracking server is gone"
        raise ConnectionError(msg)

    with pytest.raises(ConnectionError):
        train(job_in(tmp_path, tiny), Listeners(on_step=fail))

    below = psutil.Process().children(recursive=True)
    assert not [child for child in below if "training.fitting.worker" in child.cmdline()]


@pytest.mark.slow
def test_two_processes_make_the_gradient_of_one(tiny: BaseModel, tmp_path: Path) -> None:
    """Started by what `accelerate launch` itself starts several processes with."""
    script = ["-m", "tests.training.accelerated", str(tiny.folder)]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    on_cpu = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}

    for name, how in (("one", script), ("both", [*launch, *script])):
        out = str(tmp_path / name)
        subprocess.run([sys.executable, *how, out], check=True, env=on_cpu)

    one, both = (json.loads((tmp_path / name).read_text()) for name in ("one", "both"))
    assert (one.pop("processes"), both.pop("processes")) == ([1], [2])
    for step, told in one.items():
        assert both[step] == pytest.approx(told, rel=1e-4)


@pytest.mark.slow
def test_an_accelerate_file_says_how_the_process_is_started(
    tiny: BaseModel, tmp_path: Path
) -> None:
    steps, file = list[TrainingStep](), tmp_path / "accelerate.yaml"
    examples = stored(tmp_path / "examples")
    file.write_text(LAUNCHED)

    adapter = train(job_in(tmp_path, tiny), Listeners(on_step=steps.append), accelerate_file=file)

    assert len(steps) == 12
    assert adapter.digest == finetune(tiny, examples, CONFIG, tmp_path / "here").digest


@pytest.mark.slow
def test_an_accelerate_file_with_an_untried_precision_is_refused(
    tiny: BaseModel, tmp_path: Path
) -> None:
    stored(tmp_path / "examples")
    (tmp_path / "untried.yaml").write_text(UNTRIED)

    with pytest.raises(TrainingError, match=r"'fp16'.*`mixed_precision` to 'no' or 'bf16'"):
        train(job_in(tmp_path, tiny), Listeners(), accelerate_file=tmp_path / "untried.yaml")
