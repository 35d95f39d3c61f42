"""The network of NATS-Bench's size space as a plain torch module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nascore.spaces.nats_size import CELL

if TYPE_CHECKING:
    from nascore.task import Shape


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution, batch norm."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), layer, nn.BatchNorm2d(outputs))


class _Cell(nn.Module):
    """The fixed cell: node 3 is the sum of a skip and two convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList()
        for source, _, op in CELL:
            channels = inputs if source == 0 else outputs
            if op == "nor_conv_3x3":
                self.edges.append(_conv(channels, outputs, 3))
            elif channels == outputs:
                self.edges.append(nn.Identity())
            else:
                skip = nn.Conv2d(channels, outputs, 1, bias=False)
                self.edges.append(nn.Sequential(skip, nn.BatchNorm2d(outputs)))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        nodes: list[Tensor] = [x]
        for target in (1, 2, 3):
            into = [edge(nodes[s]) for (s, t, _), edge in zip(CELL, self.edges, strict=True) if t == target]
            nodes.append(torch.stack(into).sum(0) if len(into) > 1 else into[0])
        return nodes[-1]


class _Reduction(nn.Module):
    """The residual block with stride 2, whose shortcut is average pooling and a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv(inputs, outputs, 3, 2), _conv(outputs, outputs, 3))
        pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Halves the map."""
        return self.body(x) + self.shortcut(x)


class NatsSizeNet(nn.Module):
    """Stem, cell, reduction, cell, reduction, cell, head.

    Args:
        widths: of stem and first cell, first reduction, second cell, second reduction, last cell.
        shape: of the task.
        stride: of the stem; 1 in the paper.
    """

    def __init__(self, widths: tuple[int, ...], shape: Shape, stride: int = 1) -> None:
        super().__init__()
        a, b, c, d, e = widths
        stem = nn.Sequential(nn.Conv2d(shape.image[0], a, 3, stride, 1, bias=False), nn.BatchNorm2d(a))
        body = [stem, _Cell(a, a), _Reduction(a, b), _Cell(b, c), _Reduction(c, d), _Cell(d, e)]
        self.body = nn.Sequential(*body, nn.BatchNorm2d(e), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(e, shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """(n, colors, h, w) -> (n, classes)."""
        return self.head(self.body(x))
