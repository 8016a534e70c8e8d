"""The gradient of a step: the same however it is cut, packed, or made after memory ran out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.parameter import Parameter

from tests.training.tiny import tiny_base
from training.encoding import Encoded
from training.errors import OutOfMemoryError
from training.fitting.batches import StepRows, cut, share_of
from training.fitting.gradients import Gradient, Gradients, summed_loss
from training.fitting.team import Team
from training.models.adapters import attach_adapter
from training.models.loading import load_base
from training.records import BaseModel, FinetuneConfig

LENGTHS = (17, 5, 9, 2, 30, 11, 3, 8)
TEXT = StepRows(
    tuple(Encoded([1_000 + 7 * n + at for at in range(n)], n - 1) for n in LENGTHS), is_text=True
)
ANSWERS = StepRows(tuple(Encoded(row.ids, 1) for row in TEXT.rows), is_text=False)
PAD = 2


@pytest.fixture(scope="module")
def model(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a tiny model in float32 whose adapter already does something."""
    tiny = tiny_base(base, tmp_path_factory.mktemp("tiny") / "model")
    torch.manual_seed(3)
    trained = attach_adapter(load_base(tiny).float(), FinetuneConfig(rank=4)).train()
    for weight in weights_of(trained):
        torch.nn.init.normal_(weight, std=0.1)
    return trained


class Exact(Team):
    """One process that computes in float32, where equal means equal to five digits."""

    @property
    def has_bfloat16(self) -> bool:
        return False


def weights_of(model: Any) -> list[Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def gradients(model: Any, *, most_rows: int, packing: bool = False, **more: Any) -> Gradients:
    return Gradients(
        model,
        weights_of(model),
        Exact(),
        most_rows=most_rows,
        pad=PAD,
        packing=packing,
        seed=1,
        **more,
    )


def made_by(made: Gradients, model: Any, rows: StepRows) -> tuple[float, Tensor]:
    loss = made.of(rows, 1).loss
    return loss, torch.cat([w.grad.flatten() for w in weights_of(model) if w.grad is not None])


@contextmanager
def memory_for(rows: int) -> Iterator[list[int]]:
    """Run out of memory, as torch says it on a CPU, where more rows than these are embedded."""
    asked: list[int] = []

    def refuse(module: object, given: tuple[Any, ...]) -> None:
        if isinstance(module, torch.nn.Embedding):
            asked.append(given[0].shape[0])
            if given[0].shape[0] > rows:
                msg = "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."
                raise RuntimeError(msg)

    handle = register_module_forward_pre_hook(refuse)
    try:
        yield asked
    finally:
        handle.remove()


@pytest.mark.slow
@pytest.mark.parametrize("rows", [TEXT, ANSWERS], ids=["text", "answers"])
@pytest.mark.parametrize("most_rows", [1, 3, 4])
def test_a_step_does_not_depend_on_how_it_is_cut(
    rows: StepRows, most_rows: int, model: Any
) -> None:
    whole_loss, whole = made_by(gradients(model, most_rows=8), model, rows)

    loss, cut_up = made_by(gradients(model, most_rows=most_rows), model, rows)

    assert loss == pytest.approx(whole_loss, rel=1e-5)
    torch.testing.assert_close(cut_up, whole, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("most_rows", [8, 3])
def test_packed_rows_have_the_loss_and_the_gradient_of_padded_ones(
    most_rows: int, model: Any
) -> None:
    padded_loss, padded = made_by(gradients(model, most_rows=8), model, TEXT)

    loss, packed = made_by(gradients(model, most_rows=most_rows, packing=True), model, TEXT)

    assert loss == pytest.approx(padded_loss, abs=1e-5)
    torch.testing.assert_close(packed, padded, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_packed_row_does_not_see_the_one_before_it(model: Any) -> None:
    row, other, third = TEXT.rows[0], TEXT.rows[2], TEXT.rows[5]

    def loss(*rows: Encoded) -> float:
        (batch,) = cut(StepRows(rows, is_text=True), most_rows=9, pad=PAD, packing=True)
        with torch.no_grad():
            return float(summed_loss(model, batch))

    alone = loss(row) + loss(other)
    assert loss(row, other) == pytest.approx(alone, rel=1e-5)
    assert loss(third, other) - loss(third) == pytest.approx(loss(other), rel=1e-5)


@pytest.mark.slow
def test_answers_are_never_packed() -> None:
    (batch,) = cut(ANSWERS, most_rows=8, pad=PAD, packing=True)

    assert batch.positions is None
    assert batch.ids.shape == (8, 30)


@pytest.mark.slow
@pytest.mark.parametrize(("room", "tried"), [(8, [8]), (4, [8, 4]), (1, [8, 4, 2, 1])])
def test_out_of_memory_halves_the_rows_and_keeps_the_gradient(
    room: int, tried: list[int], model: Any
) -> None:
    whole_loss, whole = made_by(gradients(model, most_rows=8), model, TEXT)
    notices: list[str] = []
    made = gradients(model, most_rows=8, on_notice=notices.append)

    with memory_for(room) as asked:
        loss, halved = made_by(made, model, TEXT)
        again = made.of(TEXT, 2).loss

    assert list(dict.fromkeys(asked)) == tried
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert again == pytest.approx(whole_loss, rel=1e-5)
    torch.testing.assert_close(halved, whole, rtol=1e-4, atol=1e-6)
    assert len(notices) == len(tried) - 1
    # What did not fit once is not tried again.
    assert asked.count(8) == (1 if room < 8 else 2)


@pytest.mark.slow
@pytest.mark.parametrize(("most_rows", "last"), [(8, 1), (1, 1), (2, 1)])
def test_one_row_that_does_not_fit_ends_the_training(most_rows: int, last: int, model: Any) -> None:
    with (
        memory_for(0) as asked,
        pytest.raises(OutOfMemoryError, match=r"step 5, with 1 rows.*`micro_rows`"),
    ):
        gradients(model, most_rows=most_rows).of(TEXT, 5)

    assert asked[-1] == last


@pytest.mark.slow
def test_the_rows_are_halved_three_times_at_most(model: Any) -> None:
    many = StepRows(TEXT.rows * 4, is_text=True)

    with memory_for(0) as asked, pytest.raises(OutOfMemoryError):
        gradients(model, most_rows=32).of(many, 1)

    assert asked == [32, 16, 8, 4]


@pytest.mark.slow
def test_another_error_is_not_taken_for_want_of_memory(model: Any) -> None:
    wrong = StepRows((Encoded([10**9, 1], 1),), is_text=True)

    with pytest.raises((IndexError, RuntimeError), match="index"):
        gradients(model, most_rows=8).of(wrong, 1)


@pytest.mark.parametrize("processes", [1, 2, 3, 16])
def test_every_row_is_one_processs_own(processes: int) -> None:
    shares = [share_of(TEXT, process, processes).rows for process in range(processes)]

    assert sorted(len(row.ids) for share in shares for row in share) == sorted(LENGTHS)


def test_a_loss_or_a_gradient_that_is_no_number_is_not_finite() -> None:
    assert Gradient(1.0, 2.0).finite
    assert not any(
        Gradient(*pair).finite
        for pair in [(float("nan"), 1.0), (1.0, float("inf")), (float("-inf"), 1.0)]
    )
