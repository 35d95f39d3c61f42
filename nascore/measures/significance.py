"""Is one method better than another, or was it luck? Paired where the seeds match, corrected for many tests.

A p-value alone says little: beside it stand the difference with its interval, in the metric's own units,
and how often a run of one beats a run of the other. With fewer than five seeds there is no p-value but a
sentence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore import stats
from nascore.errors import BadInput
from nascore.stats import Interval

Values = NDArray[np.float64]
FEWEST = 5  # seeds of each side
MOST_EXACT = 50  # pairs


@dataclass(frozen=True)
class Trial:
    """Two methods against each other.

    Attributes:
        a, b: their names.
        n: runs of each.
        paired: the same seeds on both sides, compared seed by seed.
        difference: mean of a minus mean of b, with Student's (paired) or Welch's interval.
        wins: how often a run of a beats one of b, ties half; 0.5 is a draw.
        p: two-sided, of Wilcoxon's signed-rank or the Mann-Whitney test; NaN where `words` says why.
        holm: the same, corrected for all tests of the table.
        least: no smaller p is possible with so many runs.
        words: what is said instead of a p-value; empty where there is one.
    """

    a: str
    b: str
    n: tuple[int, int]
    paired: bool
    difference: Interval
    wins: Interval
    p: float
    holm: float
    least: float
    words: str = ""


def trials(
    samples: Mapping[str, Mapping[int, float]], direction: str, kinds: Mapping[str, str] | None = None
) -> list[Trial]:
    """Every method against every other one.

    Args:
        samples: name -> seed -> final value.
        direction: min or max, which way is better.
        kinds: name -> what its values are; those of different kinds are not tested. Default: all are alike.

    Raises:
        BadInput: the direction is neither, or a value is not finite.
    """
    if direction not in ("min", "max"):
        raise BadInput(f"direction: {direction!r} is none of min, max")
    if bad := [name for name, s in samples.items() if not np.isfinite(list(s.values())).all()]:
        raise BadInput(f"samples: {bad[0][:60]!r} has a value that is not finite")
    found = [
        _trial((a, b), samples[a], samples[b], 1.0 if direction == "max" else -1.0)
        for a, b in combinations(samples, 2)
        if samples[a] and samples[b]
    ]
    other = "judged under different protocols"
    found = [replace(t, p=math.nan, words=other) if kinds and kinds[t.a] != kinds[t.b] else t for t in found]
    return [replace(t, holm=p) for t, p in zip(found, holm([t.p for t in found]), strict=True)]


def _trial(
    names: tuple[str, str], first: Mapping[int, float], second: Mapping[int, float], sign: float
) -> Trial:
    paired = set(first) == set(second)
    seeds = sorted(first)
    a = np.array([first[s] for s in seeds], np.float64)
    b = np.array([second[s] for s in (seeds if paired else sorted(second))], np.float64)
    n = (len(a), len(b))
    least = 2 / 2 ** len(a) if paired else 2 / math.comb(sum(n), n[0])
    said, p = "", math.nan
    if min(n) < FEWEST:
        said = f"too few seeds for a test, {FEWEST} each at least"
    elif paired and not (a - b).any():
        said = "equal with every seed"
    elif np.ptp(np.concatenate([a, b])) == 0:
        said = "every run found the same"
    else:
        p = signed_rank(a, b) if paired else rank_sum(a, b)
    wins = won(sign * a, sign * b) if paired else superiority(sign * a, sign * b)
    return Trial(*names, n, paired, difference(a, b, paired=paired), wins, p, math.nan, least, said)


def signed_rank(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of pairs (n,); pairs without a difference are left out.

    Exact up to 50 pairs, with ties too, which searches on a table have often. scipy counts all 2^n signs one
    by one where there are ties and falls back to an approximation above 13; the distribution of the sum of
    ranks is a product of n polynomials, which takes no time. Above 50 pairs it is scipy's approximation.
    """
    from scipy.stats import rankdata, wilcoxon

    d = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    d = np.round(d / (float(np.abs(d).max(initial=0.0)) or 1.0), 12)  # ties, but for the noise of floats
    d = d[d != 0]
    if not len(d):
        return math.nan
    if len(d) > MOST_EXACT:
        return float(getattr(wilcoxon(d, method="approx"), "pvalue"))  # noqa: B009 -- scipy's own type
    ranks = np.round(2 * np.asarray(rankdata(np.abs(d)))).astype(np.int64)  # halves become whole
    chances = np.ones(1)
    for rank in ranks:
        step = np.zeros(rank + 1)
        step[[0, -1]] = 0.5
        chances = np.convolve(chances, step)
    at = int(ranks[d > 0].sum())
    return min(1.0, 2 * float(min(chances[: at + 1].sum(), chances[at:].sum())))


def rank_sum(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of the Mann-Whitney U test of (n,) and (m,); scipy's, exact for few values without ties."""
    from scipy.stats import mannwhitneyu

    return float(getattr(mannwhitneyu(a, b), "pvalue"))  # noqa: B009 -- scipy's own type


def difference(a: ArrayLike, b: ArrayLike, *, paired: bool, level: float = 0.95) -> Interval:
    """Mean of a minus mean of b; Student's interval of the pairs' differences, or Welch's of two samples."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if paired:
        return stats.mean(x - y, level)
    value, n = float(x.mean() - y.mean()), min(len(x), len(y))
    vx, vy = (float(v.var(ddof=1)) / len(v) if len(v) > 1 else math.nan for v in (x, y))
    if n < 2:
        return Interval(value, math.nan, math.nan, n, level)
    if vx + vy == 0:
        return Interval(value, value, value, n, level)
    from scipy.stats import t

    # Welch-Satterthwaite degrees of freedom
    free = (vx + vy) ** 2 / (vx**2 / (len(x) - 1) + vy**2 / (len(y) - 1))
    half = float(t.ppf(0.5 + level / 2, free)) * math.sqrt(vx + vy)
    return Interval(value, value - half, value + half, n, level)


def won(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """In what share of pairs (n,) a is above b, ties half, with Wilson's interval."""
    d = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    n, share = len(d), float((d > 0).mean() + 0.5 * (d == 0).mean())
    if n < 2:
        return Interval(share, math.nan, math.nan, n, level)
    z2 = _z(level) ** 2
    middle = share + z2 / (2 * n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    return Interval(share, max(low, 0.0), min(high, 1.0), n, level)


def superiority(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """How often a value of a (m,) is above one of b (n,), ties half: Vargha and Delaney's A.

    Source: interval of Newcombe (2006), part 2, method 5: where (A - theta)^2 = z^2 V(theta), with
    V = theta (1 - theta) (1 + (N - 1) ((1 - theta)/(2 - theta) + theta/(1 + theta))) / (m n) and N the mean
    of m and n. It does not shrink to nothing where every a is above every b, as a bootstrap's would.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    m, n = len(x), len(y)
    share = float((x[:, None] > y).mean() + 0.5 * (x[:, None] == y).mean())
    if min(m, n) < 2:
        return Interval(share, math.nan, math.nan, min(m, n), level)
    from scipy.optimize import root_scalar

    z2, many = _z(level) ** 2, (m + n) / 2

    def off(theta: float) -> float:
        spread = 1 + (many - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (share - theta) ** 2 - z2 * theta * (1 - theta) * spread / (m * n)

    inside = 1e-9
    low = float(root_scalar(off, bracket=(0.0, share - inside)).root) if share > inside else 0.0
    high = float(root_scalar(off, bracket=(share + inside, 1.0)).root) if share < 1 - inside else 1.0
    return Interval(share, low, high, min(m, n), level)


def _z(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + level / 2)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction of p-values, in their order; NaN is no test and stays.

    Source: Holm (1979): the i-th smallest of m is multiplied by m - i + 1, never below the one before.
    """
    given = np.asarray(p, np.float64)
    out = np.full(len(given), math.nan)
    known = np.flatnonzero(np.isfinite(given))
    rising = known[np.argsort(given[known], kind="stable")]
    factors = np.arange(len(rising), 0, -1)
    out[rising] = np.minimum(np.maximum.accumulate(given[rising] * factors), 1.0)
    return out.tolist()
