"""What the Pareto page looks at: a table or run, objectives, limits, reference point. The address says it.

`source=table:NAME` or `run:ID`; `obj=error:min,params:min`; `limit=params<=100000`; `ref=12,2000`; `view`;
`zoom=error,params,1,2,3,4`, places in the plane.
Percents are percents, as on every page.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore import pareto
from nascore.benchmarks.table import Column
from nascore.codec import from_json, to_json
from nascore.errors import AppError
from nascore.kinds import EvaluationProtocol
from nascore.problem import Constraint
from nascore.runs.spec import RunSpec
from nascore.runs.state import Summary
from nascore.view import axes, words
from nascore.view.axes import Axis
from pages.parts import benchask, benchdata, stores

MOST = 4
LIMIT = re.compile(r"(.+?)(<=|>=)(.+)")
HIGHER = ("accuracy", "score", "psnr", "ssim", "auc")


@dataclass(frozen=True)
class Source:
    """A table or a run as metrics over architectures.

    Attributes:
        mark: `table:NAME` or `run:ID`.
        title: for people.
        frame: a row an architecture with its metrics; of a run in the order of evaluation.
        keys: (n,) keys.
        names: (n,) what people call each.
        columns: metric -> what it is.
        start: the objectives where nobody said, name -> direction.
        limits: those that the run was started with.
        table: name of the table behind a run; empty without.
        true: (metric) -> values of all architectures of that table.
        note: how the protocol behind differs; empty where it does not.
    """

    mark: str
    title: str
    frame: pd.DataFrame
    keys: Sequence[str]
    names: Sequence[str]
    columns: dict[str, Column]
    start: dict[str, str]
    limits: tuple[Constraint, ...] = ()
    table: str = ""
    true: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    note: str = ""

    @property
    def run(self) -> str:
        """The run's id; empty for a table."""
        return self.mark.removeprefix("run:") if self.mark.startswith("run:") else ""

    def values(self, metric: str) -> NDArray[np.float64]:
        """(n,) a metric of all; NaN where there is none."""
        return np.asarray(pd.to_numeric(self.frame[metric], errors="coerce"), dtype=np.float64)

    def axis(self, metric: str, direction: str) -> Axis:
        """A metric as an axis with the chosen direction; errors as log, so that the good end has room."""
        found = axes.axis(replace(self.columns[metric], direction=direction), self.values(metric))
        low, high = np.nanmin(found.values, initial=np.inf), np.nanmax(found.values, initial=0.0)
        wide = found.column.unit == "%" and direction == "min" and low > 0 and high > 3 * low
        return replace(found, form="log") if wide else found

    def query(self, row: int) -> dict[str, str]:
        """The address of an architecture; empty where there is no page for it."""
        if self.run:
            return {"run": self.run, "arch": str(self.keys[row])}
        return benchdata.query(benchdata.opened(self.mark.removeprefix("table:")), row)


def marks() -> dict[str, str]:
    """Everything that can be looked at, mark -> title: tables first, then runs with results, newest first."""
    found = {
        f"table:{t.name}": f"{benchdata.title(t)}, {t.rows:,} cells" for t in benchdata.every() if t.metrics
    }
    frame = stores.runs()
    for row in frame.to_dict("records") if len(frame) else []:
        if (row["evaluations"] or 0) > (row["failed"] or 0):
            name = stores.called(row["run"], row["title"], row["strategy"], row["space"])
            found[f"run:{row['run']}"] = f"{name}, {int(row['evaluations']):,} tried"
    return found


def source(mark: str) -> Source | None:
    """What a mark names; None where it is not there (any more)."""
    kind, _, name = mark.partition(":")
    try:
        return _of_table(name) if kind == "table" else _of_run(name)
    except AppError:
        return None


def _of_table(name: str) -> Source:
    found = benchdata.opened(name)
    quality, cost = benchdata.quality(found), benchdata.cost(found)
    first = list(dict.fromkeys([cost, quality, *found.columns]))[:2]  # the two may be one
    start = {m: found.columns[m].direction or "max" for m in first}
    names = [f"cell {n:,}" for n in benchdata.numbers(found)]
    keys = found.frame["key"].tolist()
    return Source(f"table:{name}", benchdata.title(found), found.frame, keys, names, found.columns, start)


def _of_run(run: str) -> Source | None:
    summary, spec = stores.run(run), stores.spec(run)
    if summary is None or spec is None:
        return None
    frame = stores.tried(run)
    metrics = [m for m in stores.metrics_of(frame) if pd.to_numeric(frame[m], errors="coerce").notna().any()]
    ways = dict(summary.objectives)
    columns = {m: _column(m, ways.get(m, ""), summary) for m in metrics}
    chosen = {m: d for m, d in ways.items() if m in columns}
    more = [m for m in ("params", "flops", "loss", *columns) if m in columns and m not in chosen]
    start = chosen if len(chosen) > 1 else {**dict.fromkeys(more[:1], "min"), **chosen}
    limits = tuple(replace(c, limit=stores.seen(c.metric, c.limit)) for c in spec.constraints)
    found = Source(
        f"run:{run}",
        stores.called(run, summary.title, summary.strategy, summary.space),
        frame,
        frame["key"].tolist(),
        [f"evaluation {i:,}" for i in frame["index"]],
        columns,
        start,
        limits,
    )
    return _behind(found, spec, summary)


def _column(metric: str, direction: str, summary: Summary) -> Column:
    """A run's metric as a column; its protocol is the run's."""
    about = summary.about
    epochs = about.get("epochs")
    protocol = EvaluationProtocol(
        str(about.get("data", "")),
        "test" if metric.startswith("test") else str(about.get("split", "")),
        int(epochs) if isinstance(epochs, int | float) else 0,
        str(about.get("seeds", "")),
        str(about.get("source", "")),
    )
    way = direction or ("max" if any(w in metric for w in HIGHER) else "min")
    unit = "%" if stores.is_percent(metric) else ""
    return Column(metric, words.metric_title(metric), unit, way, protocol)  # type: ignore[arg-type]


def _behind(found: Source, spec: RunSpec, summary: Summary) -> Source:
    """The run with the table that knows its space: the one that it asked, or one of the same task."""
    own = to_json(spec.evaluator)
    names = [own["knobs"]["table"]] if own["name"] == "tabular" else _alike(spec, summary)
    for name in names:
        judge: Any = spec.evaluator if own["name"] == "tabular" else None
        try:
            judge = judge or from_json("evaluator", {"name": "tabular", "knobs": {"table": name}})
            table, answers = judge.answers(spec.problem())
            said = judge.protocol(spec.problem())
        except AppError:
            continue
        true = {m: np.array([stores.seen(m, 1.0)]) * v for m, v in answers.items()}
        here = next(iter(found.columns.values())).protocol
        parts = ("epochs", "seeds") if own["name"] == "tabular" else ("split", "epochs", "seeds")
        apart = [n for n in parts if getattr(said, n) != getattr(here, n)]  # a table may have grown since
        note = f"{name} differs in {' and '.join(apart)}" if apart else ""
        return replace(found, table=table.name, true=true, note=note)
    return found


def _alike(spec: RunSpec, summary: Summary) -> list[str]:
    """Tables of the run's very space and data."""
    space = to_json(spec.space)
    return [
        t.name
        for t in benchdata.every()
        if t.space == space and any(c.protocol.data == summary.about.get("data") for c in t.columns.values())
    ]


@dataclass(frozen=True)
class Asked:
    """One view: objectives with directions, limits, and what follows from them.

    Attributes:
        source: what is looked at.
        ways: objective -> direction.
        limits: constraints.
        costs: (n, objectives) lower is better.
        fits: (n,) within all limits.
        front: rows, best first objective first.
        reference: (objectives,) in the metrics' own units.
        truth: (k, objectives) true front in the metrics' own units; None without one.
    """

    source: Source
    ways: dict[str, str]
    limits: tuple[Constraint, ...]
    costs: NDArray[np.float64]
    fits: NDArray[np.bool_]
    front: NDArray[np.int64]
    reference: NDArray[np.float64]
    truth: NDArray[np.float64] | None

    @property
    def signs(self) -> NDArray[np.float64]:
        """(objectives,) 1 for min, -1 for max."""
        return np.array([1.0 if d == "min" else -1.0 for d in self.ways.values()])

    def hypervolume(self) -> float:
        """Of the front, up to the reference point."""
        return pareto.hypervolume(self.costs[self.front], self.signs * self.reference)

    def true_hypervolume(self) -> float:
        """Of the true front, up to the same point; NaN without one."""
        if self.truth is None or not len(self.truth):
            return math.nan
        return pareto.hypervolume(self.signs * self.truth, self.signs * self.reference)

    def igd(self) -> float:
        """To the true front, with each objective scaled to its range there; NaN without one."""
        if self.truth is None or not len(self.truth) or not len(self.front):
            return math.nan
        true = self.signs * self.truth
        low, span = true.min(0), np.ptp(true, 0)
        span = np.where(span > 0, span, 1.0)
        return pareto.igd((self.costs[self.front] - low) / span, (true - low) / span)

    def knee(self) -> int | None:
        """The row of the front's knee."""
        at = pareto.knee(self.costs[self.front])
        return None if at is None else int(self.front[at])


def asked(found: Source) -> Asked:
    """What the address asks; nonsense in it is as good as nothing."""
    query = st.query_params
    ways = _ways(query.get("obj", ""), found) or found.start
    limits = _limits(query.get("limit"), found)
    values = np.stack([found.values(m) for m in ways], 1)
    costs = pareto.costs(values, list(ways.values()))
    fits = _fits(found, limits)
    rows = np.flatnonzero(fits)
    front = rows[pareto.front(costs[rows])] if len(rows) else rows
    truth = _truth(found, ways, limits)
    return Asked(
        found, ways, limits, costs, fits, front, _reference(query.get("ref", ""), costs, ways), truth
    )


def _ways(text: str, found: Source) -> dict[str, str]:
    pairs = [p.rpartition(":") for p in text.split(",") if p]
    ways = {m: d for m, _, d in pairs if m in found.columns and d in ("min", "max")}
    return dict(list(ways.items())[:MOST]) if len(ways) > 1 else {}


def _limits(text: str | None, found: Source) -> tuple[Constraint, ...]:
    """Limits of the address; those of the run where it says nothing."""
    if text is None:
        return tuple(c for c in found.limits if c.metric in found.columns)
    out = []
    for part in text.split(","):
        hit = LIMIT.fullmatch(part)
        value = _number(hit[3]) if hit else math.nan
        if hit and hit[1] in found.columns and math.isfinite(value):
            out.append(Constraint(hit[1], hit[2], value))  # type: ignore[arg-type]
    return tuple(out)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _fits(found: Source, limits: Sequence[Constraint]) -> NDArray[np.bool_]:
    ok = np.ones(len(found.frame), bool)
    for c in limits:
        values = found.values(c.metric)
        ok &= values <= c.limit if c.sign == "<=" else values >= c.limit
    return ok


def _reference(text: str, costs: NDArray[np.float64], ways: dict[str, str]) -> NDArray[np.float64]:
    """The address's point, or a tenth of the range beyond the worst of all, limits or not."""
    given = [_number(p) for p in text.split(",")]
    if len(given) == len(ways) and all(map(math.isfinite, given)):
        return np.array(given)
    signs = np.array([1.0 if d == "min" else -1.0 for d in ways.values()])
    found = pareto.reference(costs)
    return signs * (np.zeros(len(ways)) if found is None else found)


def _truth(found: Source, ways: dict[str, str], limits: Sequence[Constraint]) -> NDArray[np.float64] | None:
    """The front of the table behind a run, under the same limits; of a table under limits, that without."""
    if found.run:
        if not found.true or not all(m in found.true for m in [*ways, *(c.metric for c in limits)]):
            return None
        values = np.stack([found.true[m] for m in ways], 1)
        ok = np.ones(len(values), bool)
        for c in limits:
            ok &= found.true[c.metric] <= c.limit if c.sign == "<=" else found.true[c.metric] >= c.limit
        values = values[ok]
    elif limits:
        values = np.stack([found.values(m) for m in ways], 1)
    else:
        return None
    return values[pareto.front(pareto.costs(values, list(ways.values())))] if len(values) else None


def part(a: Asked) -> tuple[float, float, float, float] | None:
    """The part of the plane that the address shows, if it belongs to these objectives."""
    return benchask.box_of(st.query_params.get("zoom", ""), *list(a.ways)[:2])


def put_part(a: Asked, new: tuple[float, float, float, float] | None) -> None:
    """Writes the part that is in sight; nothing where that is everything."""
    if new is None:
        put(zoom="")
        return
    axes_ = [a.source.axis(m, d).places for m, d in list(a.ways.items())[:2]]
    seen = [v[np.isfinite(v)] for v in axes_]
    x0, x1, y0, y1 = new
    whole = all(
        len(v) == 0 or (low <= v.min() and high >= v.max())
        for v, low, high in zip(seen, (x0, y0), (x1, y1), strict=True)
    )
    put(zoom="" if whole else ",".join([*list(a.ways)[:2], *(f"{v:.6g}" for v in new)]))


def put(**said: str) -> None:
    """Writes into the address; empty takes a name out."""
    for name, value in said.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def line(limits: Sequence[Constraint]) -> str:
    """Limits as they stand in the address; `-` for none, where the run has some."""
    return ",".join(f"{c.metric}{c.sign}{c.limit:.10g}" for c in limits) or "-"
