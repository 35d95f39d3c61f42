"""What the Compare page looks at: runs as arrays, gathered into methods, and what a table knows of them.

Percents are percents, as on every page. What failed, was judged by another judge, or misses a limit has no
value. Everything is kept by (run, what was read of it), so a run that goes on is read again.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore.codec import dumps
from nascore.errors import AppError
from nascore.measures import anytime, checklist, compare
from nascore.runs import launch
from nascore.runs.spec import RunSpec
from nascore.runs.state import Summary
from nascore.runs.timeline import Moment, moments_of
from nascore.view import words
from pages.parts import stores

Values = NDArray[np.float64]
CLOCKS = {
    "evaluations": "Architectures evaluated",
    "seconds": "Active time (s)",
    "simulated_seconds": "Simulated training time (s)",
}
VOLUME = "hypervolume"
MOMENTS = 60  # of a hypervolume's curve
NEWEST = 200  # runs whose specs are looked at for others like one


@dataclass(frozen=True)
class Arrays:
    """What a run's journal holds, as arrays in the order of evaluation.

    Attributes:
        document: its spec.
        clocks: clock -> (n,) what was spent when each architecture had been judged.
        values: metric -> (n,) in percent where people read percents; NaN where it does not count.
    """

    document: dict[str, Any]
    clocks: dict[str, Values]
    values: dict[str, Values]


@dataclass(frozen=True)
class Run:
    """A run with its arrays and its state."""

    summary: Summary
    arrays: Arrays

    @property
    def id(self) -> str:
        """Its id."""
        return self.summary.run

    def rows(self, by: str, direction: str) -> NDArray[np.int64]:
        """(n,) the best so far by an objective."""
        return anytime.best_so_far(self.arrays.values[by], direction)


@dataclass(frozen=True)
class Method:
    """Runs that differ in their seed alone.

    Attributes:
        key: of the method.
        name: what people call it.
        runs: by seed, one a seed.
        repeated: runs whose seed another one has, which are left out.
    """

    key: str
    name: str
    runs: tuple[Run, ...]
    repeated: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The spec, with the seed of the first run."""
        return self.runs[0].arrays.document

    def kind(self) -> str:
        """What its numbers are: data, judge, training and protocol, as a text to compare."""
        d, about = self.document, self.runs[0].summary.about
        recipe = {} if d["evaluator"]["name"] == "tabular" else d["recipe"]
        return dumps([d["task"], d["evaluator"], recipe, [str(about.get(k, "")) for k in checklist.PROTOCOL]])


def run(run_id: str) -> Run | None:
    """A run with what is known of it; None where it is not there, cannot be read or has no result."""
    summary = stores.run(run_id)
    if summary is None or summary.evaluations <= summary.failed or not summary.objectives:
        return None
    try:
        arrays = _arrays(str(launch.home()), run_id, stores.owner().version(run_id))
    except AppError:
        return None
    return Run(summary, arrays)


def document(run_id: str) -> dict[str, Any] | None:
    """A run's spec as a document; None where it cannot be read."""
    try:
        return _document(str(launch.home()), run_id)
    except AppError:
        return None


@st.cache_resource(max_entries=2048, show_spinner=False)
def _document(home: str, run_id: str) -> dict[str, Any]:
    return launch.read_spec(run_id).to_json()


@st.cache_resource(max_entries=256, show_spinner=False)
def _arrays(home: str, run_id: str, version: str) -> Arrays:
    spec, rows = launch.read_spec(run_id), moments_of(run_id)
    names = dict.fromkeys(m for row in rows for m in row.metrics)
    values = {m: _values(m, rows) for m in names}
    counts = _counts(rows, values, spec)
    kept = {m: np.where(counts, v, math.nan) for m, v in values.items()}
    return Arrays(_document(home, run_id), _clocks(rows), kept)


def _values(metric: str, rows: Sequence[Moment]) -> Values:
    """(n,) a metric of all, in percent where people read percents; NaN where there is none."""
    found = [math.nan if (v := row.metrics.get(metric)) is None else v for row in rows]
    return stores.seen(metric, 1.0) * np.array(found, np.float64)


def _counts(rows: Sequence[Moment], values: Mapping[str, Values], spec: RunSpec) -> NDArray[np.bool_]:
    """(n,) by the run's own judge, or the one that trained longest while it is silent; within limits."""
    fine = [row for row in rows if not row.failed]
    judge = spec.evaluator.key
    if fine and all(row.how != judge for row in fine):
        judge = max(fine, key=lambda row: row.epochs).how
    ok = np.array([row.how == judge and not row.failed for row in rows], bool)
    for c in spec.constraints:
        limit, found = stores.seen(c.metric, c.limit), values.get(c.metric, np.full(len(rows), math.nan))
        ok &= found <= limit if c.sign == "<=" else found >= limit
    return ok


def _clocks(rows: Sequence[Moment]) -> dict[str, Values]:
    """Every clock that the run has; the simulated one where it ran along at least once."""
    clocks = {"evaluations": np.arange(1, len(rows) + 1, dtype=np.float64)}
    clocks["seconds"] = np.maximum.accumulate(np.array([row.seconds for row in rows], np.float64))
    if any(row.simulated is not None for row in rows):
        clocks["simulated_seconds"] = np.cumsum([row.simulated or 0.0 for row in rows])
    return clocks


def methods(runs: Sequence[Run], renamed: Mapping[str, str]) -> list[Method]:
    """Runs gathered by their spec, sorted by what methods are called by themselves, so that colors stay."""
    by_id = {r.id: r for r in runs}
    found = compare.methods({r.id: r.arrays.document for r in runs})
    names = compare.names({key: by_id[ids[0]].arrays.document for key, ids in found.items()})
    out = []
    for key, ids in found.items():
        taken, repeated = compare.one_a_seed(
            (i, by_id[i].summary.seed, by_id[i].summary.evaluations) for i in ids
        )
        name = renamed.get(key) or names[key]
        out.append((names[key], Method(key, name, tuple(by_id[i] for i in taken), tuple(repeated))))
    return [m for _, m in sorted(out, key=lambda pair: pair[0])]


@dataclass(frozen=True)
class Truth:
    """What a table knows of every architecture that a run may choose, metric -> (rows,)."""

    table: str
    values: dict[str, Values] = field(default_factory=dict)

    def best(self, metric: str, direction: str) -> float:
        """The best value there is; NaN where it is not known."""
        found = self.values.get(metric, np.zeros(0))
        found = found[np.isfinite(found)]
        if not len(found):
            return math.nan
        return float(found.min() if direction == "min" else found.max())

    def mean(self, metric: str) -> float:
        """The random average; NaN where it is not known."""
        found = self.values.get(metric, np.zeros(0))
        found = found[np.isfinite(found)]
        return float(found.mean()) if len(found) else math.nan


def truth(method: Method) -> Truth | None:
    """The whole table that a method asked, within its limits; None where it asked none."""
    said = method.document
    if said["evaluator"]["name"] != "tabular":
        return None
    parts = {name: said[name] for name in ("space", "task", "evaluator", "constraints")}
    try:
        return _truth(str(launch.home()), dumps(parts), method.runs[0].id)
    except AppError:
        return None


@st.cache_resource(max_entries=16, show_spinner="Reading the table...")
def _truth(home: str, parts: str, _run: str) -> Truth:
    spec = launch.read_spec(_run)
    judge: Any = spec.evaluator
    table, answers = judge.answers(spec.problem())
    found = {m: stores.seen(m, 1.0) * np.asarray(v, np.float64) for m, v in answers.items()}
    ok = np.ones(table.rows, bool)
    for c in spec.constraints:
        limit = stores.seen(c.metric, c.limit)
        ok &= found[c.metric] <= limit if c.sign == "<=" else found[c.metric] >= limit
    return Truth(table.name, {m: v[ok] for m, v in found.items()})


def fact(one: Run, name: str, tested: bool) -> checklist.Fact:
    """What a run tells about itself, for the checklist."""
    s = one.summary
    return checklist.Fact(s.run, name, one.arrays.document, s.about, s.state, s.evaluations, tested)


def label(row: Mapping[str, Any]) -> str:
    """A run in the list of those that can be chosen, from a row of `stores.runs`."""
    name = str(row["title"] or "") or str(row["strategy"]).replace("_", " ")
    seed = row["seed"]
    said = f"{name}, seed {int(seed)}" if seed == seed and seed is not None else name
    return f"{said}, {words.count(row['evaluations'])} tried ({str(row['run'])[-6:]})"


def judged(frame: pd.DataFrame) -> pd.DataFrame:
    """Those of `stores.runs` that have found something."""
    if not len(frame):
        return frame
    return frame[frame["evaluations"].fillna(0).astype(float) > frame["failed"].fillna(0).astype(float)]


def alike(frame: pd.DataFrame, run_id: str) -> list[str]:
    """Runs that can be compared with one: of its space, data, judge and objectives; newest first."""
    row = frame[frame["run"] == run_id]
    mine = document(run_id)
    if not len(row) or mine is None:
        return [run_id]
    near = frame[(frame["space"] == row["space"].iloc[0]) & (frame["task"] == row["task"].iloc[0])]
    parts = ("space", "task", "evaluator", "objectives", "constraints", "budget")
    found = [
        r for r in near["run"].head(NEWEST) if (d := document(r)) and all(d[p] == mine[p] for p in parts)
    ]
    return found or [run_id]


def others(frame: pd.DataFrame, chosen: Sequence[Method]) -> list[str]:
    """Runs on this machine that belong to a chosen method and are not among its runs."""
    here = {r.id for m in chosen for r in m.runs} | {r for m in chosen for r in m.repeated}
    keys = {m.key for m in chosen}
    kinds = {(m.runs[0].summary.strategy, m.runs[0].summary.space) for m in chosen}
    near = [
        str(r)
        for r, s, p in zip(frame["run"], frame["strategy"], frame["space"], strict=True)
        if (s, p) in kinds
    ]
    return [r for r in near if r not in here and (d := document(r)) and compare.method(d) in keys]


def tests_of(objective: str) -> list[str]:
    """Names under which a metric on test data may stand beside an objective."""
    base = objective.removeprefix("validation_").removeprefix("val_")
    return [f"test_{base}"] if not objective.startswith("test_") else []
