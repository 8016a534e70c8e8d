"""An MLflow run of a training: the plan, the rows as a dataset, curves, samples and scores."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.records import Weighed
from flows.steps import OnProgress
from flows.tracking.cards import escape
from flows.tracking.model_cards import MEASURES, evaluation_table, topic_table
from flows.tracking.run_figures import DECIDED, HELPED, MOVED, helped_figures, weighing_answers
from flows.tracking.run_links import linked, tag_of
from flows.tracking.weighing_plot import write_weighing
from training.records import FinetuneConfig, Row, Sample, TrainingSet, TrainingStep
from training.weighing import Evaluation, RowScore, Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NOTE = "mlflow.note.content"
# Every check has this figure, so its steps are those of the checks.
_CHECKS = "decision/level"
# As long as a dataset's digest may be in MLflow's database.
_DIGEST = 36


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """An open MLflow run of a training, which began at `started`.

    `timeline` is the run whose steps are the checks: what a training came to is told there too.
    """

    client: MlflowClient
    run_id: str
    started: datetime
    timeline: str

    def log_plan(
        self, examples: TrainingSet, config: FinetuneConfig, reason: str, *, estimate: str
    ) -> None:
        """Log what is about to be trained, on what, why, and what it will cost."""
        parameters = {**asdict(config), "reference": examples.reference}
        parameters |= {"current": examples.current, "data_digest": examples.digest}
        parameters |= {"train_rows": len(examples.train)}
        for name, value in parameters.items():
            self.client.log_param(self.run_id, name, value)
        self.client.set_tag(self.run_id, "driftline.reason", reason)
        self.client.set_tag(self.run_id, "driftline.estimate", estimate)
        moved = f"{examples.reference} → {examples.current}"
        self.client.set_tag(self.run_id, MOVED, moved)
        self._describe(f"## Why\n{escape(reason)}\n\n## Cost\n{escape(estimate)}")

    def log_examples(self, examples: TrainingSet, files: Sequence[Path]) -> None:
        """Log the rows: as files, and as the dataset that this run was trained on."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        for file in files:
            self.client.log_artifact(self.run_id, str(file), "examples")
        uri = f"{self.client.get_run(self.run_id).info.artifact_uri}/examples"
        dataset = Dataset(
            name=f"{examples.reference}..{examples.current}",
            digest=examples.digest[:_DIGEST],
            source_type="local",
            source=json.dumps({"uri": uri}),
            profile=json.dumps(_counted(examples)),
        )
        tags = [InputTag("mlflow.data.context", "training")]
        self.client.log_inputs(self.run_id, [DatasetInput(dataset, tags)])

    def on_step(self, on_progress: OnProgress) -> Callable[[TrainingStep], None]:
        """Return what a training calls after each step: metrics here, progress there."""
        from mlflow.entities import Metric

        def log(step: TrainingStep) -> None:
            on_progress(step.step, step.steps)
            told = {
                "train/loss": step.loss,
                "train/learning_rate": step.learning_rate,
                "train/tokens": float(step.tokens),
                "train/tokens_a_second": step.tokens / max(step.seconds, 1e-3),
            }
            moment = self._milliseconds(step.seconds)
            metrics = [Metric(name, value, moment, step.step) for name, value in told.items()]
            self.client.log_batch(self.run_id, metrics=metrics)

        return log

    def log_sample(self, sample: Sample) -> None:
        """Add one answer of the adapter as it is by now to the table of samples."""
        columns = {name: [value] for name, value in asdict(sample).items()}
        self.client.log_table(self.run_id, columns, artifact_file="samples.json")

    def log_weighing(self, examples: TrainingSet, weighed: Weighed) -> None:
        """Log champion beside challenger: metrics, every answer as a table, the verdict."""
        from mlflow.entities import Metric

        moment = self._milliseconds(weighed.adapter.seconds + weighed.evaluation.seconds)
        metrics = [Metric(name, value, moment, 0) for name, value in _metrics(weighed).items()]
        self.client.log_batch(self.run_id, metrics=metrics)
        answers = zip(
            examples.holdout_answers,
            weighed.champion.answers,
            weighed.challenger.answers,
            strict=True,
        )
        self._log_table("answers.json", [_answer(*each) for each in answers])
        self._log_table("measures.json", _measures(weighed.evaluation))
        self._log_table("topics.json", [asdict(topic) for topic in weighed.evaluation.topics])
        self._log_picture(weighed)
        verdict = weighed.verdict
        self.client.set_tag(self.run_id, "driftline.promote", str(verdict.promote).lower())
        self.client.set_tag(self.run_id, "driftline.verdict", verdict.reason)
        told = [f"## Verdict\n{escape(verdict.reason)}", evaluation_table(weighed.evaluation)]
        self._describe("\n\n".join([*told, *topic_table(weighed.evaluation.topics)]))
        self._name(verdict)
        self._tell_others(weighed)

    def _name(self, verdict: Verdict) -> None:
        """Let the run's name begin with the verdict, as a check's does with its decision."""
        said = "promote" if verdict.promote else "do not promote"
        name = self.client.get_run(self.run_id).info.run_name.rpartition(": ")[2]
        self.client.update_run(self.run_id, name=f"{said}: {name}")

    def _tell_others(self, weighed: Weighed) -> None:
        """Say what came of it in this run's tags, in the check's that asked, and over time."""
        answers = weighing_answers(weighed)
        for name, value in answers.items():
            self.client.set_tag(self.run_id, name, value)
        check = self.client.get_run(self.run_id).data.tags.get(tag_of("check"))
        if check:
            said = f"{answers[DECIDED].partition(':')[0]} a challenger: {answers[HELPED]}"
            self.client.set_tag(check, HELPED, said)
        self._log_helped(weighed)

    def _log_helped(self, weighed: Weighed) -> None:
        """Put what it cost and whether it helped at the timeline's last check."""
        from mlflow.entities import Metric

        figures = helped_figures(weighed)
        checks = self.client.get_metric_history(self.timeline, _CHECKS)
        step = max((point.step for point in checks), default=0)
        moment = self._milliseconds(weighed.adapter.seconds + weighed.evaluation.seconds)
        for run in (self.run_id, self.timeline):
            metrics = [Metric(name, value, moment, step) for name, value in figures.items()]
            self.client.log_batch(run, metrics=metrics)

    def _describe(self, note: str) -> None:
        """Write the description, and beneath it the links that the run's tags make."""
        run = self.client.get_run(self.run_id)
        told = linked(note, run.data.tags, str(run.info.experiment_id))
        self.client.set_tag(self.run_id, _NOTE, told)

    def _log_picture(self, weighed: Weighed) -> None:
        with tempfile.TemporaryDirectory() as made:
            picture = Path(made) / "weighing.png"
            title = "Promote" if weighed.verdict.promote else "Do not promote"
            write_weighing(weighed.evaluation, picture, title=title)
            self.client.log_artifact(self.run_id, str(picture))

    def _milliseconds(self, seconds: float) -> int:
        """Return the moment so many seconds after the start, in milliseconds since 1970."""
        return int(1000 * (self.started.timestamp() + seconds))

    def _log_table(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            columns = {key: [row[key] for row in rows] for key in rows[0]}
            self.client.log_table(self.run_id, columns, artifact_file=name)


def _counted(examples: TrainingSet) -> dict[str, int]:
    """Return how many rows of each kind there are, and of each part that is held out."""
    kinds = Counter(f"train {row.kind.value}" for row in examples.train)
    held_out = {
        "held out new": len(examples.holdout_new),
        "held out old": len(examples.holdout_old),
        "held out answers": len(examples.holdout_answers),
        "held out cloze": len(examples.holdout_cloze),
        "general": len(examples.holdout_general),
    }
    return {**kinds, **held_out}


def _metrics(weighed: Weighed) -> dict[str, float]:
    """Return every measure under `weigh/`, its change and the ends of its interval beside it."""
    found = {
        f"weigh/{name}{part}": value
        for name, change in weighed.evaluation.measures
        if change.rows
        for part, value in (
            ("_champion", change.champion),
            ("_challenger", change.challenger),
            ("_change", change.change.mean),
            ("_change_low", change.change.low),
            ("_change_high", change.change.high),
        )
    }
    return {
        **found,
        "weigh/seconds": weighed.evaluation.seconds,
        "weigh/champion_answer_seconds": weighed.evaluation.champion_answer_seconds,
        "weigh/challenger_answer_seconds": weighed.evaluation.challenger_answer_seconds,
        "train/seconds": weighed.adapter.seconds,
    }


def _measures(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "measure": MEASURES[name].label,
            "better": "more" if MEASURES[name].more else "less",
            "champion": change.champion,
            "challenger": change.challenger,
            "change": change.change.mean,
            "low": change.change.low,
            "high": change.change.high,
            "rows": change.rows,
            "documents": change.documents,
        }
        for name, change in evaluation.measures
        if change.rows
    ]


def _answer(row: Row, before: RowScore, after: RowScore) -> dict[str, Any]:
    return {
        "document": row.uri,
        "kind": row.kind.value,
        "question": row.question,
        "wanted": row.text,
        "was": row.stale,
        "champion": before.answer,
        "champion_f1": before.f1,
        "challenger": after.answer,
        "challenger_f1": after.f1,
    }
