"""What is worth a look next, from a predictor's mean and deviation: higher is better everywhere.

Goal-directed ones look for the best (Shahriari et al., 2016, section IV); `uncertainty` looks for what the
predictor does not know (active learning).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Acquire = Callable[[Floats, Floats, float, np.random.Generator], Floats]


def greedy(mean: Floats, std: Floats, best: float, rng: np.random.Generator) -> Floats:
    """The mean alone."""
    return mean


def ucb(mean: Floats, std: Floats, best: float, rng: np.random.Generator, kappa: float = 2.576) -> Floats:
    """Mean plus `kappa` deviations."""
    return mean + kappa * std


def expected_improvement(mean: Floats, std: Floats, best: float, rng: np.random.Generator) -> Floats:
    """How far above the best so far a normal variable of this mean and deviation lies on average."""
    from scipy.stats import norm

    gap = mean - best
    z = gap / np.where(std > 0, std, 1.0)
    return np.where(std > 0, gap * norm.cdf(z) + std * norm.pdf(z), np.maximum(gap, 0.0))


def thompson(mean: Floats, std: Floats, best: float, rng: np.random.Generator) -> Floats:
    """A draw of each, independent of the others."""
    return mean + std * rng.standard_normal(len(mean))


def uncertainty(mean: Floats, std: Floats, best: float, rng: np.random.Generator) -> Floats:
    """The deviation alone."""
    return std


ACQUIRE: dict[str, Acquire] = {
    "greedy": greedy,
    "expected_improvement": expected_improvement,
    "ucb": ucb,
    "thompson": thompson,
    "uncertainty": uncertainty,
}


def ranked(values: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) positions from the highest to the lowest value; ties in random order, NaN last."""
    order = rng.permutation(len(values))
    low = np.where(np.isnan(values), -np.inf, values)[order]
    return order[np.argsort(-low, kind="stable")]
