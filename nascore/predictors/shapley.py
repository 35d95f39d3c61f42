"""Interactions of two columns in boosted trees, exactly: what TreeSHAP is to one (Lundberg et al., 2020).

A leaf is reached for certain or by chance: v(S) = value * prod over columns on its path of [x goes this way]
where the column is in S, else of the share of pairs that went this way. For such a product the sums over all
subsets are integrals of a polynomial over t in [0, 1], the chance that a column is in S, and a Gauss rule
gives them exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NODES = 16  # exact for polynomials of degree 31, that is for 33 columns on a path

Turn = tuple[int, float, bool, float]  # column, threshold, whether at or below it, share of the pairs
Leaf = tuple[float, list[Turn]]


def interactions(booster: Any, x: Floats) -> Floats:
    """(n, columns, columns) SHAP interaction values of a LightGBM booster of numbers without categories.

    Off the diagonal half of the Shapley interaction index stands on each side (Lundberg et al. 2020, methods,
    SHAP interaction values); on the diagonal what is left of the column's own SHAP value: rows sum to it.
    """
    n, columns = x.shape
    out, own = np.zeros((n, columns, columns)), np.zeros((n, columns))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    t, weights = (nodes + 1) / 2, weights / 2
    for tree in booster.dump_model()["tree_info"]:
        for value, turns in _leaves(tree["tree_structure"], []):
            _add(value, turns, x, t, weights, own, out)
    at = np.arange(columns)
    out[:, at, at] = own - out.sum(2)
    return out


def _add(
    value: float, turns: list[Turn], x: Floats, t: Floats, weights: Floats, own: Floats, out: Floats
) -> None:
    """Adds a leaf's share to SHAP values (n, columns) and to interactions (n, columns, columns)."""
    column = sorted({c for c, *_ in turns})
    if not column:
        return
    ways, share = np.ones((len(x), len(column))), np.ones(len(column))
    for c, threshold, below, part in turns:
        j = column.index(c)
        ways[:, j] *= (x[:, c] <= threshold) == below
        share[j] *= part
    mixed = ways[:, :, None] * t + share[:, None] * (1 - t)  # (n, m, nodes)
    change, m = ways - share, len(column)
    for a in range(m):
        others = np.delete(mixed, a, 1)
        own[:, column[a]] += value * change[:, a] * (others.prod(1) @ weights)
        for b in range(a + 1, m):
            rest = np.delete(others, b - 1, 1).prod(1) @ weights
            half = value * change[:, a] * change[:, b] * rest / 2
            out[:, column[a], column[b]] += half
            out[:, column[b], column[a]] += half


def _leaves(node: dict[str, Any], turns: list[Turn]) -> Iterator[Leaf]:
    """Every leaf's value with the turns on the way to it."""
    if "split_index" not in node:
        yield float(node["leaf_value"]), turns
        return
    for side, below in (("left_child", True), ("right_child", False)):
        child = node[side]
        share = child.get("internal_count", child.get("leaf_count")) / node["internal_count"]
        turn = (int(node["split_feature"]), float(node["threshold"]), below, float(share))
        yield from _leaves(child, [*turns, turn])
