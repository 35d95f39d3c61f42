"""Small graphs for the tests of the view."""

from __future__ import annotations

import numpy as np

from nascore.graph import Block, Edge, Graph, Node
from nascore.view.tokens import OPS

PAIRS = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CONV = "nor_conv_3x3"


def cell201(*ops: str, flops: tuple[int, ...] = (0,) * 6) -> Graph:
    nodes = tuple(Node(str(i), name) for i, name in enumerate(("input", "1", "2", "output")))
    edges = tuple(
        Edge(str(a), str(b), op, flops=cost) for (a, b), op, cost in zip(PAIRS, ops, flops, strict=True)
    )
    return Graph(nodes, edges)


def cell101(links: list[str], **ops: str) -> Graph:
    nodes = (
        Node("0", "input", "input"),
        *(Node(k[1:], k[1:], op) for k, op in ops.items()),
        Node("9", "output", "output"),
    )
    return Graph(nodes, tuple(Edge(a, b, "") for a, b in links))


def network() -> Graph:
    blocks = (
        Block("stem", "stem", 1, (16, 32, 32), 464, 442_368),
        Block("cells", "cell", 5, (16, 32, 32), 300_000, 48_500_000),
        Block("halve", "reduction", 1, (32, 16, 16), 14_000, 3_700_000),
        Block("head", "head", 1, (10,), 650, 640),
    )
    return Graph((), (), blocks)


def random_tracks(seed: int) -> Graph:
    """3 to 9 nodes, edges at random with at least one out of each node, random operations."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 10))
    nodes = tuple(Node(str(i), str(i)) for i in range(n))
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n) if b == a + 1 or rng.random() < 0.5]
    ops = list(OPS)
    return Graph(nodes, tuple(Edge(str(a), str(b), ops[rng.integers(len(ops))]) for a, b in pairs))
