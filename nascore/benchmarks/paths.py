"""Archs as sets of paths, how far a map of them can be trusted, and which of them coincide on it.

A path is the sequence of operations that one meets on the way from a cell's input to its output; a skip
connection is an operation like another, and what goes through `none` is no path.

Source: White et al. 2021 (BANANAS), the path encoding: one 0/1 number a possible path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nascore.space import Archs, Choice
from nascore.stats import spearman

Values = NDArray[np.float64]
Rows = NDArray[np.int64]
EDGE = re.compile(r"edge_(\d+)_(\d+)")
NOTHING = "none"
MOST_PATHS = 4096  # columns of a code
PAIRS = 20_000  # pairs of archs whose distances are compared
NEAR = 1e-4  # share of the map's width within which two places are one


@dataclass(frozen=True)
class Code:
    """Archs by the paths that they have.

    Attributes:
        code: (n, paths) 0 or 1.
        paths: the operations of each column, from the input to the output.
    """

    code: NDArray[np.float32]
    paths: tuple[tuple[str, ...], ...]


def edges_of(choices: Sequence[Choice]) -> list[tuple[int, int]] | None:
    """(source, target) of each choice of a cell with operations on edges; None for another space."""
    found = [EDGE.fullmatch(c.name) for c in choices]
    pairs = [(int(m[2]), int(m[1])) for m in found if m]
    if not pairs or len(pairs) < len(choices) or any(a >= b for a, b in pairs):
        return None
    return pairs


def path_code(archs: Archs, choices: Sequence[Choice]) -> Code | None:
    """Which sequences of operations lead from the first node to the last.

    Args:
        archs: (n, edges) option indices.
        choices: one an edge, called `edge_<target>_<source>`.

    Returns:
        None where the choices are no edges of one cell, or where there are more than 4,096 possible paths.
        The same sequence over other nodes is the same path, as in the source. Paths that no arch has, have no
        column.
    """
    edges = edges_of(choices)
    if edges is None:
        return None
    last = max(b for _, b in edges)
    columns: dict[tuple[str, ...], NDArray[np.bool_]] = {}
    for route in _routes(edges, last):
        found = [((), np.ones(len(archs), bool))]
        for i in route:
            found = [
                ((*ops, str(option)), have & (archs[:, i] == o))
                for ops, have in found
                for o, option in enumerate(choices[i].options)
                if str(option) != NOTHING
            ]
            if len(found) > MOST_PATHS:
                return None
        for ops, have in found:
            columns[ops] = columns.get(ops, False) | have
    kept = sorted((ops for ops, have in columns.items() if have.any()), key=lambda ops: (len(ops), ops))
    if len(kept) > MOST_PATHS:
        return None
    code = np.stack([columns[ops] for ops in kept], 1) if kept else np.zeros((len(archs), 0))
    return Code(code.astype(np.float32), tuple(kept))


def _routes(edges: Sequence[tuple[int, int]], last: int, at: int = 0) -> list[tuple[int, ...]]:
    """Every way from a node to the last one, as places in `edges`."""
    if at == last:
        return [()]
    return [(i, *rest) for i, (a, b) in enumerate(edges) if a == at for rest in _routes(edges, last, b)]


def standard(code: NDArray[Any]) -> Values:
    """The columns with mean 0 and deviation 1; constant ones are 0.

    Half of all cells have a given path of one edge and few a given path of three. As they are, the plane
    would show the direct edge alone: 15,625 cells on five places.
    """
    exact = code.astype(np.float64)  # in float32 directions that keep equally much would seem to differ
    sd = exact.std(0)
    return (exact - exact.mean(0)) / np.where(sd > 0, sd, 1.0)


def faithful(code: NDArray[Any], places: Values, *, pairs: int = PAIRS) -> float:
    """Spearman's rho between distances on a map and those it stands for, over random pairs of archs.

    Args:
        code: (n, features) what the map was made of; the squared distance counts the features that differ.
        places: (n, 2).
        pairs: how many are drawn, always the same ones.

    Returns:
        -1 to 1; 1: what is nearer on the map is nearer in truth. NaN below three archs.
    """
    n = len(code)
    if n < 3:
        return float("nan")
    rng = np.random.default_rng(0)
    a = rng.integers(0, n, pairs)
    b = (a + rng.integers(1, n, pairs)) % n
    true = ((code[a] - code[b]) ** 2).sum(1)
    return spearman(true, ((places[a] - places[b]) ** 2).sum(1))


@dataclass(frozen=True)
class Stacks:
    """Archs that coincide on a map.

    Attributes:
        of: (n,) which stack an arch is in.
        places: (stacks, 2).
        count: (stacks,) how many archs stand there.
    """

    of: Rows
    places: Values
    count: Rows


def stacks(places: Values) -> Stacks:
    """Which archs stand at one place, to within a ten thousandth of the map's width."""
    span = float(np.ptp(places, 0).max()) if len(places) else 0.0
    grid = np.round((places - places.min(0)) / (NEAR * span)) if span > 0 else np.zeros_like(places)
    _, first, of, count = np.unique(grid, axis=0, return_index=True, return_inverse=True, return_counts=True)
    return Stacks(of.reshape(-1).astype(np.int64), places[first], count.astype(np.int64))
