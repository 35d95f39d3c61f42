"""Active learning: which examples should be labeled next? One function a way to ask, best first.

The ways are sorted as in the survey of Schroeder and Niekler (2020): by the data (core-set, k-means,
discriminative, density), by the model (expected gradient length) and by its predictions (least confidence,
margin, entropy, BALD). Those that look at the data alone also say which architectures to judge next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """What is known of n examples without a label.

    Attributes:
        points: (n, d) where they lie.
        known: (l, d) where those with a label lie.
        chances: (n, classes) what the model says; of a model without dropout and without noise.
        draws: (m, n, classes) what it says with dropout, masks drawn anew.
        inner: (n, h) what its last layer reads.
        rng: breaks ties and starts k-means.
    """

    points: Floats
    known: Floats
    rng: np.random.Generator
    chances: Floats | None = None
    draws: Floats | None = None
    inner: Floats | None = None


def random(pool: Pool, n: int) -> Rows:
    """Any n."""
    return pool.rng.permutation(len(pool.points))[:n]


def least_confidence(pool: Pool, n: int) -> Rows:
    """Where the largest probability is smallest."""
    return _top(1 - _chances(pool).max(1), n, pool)


def margin(pool: Pool, n: int) -> Rows:
    """Where the two largest probabilities are closest."""
    two = np.sort(_chances(pool), 1)[:, -2:]
    return _top(two[:, 0] - two[:, 1], n, pool)


def entropy(pool: Pool, n: int) -> Rows:
    """Where the probabilities are most even."""
    return _top(spread(_chances(pool)), n, pool)


def bald(pool: Pool, n: int) -> Rows:
    """Where draws of the model disagree most: H[mean p] - mean H[p] (Houlsby et al., 2011)."""
    assert pool.draws is not None  # noqa: S101 -- callers give what they ask for
    return _top(spread(pool.draws.mean(0)) - spread(pool.draws).mean(0), n, pool)


def gradient_length(pool: Pool, n: int) -> Rows:
    """Where a label is expected to move the last layer most (Settles et al., 2008).

    sum_y p(y) ||p - e_y|| sqrt(||h||^2 + 1): the gradient of the cross entropy by the last weights and
    offsets is the outer product of p - e_y and (h, 1).
    """
    p, inner = _chances(pool), pool.inner
    assert inner is not None  # noqa: S101 -- callers give what they ask for
    off = np.sqrt(((p[:, None, :] - np.eye(p.shape[1])) ** 2).sum(-1))
    return _top((p * off).sum(1) * np.sqrt((inner**2).sum(1) + 1), n, pool)


def density(pool: Pool, n: int) -> Rows:
    """Those most like the others: largest mean cosine."""
    length = np.linalg.norm(pool.points, axis=1, keepdims=True)
    unit = pool.points / np.where(length > 0, length, 1)
    return _top(unit @ unit.mean(0), n, pool)


def core_set(pool: Pool, n: int) -> Rows:
    """One after the other the one furthest from all that are known or taken (Sener and Savarese, 2018).

    Greedy k-center: the largest distance of any example to the nearest labeled one is at most twice the
    smallest possible.
    """
    if len(pool.known):
        far = np.min([((pool.points - k) ** 2).sum(1) for k in pool.known], 0)
    else:
        far = np.full(len(pool.points), np.inf)
    order, out = pool.rng.permutation(len(pool.points)), []
    for _ in range(min(n, len(order))):
        best = int(order[np.argmax(far[order])])
        out.append(best)
        far = np.minimum(far, ((pool.points - pool.points[best]) ** 2).sum(1))
        far[best] = -1.0
    return np.array(out, dtype=np.int64)


def k_means(pool: Pool, n: int) -> Rows:
    """The example nearest to each of n centers of the pool."""
    from sklearn.cluster import KMeans

    n = min(n, len(np.unique(pool.points, axis=0)))
    means: Any = KMeans(n, random_state=int(pool.rng.integers(2**31)))
    centers = means.fit(pool.points).cluster_centers_
    left, out = np.ones(len(pool.points), bool), []
    for center in centers:
        away = np.where(left, ((pool.points - center) ** 2).sum(1), np.inf)
        out.append(int(away.argmin()))
        left[out[-1]] = False
    return np.array(out, dtype=np.int64)


def discriminative(pool: Pool, n: int) -> Rows:
    """Those that a classifier of labeled against unlabeled takes most surely for unlabeled.

    Gissin and Shalev-Shwartz (2019), with logistic regression on the points and one step of n.
    """
    from sklearn.linear_model import LogisticRegression

    if not len(pool.known):
        return random(pool, n)
    x = np.concatenate([pool.known, pool.points])
    y = np.repeat([0, 1], [len(pool.known), len(pool.points)])
    model = LogisticRegression(class_weight="balanced", max_iter=500).fit(x, y)
    return _top(model.decision_function(pool.points), n, pool)


def spread(p: Floats) -> Floats:
    """(..., classes) -> (...) entropy in nats; 0 log 0 is 0."""
    return -(p * np.log(np.where(p > 0, p, 1))).sum(-1)


def _chances(pool: Pool) -> Floats:
    assert pool.chances is not None  # noqa: S101 -- callers give what they ask for
    return pool.chances


def _top(values: Floats, n: int, pool: Pool) -> Rows:
    """(n,) places of the largest values; ties by chance."""
    order = pool.rng.permutation(len(values))
    return order[np.argsort(-values[order], kind="stable")][:n]


Query = Callable[[Pool, int], Rows]
DATA: dict[str, Query] = {
    "density": density,
    "core_set": core_set,
    "k_means": k_means,
    "discriminative": discriminative,
}
MODEL: dict[str, Query] = {"gradient_length": gradient_length}
PREDICTION: dict[str, Query] = {
    "least_confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
    "bald": bald,
}
QUERIES: dict[str, Query] = {"random": random, **DATA, **MODEL, **PREDICTION}
