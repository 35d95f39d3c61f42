"""How good a method is at any time: the best so far of several runs as one mean with its band.

A run is a step function: what it has found holds until it finds better. Runs are compared at the same cost,
whatever it is counted in, so their steps need not fall together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.errors import BadInput

Values = NDArray[np.float64]
BANDS = ("range", "interval")
POINTS = 400  # steps of one curve at most


@dataclass(frozen=True)
class Run:
    """One run as a step function.

    Attributes:
        cost: (n,) what was spent when each architecture had been judged; never falling.
        value: (n,) what the best so far is worth; NaN while there is none.
        ended: nothing more will come, so the last value holds for ever.
    """

    cost: Values
    value: Values
    ended: bool = True


@dataclass(frozen=True)
class Curve:
    """Mean of some runs over cost; all (k,).

    Attributes:
        cost: where a run changes, rising.
        mean: over the runs.
        low, high: the band; NaN with a single run.
        n: runs that it stands on.
        without: runs that have found nothing, which are left out.
    """

    cost: Values
    mean: Values
    low: Values
    high: Values
    n: int
    without: int = 0


def best_so_far(values: ArrayLike, direction: str) -> NDArray[np.int64]:
    """(n,) the row of the best up to and including each row, the first of equals; -1 while there is none.

    Args:
        values: (n,) in the order of evaluation; NaN counts as nothing.
        direction: min or max.

    Raises:
        BadInput: the direction is neither.
    """
    if direction not in ("min", "max"):
        raise BadInput(f"direction: {direction!r} is none of min, max")
    given = np.asarray(values, np.float64)
    cost = np.where(np.isfinite(given), given if direction == "min" else -given, math.inf)
    best = np.minimum.accumulate(cost) if len(cost) else cost
    better = cost < np.concatenate([[math.inf], best[:-1]]) if len(cost) else np.zeros(0, bool)
    rows = np.where(better, np.arange(len(cost)), -1)
    return np.maximum.accumulate(rows).astype(np.int64) if len(rows) else rows.astype(np.int64)


def followed(values: ArrayLike, rows: ArrayLike) -> Values:
    """(n,) values of the rows of `best_so_far`; NaN where it is -1. They may be of another metric."""
    given, at = np.asarray(values, np.float64), np.asarray(rows, np.int64)
    return np.where(at >= 0, given[np.maximum(at, 0)], math.nan) if len(at) else np.zeros(0)


def curve(runs: Sequence[Run], band: str = "range", level: float = 0.95) -> Curve | None:
    """The mean of some runs with its band.

    It begins where every run has found something. It ends where the first run that still goes on stands; one
    that has ended keeps what it found, so the others do not wait for it.

    Args:
        runs: those of one method.
        band: `range` from the worst to the best run, `interval` Student's t interval of the mean.
        level: of the interval, share of one.

    Returns:
        None where no run has found anything, or they share no stretch.

    Raises:
        BadInput: no such band, or costs and values of different lengths.
    """
    if band not in BANDS:
        raise BadInput(f"band: {band!r} is none of {', '.join(BANDS)}")
    if any(len(r.cost) != len(r.value) for r in runs):
        raise BadInput("runs: a cost a value is needed")
    found = [r for r in runs if np.isfinite(r.value).any()]
    if not found:
        return None
    begin = max(float(r.cost[np.isfinite(r.value).argmax()]) for r in found)
    live = [float(r.cost[-1]) for r in found if not r.ended]
    end = min(live) if live else max(float(r.cost[-1]) for r in found)
    if end < begin:
        return None
    at = _changes(found, begin, end)
    y = np.stack([_at(r, at) for r in found])
    low, high = _band(y, band, level)
    return Curve(at, y.mean(0), low, high, len(found), len(runs) - len(found))


def _changes(runs: Sequence[Run], begin: float, end: float) -> Values:
    """Costs at which a run changes, with both ends."""
    steps = [r.cost[1:][r.value[1:] != r.value[:-1]] for r in runs]
    at = np.unique(np.concatenate([np.array([begin, end]), *steps]))
    at = at[(at >= begin) & (at <= end)]
    if len(at) > POINTS:
        at = at[np.unique(np.linspace(0, len(at) - 1, POINTS).astype(int))]
    return at


def _at(run: Run, at: Values) -> Values:
    """(k,) values of the step function; `at` is never before its first value."""
    return run.value[np.searchsorted(run.cost, at, side="right") - 1]


def _band(y: Values, band: str, level: float) -> tuple[Values, Values]:
    n = len(y)
    if n < 2:
        none = np.full(y.shape[1], math.nan)
        return none, none
    if band == "range":
        return y.min(0), y.max(0)
    from scipy.stats import t

    half = float(t.ppf(0.5 + level / 2, n - 1)) * y.std(0, ddof=1) / math.sqrt(n)
    return y.mean(0) - half, y.mean(0) + half
