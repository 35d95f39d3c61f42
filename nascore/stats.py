"""Rank correlations, intervals and paired comparisons. scipy does the work and is imported where it is used.

An interval is part of every number that is shown: `Interval` holds both. Resampling has a fixed seed, so that
a page shows the same interval twice.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.errors import BadInput

Statistic = Callable[..., float]


@dataclass(frozen=True)
class Interval:
    """A number and where it may lie; `low` and `high` are NaN where there are too few samples to say.

    Attributes:
        value: the estimate.
        low, high: the interval at `level`.
        n: how many samples it stands on.
        level: share of one.
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95


@dataclass(frozen=True)
class Paired:
    """Two ways judged on the same cases.

    Attributes:
        difference: mean of a - b with its interval.
        p: of the sign-flip test, two-sided: how often chance alone gives a mean difference as large.
        less, equal, more: in how many cases a is below, at, above b.
    """

    difference: Interval
    p: float
    less: int
    equal: int
    more: int


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rho with ties; NaN where one side is constant or has fewer than two values."""
    from scipy.stats import spearmanr

    return _correlation(spearmanr, a, b)


def kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b; NaN where one side is constant or has fewer than two values."""
    from scipy.stats import kendalltau

    return _correlation(kendalltau, a, b)


def weighted_kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Weighted tau (Vigna 2015), hyperbolic weights: exchanges among high values count more.

    Negate both sides where lower is better.
    """
    from scipy.stats import weightedtau

    return _correlation(weightedtau, a, b)


def _correlation(of: Callable[..., object], a: ArrayLike, b: ArrayLike) -> float:
    x, y = _pair(a, b)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample may hold one value only; NaN says it
        return float(getattr(of(x, y), "statistic"))  # noqa: B009 -- the result type is scipy's own


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise BadInput(f"pairs: expected two lists of one length, got shapes {x.shape} and {y.shape}")
    return x, y


def mean(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean with Student's t interval: with five seeds a bootstrap would be too narrow."""
    from scipy.stats import t

    x = np.asarray(values, dtype=np.float64)
    n, value = len(x), float(x.mean()) if len(x) else math.nan
    if n < 2:
        return Interval(value, math.nan, math.nan, n, level)
    half = float(t.ppf(0.5 + level / 2, n - 1)) * float(x.std(ddof=1)) / math.sqrt(n)
    return Interval(value, value - half, value + half, n, level)


def bootstrap(
    statistic: Statistic, *samples: ArrayLike, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile bootstrap of a statistic of n cases.

    Args:
        statistic: takes the samples, gives one number; NaN of a resample is left out.
        samples: each (n,) or (n, ...); a case is one index of all of them together.
        resamples: how many.
        level: share of one.
        seed: of the resampling.
    """
    rows = [np.asarray(s) for s in samples]
    n = len(rows[0])
    if any(len(r) != n for r in rows):
        raise BadInput(f"samples: expected one length, got {', '.join(str(len(r)) for r in rows)}")
    value = float(statistic(*rows))
    if n < 2:
        return Interval(value, math.nan, math.nan, n, level)
    draws = np.random.default_rng(seed).integers(0, n, (resamples, n))
    found = np.array([statistic(*(r[d] for r in rows)) for d in draws], dtype=np.float64)
    found = found[np.isfinite(found)]
    if not len(found):
        return Interval(value, math.nan, math.nan, n, level)
    low, high = np.quantile(found, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high), n, level)


def advantage(
    statistic: Statistic,
    truth: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """By how much judge a agrees better with the truth than judge b, both resampled on the same cases.

    Two intervals may overlap although this one excludes 0.
    """

    def difference(t: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        return statistic(x, t) - statistic(y, t)

    return bootstrap(difference, truth, a, b, resamples=resamples, level=level)


def paired(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Paired:
    """Compares a and b case by case: t interval of the mean difference, sign-flip test.

    The test is exact up to 12 cases and uses 9,999 random flips with a fixed seed above; with n cases its p
    is at least 2 / 2^n.
    """
    x, y = _pair(a, b)
    d = x - y
    counts = {"less": int((d < 0).sum()), "equal": int((d == 0).sum()), "more": int((d > 0).sum())}
    return Paired(mean(d, level), _sign_flip(d), **counts)


def _sign_flip(d: NDArray[np.float64]) -> float:
    """(n,) differences -> two-sided p of a mean of 0 under symmetric noise."""
    n = len(d)
    if n < 2:
        return math.nan
    if n <= 12:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ d) >= abs(d.sum()) * (1 - 1e-12)).mean())
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (9999, n))
    extreme = int((np.abs(signs @ d) >= abs(d.sum()) * (1 - 1e-12)).sum())
    return (extreme + 1) / 10_000
