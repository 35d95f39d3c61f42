"""How many modules of NAS-Bench-101's kind differ: graphs up to isomorphism, counted without listing all.

The graphs of a given number of nodes are few enough to go through. Those of one shape are found by the
smallest code over all renumberings; how many ways there are to put operations on a shape follows from its
symmetries by Burnside's lemma.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


@lru_cache(maxsize=256)
def unique(nodes: int, most_edges: int, operations: int) -> int:
    """Modules of exactly so many nodes that differ.

    Args:
        nodes: with input and output; all of them on paths from input to output. At most 7.
        most_edges: at most so many edges.
        operations: how many each inner node may have.
    """
    pairs = [(s, t) for s in range(nodes) for t in range(s + 1, nodes)]
    graphs = whole(nodes, most_edges)
    own = _renumbered(graphs, pairs, tuple(range(nodes)))
    least = own.copy()
    symmetries = np.zeros(len(graphs), dtype=np.int64)
    colorings = np.zeros(len(graphs), dtype=np.int64)
    for order in itertools.permutations(range(1, nodes - 1)):
        place = (0, *order, nodes - 1)
        codes = _renumbered(graphs, pairs, place)
        least = np.minimum(least, codes)
        same = codes == own
        symmetries += same
        colorings += same * operations ** _cycles(order)
    _, first = np.unique(least, return_index=True)
    return int((colorings[first] // symmetries[first]).sum())


def whole(nodes: int, most_edges: int) -> Codes:
    """Codes of the graphs, sources before targets, in which every node is on a path from first to last.

    Bit j is the j-th pair (source, target) in lexicographic order.
    """
    pairs = [(s, t) for s in range(nodes) for t in range(s + 1, nodes)]
    codes = np.arange(1 << len(pairs), dtype=np.int64)
    codes = codes[np.bitwise_count(codes) <= most_edges]
    for n in range(nodes):
        # every node but the first has an edge into it, every one but the last an edge out of it
        into = sum(1 << j for j, (_, t) in enumerate(pairs) if t == n)
        out = sum(1 << j for j, (s, _) in enumerate(pairs) if s == n)
        for mask in filter(None, (into, out)):
            codes = codes[(codes & mask) != 0]
    return codes


def _renumbered(codes: Codes, pairs: list[tuple[int, int]], place: tuple[int, ...]) -> Codes:
    """Codes over all ordered pairs, node n being called place[n]."""
    out = np.zeros_like(codes)
    for j, (s, t) in enumerate(pairs):
        out |= ((codes >> j) & 1) << (place[s] * len(place) + place[t])
    return out


def _cycles(order: tuple[int, ...]) -> int:
    """Cycles of a permutation of 1, 2, ..."""
    seen: set[int] = set()
    count = 0
    for start in order:
        if start not in seen:
            count += 1
            while start not in seen:
                seen.add(start)
                start = order[start - 1]
    return count
