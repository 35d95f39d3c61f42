"""The size space of NATS-Bench (Dong et al., 2021): one fixed cell, five widths, 32,768 archs.

The widths are the output channels of stem and first cell, first reduction, second cell, second reduction,
last cell; official texts are `8:8:40:32:40`. Where a cell changes the width, its skip is a 1x1 convolution
with batch norm. Params equal the official ones for all archs, FLOPs those of the official records.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.cost import Cost, Size, convolution, linear, norm, strided
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)
CELL = ((0, 1, "nor_conv_3x3"), (0, 2, "nor_conv_3x3"), (1, 2, "nor_conv_3x3"), (0, 3, "skip_connect"),
        (1, 3, "nor_conv_3x3"), (2, 3, "nor_conv_3x3"))  # fmt: skip
PLACES = ("stem", "reduction1", "cell2", "reduction2", "cell3")


@dataclass(frozen=True)
class NatsSize(Space):
    """NATS-Bench's size space: the widths of five places of one network, 32,768 architectures."""

    stem_stride: int = knob(1, 1, 4, "stride of the first convolution; above 1 makes all maps smaller")

    def choices(self) -> tuple[Choice, ...]:
        """One width each of stem, reduction1, cell2, reduction2, cell3."""
        return tuple(Choice(f"{p}.channels", WIDTHS) for p in PLACES)

    def widths(self, arch: Arch) -> tuple[int, ...]:
        """The five widths."""
        return tuple(WIDTHS[i] for i in arch)

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """Entangled: one network of the largest widths; separate: what a width makes, once for each."""
        from nascore.spaces.nats_size_net import NatsSizeSupernet

        return NatsSizeSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The official network."""
        from nascore.spaces.nats_size_net import NatsSizeNet

        return NatsSizeNet(self.widths(arch), shape, self.stem_stride)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """The cell, its edges' costs summed over the three cells, and the network's blocks."""
        edges: dict[int, Cost] = dict.fromkeys(range(len(CELL)), Cost())
        blocks = []
        for name, kind, inputs, out in self._blocks(arch, shape):
            cost = Cost()
            if kind == "cell":
                for j in edges:
                    one = _edge(j, inputs, out)
                    edges[j], cost = edges[j] + one, cost + one
            elif kind == "reduction":
                cost = convolution(inputs, out, 3) + convolution(out[0], out, 3) + norm(out[0]) * 2
                cost += convolution(inputs, out, 1)
            else:
                cost = convolution(inputs, out, 3) + norm(out[0])
            blocks.append(Block(name, kind, 1, out, cost.params, cost.flops))
        last = blocks[-1].shape[0]
        head = norm(last) + linear(last, shape.classes)
        blocks.append(Block("head", "head", 1, (shape.classes,), head.params, head.flops))
        nodes = tuple(Node(str(i), {0: "input", 3: "output"}.get(i, str(i))) for i in range(4))
        drawn = tuple(
            Edge(str(s), str(t), op, "", edges[j].params, edges[j].flops) for j, (s, t, op) in enumerate(CELL)
        )
        return Graph(nodes, drawn, tuple(blocks))

    def _blocks(self, arch: Arch, shape: Shape) -> list[tuple[str, str, int, Size]]:
        """Name, kind, input channels and output of stem, cells and reductions, in order."""
        c = self.widths(arch)
        full = strided(shape.image, c[0], self.stem_stride)
        half = strided(full, c[1], 2)
        quarter = strided(half, c[3], 2)
        return [
            ("stem", "stem", shape.image[0], full),
            ("cell1", "cell", c[0], full),
            ("reduction1", "reduction", c[0], half),
            ("cell2", "cell", c[1], (c[2], *half[1:])),
            ("reduction2", "reduction", c[2], quarter),
            ("cell3", "cell", c[3], (c[4], *quarter[1:])),
        ]

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Exact and vectorized: the costs of `graph` as polynomials of the widths."""
        a, b, c, d, e = np.array(WIDTHS, dtype=np.float64)[np.asarray(archs)].T
        full = strided(shape.image, 1, self.stem_stride)
        half = strided(full, 1, 2)
        areas = [float(s[1] * s[2]) for s in (full, half, strided(half, 1, 2))]
        colors, k = shape.image[0], shape.classes
        weights = [
            (colors * a * 9 + _cell(a, a), areas[0]),
            (_reduction(a, b) + _cell(b, c), areas[1]),
            (_reduction(c, d) + _cell(d, e), areas[2]),
        ]
        norms = 2 * (a + _norms(a, a) + 2 * b + _norms(b, c) + 2 * d + _norms(d, e) + e)
        head = e * k + k
        params, flops = norms + head, head.copy()
        for count, area in weights:
            params, flops = params + count, flops + count * area
        return {"params": params, "flops": flops}

    def text(self, arch: Arch) -> str:
        """`8:8:40:32:40`."""
        return ":".join(map(str, self.widths(arch)))

    def read(self, text: str) -> Arch | None:
        """The arch of such a text."""
        if not re.fullmatch(r"\d{1,2}(:\d{1,2}){4}", text.strip(), re.ASCII):
            return None
        widths = [int(w) for w in text.split(":")]
        return tuple(WIDTHS.index(w) for w in widths) if all(w in WIDTHS for w in widths) else None


def _edge(edge: int, inputs: int, out: Size) -> Cost:
    source, _, op = CELL[edge]
    channels = inputs if source == 0 else out[0]
    if op == "skip_connect":
        return Cost() if channels == out[0] else convolution(channels, out, 1) + norm(out[0])
    return convolution(channels, out, 3) + norm(out[0])


def _cell(inputs: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of a cell's convolutions."""
    return 18 * inputs * out + 27 * out * out + np.where(inputs == out, 0, inputs * out)


def _norms(inputs: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """Channels with a batch norm in a cell."""
    return 5 * out + np.where(inputs == out, 0, out)


def _reduction(inputs: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * inputs * out + 9 * out * out
