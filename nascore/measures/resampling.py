"""The bootstrap over archs of all correlations at once: a resample is how often it holds each arch.

Nothing is sorted again: concordant pairs of all resamples are one product of counts with blocks of signs, the
rest are running sums. It takes resamples times n squared steps, so `agreement` is what is used by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.measures.agreement import CORRELATIONS, Floats, Ints, dense

MOST = 20_000  # archs; more would take minutes
BLOCK = 256  # archs whose signs to all others are in memory at once
Counts = NDArray[np.float32]


def counts(n: int, resamples: int, seed: int = 0) -> Counts:
    """(resamples, n) how often each resample holds each arch.

    Raises:
        BadInput: too many archs.
    """
    if n > MOST:
        raise BadInput(f"{n:,} architectures are too many to be resampled; up to {MOST:,} can be")
    rng = np.random.default_rng(seed)
    found = np.empty((resamples, n), np.float32)
    for row in found:
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    return found


def resampled(
    a: Floats, b: Floats, w: Counts, names: tuple[str, ...] = CORRELATIONS
) -> dict[str, NDArray[np.float64]]:
    """(resamples,) values of the correlations of two lists (n,); NaN where a resample is constant."""
    x, y = dense(a), dense(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: dict[str, NDArray[np.float64]] = {}
        if any("kendall" in m for m in names):
            pairs = _pairs(x, y, w)
            found["kendall"] = (pairs * w).sum(1) / np.sqrt(_free(x, w, w) * _free(y, w, w))
            if "weighted_kendall" in names:
                found["weighted_kendall"] = (_weighted(x, y, pairs, w) + _weighted(y, x, pairs, w)) / 2
        if "spearman" in names:
            found["spearman"] = _pearson(_middle(x, w), _middle(y, w), w)
        if "pearson" in names:
            found["pearson"] = _pearson(a[None] - a.mean(), b[None] - b.mean(), w)
    return {m: found[m] for m in names}


def _pairs(x: NDArray[np.integer], y: NDArray[np.integer], w: Counts) -> Floats:
    """(resamples, n) concordance of each arch with what a resample holds."""
    found, few = np.empty(w.shape), np.int16 if len(x) < 1 << 15 else np.int64
    x, y = x.astype(few), y.astype(few)
    for at in range(0, len(x), BLOCK):
        here = slice(at, at + BLOCK)
        found[:, here] = w @ (_signs(x, here) * _signs(y, here)).astype(np.float32).T
    return found


def _signs(g: NDArray[np.integer], here: slice) -> NDArray[np.int8]:
    """(block, n) which way each one differs from those of a block."""
    return (g > g[here, None]).view(np.int8) - (g < g[here, None]).view(np.int8)


def _groups(g: Ints, w: NDArray[np.floating]) -> Floats:
    """(resamples, groups) sums over equals."""
    order = np.argsort(g, kind="stable")
    first = np.flatnonzero(np.diff(g[order], prepend=-1))
    return np.add.reduceat(w[:, order].astype(np.float64), first, axis=1)


def _free(g: Ints, w: Counts, h: NDArray[np.floating]) -> Floats:
    """(resamples,) sum over archs of h times how many are not tied with it."""
    return h.sum(1, dtype=np.float64) * w.shape[1] - (_groups(g, w) * _groups(g, h)).sum(1)


def _weighted(lead: Ints, other: Ints, pairs: Floats, w: Counts) -> Floats:
    """Weighted tau by one list: an arch that is there c times holds c places in a row."""
    order = np.lexsort((other, lead))[::-1]
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, w.shape[1] + 1))])
    last = np.cumsum(w[:, order], axis=1, dtype=np.float64).round().astype(np.int64)
    h = np.empty(w.shape)
    h[:, order] = harmonic[last] - harmonic[last - w[:, order].astype(np.int64)]
    return (pairs * h).sum(1) / np.sqrt(_free(lead, w, h) * _free(other, w, h))


def _middle(g: Ints, w: Counts) -> Floats:
    """(resamples, n) mean ranks."""
    many = _groups(g, w)
    return (np.cumsum(many, axis=1) - many / 2)[:, g]


def _pearson(a: Floats, b: Floats, w: Counts) -> Floats:
    """(resamples,) of lists (1 or resamples, n)."""
    n = w.shape[1]
    x = a - (w * a).sum(1, keepdims=True) / n
    y = b - (w * b).sum(1, keepdims=True) / n
    return (w * x * y).sum(1) / np.sqrt((w * x * x).sum(1) * (w * y * y).sum(1))
