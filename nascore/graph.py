"""An arch as a graph: what is drawn, counted and encoded. Plain data, no torch, nothing is built.

The cell (or the part that differs between archs) is `nodes` and `edges`; the whole network is `blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A place in the cell; `op` is set where operations sit on nodes."""

    id: str
    label: str
    op: str = ""
    params: int = 0
    flops: int = 0
    dead: bool = False


@dataclass(frozen=True)
class Edge:
    """An operation between two nodes; params and FLOPs are summed over every cell of the network."""

    source: str
    target: str
    op: str
    choice: str = ""
    params: int = 0
    flops: int = 0
    dead: bool = False


@dataclass(frozen=True)
class Block:
    """A stretch of the network.

    Attributes:
        kind: stem | cell | reduction | head.
        repeats: how many of them in a row; params and flops are of all of them.
        shape: (channels, height, width) of the output.
    """

    name: str
    kind: str
    repeats: int
    shape: tuple[int, ...]
    params: int = 0
    flops: int = 0


@dataclass(frozen=True)
class Graph:
    """One arch. `flops` counts multiply-adds of convolutions and linear layers (cost.py says how)."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    blocks: tuple[Block, ...] = ()

    @property
    def params(self) -> int:
        """Trainable numbers of the whole network."""
        return sum(b.params for b in self.blocks)

    @property
    def flops(self) -> int:
        """Multiply-adds of one forward pass of one example."""
        return sum(b.flops for b in self.blocks)


def live_edges(
    edges: tuple[tuple[str, str], ...], carries: tuple[bool, ...], first: str, last: str
) -> tuple[bool, ...]:
    """Which edges lie on some path from `first` to `last` along edges that carry something.

    Args:
        edges: (source, target) of each edge.
        carries: (n_edges,) whether its operation lets anything through.
        first: the input node.
        last: the output node.
    """
    ahead, back = {first}, {last}
    for _ in edges:
        ahead |= {t for (s, t), c in zip(edges, carries, strict=True) if c and s in ahead}
        back |= {s for (s, t), c in zip(edges, carries, strict=True) if c and t in back}
    return tuple(c and s in ahead and t in back for (s, t), c in zip(edges, carries, strict=True))
