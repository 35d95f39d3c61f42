"""The networks of NATS-Bench's size space: the plain one of given widths, and those that hold all widths.

Entangled, every layer has the largest widths, and narrower ones are its first channels. Separate, what a
choice makes (stem and first cell, a reduction, a cell, the last cell with the head) is there once for each
width, with weights of its own; it reads as many channels as come in, so of its own input weights it takes
the first ones. Where a soft gate makes it open whether a cell changes the width, its skip is the input as
far as the widths agree, else the convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nascore.entangle import Axis, Conv, Linear, Norm, Widths, add, axis, same
from nascore.gates import Gates
from nascore.ops import init_weights
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.nats_size import CELL, PLACES
from nascore.supernet import Inputs, Supernet, inherit

if TYPE_CHECKING:
    from nascore.spaces.nats_size import NatsSize
    from nascore.task import Shape


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1, *, nested: bool) -> nn.Sequential:
    """ReLU, convolution, batch norm."""
    return nn.Sequential(nn.ReLU(), *_layers(inputs, outputs, kernel, stride, nested=nested))


def _layers(inputs: int, outputs: int, kernel: int, stride: int = 1, *, nested: bool) -> list[nn.Module]:
    """Convolution, batch norm."""
    conv: Any = Conv if nested else nn.Conv2d
    norm: Any = Norm if nested else nn.BatchNorm2d
    return [conv(inputs, outputs, kernel, stride, kernel // 2, bias=False), norm(outputs)]


def _narrowed(layers: Any, x: Tensor, channels: Axis) -> Tensor:
    """Layers in a row, their outputs of these sizes; the norm covers them, else the convolution."""
    normed = any(isinstance(layer, Norm) for layer in layers)
    for layer in layers:
        if isinstance(layer, Conv):
            x = layer(x, channels.plain if normed else channels)
        else:
            x = layer(x, channels) if isinstance(layer, Norm) else layer(x)
    return x


class _Cell(nn.Module):
    """The fixed cell: node 3 is the sum of a skip and two convolutions."""

    def __init__(self, inputs: int, outputs: int, bridge: bool, nested: bool = False) -> None:
        super().__init__()
        self.edges = nn.ModuleList()
        for source, _, op in CELL:
            channels = inputs if source == 0 else outputs
            if op == "nor_conv_3x3":
                self.edges.append(_unit(channels, outputs, 3, nested=nested))
            elif bridge:
                self.edges.append(nn.Sequential(*_layers(channels, outputs, 1, nested=nested)))
            else:
                self.edges.append(nn.Identity())

    def forward(self, x: Tensor, sizes: tuple[Axis, Axis] | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w); sizes are inputs and outputs."""
        nodes: list[Tensor] = [x]
        for target in (1, 2, 3):
            into = [
                edge(nodes[s]) if sizes is None else self._along(edge, nodes[s], op, sizes)
                for (s, t, op), edge in zip(CELL, self.edges, strict=True)
                if t == target
            ]
            # a skip may have more channels than the convolutions beside it
            nodes.append(into[0] if len(into) < 2 else _sum(into))
        return nodes[-1]

    def _along(self, edge: Any, x: Tensor, op: str, sizes: tuple[Axis, Axis]) -> Tensor:
        inputs, outputs = sizes
        if op == "nor_conv_3x3":
            return _narrowed(edge, x, outputs)
        share = same(inputs, outputs)
        if isinstance(share, float) and share == 1:
            return x
        way = _narrowed(edge, x, outputs)
        if isinstance(share, float) and share == 0:
            return way
        return add(x[:, : way.shape[1]] * share, way * (1 - share))


def _sum(maps: list[Tensor]) -> Tensor:
    if len({m.shape[1] for m in maps}) == 1:
        return torch.stack(maps).sum(0)
    return reduce(add, maps)


class _Reduction(nn.Module):
    """The residual block with stride 2, whose shortcut is average pooling and a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int, nested: bool = False) -> None:
        super().__init__()
        first = _unit(inputs, outputs, 3, 2, nested=nested)
        self.body = nn.Sequential(first, _unit(outputs, outputs, 3, nested=nested))
        pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Sequential(pool, _layers(inputs, outputs, 1, nested=nested)[0])

    def forward(self, x: Tensor, outputs: Axis | None = None) -> Tensor:
        """Halves the map."""
        if outputs is None:
            return self.body(x) + self.shortcut(x)
        first, second = self.body
        body = _narrowed(second, _narrowed(first, x, outputs), outputs)
        return body + _narrowed(self.shortcut, x, outputs)


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
        cells = [_Cell(a, a, bridge=False), _Cell(b, c, b != c), _Cell(d, e, d != e)]
        stem = nn.Sequential(*_layers(shape.image[0], a, 3, stride, nested=False))
        body = [stem, cells[0], _Reduction(a, b), cells[1], _Reduction(c, d), cells[2]]
        self.body = nn.Sequential(*body, nn.BatchNorm2d(e), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(e, shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """(n, colors, h, w) -> (n, classes)."""
        return self.head(self.body(x))


class _Made(nn.Module):
    """What one of the five widths makes, under the names that its layers have in the plain network."""

    def __init__(self, parts: Mapping[int, nn.Module], head: nn.Module | None = None) -> None:
        super().__init__()
        self.body = nn.ModuleDict({str(i): part for i, part in parts.items()})
        self.head = head

    def forward(self, x: Tensor, inputs: Axis, outputs: Axis | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ...), or (n, classes) from the last one.

        Without `outputs`, all of the own width.
        """
        for part in self.body.values():
            if outputs is None:
                outputs = Axis((_width(part),))
            if isinstance(part, _Cell):
                x = part(x, (inputs, outputs))
            elif isinstance(part, _Reduction):
                x = part(x, outputs)
            elif isinstance(part, Norm):
                x = part(x, outputs).relu()
            else:
                x, inputs = _narrowed(part, x, outputs), outputs
        return x if self.head is None else self.head(x.mean((2, 3)))


def _width(part: nn.Module) -> int:
    """The channels of the last norm in it."""
    return [m.num_features for m in part.modules() if isinstance(m, Norm)][-1]


class NatsSizeSupernet(Supernet):
    """All open widths of the five places."""

    def __init__(self, space: NatsSize, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> None:
        super().__init__(space, shape)
        self.sharing: Sharing = sharing
        self.options: Mapping[str, Choice] = {c.name: c for c in choices}
        self.stride = space.stem_stride
        widest = [max(int(c.options[i]) for i in c.open) for c in choices]
        ends = zip([shape.image[0], *widest], widest, choices, strict=False)
        make = self._one if sharing == "entangled" else self._each
        self.places = nn.ModuleList(make(k, *end) for k, end in enumerate(ends))
        init_weights(self)

    def _one(self, place: int, inputs: int, outputs: int, choice: Choice) -> nn.Module:
        """What the place makes, in the largest width."""
        match place:
            case 0:
                stem = nn.Sequential(*_layers(inputs, outputs, 3, self.stride, nested=True))
                return _Made({0: stem, 1: _Cell(outputs, outputs, bridge=False, nested=True)})
            case 1 | 3:
                return _Made({place + 1: _Reduction(inputs, outputs, nested=True)})
            case 2:
                return _Made({3: _Cell(inputs, outputs, bridge=True, nested=True)})
            case _:
                parts = {5: _Cell(inputs, outputs, bridge=True, nested=True), 6: Norm(outputs)}
                return _Made(parts, Linear(outputs, self.shape.classes))

    def _each(self, place: int, inputs: int, outputs: int, choice: Choice) -> nn.Module:
        """The same once for each open width."""
        return Widths(
            choice.name, {i: self._one(place, inputs, int(choice.options[i]), choice) for i in choice.open}
        )

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        y: Any = x
        here = Axis((self.shape.image[0],))
        for part, name in zip(self.places, PLACES, strict=True):
            gate, choice = gates[f"{name}.channels"], self.options[f"{name}.channels"]
            outputs = axis(gate, [int(v) for v in choice.options])
            y = part(y, gate, here) if isinstance(part, Widths) else part(y, here, outputs)
            here = outputs
        return y

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        child = self.space.build(arch, self.shape)
        for part, i in zip(self.places, arch, strict=True):
            inherit(child, part.ops[str(i)] if isinstance(part, Widths) else part)
        return child.to(next(self.parameters()).device).train(self.training)
