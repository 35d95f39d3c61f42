"""How far many measures agree: Kendall's tau-b of all pairs at once, each with its interval.

For a hundred networks the signs of all differences fit in memory, and one matrix product a network gives what
`agreement.kendall` gives pair by pair, influences included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.stats import Interval

Floats = NDArray[np.float64]
FEWEST = 10  # networks
KNOWN = 0.9  # a measure needs values for this share of the networks


@dataclass(frozen=True)
class Matrix:
    """Agreement of measures.

    Attributes:
        names: all that were asked for.
        tau, low, high: (names, names) with 95 % intervals over networks; NaN for a measure without value.
        n: networks, those that have all measures that have values.
        lost: names without value.
    """

    names: tuple[str, ...]
    tau: Floats
    low: Floats
    high: Floats
    n: int
    lost: tuple[str, ...]

    def at(self, one: str, other: str) -> Interval:
        """Of one pair."""
        i, j = self.names.index(one), self.names.index(other)
        return Interval(float(self.tau[i, j]), float(self.low[i, j]), float(self.high[i, j]), self.n)


def matrix(values: Mapping[str, Floats], names: Sequence[str]) -> Matrix:
    """Agreement of all pairs of measures.

    Args:
        values: name -> (networks,).
        names: which; a measure that nine networks in ten do not have stays NaN.

    Raises:
        BadInput: fewer than ten networks have all others.
    """
    flat = np.stack([values[n] for n in names])
    fine = np.isfinite(flat)
    usable = fine.mean(1) >= KNOWN
    use = fine[usable].all(0)
    if use.sum() < FEWEST:
        raise BadInput(f"measures: {int(use.sum())} networks have all of them; {FEWEST} are needed")
    found = taus(flat[usable][:, use])
    tau, low, high = (np.full((len(names), len(names)), np.nan) for _ in range(3))
    for whole, part in zip((tau, low, high), found, strict=True):
        whole[np.ix_(usable, usable)] = part
    lost = tuple(n for n, u in zip(names, usable, strict=True) if not u)
    return Matrix(tuple(names), tau, low, high, int(use.sum()), lost)


def taus(values: Floats) -> tuple[Floats, Floats, Floats]:
    """(m, m) tau-b of the rows of (m, n), and the lower and upper ends of 95 % intervals."""
    from scipy.special import stdtrit

    m, n = values.shape
    sums, squares, ends = np.zeros((m, m)), np.zeros((m, m)), np.empty((n, m, m))
    signs = np.sign(values[:, :, None] - values[:, None, :]).astype(np.float32)
    for a in range(n):
        ends[a] = signs[:, a] @ signs[:, a].T  # what network a adds to every pair's count
    sums = ends.sum(0)
    own = np.einsum("aii->ai", ends)  # (n, m) pairs of a that a measure does not tie
    total = own.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt(total[:, None] * total)
        tau = sums / scale
        for a in range(n):
            share = own[a] / total
            squares += (2 * ends[a] / scale - tau * (share[:, None] + share)) ** 2
        half = float(stdtrit(n - 3, 0.975)) * np.sqrt(squares * n / (n - 1))
        rest = 1 - tau**2
        middle, wide = np.arctanh(np.clip(tau, -1 + 1e-12, 1 - 1e-12)), half / rest
        low, high = np.tanh(middle - wide), np.tanh(middle + wide)
    same = rest < 1e-12
    return tau, np.where(same, tau, low), np.where(same, tau, high)
