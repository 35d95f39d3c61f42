"""Reliability: how often predictions are right in each bin of confidence, from predictions or from counts.

An empty bin is NaN and stays empty in every picture. A single network, small arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.errors import BadInput
from nascore.measures.calibration import gaps, places, ranked, runs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Reliability:
    """Bins from low to high confidence.

    Attributes:
        low, high: (bins,) where a bin begins and ends; of equal mass its lowest and highest confidence.
        count: (bins,) predictions in it.
        accuracy: (bins,) share that is right; NaN where it is empty.
        confidence: (bins,) mean confidence; NaN where it is empty.
    """

    low: Floats
    high: Floats
    count: Ints
    accuracy: Floats
    confidence: Floats

    @property
    def ece(self) -> float:
        """Mean gap, weighted by counts."""
        return float(np.nansum(self.count * np.abs(self.accuracy - self.confidence)) / self.count.sum())

    @property
    def mce(self) -> float:
        """Largest gap."""
        return float(np.nanmax(np.abs(self.accuracy - self.confidence)))

    def bounds(self) -> tuple[Floats, Floats]:
        """(bins,) each: 95 % interval of the accuracy; NaN where empty.

        Source: Wilson 1927, the score interval.
        """
        z, n = 1.959964, np.where(self.count > 0, self.count, np.nan)
        middle = (self.accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(self.accuracy * (1 - self.accuracy) / n + z**2 / (4 * n**2))
        return middle - half, middle + half


def reliability(
    confidences: ArrayLike, right: ArrayLike, bins: int, *, equal_mass: bool = False
) -> Reliability:
    """The bins of predictions.

    Args:
        confidences: (n,) of the predicted class, or of one class.
        right: (n,) whether the prediction, or the class, was right.
        bins: 1 or more; of equal mass no more than n.
        equal_mass: cut ranks into runs instead of confidences into ranges.

    Raises:
        BadInput: fewer than one bin, or more bins of equal mass than predictions.
    """
    c, a = np.asarray(confidences, np.float64)[None], np.asarray(right, np.float64)[None]
    n = c.shape[1]
    if bins < 1 or (equal_mass and bins > n):
        raise BadInput(f"bins: {bins} is not between 1 and {n:,}")
    if not equal_mass:
        edges = np.arange(bins + 1) / bins
        count, gap = gaps(places(c, bins), c, a, bins)
        said = np.bincount(places(c, bins)[0], c[0], bins).astype(np.float64)
        return _made(edges[:-1], edges[1:], count[0], said, said - gap[0])
    place = runs(ranked(c), n, bins)
    count, gap = gaps(place, c, a, bins)
    said = np.bincount(place[0], c[0], bins).astype(np.float64)
    first = np.concatenate([[0], np.cumsum(count[0])[:-1]])
    ordered = np.sort(c[0])
    return _made(ordered[first], ordered[first + count[0] - 1], count[0], said, said - gap[0])


def merged(count: ArrayLike, right: ArrayLike, said: ArrayLike, bins: int) -> Reliability:
    """Fine bins of equal width put together to fewer.

    Args:
        count: (fine,) predictions in each.
        right: (fine,) of them right.
        said: (fine,) sum of their confidences.
        bins: divides the number of fine ones.

    Raises:
        BadInput: it does not divide them.
    """
    fine = np.stack([np.asarray(v, np.float64) for v in (count, right, said)])
    if bins < 1 or fine.shape[1] % bins:
        raise BadInput(f"bins: {bins} does not divide the {fine.shape[1]} that are kept")
    n, hit, conf = fine.reshape(3, bins, -1).sum(2)
    edges = np.arange(bins + 1) / bins
    return _made(edges[:-1], edges[1:], n.astype(np.int64), conf, hit)


def _made(low: Floats, high: Floats, count: Ints, said: Floats, hit: Floats) -> Reliability:
    with np.errstate(divide="ignore", invalid="ignore"):
        return Reliability(
            low,
            high,
            count,
            np.where(count > 0, hit / count, np.nan),
            np.where(count > 0, said / count, np.nan),
        )
