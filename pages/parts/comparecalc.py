"""The figures of the Compare page as numbers: curves, final values, improvement over random, attainment.

A method's runs are compared by one metric; the best so far is always told by the objective behind it, so a
test metric is that of the architecture that the search itself would take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nascore import pareto, stats
from nascore.errors import AppError
from nascore.measures import anytime, attainment, compare, significance
from nascore.measures.anytime import Curve
from nascore.measures.relative import Improvement
from nascore.runs import launch
from nascore.stats import Interval
from pages.parts import stores
from pages.parts.comparedata import MOMENTS, VOLUME, Method, Run, Truth

Values = NDArray[np.float64]
TABLE = "table"


@dataclass(frozen=True)
class Asked:
    """One view of some runs.

    Attributes:
        methods: with their runs.
        objectives: those that all share, with their direction.
        metrics: what runs can be compared by -> the objective that tells the best.
        metric: the one that is asked.
        clocks: those that all runs have.
        clock: the one that is asked.
        band: `range` or `interval`.
        truths: of each method what its table knows.
        base: what stands for chance: `table`, a method's key, or empty.
        pair: the two objectives of the attainment surfaces; empty with one objective.
    """

    methods: tuple[Method, ...]
    objectives: dict[str, str]
    metrics: dict[str, str]
    metric: str
    clocks: tuple[str, ...]
    clock: str
    band: str
    truths: tuple[Truth | None, ...]
    base: str
    pair: tuple[str, ...] = ()

    @property
    def by(self) -> str:
        """The objective that tells the best; empty for the hypervolume."""
        return self.metrics[self.metric]

    @property
    def direction(self) -> str:
        """Which way the metric is better."""
        return "max" if self.metric == VOLUME else self.objectives[self.by]

    @property
    def runs(self) -> list[Run]:
        """All runs."""
        return [r for m in self.methods for r in m.runs]

    @cached_property
    def volumes(self) -> dict[str, tuple[NDArray[np.int64], Values]]:
        """Run -> (rows, hypervolume after them)."""
        return _volumes(str(launch.home()), _marks(self.runs), tuple(self.objectives.items()), self.runs)

    def one_table(self) -> Truth | None:
        """The table that all asked, with all of its values alike; None where there is no such."""
        first = self.truths[0] if self.truths else None
        same = first is not None and all(
            t is not None and t.table == first.table and t.mean(self.metric) == first.mean(self.metric)
            for t in self.truths
        )
        return first if same else None

    def best(self) -> float:
        """The best value that all could have found; NaN where no table knows it."""
        table = self.one_table()
        return table.best(self.metric, self.direction) if table else math.nan


def series(a: Asked, run: Run) -> tuple[Values, Values]:
    """(cost, value) of a run's best so far."""
    if a.metric == VOLUME:
        return _volume(a, run)
    rows = run.rows(a.by, a.direction)
    return run.arrays.clocks[a.clock], anytime.followed(run.arrays.values[a.metric], rows)


def curves(a: Asked) -> list[Curve | None]:
    """One a method."""
    out = []
    for m in a.methods:
        runs = [anytime.Run(*series(a, r), ended=not r.summary.live) for r in m.runs]
        out.append(anytime.curve(runs, a.band))
    return out


def final(a: Asked, run: Run) -> float:
    """What the run has come to; NaN where it found nothing."""
    if a.metric == VOLUME:
        value = _volume(a, run)[1]
        return float(value[-1]) if len(value) else math.nan
    rows = run.rows(a.by, a.direction)
    return float(run.arrays.values[a.metric][rows[-1]]) if len(rows) and rows[-1] >= 0 else math.nan


def finals(a: Asked) -> list[dict[str, float]]:
    """Of each method run -> final value, those that found something."""
    return [{r.id: v for r in m.runs if math.isfinite(v := final(a, r))} for m in a.methods]


def means(found: Sequence[dict[str, float]]) -> list[Interval]:
    """Mean of each method with Student's interval."""
    return [stats.mean(list(f.values())) for f in found]


def regret(a: Asked, found: dict[str, float]) -> Interval | None:
    """How far a method's mean is from the best of the table; None where no table knows it."""
    best = a.best()
    if not math.isfinite(best) or not found:
        return None
    made = stats.mean([abs(v - best) for v in found.values()])
    return made if math.isnan(made.low) else replace(made, low=max(made.low, 0.0))


def tests(a: Asked, found: Sequence[dict[str, float]]) -> list[significance.Trial]:
    """Every method against every other; samples by seed."""
    samples: dict[str, dict[int, float]] = {}
    for m, values in zip(a.methods, found, strict=True):
        samples[m.key] = {r.summary.seed: values[r.id] for r in m.runs if r.id in values}
    return significance.trials(samples, a.direction, {m.key: m.kind() for m in a.methods})


def accuracies(a: Asked, values: Sequence[float] | Values) -> Values | None:
    """Values as what the paper's measure needs, higher is better; None where the metric is none such."""
    given = np.asarray(values, np.float64)
    if a.metric == VOLUME:
        return None
    if a.direction == "max":
        return given
    return 100.0 - given if stores.is_percent(a.metric) else None


def bases(a: Asked) -> dict[str, str]:
    """What can stand for chance, key -> what it is called."""
    out: dict[str, str] = {}
    table = a.one_table()
    if a.metric != VOLUME and table is not None and math.isfinite(table.mean(a.metric)):
        out[TABLE] = f"the mean of {table.table}"
    for m in a.methods:
        if m.document["strategy"]["name"] == "random_search":
            out[m.key] = f"what {m.name} drew"
    return out


def improvements(a: Asked, found: Sequence[dict[str, float]]) -> list[Improvement | str]:
    """Of each method its relative improvement over chance, or why it has none."""
    return _improvements(str(launch.home()), _marks(a.runs), (a.metric, a.base), a, found)


@st.cache_resource(max_entries=32, show_spinner="Resampling...")
def _improvements(
    home: str, marks: tuple[str, ...], asked: tuple[str, str], _a: Asked, _found: Sequence[dict[str, float]]
) -> list[Improvement | str]:
    a, found = _a, _found
    random: Values | None = None
    if a.base == TABLE:
        table = a.one_table()
        chance = accuracies(a, [table.mean(a.metric)]) if table else None
    else:
        random = next((drawn(a, m) for m in a.methods if m.key == a.base), np.zeros(0))
        chance = accuracies(a, random)
    out: list[Improvement | str] = []
    for m, values in zip(a.methods, found, strict=True):
        mine = accuracies(a, list(values.values()))
        if mine is None or chance is None:
            out.append("it is told of accuracies: measure by an error or an accuracy")
            continue
        if why := _elsewhere(a, m):
            out.append(why)
            continue
        try:
            made = (
                compare.over_mean(mine, float(chance[0]))
                if random is None
                else compare.over_random(mine, chance)
            )
        except AppError as error:
            out.append(str(error))
            continue
        out.append(made)
    return out


def _elsewhere(a: Asked, m: Method) -> str:
    """Why a random average is not one of the method's own space and protocol; empty where it is."""
    other = next((o for o in a.methods if o.key == a.base), m)
    if any(other.document[p] != m.document[p] for p in ("space", "constraints")):
        return "it searches another space than chance did"
    return "" if other.kind() == m.kind() else "it is judged under another protocol than chance"


def drawn(a: Asked, m: Method) -> Values:
    """(n,) the metric of every architecture that a method's runs judged."""
    found = [r.arrays.values[a.metric] for r in m.runs if a.metric in r.arrays.values]
    all_ = np.concatenate(found or [np.zeros(0)])
    return all_[np.isfinite(all_)]


def points(run: Run, ways: dict[str, str]) -> Values:
    """(n, objectives) costs of a run, lower is better; NaN where something is missing."""
    return pareto.costs(np.stack([run.arrays.values[m] for m in ways], 1), list(ways.values()))


def _marks(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(f"{r.id}:{stores.owner().version(r.id)}" for r in runs)


def _volume(a: Asked, run: Run) -> tuple[Values, Values]:
    """(cost, share of the box between the best and the reference of all runs that its front covers)."""
    at, covered = a.volumes[run.id]
    return run.arrays.clocks[a.clock][at], covered


@st.cache_resource(max_entries=16, show_spinner="Measuring the fronts...")
def _volumes(
    home: str, marks: tuple[str, ...], objectives: tuple[tuple[str, str], ...], _runs: Sequence[Run]
) -> dict[str, tuple[NDArray[np.int64], Values]]:
    """Run -> (rows, hypervolume after them), each objective scaled so that the reference lies at 1."""
    costs = {r.id: points(r, dict(objectives)) for r in _runs}
    every = np.concatenate(list(costs.values()))
    reference = pareto.reference(every)
    if reference is None:
        return {r: (np.zeros(0, np.int64), np.zeros(0)) for r in costs}
    low = every[np.isfinite(every).all(1)].min(0)
    out = {}
    for run, rows in costs.items():
        n = len(rows)
        moments = sorted({*range(1, min(n, 10) + 1), *np.linspace(1, n, MOMENTS).astype(int).tolist()})
        scaled = (rows - low) / (reference - low)
        _, covered = pareto.front_over_time(scaled, np.ones(len(objectives)), moments)
        out[run] = (np.array(moments, np.int64) - 1, covered)
    return out


def attained(a: Asked) -> list[dict[str, Values]]:
    """Of each method its attainment surfaces, in the metrics' own units."""
    ways = {m: a.objectives[m] for m in a.pair}
    return _attained(str(launch.home()), _marks(a.runs), tuple(ways.items()), a.methods)


@st.cache_resource(max_entries=16, show_spinner="Laying fronts over each other...")
def _attained(
    home: str, marks: tuple[str, ...], ways: tuple[tuple[str, str], ...], _methods: Sequence[Method]
) -> list[dict[str, Values]]:
    signs = np.array([1.0 if d == "min" else -1.0 for _, d in ways])
    return [
        {
            name: found * signs
            for name, found in attainment.surfaces([points(r, dict(ways)) for r in m.runs]).items()
        }
        for m in _methods
    ]
