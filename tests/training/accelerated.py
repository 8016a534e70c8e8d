"""Gradients of two steps, told by the process that speaks: `accelerate launch` starts several.

`python -m tests.training.accelerated BASE_FOLDER OUT`
"""

import json
import sys
from pathlib import Path

import torch

from training.encoding import Encoded
from training.fitting.batches import StepRows
from training.fitting.gradients import Gradients
from training.fitting.team import Team
from training.models.adapters import attach_adapter
from training.models.loading import load_base
from training.records import BaseModel, FinetuneConfig

ROWS = tuple(Encoded([900 + 5 * n + at for at in range(n)], n - 1) for n in (9, 4, 14, 6, 11))
# Five rows are two and three; of one row the second process has none.
STEPS = (StepRows(ROWS, is_text=True), StepRows(ROWS[:1], is_text=True))


class Exact(Team):
    """Processes that compute in float32."""

    @property
    def has_bfloat16(self) -> bool:
        return False


def told(folder: Path) -> dict[str, list[float]]:
    """Return loss, norm and a projection of each step's gradient, and how many shared it."""
    torch.manual_seed(5)
    base = BaseModel("tiny", folder, "")
    model = attach_adapter(load_base(base).float(), FinetuneConfig(rank=4)).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in weights:
        torch.nn.init.normal_(weight, std=0.1)
    team = Exact()
    made = Gradients(team.prepare(model), weights, team, most_rows=1, pad=2, packing=False, seed=1)
    found: dict[str, list[float]] = {"processes": [team.processes]}
    for at, rows in enumerate(STEPS):
        gradient = made.of(rows, at)
        flat = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None])
        along = torch.linspace(-1, 1, len(flat))
        found[str(at)] = [gradient.loss, gradient.norm, float(flat @ along)]
    return found


if __name__ == "__main__":
    answer, team = told(Path(sys.argv[1])), Team()
    if team.speaks:
        Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")
    team.part()
