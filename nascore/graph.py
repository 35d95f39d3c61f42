"""An arch as a graph: what is drawn, counted and encoded. Plain data, no torch, nothing is built.

The cell (or the part that differs between archs) is `nodes` and `edges`; the whole network is `blocks`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


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


@dataclass(frozen=True)
class Piece:
    """A part of a built network that can be unfolded to the parts inside it (outline.py makes them).

    Attributes:
        id: where it stands, dots between the levels; empty for the whole network.
        label: what people read.
        op: option that it stands for, as on edges; empty where it is none.
        shape: of what comes out, examples not counted.
        params: trainable numbers in it.
        flops: multiply-adds of one example, of convolutions, linear layers and attention.
        ms: measured milliseconds of one call; None where nothing was measured.
        pieces: what is inside, in the order of the computation; none for what cannot be unfolded.
        links: (source, target, port) inside: ids of pieces, `in0`, `in1`, ... for what comes in, `out` for
            what goes out; the port says which input of the target is meant (of `out`: which of several
            outputs), and `id@1` the second output of a piece with several.
    """

    id: str
    label: str
    op: str = ""
    shape: tuple[int, ...] = ()
    params: int = 0
    flops: int = 0
    ms: float | None = None
    pieces: tuple[Piece, ...] = ()
    links: tuple[tuple[str, str, int], ...] = ()


def unfold(whole: Piece, opened: Collection[str]) -> tuple[tuple[Piece, ...], tuple[tuple[str, str], ...]]:
    """The pieces that are seen when the whole network and those named are unfolded, and what joins them.

    A way from a piece to another is never lost: where one end is folded, it ends at what holds it.

    Args:
        whole: the network.
        opened: ids of pieces to be unfolded; those of pieces that are not seen do nothing.

    Returns:
        Pieces in the order of the computation, with `input` first and `output` last, and links between ids.
    """
    seen: list[Piece] = [Piece("input", "input")]
    links: list[tuple[str, str]] = []
    outs = _unfold(whole, opened, {0: ["input"]}, seen, links)
    seen.append(Piece("output", "output", shape=whole.shape))
    links += [(source, "output") for sources in outs.values() for source in sources]
    return tuple(seen), tuple(dict.fromkeys(links))


def _unfold(
    piece: Piece,
    opened: Collection[str],
    given: dict[int, list[str]],
    seen: list[Piece],
    links: list[tuple[str, str]],
) -> dict[int, list[str]]:
    """Adds what is inside a piece; returns what each of its outputs comes from."""
    ways = {f"in{port}": {0: sources} for port, sources in given.items()}
    for inner in piece.pieces:
        arrives: dict[int, list[str]] = {}
        for source, target, port in piece.links:
            if target == inner.id:
                arrives.setdefault(port, []).extend(_from(ways, source))
        if inner.pieces and inner.id in opened:
            ways[inner.id] = _unfold(inner, opened, arrives, seen, links)
        else:
            seen.append(inner)
            links += [(source, inner.id) for sources in arrives.values() for source in sources]
            ways[inner.id] = {0: [inner.id]}
    outs: dict[int, list[str]] = {}
    for source, target, port in piece.links:
        if target == "out":
            outs.setdefault(port, []).extend(_from(ways, source))
    return outs


def _from(ways: dict[str, dict[int, list[str]]], source: str) -> list[str]:
    """What a source of a link comes from: one of its outputs where there are several, else all."""
    name, _, part = source.partition("@")
    outs = ways.get(name, {})
    if part and len(outs) > 1:
        return outs.get(int(part), [])
    return [s for sources in outs.values() for s in sources]


def find(whole: Piece, id: str) -> Piece | None:
    """The piece of this id, wherever it is; None where there is none."""
    if whole.id == id:
        return whole
    return next((found for inner in whole.pieces if (found := find(inner, id))), None)


def read_piece(data: Any) -> Piece:
    """A piece of what `dataclasses.asdict` and JSON made of it."""
    inside = tuple(read_piece(p) for p in data["pieces"])
    links = tuple((str(s), str(t), int(p)) for s, t, p in data["links"])
    return Piece(**{**data, "shape": tuple(data["shape"]), "pieces": inside, "links": links})
