"""Widths and depths of a CIFAR ResNet: the space of Transformable Architecture Search (Dong and Yang, 2019).

Each convolution keeps 30 to 100 % of its channels, each stage some of its blocks. The network is that of the
paper's released shapes: basic blocks; the shortcut pools and has a 1x1 convolution without norm where the map
halves, a 1x1 convolution with norm where only the width changes, and else is the input. Multiply-adds of the
published shapes equal the published values (tests/spaces/test_pruned_resnet.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.cost import Cost, Size, convolution, linear, norm, strided
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

STAGES = 3
TENTHS = (3, 4, 5, 6, 7, 8, 9, 10)  # of the channels, rounded down


@dataclass(frozen=True)
class PrunedResnet(Space):
    """A ResNet for small images, with the width of each layer and the depth of each stage to choose."""

    depth: int = knob(20, 8, 110, "layers of the whole network, 6 n + 2: 20, 32, 56 and 110 are the paper's")
    channels: int = knob(16, 4, 128, "of the first stage, doubled in each further one; officially 16")

    def __post_init__(self) -> None:
        if (self.depth - 2) % 6:
            near = (self.depth - 2) // 6 * 6 + 2
            raise BadInput(f"depth: {self.depth} is not 6 n + 2; {near} and {near + 6} are")

    @property
    def blocks(self) -> int:
        """In each stage."""
        return (self.depth - 2) // 6

    @property
    def depths(self) -> tuple[int, ...]:
        """The depths of a stage: all up to 3, else the odd ones and the whole."""
        n = self.blocks
        return tuple(range(1, n + 1)) if n <= 3 else tuple(sorted({*range(1, n + 1, 2), n}))

    def widths(self, stage: int) -> tuple[int, ...]:
        """The widths of a convolution of this stage (0, 1 or 2)."""
        return tuple(dict.fromkeys(max(1, self.channels * 2**stage * t // 10) for t in TENTHS))

    def choices(self) -> tuple[Choice, ...]:
        """Width of the stem, then of each stage the depth and both widths of each block."""
        return _choices(self)

    def taken(self, arch: Arch) -> tuple[int, tuple[tuple[tuple[int, int], ...], ...]]:
        """Width of the stem, and (inner, outer) width of each block that is there, a stage at a time."""
        values = iter([None if i < 0 else c.options[i] for c, i in zip(self.choices(), arch, strict=True)])
        stem = int(next(values) or 0)
        rows = []
        for _ in range(STAGES):
            depth = next(values) if len(self.depths) > 1 else 1
            pairs = [(next(values), next(values)) for _ in range(self.blocks)]
            rows.append(tuple((int(a or 0), int(b or 0)) for a, b in pairs[: int(depth or 1)]))
        return stem, tuple(rows)

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """Entangled: one network of the largest widths; separate: each convolution once for each width.

        Separate weights are those of an output width. For each pair of widths there would be 64 times as many
        convolutions; so one reads the first channels that come in, as a slice of its own input weights.
        """
        from nascore.spaces.pruned_resnet_net import PrunedSupernet

        return PrunedSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The plain network of these widths and depths."""
        from nascore.spaces.pruned_resnet_net import PrunedNet

        return PrunedNet(*self.taken(arch), shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """A chain of blocks, each as an edge."""
        stem, rows = self.taken(arch)
        size = strided(shape.image, stem, 1)
        first = convolution(shape.image[0], size, 3) + norm(stem)
        nodes, edges = [Node("0", "input"), Node("1", _label(size))], []
        edges.append(Edge("0", "1", "conv 3x3", "stem.width", first.params, first.flops))
        blocks = [Block("stem", "stem", 1, size, first.params, first.flops)]
        for s, row in enumerate(rows):
            total = Cost()
            for b, (inner, outer) in enumerate(row):
                stride = 2 if s and not b else 1
                cost = _block(size[0], inner, strided(size, outer, stride), stride)
                size, total = strided(size, outer, stride), total + cost
                nodes.append(Node(str(len(nodes)), _label(size)))
                name = f"stage{s + 1}.block{b + 1}.outer"
                edges.append(Edge(nodes[-2].id, nodes[-1].id, "basic 3x3", name, cost.params, cost.flops))
            blocks.append(Block(f"stage{s + 1}", "cell", len(row), size, total.params, total.flops))
        head = linear(size[0], shape.classes)
        nodes[-1] = Node(nodes[-1].id, "output")
        blocks.append(Block("head", "head", 1, (shape.classes,), head.params, head.flops))
        return Graph(tuple(nodes), tuple(edges), tuple(blocks))

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Exact and vectorized: polynomials of the widths, block by block."""
        archs = np.asarray(archs)
        value = _values(self, archs)
        width = value["stem.width"]
        size = strided(shape.image, 1, 1)
        params = shape.image[0] * width * 9 + 2 * width
        flops = shape.image[0] * width * 9 * size[1] * size[2]
        for s in range(STAGES):
            size = strided(size, 1, 2) if s else size
            last = width
            for b in range(self.blocks):
                on = value[f"stage{s + 1}.depth"] > b
                inner, outer = (value[f"stage{s + 1}.block{b + 1}.{k}"] for k in ("inner", "outer"))
                bridge = width * outer * ((width != outer) | (s > 0 and b == 0))
                count = 9 * width * inner + 9 * inner * outer + bridge
                norms = inner + outer + (outer * (width != outer) if not (s and b == 0) else 0)
                params = params + on * (count + 2 * norms)
                flops = flops + on * count * size[1] * size[2]
                width = outer
                last = np.where(on, outer, last)
            width = last
        head = width * shape.classes + shape.classes
        return {"params": (params + head).astype(float), "flops": (flops + head).astype(float)}

    def text(self, arch: Arch) -> str:
        """Depths, then all widths in order: `3-3-3|16:6:4:4:...`."""
        stem, rows = self.taken(arch)
        widths = [stem, *(w for row in rows for pair in row for w in pair)]
        return f"{'-'.join(str(len(r)) for r in rows)}|{':'.join(map(str, widths))}"

    def read(self, text: str) -> Arch | None:
        """The arch of such a text."""
        if not re.fullmatch(r"\d{1,3}(-\d{1,3}){2}\|\d{1,4}(:\d{1,4})+", text.strip(), re.ASCII):
            return None
        depths, widths = ([int(n) for n in re.findall(r"\d+", part)] for part in text.split("|"))
        if not set(depths) <= set(self.depths) or len(widths) != 1 + 2 * sum(depths):
            return None
        left = iter(widths)
        values = {"stem.width": next(left)}
        for s, depth in enumerate(depths):
            values[f"stage{s + 1}.depth"] = depth
            for b in range(depth):
                for k in ("inner", "outer"):
                    values[f"stage{s + 1}.block{b + 1}.{k}"] = next(left)
        row = [(c.options, values.get(c.name)) for c in self.choices()]
        if any(v is not None and v not in options for options, v in row):
            return None
        return tuple(-1 if v is None else options.index(v) for options, v in row)


def _label(size: Size) -> str:
    return "x".join(map(str, size))


def _block(inputs: int, inner: int, out: Size, stride: int) -> Cost:
    cost = convolution(inputs, (inner, *out[1:]), 3) + norm(inner) + convolution(inner, out, 3) + norm(out[0])
    if stride > 1:
        return cost + convolution(inputs, out, 1)
    return cost + convolution(inputs, out, 1) + norm(out[0]) if inputs != out[0] else cost


@lru_cache(maxsize=32)
def _choices(space: PrunedResnet) -> tuple[Choice, ...]:
    out = [Choice("stem.width", space.widths(0))]
    for s in range(STAGES):
        name, deep = f"stage{s + 1}", space.depths
        out += [Choice(f"{name}.depth", deep)] if len(deep) > 1 else []
        for b in range(space.blocks):
            more = tuple(d for d in deep if d > b)
            when = (f"{name}.depth", more) if len(more) < len(deep) else None
            out += [Choice(f"{name}.block{b + 1}.{k}", space.widths(s), when) for k in ("inner", "outer")]
    return tuple(out)


def _values(space: PrunedResnet, archs: Archs) -> dict[str, NDArray[np.int64]]:
    """Choice name -> (n,) values; the first one where it is inactive."""
    out = {
        c.name: np.array([int(v) for v in c.options])[np.maximum(archs[:, j], 0)]
        for j, c in enumerate(space.choices())
    }
    alone = {f"stage{s + 1}.depth": np.ones(len(archs), dtype=np.int64) for s in range(STAGES)}
    return {**alone, **out}
