"""The networks of the HyperCuboid space: all its blocks, and one path alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nascore.cost import OPS
from nascore.errors import NotSupported
from nascore.gates import Gates
from nascore.ops import Stem, init_weights
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.hypercuboid import LAST, stride
from nascore.supernet import Inputs, Joint, Mixed, Supernet
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.spaces.hypercuboid import Hypercuboid


class SharpConv(nn.Module):
    """SharpSepConv between two widths: ReLU, depthwise and 1x1 convolution, batch norm, twice."""

    def __init__(self, inputs: int, outputs: int, name: str, step: int) -> None:
        super().__init__()
        op = OPS[name]
        widths, pad = (inputs, op.between(outputs), outputs), op.kernel // 2
        firsts = ((step, op.dilation), (1, 1))
        self.rounds = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, a, op.kernel, s, d * pad, d, groups=a, bias=False),
                nn.Conv2d(a, b, 1, bias=False),
                nn.BatchNorm2d(b),
            )
            for (s, d), (a, b) in zip(firsts, itertools.pairwise(widths), strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / step), ceil(w / step))."""
        for layers in self.rounds:
            x = layers(x.relu())
        return x


def block(inputs: int, outputs: int, name: str, step: int) -> nn.Module:
    """An operation between two widths."""
    op = OPS[name]
    if op.kind == "layer":
        return SharpConv(inputs, outputs, name, step)
    pool = nn.MaxPool2d(op.kernel, step, op.kernel // 2)
    return nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Tail(nn.Module):
    """ReLU, the mean over the map, a linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, classes)."""
        return self.linear(x.relu().mean((2, 3)))


class HypercuboidNet(nn.Module):
    """The path of one arch."""

    def __init__(self, space: Hypercuboid, arch: Arch, shape: Shape) -> None:
        super().__init__()
        widths, ops = space.taken(arch)
        self.stem = Stem(shape.image[0], widths[0], 1)
        ends = zip(itertools.pairwise(widths), ops, strict=True)
        self.layers = nn.ModuleList(block(a, b, op, stride(i)) for i, ((a, b), op) in enumerate(ends, 1))
        self.last = block(widths[-1], space.last, LAST, 1)
        self.tail = Tail(space.last, shape.classes)
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, colors, h, w) -> (n, classes)."""
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.tail(self.last(x))


class HypercuboidSupernet(Supernet):
    """The box of all blocks between open widths, with weights of their own.

    Gates are those of single choices, whose product weighs a block, or of whole layers
    (`Space.together`). Batch norms undo what a weight does to all that is summed, so widths of the last
    layer compete only where their own gate weighs what the last blocks give.

    Raises:
        NotSupported: entangled sharing.
    """

    def __init__(
        self, space: Hypercuboid, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]
    ) -> None:
        super().__init__(space, shape)
        if sharing != "separate":
            raise NotSupported(
                "the blocks of a HyperCuboid have weights of their own; choose separate sharing"
            )
        opened = {c.name: c.open for c in choices}
        self.groups = space.together()
        self.sizes = {c.name: len(c.options) for c in choices}
        widths = space.widths
        self.stem = Mixed("stem.width", {i: Stem(shape.image[0], widths[i], 1) for i in opened["stem.width"]})
        self.layers = nn.ModuleList()
        for i, names in enumerate(self.groups.values(), 1):
            rows = itertools.product(*(opened[n] for n in names))
            made = {r: block(widths[r[0]], widths[r[1]], space.ops[r[2]], stride(i)) for r in rows}
            self.layers.append(Joint(names, made))
        end = f"layer{space.layers}.width"
        self.last = Mixed(end, {i: block(widths[i], space.last, LAST, 1) for i in opened[end]})
        self.tail = Tail(space.last, shape.classes)
        init_weights(self)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        first = gates.get("stem.width")
        maps: dict[int, Tensor] = {
            int(i): stem(x) for i, stem in self.stem.ops.items() if first is None or int(i) in first.options
        }
        for name, layer in zip(self.groups, self.layers, strict=True):
            after: dict[int, Tensor] = {}
            for before, width, weight, module in self._blocks(name, layer, gates):
                if before in maps:
                    y = weight * module(maps[before])
                    after[width] = after[width] + y if width in after else y
            maps = after
        ends, gate = [], gates.get(self.last.choice)
        shares = dict(zip(gate.options, gate.weights, strict=True)) if gate else {}
        for width, y in maps.items():
            out = self.last.ops[str(width)](y)
            ends.append(shares[width] * out if gate else out)
        return self.tail(reduce(torch.add, ends))

    def _blocks(self, name: str, layer: Any, gates: Gates) -> Iterator[tuple[int, int, Any, nn.Module]]:
        """Width before, width, weight and module of what takes part."""
        if name not in gates:
            for (before, width, _), weight, module in layer.taken(gates):
                yield before, width, weight, module
            return
        _, widths, ops = (self.sizes[n] for n in self.groups[name])
        gate = gates[name]
        for place, weight in zip(gate.options, gate.weights, strict=True):
            rest, op = divmod(place, ops)
            before, width = divmod(rest, widths)
            yield before, width, weight, layer.ops[f"{before}_{width}_{op}"]

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        child: Any = self.space.build(arch, self.shape)
        taken = {c.name: str(i) for c, i in zip(self.space.choices(), arch, strict=True)}
        own: Any = self
        child.stem.load_state_dict(own.stem.ops[taken["stem.width"]].state_dict())
        for alone, layer, names in zip(child.layers, own.layers, self.groups.values(), strict=True):
            alone.load_state_dict(layer.ops["_".join(taken[n] for n in names)].state_dict())
        child.last.load_state_dict(own.last.ops[taken[self.last.choice]].state_dict())
        child.tail.load_state_dict(own.tail.state_dict())
        return child.to(next(self.parameters()).device).train(self.training)
