"""How far two lists agree, with the influence of each arch on the number: intervals without resampling.

A statistic of n archs is a function of their weights, all 1. Its derivative by the weight of one of them is
that one's influence; the variance is the sum of their squares (infinitesimal jackknife: Jaeckel 1972; Efron
1982, section 6.3). To first order this is what a bootstrap over archs comes to, at the cost of one sort, and
the difference of two judges has the difference of their influences. Intervals of correlations are made on
Fisher's scale (atanh) with Student's t. `resampling` has the bootstrap itself.

Counts of concordant pairs take O(n log n): bit by bit over the ranks, whole arrays at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.stats import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CORRELATIONS = ("kendall", "spearman", "pearson", "weighted_kendall")


@dataclass(frozen=True)
class Measured:
    """A correlation and what each arch does to it.

    Attributes:
        value: NaN where one side is constant.
        influence: (n,) derivative by the weight of each arch.
        draws: (resamples,) values of resamples, empty without any; then they make the interval.
    """

    value: float
    influence: Floats
    draws: Floats

    def interval(self, level: float = 0.95) -> Interval:
        """Where the correlation may lie: percentiles of the resamples, or by influence."""
        n = len(self.influence)
        if len(self.draws):
            return _percentiles(self.value, self.draws, n, level)
        rest = 1 - self.value**2
        if not math.isfinite(self.value) or n < 5:
            return Interval(self.value, math.nan, math.nan, n, level)
        if rest < 1e-12:
            return Interval(self.value, self.value, self.value, n, level)
        middle, half = math.atanh(self.value), _half(self.influence, level) / rest
        return Interval(self.value, math.tanh(middle - half), math.tanh(middle + half), n, level)


def difference(a: Measured, b: Measured, level: float = 0.95) -> Interval:
    """By how much one correlation exceeds another on the same archs, those paired."""
    n, value = len(a.influence), a.value - b.value
    if len(a.draws) and len(a.draws) == len(b.draws):
        return _percentiles(value, a.draws - b.draws, n, level)
    half = _half(a.influence - b.influence, level)
    return Interval(value, value - half, value + half, n, level)


def kendall(a: ArrayLike, b: ArrayLike) -> Measured:
    """Tau-b of two lists (n,)."""
    lists = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return agreements(*lists, ("kendall",))["kendall"]


def average(some: Sequence[Measured]) -> Measured:
    """The mean of correlations of the same archs, such as one a seed."""
    mean: Floats = np.mean([m.influence for m in some], 0)
    return measured(float(np.mean([m.value for m in some])), mean)


def _half(influence: Floats, level: float) -> float:
    from scipy.special import stdtrit

    n = len(influence)
    error = math.sqrt(float(influence @ influence) * n / (n - 1))
    return float(stdtrit(n - 3, 0.5 + level / 2)) * error


def _percentiles(value: float, draws: Floats, n: int, level: float) -> Interval:
    fine = draws[np.isfinite(draws)]
    if not len(fine) or not math.isfinite(value):
        return Interval(value, math.nan, math.nan, n, level)
    low, high = np.quantile(fine, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high), n, level)


def measured(value: float, influence: Floats) -> Measured:
    """Without resamples."""
    return Measured(value, influence, np.empty(0))


def dense(values: Floats) -> Ints:
    """(n,) 0 for the least value, 1 for the next one and so on; equals share a number."""
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def concordance(x: Ints, y: Ints, weights: Floats) -> Floats:
    """(m, n) for each arch the weight of those that both lists put on the same side of it, less the others'.

    Args:
        x: (n,) dense ranks.
        y: (n,) dense ranks.
        weights: (m, n) of the archs that are counted, m ways at once.

    Archs with the same pair of ranks are one arch with their weight: where networks are often the same, it
    takes a third of the time.
    """
    pairs, place = np.unique(x * (int(y.max()) + 1) + y, return_inverse=True)
    if 2 * len(pairs) <= len(x):
        place = place.reshape(-1)
        first = np.empty(len(pairs), np.int64)
        first[place] = np.arange(len(x))
        merged: Floats = np.stack([np.bincount(place, w, len(pairs)) for w in weights]).astype(np.float64)
        return _concordance(x[first], y[first], merged)[:, place]
    return _concordance(x, y, weights)


def _concordance(x: Ints, y: Ints, weights: Floats) -> Floats:
    """The same for lists without much repetition."""
    by_x = np.lexsort((y, x))
    x, y, w = x[by_x], y[by_x], weights[:, by_x]
    less_x, equal_x = _below(_starts(x), w)
    same = _starts(x * (int(y.max()) + 1) + y)
    less_in_x = _below(same, w)[0] - less_x  # equal in x, less in y
    both = _earlier_less(y, w) - less_in_x
    by_y = np.argsort(y, kind="stable")  # inside a y they keep the order of x
    less_y, equal_y, less_in_y, equal = (np.empty(w.shape) for _ in range(4))
    less_y[:, by_y], equal_y[:, by_y] = _below(_starts(y[by_y]), w[:, by_y])
    less_in_y[:, by_y], equal[:, by_y] = _below(_starts(same[by_y]), w[:, by_y])
    less_in_y -= less_y  # equal in y, less in x
    x_alone, y_alone = less_x - both - less_in_y, less_y - both - less_in_x  # less in one, more in the other
    more_x = weights.sum(1, keepdims=True) - less_x - equal_x
    more_both = more_x - y_alone - (equal_y - less_in_y - equal)
    found = np.empty(w.shape)
    found[:, by_x] = both + more_both - x_alone - y_alone
    return found


def _starts(ordered: Ints) -> Ints:
    """(n,) where the run of equals begins that each of these ordered numbers is in."""
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    return np.maximum.accumulate(np.where(new, np.arange(len(ordered)), 0))


def _below(starts: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """(m, n) weight before each one's run, and of its run."""
    upto = np.cumsum(weights, axis=1)
    before = (upto - weights)[:, starts]
    last = np.flatnonzero(np.diff(starts, append=-1))
    return before, upto[:, last[np.searchsorted(last, starts)]] - before


def _earlier_less(ranks: Ints, weights: Floats) -> Floats:
    """(m, n) weight of those that stand earlier and have a smaller rank.

    From the highest bit down, ranks with equal higher bits are a group; of two in a group the one with a 0 is
    smaller, and the weight of zeros before it is a running sum.
    """
    top = int(ranks.max())
    kind = np.uint16 if top < 1 << 16 else np.uint64  # short numbers are sorted by their digits
    order, code, w = np.arange(len(ranks)), ranks.astype(kind), weights
    found = np.zeros(weights.shape)
    for bit in reversed(range(top.bit_length())):
        here = code >> bit
        one = (here & 1).astype(bool)
        zeros = np.cumsum(np.where(one, 0.0, w), axis=1)
        start = _starts((here >> 1).astype(np.int64))[one]
        before = np.where(start > 0, zeros[:, start - 1], 0.0)
        found[:, order[one]] += zeros[:, one] - before
        turn = np.argsort(here, kind="stable")
        order, code, w = order[turn], code[turn], w[:, turn]
    return found


def _tied(g: Ints, weights: Floats) -> Floats:
    """(n,) weight of those with an equal rank, itself included."""
    found: Floats = np.bincount(g, weights)[g].astype(np.float64)
    return found


def agreements(a: Floats, b: Floats, names: tuple[str, ...] = CORRELATIONS) -> dict[str, Measured]:
    """The correlations of two lists (n,) by name, each NaN where one list is constant.

    Kendall's tau-b; Spearman's rho with mean ranks; Pearson's r; weighted tau of Vigna 2015 with hyperbolic
    weights, the mean over the ranks by either list, as scipy has it.
    """
    n, x, y = len(a), dense(a), dense(b)
    if n < 2 or not x.any() or not y.any():
        return {m: measured(math.nan, np.full(n, math.nan)) for m in names}
    ranks, places = (x, y), [_places(x, y), _places(y, x)] if "weighted_kendall" in names else []
    pairs = np.empty((0, n))
    if any("kendall" in m for m in names):
        pairs = concordance(x, y, np.stack([np.ones(n), *(1 / (p + 1.0) for p in places)]))
    free = n - _tied(x, np.ones(n)), n - _tied(y, np.ones(n))
    found: dict[str, Measured] = {}
    for name in names:
        match name:
            case "kendall":
                found[name] = _kendall(pairs[0], *free)
            case "weighted_kendall":
                one, two = (_weighted(ranks, p, (pairs[0], pairs[i]), free) for i, p in enumerate(places, 1))
                found[name] = measured((one.value + two.value) / 2, (one.influence + two.influence) / 2)
            case "spearman":
                found[name] = spearman(x, y)
            case _:
                found[name] = _pearson(a, b)
    return found


def _kendall(pairs: Floats, free_x: Floats, free_y: Floats) -> Measured:
    """Tau-b from the concordance of each arch, and how many are not tied with it."""
    dx, dy = float(free_x.sum()), float(free_y.sum())
    root = math.sqrt(dx * dy)
    tau = float(pairs.sum()) / root
    return measured(tau, 2 * pairs / root - tau * (free_x / dx + free_y / dy))


def _places(lead: Ints, other: Ints) -> Ints:
    """(n,) places from 0, the best by one list first, equals by the other one."""
    found = np.empty(len(lead), np.int64)
    found[np.lexsort((other, lead))[::-1]] = np.arange(len(lead))
    return found


def _weighted(
    ranks: tuple[Ints, Ints], place: Ints, pairs: tuple[Floats, Floats], free: tuple[Floats, Floats]
) -> Measured:
    """Weighted tau by one order; `pairs` is each arch's concordance, by number and by weight.

    An arch at place p (from 0) weighs 1 / (p + 1); with weight w it holds w places in a row, so its own
    derivative is that of the harmonic numbers, and those behind it move on.
    """
    step = 1 / (np.arange(len(place)) + 1.0)
    own = (math.pi**2 / 6 - np.cumsum(step**2))[place]  # trigamma(place + 2)
    h = step[place]
    order = np.argsort(place)

    def by_weight(counts: Floats, moved: Floats) -> tuple[float, Floats]:
        """Sum of h * counts, and its derivative; `moved` is that by the counts alone."""
        late = (counts * h**2)[order]
        behind = (np.cumsum(late[::-1])[::-1] - late)[place]
        return float(h @ counts), own * counts - behind + moved

    top, d_top = by_weight(*pairs)
    (x, dx), (y, dy) = (by_weight(f, h.sum() - _tied(g, h)) for g, f in zip(ranks, free, strict=True))
    root = math.sqrt(x * y)
    tau = top / root
    return measured(tau, d_top / root - tau / 2 * (dx / x + dy / y))


def spearman(x: Ints, y: Ints) -> Measured:
    """Rho of dense ranks; an arch's weight also moves the mean ranks of those above it."""
    a, b = (_middle(g) for g in (x, y))
    aa, bb, ab = float(a @ a), float(b @ b), float(a @ b)
    if not aa or not bb:
        return measured(math.nan, np.full(len(x), math.nan))
    root = math.sqrt(aa * bb)
    rho = ab / root
    both = a * b + _above(x, b) + _above(y, a)
    return measured(
        rho, both / root - rho / 2 * ((a**2 + 2 * _above(x, a)) / aa + (b**2 + 2 * _above(y, b)) / bb)
    )


def _middle(g: Ints) -> Floats:
    """(n,) mean ranks, centered."""
    many = np.bincount(g)
    ranks: Floats = (np.cumsum(many) - many / 2)[g]
    return ranks - ranks.mean()


def _above(g: Ints, values: Floats) -> Floats:
    """(n,) sum of the values of those above each, and half of those equal to it."""
    sums = np.bincount(g, values)
    return (sums.sum() - np.cumsum(sums) + sums / 2)[g]


def _pearson(a: Floats, b: Floats) -> Measured:
    x, y = a - a.mean(), b - b.mean()
    x, y = x / (math.sqrt(float(x @ x)) or 1.0), y / (math.sqrt(float(y @ y)) or 1.0)
    r = float(x @ y)
    return measured(r, x * y - r / 2 * (x**2 + y**2))


def partial(ab: Measured, az: Measured, bz: Measured) -> Measured:
    """The correlation of a and b with z taken out of both; NaN where z explains one of them whole."""
    r, p, q = ab.value, az.value, bz.value
    rest = (1 - p * p) * (1 - q * q)
    if not rest > 1e-12:
        return measured(math.nan, np.full(len(ab.influence), math.nan))
    root = math.sqrt(rest)
    value = (r - p * q) / root
    by_p, by_q = value * p / (1 - p * p) - q / root, value * q / (1 - q * q) - p / root
    found = ab.influence / root + by_p * az.influence + by_q * bz.influence
    draws = np.empty(0)
    if len(ab.draws):
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = (ab.draws - az.draws * bz.draws) / np.sqrt((1 - az.draws**2) * (1 - bz.draws**2))
    return Measured(value, found, draws)
