"""The tables of `drift.py`, each a title, a header and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from drift_archive import ReleasePair
from drift_ours import Measured, fit_without
from drift_peers import DETECTORS, Said
from drift_scores import (
    LEAST_AUC,
    LEAST_RHO,
    MAJOR,
    PATCH,
    Judged,
    Quality,
    area_under_curve,
    quality,
    rank_correlation,
)
from tables import verdict

from monitors.calibration import FITTED, Coefficients

NAMES = {"django": "Django", "scrapy": "Scrapy", "sqlalchemy": "SQLAlchemy"}
OURS = "Driftline"

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What `tables.show` takes."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Heard:
    """What every peer says of the pairs, in their order, and of halves of one version.

    `embedding_cpu_seconds` is what the vectors of one comparison cost before any is reused.
    """

    pairs: Sequence[dict[str, Said]]
    halves: Sequence[dict[str, Said]]
    embedding_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class _Measure:
    """A row of the first table; `holds` is what is asked of every project, and of all."""

    name: str
    shown: Callable[[Quality], str]
    limit: str = ""
    holds: Callable[[Quality], bool] | None = None

    def row(self, judged: Mapping[str, Quality], shipped: Quality) -> Row:
        """Return the cells, with a verdict that names whoever falls short."""
        short = [name for name, own in judged.items() if self.holds and not self.holds(own)]
        held = verdict(holds=not short) if self.holds else ""
        figures = [self.shown(own) for own in (*judged.values(), shipped)]
        return self.name, *figures, self.limit, f"{held}: {', '.join(short)}" if short else held


_MEASURES = (
    _Measure("pairs", lambda own: str(own.pairs)),
    _Measure(
        "patches that would retrain",
        lambda own: _of(own.retrained_patches, own.patches),
        "0",
        lambda own: own.retrained_patches == 0,
    ),
    _Measure("patches that are told", lambda own: _of(own.told_patches, own.patches)),
    _Measure(
        "majors that are told",
        lambda own: _of(own.told_majors, own.majors),
        "all",
        lambda own: own.told_majors == own.majors,
    ),
    _Measure(
        "rank correlation",
        lambda own: f"{own.rho:.3f}",
        f">= {LEAST_RHO}",
        lambda own: own.rho >= LEAST_RHO,
    ),
    _Measure("… that the labels allow", lambda own: f"{own.rho_allowed:.3f}"),
    _Measure(
        "area under the curve",
        lambda own: f"{own.auc:.3f}",
        f">= {LEAST_AUC}",
        lambda own: own.auc >= LEAST_AUC,
    ),
    _Measure("… that the labels allow", lambda own: f"{own.auc_allowed:.3f}"),
    _Measure("mean absolute error", lambda own: f"{own.error:.3f}"),
    _Measure("mean error", lambda own: f"{own.bias:+.3f}"),
)


def decisions(
    unfitted: Sequence[Judged], shipped: Sequence[Judged], found: Sequence[Measured]
) -> Table:
    """Tell what was decided, and how well the estimate ranks, by project and of all."""
    projects = sorted({each.pair.project for each in found})
    judged = {
        NAMES[project]: quality([each for each in unfitted if each.pair.project == project])
        for project in projects
    } | {"all": quality(unfitted)}
    fitted = [_said(fit_without(project, found)) for project in projects]
    rows = [measure.row(judged, quality(shipped)) for measure in _MEASURES]
    rows.append(("per fresh, per unseen", *fitted, "", _said(FITTED), "", ""))
    header = ("judged on", *judged, "all, as shipped", "limit", "")
    return Table("Staleness of documentation that was not fitted", header, rows)


def exceptions(unfitted: Sequence[Judged]) -> Table:
    """List the patches that people are told of, and the majors with the lowest estimates."""
    patches = [each for each in unfitted if each.pair.kind == PATCH and each.told]
    majors = sorted((each for each in unfitted if each.pair.kind == MAJOR), key=_staleness)
    rows = [
        (
            _name(each.pair),
            each.pair.kind,
            _percent(each.pair.stale),
            _percent(each.staleness),
            each.action.value,
        )
        for each in [*patches, *majors]
    ]
    header = ("releases", "kind", "asked", "estimated", "decision")
    return Table("Every major release, and the patches that are told", header, rows)


def alone(unfitted: Sequence[Judged], found: Sequence[Measured]) -> Table:
    """Tell how well each signal ranks by itself, beside the estimate."""
    labels = {each.pair: each.pair.stale for each in found}
    names = dict.fromkeys(s.name for each in found for s in each.report.signals)
    columns = {"the estimate, unfitted": {each.pair: each.staleness for each in unfitted}}
    for name in names:
        columns[name] = {
            each.pair: signal.score
            for each in found
            if (signal := each.report.signal(name)) and signal.score is not None
        }
    rows = [
        (name, str(len(scores)), *_ranking(list(scores.values()), [labels[at] for at in scores]))
        for name, scores in columns.items()
        if scores
    ]
    return Table("Each signal by itself", ("signal", "pairs measured", "rho", "AUC"), rows)


def beside(
    unfitted: Sequence[Judged], found: Sequence[Measured], heard: Heard, *, chunks: int
) -> Table:
    """Tell what the peers say of the same pairs, and of halves of one version."""
    own = mean(each.cpu_seconds for each in found)
    judged = quality(unfitted)
    told = [_of(judged.told_patches, judged.patches), _of(judged.told_majors, judged.majors)]
    rows = [(OURS, "none: paired", *told, *_shown(judged), f"{own:.2f}", "1.00")]
    for name in DETECTORS:
        said = [each[name] for each in heard.pairs]
        alarms = [_alarms(found, said, kind) for kind in (PATCH, MAJOR)]
        ranking = _ranking([each.score for each in said], [each.pair.stale for each in found])
        cost = mean(each.cpu_seconds for each in said)
        halves = [each[name].alarm for each in heard.halves]
        rows.append((name, _of(sum(halves), len(halves)), *alarms, *ranking, f"{cost:.2f}",
                     f"{cost / own:.2f}"))  # fmt: skip
    cost = heard.embedding_cpu_seconds
    rows.append(("the vectors that these need", "", "", "", "", "", f"{cost:.2f}",
                 f"{cost / own:.2f}"))  # fmt: skip
    header = ("detector", "false alarms on halves", "alarms on patches", "majors found", "rho",
              "AUC", "CPU s a comparison", "times ours")  # fmt: skip
    return Table(
        f"Beside detectors that read vectors, of {chunks:,} chunks a version", header, rows
    )


def _said(fitted: Coefficients) -> str:
    return f"{fitted.per_fresh:.2f}, {fitted.per_unseen:.2f}"


def _shown(own: Quality) -> tuple[str, str]:
    return f"{own.rho:.3f}", f"{own.auc:.3f}"


def _ranking(scores: Sequence[float], labels: Sequence[float]) -> tuple[str, str]:
    return f"{rank_correlation(scores, labels):.3f}", f"{area_under_curve(scores, labels):.3f}"


def _alarms(found: Sequence[Measured], said: Sequence[Said], kind: str) -> str:
    own = [each.alarm for at, each in zip(found, said, strict=True) if at.pair.kind == kind]
    return _of(sum(own), len(own))


def _of(count: int, total: int) -> str:
    return f"{count} of {total}"


def _name(pair: ReleasePair) -> str:
    return f"{NAMES[pair.project]} {pair.reference.version} → {pair.current.version}"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _staleness(each: Judged) -> float:
    return each.staleness
