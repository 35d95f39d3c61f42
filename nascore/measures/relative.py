"""What search adds: relative improvement over the average of random architectures (Yang et al., 2020).

Accuracies of methods cannot be compared where spaces and trainings differ. A method's mean is compared with
the mean of architectures drawn uniformly from its own space and trained as its own are. The mean, never the
best: the best of many random ones is itself a search.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore import stats
from nascore.errors import BadInput
from nascore.kinds import knob


@dataclass(frozen=True)
class Improvement:
    """A method against random architectures of the same space.

    Attributes:
        percent: 100 (mean of the method - mean of random) / mean of random, with a bootstrap interval.
        p: two-sided, of Welch's test that both means are equal; NaN with fewer than two on a side.
        found, random: both means.
    """

    percent: stats.Interval
    p: float
    found: float
    random: float

    @property
    def better(self) -> bool:
        """Whether the method is above random, and chance alone would rarely say so (p below 0.05)."""
        return self.percent.value > 0 and self.p < 0.05


@dataclass(frozen=True)
class Relative:
    """Relative improvement over the average random architecture, with interval and Welch's test.

    Source: Yang et al., NAS evaluation is frustratingly hard (2020), section 3: RI, from eight searches and
    eight random architectures. Interval and test are ours; with eight of each a mean alone says little.
    """

    resamples: int = knob(2000, 10, 100_000, "of the bootstrap interval")

    def measure(self, found: ArrayLike, random: ArrayLike) -> Improvement:
        """Judges accuracies.

        Args:
            found: (n,) of architectures that independent searches chose; higher is better.
            random: (m,) of architectures drawn uniformly from the same space, trained in the same way.

        Raises:
            BadInput: a side is empty or not finite, or the random mean is not above 0.
        """
        f, r = np.asarray(found, np.float64), np.asarray(random, np.float64)
        for name, side in (("found", f), ("random", r)):
            if side.ndim != 1 or not len(side) or not np.isfinite(side).all():
                raise BadInput(f"{name}: expected a list of finite accuracies, got shape {side.shape}")
        if r.mean() <= 0:
            raise BadInput(f"random: the mean is {r.mean():g}; an improvement relative to it has no meaning")
        value = improvement(f, r)
        return Improvement(self._interval(f, r, value), welch(f, r), float(f.mean()), float(r.mean()))

    def _interval(
        self, found: NDArray[np.float64], random: NDArray[np.float64], value: float
    ) -> stats.Interval:
        """Both sides resampled on their own: they are not pairs."""
        n = min(len(found), len(random))
        if n < 2:
            return stats.Interval(value, math.nan, math.nan, n)
        rng = np.random.default_rng(0)
        f = found[rng.integers(0, len(found), (self.resamples, len(found)))].mean(1)
        r = random[rng.integers(0, len(random), (self.resamples, len(random)))].mean(1)
        low, high = np.quantile(100 * (f - r) / r, [0.025, 0.975])
        return stats.Interval(value, float(low), float(high), n)


def improvement(found: ArrayLike, random: ArrayLike) -> float:
    """RI in percent of the random mean."""
    base = float(np.asarray(random, np.float64).mean())
    return 100 * (float(np.asarray(found, np.float64).mean()) - base) / base


def welch(a: ArrayLike, b: ArrayLike) -> float:
    """The p of Welch's t-test, two-sided; 1 where both sides are constant and equal, 0 where they differ."""
    from scipy.stats import ttest_ind

    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(len(x), len(y)) < 2:
        return math.nan
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        return float(x[0] == y[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one side may be constant, and scipy warns of its variance
        return float(getattr(ttest_ind(x, y, equal_var=False), "pvalue"))  # noqa: B009 -- scipy's own type
