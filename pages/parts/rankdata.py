"""What the Ranking page judges: archs of a table or run, scores of evaluators, trials; kept for all sessions.

A trial is kept by (table and its last change, or run and what it has read; truth; evaluator; which archs).
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore.benchmarks import filters, judges
from nascore.benchmarks.judges import CURVES, Court, Scores
from nascore.benchmarks.table import Column
from nascore.errors import AppError, BadInput
from nascore.kinds import EvaluationProtocol
from nascore.measures import ranking
from nascore.measures.ranking import Ceiling, Trial
from nascore.runs import launch
from nascore.stats import Interval
from nascore.view import words
from pages.parts import benchdata, rankpredict, rankruns, stores

WAYS = {**CURVES, "params": "min", "flops": "min", "ms": "min", "seconds": "min"}  # of runs' metrics
FAILED = "failed"
Mask = NDArray[np.bool_]
Ask = TypeVar("Ask", bound=Callable[..., Any])


@dataclass(frozen=True)
class Which:
    """Which archs are judged.

    Attributes:
        top: only the tenth that is best in truth.
        where: a filter line as on Benchmarks.
        common: only those that all chosen evaluators know; then `names` has them.
    """

    top: bool = False
    where: str = ""
    common: bool = False
    names: tuple[str, ...] = ()


KEPT = threading.local()  # what the run of the page that is under way in this thread has asked already


@contextmanager
def steady() -> Iterator[None]:
    """Within, nobody asks the same twice: the page does some hundred times, and each costs a millisecond."""
    KEPT.known = {}
    try:
        yield
    finally:
        del KEPT.known


def once(ask: Ask) -> Ask:
    """The same, answered once within `steady`."""

    def asked(*args: Any) -> Any:
        known: dict[Any, Any] | None = getattr(KEPT, "known", None)
        if known is None:
            return ask(*args)
        if (ask, args) not in known:
            known[ask, args] = ask(*args)
        return known[ask, args]

    return functools.wraps(ask)(asked)  # type: ignore[return-value] -- it takes and gives the same


@once
def stamp(mark: str) -> tuple[str, str]:
    """What answers about a table or run are kept under."""
    return _stamp(mark)


def _stamp(mark: str) -> tuple[str, str]:
    kind, _, name = mark.partition(":")
    if kind == "table":
        folder, changed = benchdata.stamp(benchdata.opened(name))
        return mark, f"{folder} {changed} {_others(name)} {rankruns.stamp()}"
    return mark, f"{launch.home()} {stores.owner().version(name)} {_others(name)} {rankruns.stamp()}"


def _others(name: str) -> str:
    """All other tables, since each may judge here."""
    return " ".join(f"{t.name} {benchdata.stamp(t)[1]}" for t in benchdata.every() if t.name != name)


def court(mark: str) -> Court | None:
    """The archs of `table:NAME` or `run:ID`; None where there are none (any more)."""
    kind, _, name = mark.partition(":")
    try:
        return _court(*stamp(mark)) if kind in ("table", "run") and name else None
    except AppError:
        return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _court(mark: str, version: str) -> Court | None:
    kind, _, name = mark.partition(":")
    return judges.of_table(benchdata.opened(name)) if kind == "table" else _of_run(name)


def _of_run(run: str) -> Court | None:
    """The archs that a run tried, each as it was tried last; directions are those of its objectives."""
    summary, spec = stores.run(run), stores.spec(run)
    frame = stores.tried(run)
    if summary is None or spec is None or frame.empty:
        return None
    frame = frame[(frame[FAILED].fillna("") == "") & ~frame["key"].duplicated(keep="last")]
    ways = dict(summary.objectives)
    said = summary.about
    protocol = EvaluationProtocol(
        str(said.get("data", "")),
        str(said.get("split", "")),
        int(said.get("epochs") or 0),
        str(said.get("seeds", "")),
        str(said.get("source", "")),
    )
    columns: dict[str, Column] = {}
    for metric in stores.metrics_of(frame):
        if pd.to_numeric(frame[metric], errors="coerce").notna().any():
            way: Any = ways.get(metric) or WAYS.get(metric.rpartition("_")[2], "")
            unit = "%" if stores.is_percent(metric) else ""
            trained = metric not in ("params", "flops") and "latency" not in metric
            told = protocol if trained else EvaluationProtocol(protocol.data, "", 0, "", protocol.source)
            if trained and "test" in metric.split("_"):
                told = replace(told, split=told.split.replace("validation", "test", 1))
            title = words.metric_title(metric).partition(" (")[0]
            columns[metric] = Column(metric, title, unit, way, told)
    keys = frame["key"].to_numpy()

    def read(metric: str) -> NDArray[np.float64]:
        return np.asarray(pd.to_numeric(frame[metric], errors="coerce"), np.float64)

    def curve(metric: str, column: Column | None) -> NDArray[np.float64]:
        found = stores.curves(run)
        found = found[found["metric"] == metric]
        if found.empty:
            raise BadInput(f"{metric[:80]!r} has no learning curve in this run")
        wide = found.pivot_table(index="key", columns="epoch", values="value", aggfunc="last")
        return wide.reindex(keys).to_numpy(np.float64)

    archs = np.array([list(a) for a in frame["arch"]], np.int64)
    name = stores.called(run, summary.title, summary.strategy, summary.space)
    return Court(name, keys, columns, read, tuple(spec.space.choices()), archs, curve)


@once
def scores(mark: str, name: str, truth: str) -> Scores:
    """What an evaluator says.

    Raises:
        BadInput: there is no such evaluator; the sentence says why.
    """
    return _scores(*stamp(mark), name, truth)


@st.cache_resource(max_entries=256, show_spinner=False)
def _scores(mark: str, version: str, name: str, truth: str) -> Scores:
    found = _court(mark, version)
    if found is None:
        raise BadInput(f"{mark}: there are no architectures")
    if rankpredict.is_predictor(name):
        return rankpredict.scores(found, name, truth)
    if name not in found.columns and rankruns.named(name):
        return rankruns.scores(found, name)
    return judges.judge(found, name, found.column(truth), benchdata.opened)


@once
def mask(mark: str, truth: str, which: Which) -> Mask:
    """(n,) which archs are judged."""
    return _mask(*stamp(mark), truth, which)


@st.cache_resource(max_entries=64, show_spinner=False)
def _mask(mark: str, version: str, truth: str, which: Which) -> Mask:
    found = _court(mark, version)
    assert found is not None  # noqa: S101 -- the caller has looked
    values = found.truth(truth).turned
    fits = np.isfinite(values)
    if which.where and found.table is not None:
        fits &= filters.mask(filters.read(which.where, found.table), found.table)[found.rows]
    if which.common:
        for name in which.names:
            try:
                fits &= np.isfinite(_scores(mark, version, name, truth).values)
            except AppError:
                continue  # who cannot judge is told of elsewhere
    if which.top:
        rows = np.flatnonzero(fits)
        best = rows[np.argsort(-values[rows], kind="stable")[: len(rows) // 10]]
        fits = np.isin(np.arange(len(values)), best)
    return fits


@once
def trial(mark: str, truth: str, name: str, which: Which, k: int, resamples: int) -> Trial | str:
    """An evaluator's trial, or the sentence why it cannot be judged."""
    return _trial(*stamp(mark), truth, name, which, k, resamples)


@st.cache_resource(max_entries=512, show_spinner=False)
def _trial(
    mark: str, version: str, truth: str, name: str, which: Which, k: int, resamples: int
) -> Trial | str:
    known = _court(mark, version)
    assert known is not None  # noqa: S101 -- the caller has looked
    try:
        one = _scores(mark, version, name, truth)
        fits = _mask(mark, version, truth, which)
        said = known.truth(truth).turned[fits], one.turned[fits]
        size = None if name == "params" else _sizes(mark, version, fits)
        before = (
            None
            if k == ranking.PICKS
            else _trial(mark, version, truth, name, which, ranking.PICKS, resamples)
        )
        if isinstance(before, str):
            return before
        parts = before.parts if before else None
        return ranking.trial(*said, size=size, k=k, resamples=resamples, parts=parts)
    except AppError as error:
        return f"{name}: {str(error).removeprefix(f'{name}: ')}"


@once
def difference(
    mark: str, truth: str, names: tuple[str, str], measure: str, which: Which, resamples: int
) -> Interval:
    """By how much one evaluator exceeds another on the archs that both know."""
    return _difference(*stamp(mark), truth, names, measure, which, resamples)


@st.cache_resource(max_entries=256, show_spinner=False)
def _difference(
    mark: str, version: str, truth: str, names: tuple[str, str], measure: str, which: Which, resamples: int
) -> Interval:
    known = _court(mark, version)
    assert known is not None  # noqa: S101 -- the caller has looked
    fits = _mask(mark, version, truth, which)
    a, b = (_scores(mark, version, name, truth).turned[fits] for name in names)
    size = _sizes(mark, version, fits)
    return ranking.compared(known.truth(truth).turned[fits], a, b, measure, size=size, resamples=resamples)


def _sizes(mark: str, version: str, fits: Mask) -> NDArray[np.float64] | None:
    """Numbers of params of those that are judged; None where they are not known."""
    found = _params(mark, version)
    return None if found is None else found[fits]


@once
def _params(mark: str, version: str) -> NDArray[np.float64] | None:
    known = _court(mark, version)
    return known.read("params") if known is not None and "params" in known.columns else None


@once
def ceiling(mark: str, truth: str, which: Which) -> Ceiling | None:
    """What noise of seeds allows; None where single trainings are not known.

    Nor is it known of archs that were chosen by the truth itself: the best of a noisy list are lucky, and
    seeds disagree about the lucky ones more than about others.
    """
    by_truth = which.top or truth in filters_on(which.where)
    return None if by_truth else _ceiling(*stamp(mark), truth, which)


def filters_on(where: str) -> set[str]:
    """Metrics that a filter line is on."""
    return {part.partition("=")[0] for part in where.split(";") if ".." in part}


@st.cache_resource(max_entries=32, show_spinner=False)
def _ceiling(mark: str, version: str, truth: str, which: Which) -> Ceiling | None:
    found = _court(mark, version)
    assert found is not None  # noqa: S101 -- the caller has looked
    seen = judges.trainings(found, found.column(truth))
    return None if seen is None else ranking.ceiling(seen[_mask(mark, version, truth, which)])


def same_truth(mark: str, truth: str, other: str, name: str) -> float:
    """Tau-b of an evaluator with another truth, for the chart over truths; NaN where it has no meaning."""
    return _tau(*stamp(mark), truth, other, name)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _tau(mark: str, version: str, truth: str, other: str, name: str) -> float:
    from nascore.measures.agreement import agreements

    try:
        t, s = (_scores(mark, version, n, truth) for n in (other, name))
    except AppError:
        return math.nan
    both = np.isfinite(t.turned) & np.isfinite(s.turned)
    if other == name or both.sum() < ranking.LEAST:
        return math.nan
    return agreements(s.turned[both], t.turned[both], ("kendall",))["kendall"].value


@st.cache_resource(max_entries=16, show_spinner=False)
def _curves(mark: str, version: str) -> dict[str, int]:
    kind, _, name = mark.partition(":")
    if kind == "table":
        return judges.curves_of(benchdata.opened(name))
    found = stores.curves(name)
    if found.empty:
        return {}
    long = found.groupby("metric")["epoch"].max()
    return {str(m): int(e) for m, e in long.to_dict().items() if WAYS.get(str(m).rpartition("_")[2])}


@once
def curves(mark: str) -> dict[str, int]:
    """Metrics with learning curves -> number of epochs."""
    return _curves(*stamp(mark))


def options(mark: str, found: Court, truth: str) -> list[str]:
    """Evaluators that can be offered: columns, few epochs, predictors, supernets, other tables."""
    out = [n for n, c in found.columns.items() if n != truth and (c.direction or judges.SIZE.fullmatch(n))]
    for metric, long in curves(mark).items():
        out += [f"{metric}@{e}" for e in (1, 2, 3, 5, 8, 12, 25, 50, 100) if e < long]
    out += rankpredict.options(found) + rankruns.options(found)
    for other in benchdata.every():
        if other.name != found.name and judges.alike(found.choices, other.choices):
            out += [f"{other.name}:{n}" for n, c in other.columns.items() if c.direction]
    return out


def start(mark: str, found: Court, truth: str) -> list[str]:
    """The evaluators where nobody said: what costs no training, few epochs, the nearest other table."""
    free = [
        n
        for n, c in found.columns.items()
        if n != truth
        and not c.protocol.epochs
        and c.unit in ("", "M")
        and (c.direction or judges.SIZE.fullmatch(n))
    ]
    if not found.table:
        free += [n for n, c in found.columns.items() if n not in (*free, truth) and c.direction]
    curve = next((m for m in curves(mark) if m.endswith("accuracy") or m.endswith("error")), "")
    few = [f"{curve}@{e}" for e in (1, 3) if curve and e < curves(mark)[curve]]
    return [*free[:14], *few, *_near(found)][:18] or [n for n in found.columns if n != truth][:8]


def _near(found: Court) -> list[str]:
    """The quality on another table that knows some of these archs."""
    for other in benchdata.every():
        if other.name == found.name or not judges.alike(found.choices, other.choices):
            continue
        metric = benchdata.quality(other)
        if metric and other.columns[metric].direction:
            return [f"{other.name}:{metric}"]
    return []
