"""How far scores order archs as the truth does: correlations, top-K measures, and what of it is only size.

Everywhere higher is better, for scores and for truth: turn a column around by its declared direction first.
Ties are not broken: where scores tie at a border, each of the tied archs counts with its chance to be taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore import stats
from nascore.errors import BadInput
from nascore.measures import agreement, resampling
from nascore.measures.agreement import CORRELATIONS, Measured

Floats = NDArray[np.float64]
PICKS = 10  # K where nobody says another one
LEAST = 10  # fewer archs give no correlation worth printing
PARTIAL, TOP = "partial_spearman", "kendall_top_decile"
Back = Callable[[float], float]
GREINER: dict[str, tuple[Back, Back]] = {  # to Pearson's r of normal variables, and back
    "kendall": (lambda t: math.sin(math.pi / 2 * t), lambda r: 2 / math.pi * math.asin(r)),
    "spearman": (lambda s: 2 * math.sin(math.pi / 6 * s), lambda r: 6 / math.pi * math.asin(r / 2)),
    "pearson": (lambda r: r, lambda r: r),
}


@dataclass(frozen=True)
class Trial:
    """What an evaluator's scores are worth.

    Attributes:
        n: archs that have both a score and a truth.
        missing: archs that lack one of them, or have an infinite one.
        tied_truth, tied_scores: shares of the n that have an equal there.
        kendall, spearman, pearson, weighted_kendall: with 95 % intervals over archs.
        kendall_top_decile: tau-b among the tenth that is best in truth; NaN where that is fewer than ten.
        partial_spearman: Spearman with ranks of size taken out of both; NaN without size, or where it is all.
        k: of the measures at K.
        precision_at_k: share of the true best K among the K that score best.
        ndcg_at_k: with the truth scaled from 0 (worst) to 1 (best) as relevance, linear gain.
        best_rank_at_k, worst_rank_at_k: best and worst true rank among the K that score best, as shares of n.
        regret_at_k: how far the best of those K stays below the best of all, in the truth's unit.
        parts: correlation -> its influence, for differences between judges of the same archs.
    """

    n: int
    missing: int
    tied_truth: float
    tied_scores: float
    kendall: stats.Interval
    spearman: stats.Interval
    pearson: stats.Interval
    weighted_kendall: stats.Interval
    kendall_top_decile: stats.Interval
    partial_spearman: stats.Interval
    k: int
    precision_at_k: float
    ndcg_at_k: float
    best_rank_at_k: float
    worst_rank_at_k: float
    regret_at_k: float
    parts: dict[str, Measured] = field(default_factory=dict[str, Measured], repr=False)

    def document(self) -> dict[str, Any]:
        """Numbers by name, each interval as three; what has no value is None."""
        out: dict[str, Any] = {}
        for name in (f.name for f in fields(self) if f.name != "parts"):
            value = getattr(self, name)
            if isinstance(value, stats.Interval):
                out |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
            else:
                out[name] = value
        return {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in out.items()}


def trial(
    truth: ArrayLike,
    scores: ArrayLike,
    *,
    size: ArrayLike | None = None,
    k: int = PICKS,
    resamples: int = 0,
    parts: dict[str, Measured] | None = None,
) -> Trial:
    """Judges scores by a truth.

    Args:
        truth: (n,) higher is better; NaN where it is not known.
        scores: (n,) higher is better; NaN where there is none.
        size: (n,) numbers of params, for the correlation that is not only size.
        k: how many are picked.
        resamples: of the bootstrap that makes the intervals; 0 for intervals by influence (`agreement`).
        parts: those of a trial of the same scores, whose correlations are taken over, such as with another k.

    Raises:
        BadInput: fewer than ten archs in common, or one side is constant: no correlation has a meaning.
    """
    t, s = np.asarray(truth, np.float64), np.asarray(scores, np.float64)
    known = np.isfinite(t) & np.isfinite(s)
    missing, t, s = int((~known).sum()), t[known], s[known]
    if len(t) < LEAST:
        raise BadInput(f"{len(t)} architectures have both a score and a truth; {LEAST} are the least")
    for name, values in (("the truth", t), ("the score", s)):
        if np.ptp(values) == 0:
            raise BadInput(f"{name} is {values[0]:g} for all {len(values):,} architectures: nothing to order")
    k = min(k, len(t))
    if parts is None:
        parts = _parts(t, s, None if size is None else np.asarray(size, np.float64)[known], resamples)
    place = _descending(t)
    return Trial(
        len(t),
        missing,
        tied(t),
        tied(s),
        *(parts[m].interval() for m in (*CORRELATIONS, TOP, PARTIAL)),
        k=k,
        precision_at_k=float(chances(s, k) @ chances(t, k)) / k,
        ndcg_at_k=ndcg(t, s, k),
        best_rank_at_k=-expected_best(-place, s, k) / len(t),
        worst_rank_at_k=expected_best(place, s, k) / len(t),
        regret_at_k=max(float(t.max()) - expected_best(t, s, k), 0.0),
        parts=parts,
    )


def _parts(
    t: Floats,
    s: Floats,
    size: Floats | None,
    resamples: int,
    only: tuple[str, ...] = (*CORRELATIONS, TOP, PARTIAL),
) -> dict[str, Measured]:
    """Correlations with their influence."""
    asked = tuple(m for m in CORRELATIONS if m in only or (m == "spearman" and PARTIAL in only))
    found = _resampled(agreement.agreements(s, t, asked), s, t, resamples)
    best = np.argsort(-t, kind="stable")[: len(t) // 10]
    nothing = agreement.measured(math.nan, np.full(len(best), math.nan))
    found[TOP] = nothing
    if len(best) >= LEAST and TOP in only:
        found |= {TOP: _resampled(_tau(s[best], t[best]), s[best], t[best], resamples)["kendall"]}
    found[PARTIAL] = agreement.measured(math.nan, np.full(len(t), math.nan))
    if PARTIAL in only and size is not None and np.isfinite(size).all() and np.ptp(size):
        with_size = (
            _resampled(agreement.agreements(v, size, ("spearman",)), v, size, resamples)["spearman"]
            for v in (s, t)
        )
        found[PARTIAL] = agreement.partial(found["spearman"], *with_size)
    return found


def _tau(s: Floats, t: Floats) -> dict[str, Measured]:
    return agreement.agreements(s, t, ("kendall",))


def _resampled(found: dict[str, Measured], a: Floats, b: Floats, resamples: int) -> dict[str, Measured]:
    """The same with the values of resamples; those of lists of one length are of the same archs."""
    if not resamples or not found:
        return found
    draws = resampling.resampled(a, b, resampling.counts(len(a), resamples), tuple(found))
    return {m: replace(one, draws=draws[m]) for m, one in found.items()}


def difference(a: Trial, b: Trial, name: str) -> stats.Interval:
    """By how much a correlation of one judge exceeds that of another, both of the same archs.

    Two intervals may overlap although this one excludes 0.

    Raises:
        BadInput: they have judged different numbers of archs.
    """
    one, two = a.parts[name], b.parts[name]
    if len(one.influence) != len(two.influence):
        raise BadInput(f"judged on {a.n:,} and {b.n:,} architectures: not the same")
    return agreement.difference(one, two)


def compared(
    truth: Floats,
    a: Floats,
    b: Floats,
    name: str,
    *,
    size: Floats | None = None,
    resamples: int = 0,
) -> stats.Interval:
    """As `difference`, of judges (n,) that do not know the same archs: on those that both know.

    NaN where those are fewer than ten, or one of the three is constant there.
    """
    both = np.isfinite(truth) & np.isfinite(a) & np.isfinite(b)
    t, some = truth[both], None if size is None else size[both]
    if len(t) < LEAST or not all(np.ptp(v) for v in (t, a[both], b[both])):
        return stats.Interval(math.nan, math.nan, math.nan, len(t))
    one, two = (_parts(t, s[both], some, resamples, (name,))[name] for s in (a, b))
    return agreement.difference(one, two)


def tied(values: Floats) -> float:
    """Share of values that have an equal."""
    return 1 - float((np.unique(values, return_counts=True)[1] == 1).sum()) / len(values)


def _descending(values: Floats) -> Floats:
    """(n,) ranks, 1 for the largest; equals share the better one."""
    g = agreement.dense(-values)
    many = np.bincount(g)
    return (np.cumsum(many) - many + 1)[g].astype(np.float64)


def chances(values: Floats, k: int) -> Floats:
    """(n,) chance of each to be among the best k when ties are broken by chance; they sum to k."""
    border = np.partition(values, len(values) - k)[len(values) - k]
    sure, at = values > border, values == border
    return sure + at * ((k - sure.sum()) / at.sum())


def expected_best(values: Floats, scores: Floats, k: int) -> float:
    """The largest value among the k that score best, in the mean over how ties at the border may break."""
    chance = chances(scores, k)
    sure, at = values[chance == 1], np.sort(values[(chance > 0) & (chance < 1)])[::-1]
    floor = float(sure.max()) if len(sure) else -math.inf
    if not len(at):
        return floor
    left, n = k - len(sure), len(at)
    miss = np.maximum(1 - left / np.arange(n, 0, -1), 0.0)  # that one is not taken, nor any larger one
    reached = np.concatenate([[1.0], np.cumprod(miss)[:-1]])
    return float((reached * (1 - miss)) @ np.maximum(at, floor))


def ndcg(truth: Floats, scores: Floats, k: int) -> float:
    """Discounted cumulative gain at k, normalized; relevance is the truth scaled to [0, 1], ties averaged.

    Source: McSherry and Najork 2008 for ties; as scikit-learn's `ndcg_score`.
    """
    gain = (truth - truth.min()) / np.ptp(truth)
    discount = np.where(np.arange(len(truth)) < k, 1 / np.log2(np.arange(len(truth)) + 2), 0.0)
    g = agreement.dense(-scores)
    shared = np.bincount(g, gain) / np.bincount(g)
    found = shared @ np.bincount(np.sort(g), discount)
    return float(found / (np.sort(gain)[::-1] @ discount))


def partial_spearman(scores: ArrayLike, truth: ArrayLike, size: ArrayLike) -> float:
    """Spearman of scores and truth given size: the correlation of the residuals of ranks on ranks of size."""
    s, t, z = (agreement.dense(np.asarray(v, np.float64)) for v in (scores, truth, size))
    return agreement.partial(*(agreement.spearman(a, b) for a, b in ((s, t), (s, z), (t, z)))).value


@dataclass(frozen=True)
class Ceiling:
    """How far noise of seeds lets anybody agree with a truth that is a mean over seeds.

    Attributes:
        seeds: how many the mean is over.
        n: archs.
        again: correlation -> what a second set of as many trainings would reach.
        perfect: correlation -> what the noiseless truth itself would reach: the most to be expected.
    """

    seeds: int
    n: int
    again: dict[str, float]
    perfect: dict[str, float]


def ceiling(values: ArrayLike) -> Ceiling | None:
    """The noise ceiling from single trainings; None below two seeds or ten archs, or where seeds disagree.

    Args:
        values: (n, seeds) of the truth's trainings; archs without one of them are left out.

    Neighboring seeds are compared, all around. Kendall's tau and Spearman's rho of two seeds become Pearson's
    r by Greiner's relation (of normal variables), the reliability of the mean follows by Spearman-Brown, and
    back. Judges that see the same trainings share their noise and may pass it.
    """
    x = np.asarray(values, np.float64)
    x = x[np.isfinite(x).all(1)]
    n, k = x.shape
    if k < 2 or n < LEAST or not np.ptp(x, axis=0).all():
        return None
    pairs = [(i, (i + 1) % k) for i in range(k if k > 2 else 1)]
    found = [agreement.agreements(x[:, i], x[:, j], tuple(GREINER)) for i, j in pairs]
    again, perfect = dict[str, float](), dict[str, float]()
    for name, (there, back) in GREINER.items():
        one = there(float(np.mean([f[name].value for f in found])))
        reliability = min(max(k * one / (1 + (k - 1) * one), 0.0), 1.0)
        again[name], perfect[name] = back(reliability), back(math.sqrt(reliability))
    return Ceiling(k, n, again, perfect)
