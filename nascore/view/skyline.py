"""A whole network as a row of bars, one a layer: small drawings of chains side by side, without words.

A bar is as high as the layer has channels and as wide as its map; the color is that of the operation's
family, stronger for larger kernels. Widths, depths, kernels and where the map shrinks are seen at a glance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from nascore.graph import Graph
from nascore.view.marks import Item, Scene, finish, rect
from nascore.view.tokens import Tokens, op_label

SIZES = re.compile(r"(\d+)x(\d+)x(\d+)", re.ASCII)
KERNEL = re.compile(r"(\d+)x\1(?!\d)", re.ASCII)
FAMILIES = {  # first word of a layer -> the operation whose color its bar has
    "conv": "conv_3x3",
    "basic": "conv_3x3",
    "bottleneck": "conv_3x3",
    "separable": "sep_3x3",
    "mbconv": "sep_3x3",
    "attention": "attention",
}
HIGH, LOW, WIDE, NARROW, GAP = 74.0, 5.0, 15.0, 4.0, 3.0
STRENGTH = {1: 0.4, 3: 0.6, 5: 0.8}  # of the color, by kernel; 1 for larger ones


@dataclass(frozen=True)
class Layer:
    """What a bar shows: the operation in words, channels, height of the map."""

    op: str
    channels: int
    side: int


def layers(graph: Graph) -> tuple[Layer, ...]:
    """The layers of a chain, or the blocks of a network in which only they differ; none for other graphs."""
    if any(n.op and n.op not in ("input", "output") for n in graph.nodes):
        return ()
    ends = list(zip(graph.nodes, graph.nodes[1:], strict=False))
    chain = [(e.source, e.target) for e in graph.edges] == [(a.id, b.id) for a, b in ends]
    sizes = [SIZES.fullmatch(n.label) for n in graph.nodes[1:-1]]
    if chain and sizes and all(sizes):
        last = next((b.shape for b in reversed(graph.blocks) if b.kind != "head"), ())
        found = [tuple(map(int, s.groups())) for s in sizes if s] + [last]
        return tuple(_layer(e.op, shape) for e, shape in zip(graph.edges, found, strict=True))
    if any(e.choice for e in graph.edges):
        return ()
    blocks = [b for b in graph.blocks if b.kind != "head"]
    return tuple(_layer("", b.shape) for b in blocks for _ in range(b.repeats))


def _layer(op: str, shape: Sequence[int]) -> Layer:
    channels, *sides = shape or (1,)
    return Layer(op.removeprefix("max_pool "), channels, sides[0] if sides else 1)


def widest(graphs: Sequence[Graph]) -> int:
    """Most channels of a layer of these networks, so that their bars have one scale; 1 for none."""
    return max((y.channels for g in graphs for y in layers(g)), default=1)


def draw(graph: Graph, t: Tokens, *, label: str, most: int = 0) -> Scene:
    """Scene of the bars.

    Args:
        graph: one with `layers`.
        t: LIVE inside a page, LIGHT or DARK for a file.
        label: spoken name of the drawing.
        most: channels of the highest bar; 0 for those of this network.
    """
    rows = layers(graph)
    most, side = most or widest([graph]), max((y.side for y in rows), default=1)
    items: list[Item] = []
    x = GAP
    for i, layer in enumerate(rows):
        size = (
            NARROW + (WIDE - NARROW) * sqrt(layer.side / side),
            LOW + (HIGH - LOW) * layer.channels / most,
        )
        tip = f"{op_label(layer.op) or 'block'}, {layer.channels} channels, {layer.side} x {layer.side}"
        items.append(
            rect(x, HIGH + 4 - size[1], size, "bar", 2, id=f"layer-{i}", tip=tip, **_look(layer.op, t))
        )
        x += size[0] + GAP
    items.append(rect(0, HIGH + 6, (x, 1.4), "track", 0.7))
    return finish(items, x, HIGH + 12, label)


def _look(op: str, t: Tokens) -> dict[str, object]:
    """Fill of a bar."""
    family = FAMILIES.get(op.split(" ")[0])
    if family is None:
        return {"fill": t.accent, "fill-opacity": 0.7}
    kernel = KERNEL.search(op)
    strength = STRENGTH.get(int(kernel[1]), 1.0) if kernel else 0.6
    return {"fill": t.op(family), "fill-opacity": strength}
