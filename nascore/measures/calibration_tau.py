"""Kendall's tau-b with an interval that needs no resampling, and the difference of two taus.

Tau-b is a ratio of means over pairs. How much one case moves it is known in closed form, and the standard
error is that of the mean of these influences. A bootstrap of n cases makes ties of copies and takes a
thousand times as long.

Source: Hoeffding 1948 (U-statistics); the delta method for the ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.stats import Interval

Floats = NDArray[np.float64]
BLOCK = 512
SURE = 1.959964  # 95 %


@dataclass(frozen=True)
class Tau:
    """Tau-b and the influence of each case.

    Attributes:
        value: NaN where one side is constant.
        influence: (n,) mean 0.
    """

    value: float
    influence: Floats

    @property
    def interval(self) -> Interval:
        """With its 95 % interval, cut at -1 and 1."""
        return interval(self.value, self.influence, 1.0)

    def minus(self, other: Tau) -> Interval:
        """The value minus that of another of the same cases, 95 %."""
        return interval(self.value - other.value, self.influence - other.influence, 2.0)


def interval(value: float, influence: Floats, most: float) -> Interval:
    """A value whose cases have these influences, cut at plus and minus `most`."""
    n = len(influence)
    if n < 3 or not math.isfinite(value):
        return Interval(value, math.nan, math.nan, n)
    half = SURE * float(influence.std(ddof=1)) / math.sqrt(n)
    return Interval(value, max(value - half, -most), min(value + half, most), n)


def tau(a: ArrayLike, b: ArrayLike) -> Tau:
    """Of two lists (n,); takes n squared steps, 0.2 s for 5,000 cases."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    n = len(x)
    both, one, two = (np.zeros(n) for _ in range(3))
    x, y = _dense(x), _dense(y)
    for i in range(0, n, BLOCK):
        s = np.sign(x[i : i + BLOCK, None] - x[None])
        t = np.sign(y[i : i + BLOCK, None] - y[None])
        both[i : i + BLOCK] = np.einsum("ij,ij->i", s, t)
        one[i : i + BLOCK] = np.count_nonzero(s, 1)
        two[i : i + BLOCK] = np.count_nonzero(t, 1)
    c, p, q = (float(v.mean()) for v in (both, one, two))
    if n < 2 or not p * q:
        return Tau(math.nan, np.zeros(n))
    value = c / math.sqrt(p * q)
    moved = (both - c) / math.sqrt(p * q) - value / 2 * ((one - p) / p + (two - q) / q)
    return Tau(value, 2 * moved)


def _dense(values: Floats) -> NDArray[np.float32]:
    """Ranks in place of values: signs of differences stay, and 32 bits suffice."""
    return np.unique(values, return_inverse=True)[1].astype(np.float32)


def average(taus: list[Tau]) -> Tau:
    """The mean of some taus of the same cases, such as one a seed."""
    return Tau(float(np.mean([t.value for t in taus])), np.mean([t.influence for t in taus], 0))
