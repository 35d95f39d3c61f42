"""How far scores order archs as the truth does: correlations, top-K measures, and what of it is only size.

Everywhere higher is better, for scores and for truth: turn a column around by its declared direction first.
Ties are not broken: where scores tie at a border, each of the tied archs counts with its chance to be taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore import stats
from nascore.errors import BadInput

Floats = NDArray[np.float64]
LEAST = 10  # fewer archs give no correlation worth printing
RESAMPLES = 1000


@dataclass(frozen=True)
class Trial:
    """What an evaluator's scores are worth.

    Attributes:
        n: archs that have both a score and a truth.
        missing: archs that lack one of them.
        kendall, spearman, pearson, weighted_kendall: with 95 % bootstrap intervals over archs.
        kendall_top_decile: tau-b among the tenth that is best in truth.
        partial_spearman: Spearman of what is left of both when ranks of size are taken out; NaN without size.
        k: of the measures at K.
        precision_at_k: share of the true best K among the K that score best.
        ndcg_at_k: with the truth scaled from 0 (worst) to 1 (best) as relevance, linear gain.
        best_rank_at_k, worst_rank_at_k: best and worst true rank among the K that score best, as shares of n.
        regret_at_k: how far the best of those K stays below the best of all, in the truth's unit.
    """

    n: int
    missing: int
    kendall: stats.Interval
    spearman: stats.Interval
    pearson: stats.Interval
    weighted_kendall: stats.Interval
    kendall_top_decile: float
    partial_spearman: float
    k: int
    precision_at_k: float
    ndcg_at_k: float
    best_rank_at_k: float
    worst_rank_at_k: float
    regret_at_k: float


def trial(
    truth: ArrayLike,
    scores: ArrayLike,
    *,
    size: ArrayLike | None = None,
    k: int = 10,
    resamples: int = RESAMPLES,
) -> Trial:
    """Judges scores by a truth.

    Args:
        truth: (n,) higher is better; NaN where it is not known.
        scores: (n,) higher is better; NaN where there is none.
        size: (n,) numbers of params, for the correlation that is not only size.
        k: how many are picked.
        resamples: of the bootstrap.

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
    best = np.argsort(-t, kind="stable")[: max(len(t) // 10, 2)]

    def interval(statistic: stats.Statistic) -> stats.Interval:
        return stats.bootstrap(statistic, s, t, resamples=resamples)

    picked = chances(s, k)
    return Trial(
        len(t),
        missing,
        interval(stats.kendall),
        interval(stats.spearman),
        interval(pearson),
        interval(stats.weighted_kendall),
        stats.kendall(s[best], t[best]),
        math.nan if size is None else partial_spearman(s, t, np.asarray(size, np.float64)[known]),
        k,
        float(picked @ chances(t, k)) / k,
        ndcg(t, s, k),
        *_ranks(t, s, k),
        float(t.max() - t[order(s)[:k]].max()),
    )


def order(values: Floats) -> NDArray[np.int64]:
    """Indices from best to worst; ties in the order of the rows."""
    return np.argsort(-values, kind="stable")


def chances(values: Floats, k: int) -> Floats:
    """(n,) chance of each to be among the best k when ties are broken by chance; they sum to k."""
    border = np.partition(values, len(values) - k)[len(values) - k]
    sure, tied = values > border, values == border
    return sure + tied * ((k - sure.sum()) / tied.sum())


def ndcg(truth: Floats, scores: Floats, k: int) -> float:
    """Discounted cumulative gain at k, normalized; relevance is the truth scaled to [0, 1], ties averaged."""
    from sklearn.metrics import ndcg_score

    relevance = (truth - truth.min()) / np.ptp(truth)
    return float(ndcg_score(relevance[None], scores[None], k=k))


def _ranks(truth: Floats, scores: Floats, k: int) -> tuple[float, float]:
    """Best and worst true rank among the k that score best, as shares of n."""
    from scipy.stats import rankdata

    place = rankdata(-truth, method="min")[order(scores)[:k]] / len(truth)
    return float(place.min()), float(place.max())


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """The linear correlation; NaN where one side is constant."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    x, y = x - x.mean(), y - y.mean()
    length = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / length if length else math.nan


def partial_spearman(scores: ArrayLike, truth: ArrayLike, size: ArrayLike) -> float:
    """Spearman of scores and truth given size: the correlation of the residuals of ranks on ranks of size."""
    from scipy.stats import rankdata

    s, t, z = (rankdata(v) for v in (scores, truth, size))
    a, b, c = pearson(s, t), pearson(s, z), pearson(t, z)
    rest = (1 - b * b) * (1 - c * c)
    return (a - b * c) / math.sqrt(rest) if rest > 1e-12 else math.nan


def noise_ceiling(values: ArrayLike) -> float:
    """The Spearman that a perfect judge would reach against a mean of noisy trainings.

    Args:
        values: (n, seeds) of the truth's trainings. The root of the reliability of their mean.
    """
    x = np.asarray(values, np.float64)
    k = x.shape[1]
    between, within = k * x.mean(1).var(ddof=1), x.var(1, ddof=1).mean()
    return math.sqrt(max(1 - within / between, 0.0)) if k > 1 and between > 0 else math.nan
