"""Calibration measures without bins: by cumulated gaps, by kernels, and the two proper scores.

Each takes (m, n) confidences and whether they were right, or (m, n, classes) probabilities and (m, n) labels;
one of the two may be 1 long and then stands for all rows of the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TINY = 1e-12  # what a probability counts as at least, inside a logarithm
SHARP = 2.5  # MMCE's kernel is exp(-distance / 0.4)
LOW, HIGH, POINTS = -0.6, 1.6, 2**14  # the grid of the kernel densities
NOTHING = 1e-6  # a density below this counts as none


def nll(p: Floats, y: Ints) -> Floats:
    """(m,) mean of -log of the label's probability, which counts as 1e-12 at least; nats."""
    return -np.log(np.maximum(of_label(p, y), TINY)).mean(1)


def brier(p: Floats, y: Ints) -> Floats:
    """(m,) mean squared distance from the label's one-hot vector, summed over classes: 0 to 2."""
    return ((p**2).sum(-1) - 2 * of_label(p, y) + 1).mean(1)


def of_label(values: NDArray[Any], y: Ints) -> NDArray[Any]:
    """(m, n) what (m, n, classes) holds for the label, with either one broadcast."""
    m = max(len(values), len(y))
    wide = np.broadcast_to(values, (m, *values.shape[1:]))
    return np.take_along_axis(wide, np.broadcast_to(y, (m, y.shape[1]))[..., None], 2)[..., 0]


def ksce(top: Floats, right: Floats) -> Floats:
    """(m,) largest distance of cumulated confidence and cumulated accuracy in the order of confidence.

    The sums are compared between different confidences only, so that the order of equals does not matter.

    Source: Gupta et al. 2021, equation 4, for the predicted class.
    """
    c, d = _sorted(top, right)
    run = np.abs(np.cumsum(d, 1)) / d.shape[1]
    ends = np.ones(c.shape, bool)
    ends[:, :-1] = c[:, 1:] > c[:, :-1]
    return np.where(ends, run, 0).max(1)


def mmce(top: Floats, right: Floats) -> Floats:
    """(m,) root of the mean of d_i d_j exp(-2.5 |c_i - c_j|) over all pairs, d = c - right, in n log n.

    With c ascending, the pairs below i come to exp(-2.5 c_i) times the sum of d_j exp(2.5 c_j) over j < i;
    confidences lie in [0, 1], so nothing overflows.

    Source: Kumar et al. 2018, equation 5, with the kernel of its section 5.
    """
    c, d = _sorted(top, right)
    up = d * np.exp(SHARP * c)
    below = np.exp(-SHARP * c) * (np.cumsum(up, 1) - up)
    total = (d * (d + 2 * below)).sum(1)
    return np.sqrt(np.maximum(total, 0)) / d.shape[1]


def _sorted(top: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Confidences ascending, and confidence minus right in that order; equals stay as they stand."""
    order = np.argsort(top, 1, kind="stable")
    c = np.take_along_axis(top, order, 1)
    wide = np.broadcast_to(order, (max(len(order), len(right)), order.shape[1]))
    return c, c - np.take_along_axis(np.broadcast_to(right, wide.shape), wide, 1)


def kdece(top: Floats, right: Floats) -> Floats:
    """(m,) mean distance of confidence and accuracy, with accuracy from two kernel densities.

    The bandwidth is the standard deviation of the right predictions' confidences times (2 n)^(-1/5), that of
    the kernel itself, a triweight that ends at three of them. Each confidence is mirrored at the nearer of 0
    and 1. NaN where nothing is right, or the kernel is narrower than the grid of 2^14 points in [-0.6, 1.6].

    Source: Zhang et al. 2020, section 3.3 and its code's constants. Densities are made on the grid: each
    value is shared by its two neighbors, then all are smoothed by one Fourier transform.
    """
    m, n = max(len(top), len(right)), top.shape[1]
    hits = right.sum(1)
    mean = (right * top).sum(1) / np.maximum(hits, 1)
    square = (right * (top - mean[:, None]) ** 2).sum(1)
    width = np.sqrt(square / np.maximum(hits, 1)) * (2 * n) ** -0.2
    step = (HIGH - LOW) / (POINTS - 1)
    fine = (hits > 0) & (3 * width > 2 * step)
    out = np.full(m, np.nan)
    top, right = np.broadcast_to(top, (m, n)), np.broadcast_to(right, (m, n))
    for i in np.flatnonzero(fine):  # the kernels differ; a row is one transform of 2^15 numbers
        out[i] = _kdece(top[i], right[i] > 0, width[i], step)
    return out


def _kdece(top: Floats, right: NDArray[np.bool_], width: float, step: float) -> float:
    """One network's."""
    from scipy.signal import fftconvolve

    both = np.stack([_spread(top, step), _spread(top[right], step)])
    reach = int(np.ceil(3 * width / step))
    u = np.arange(-reach, reach + 1) * step / (3 * width)
    kernel = np.maximum(1 - u**2, 0) ** 3 * 35 / 32 / (3 * width)
    smooth = np.asarray(fftconvolve(both, kernel[None], "same", axes=1))
    x = np.linspace(LOW, HIGH, POINTS)
    inside = (x > 0) & (x < 1)
    every, hit = np.maximum(smooth[:, inside], 0) * 2
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.minimum(right.mean() * hit / every, 1)
    known = (every >= NOTHING) | (hit >= NOTHING)
    known &= every > 0
    far = np.where(known, np.abs(x[inside] - np.where(known, rate, 0)) * every, 0)
    whole = np.where(known, every, 0).sum()
    return float(far.sum() / whole)


def _spread(values: Floats, step: float) -> Floats:
    """(POINTS,) density of values and their mirror images on the grid before smoothing; sums to 1."""
    mirrored = np.where(values < 0.5, -values, 2 - values)
    at = (np.concatenate([values, mirrored]) - LOW) / step
    low = np.floor(at).astype(np.int64)
    share = at - low
    weights = np.bincount(low, 1 - share, POINTS) + np.bincount(low + 1, share, POINTS)
    return weights[:POINTS] / len(at)
