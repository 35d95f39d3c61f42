"""The networks of the pooling space: one stack of layers, with poolings where a split says.

Gates over several splits mix logits, since the maps are of unlike size.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.entangle import is_hard
from nascore.gates import Gates
from nascore.ops import init_weights
from nascore.space import Arch, Choice
from nascore.supernet import Inputs, Supernet, inherit, separate
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.spaces.pooling import Pooling


class Unit(nn.Module):
    """A convolution and a batch norm without scale and shift."""

    def __init__(self, inputs: int, outputs: int, kernel: int, running: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, affine=False, track_running_stats=running)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        return self.bn(self.conv(x))


class Plain(nn.Module):
    """The first layer: a unit and ReLU."""

    def __init__(self, inputs: int, outputs: int, running: bool) -> None:
        super().__init__()
        self.first = Unit(inputs, outputs, 3, running)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        return self.first(x).relu()


class Residual(nn.Module):
    """Two units around a shortcut, which is a unit where the channels differ."""

    def __init__(self, inputs: int, outputs: int, running: bool) -> None:
        super().__init__()
        self.first, self.second = Unit(inputs, outputs, 3, running), Unit(outputs, outputs, 3, running)
        self.bridge = Unit(inputs, outputs, 1, running) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        return (self.second(self.first(x).relu()) + self.bridge(x)).relu()


class PoolingNet(nn.Module):
    """The network of one split."""

    def __init__(self, space: Pooling, split: tuple[int, ...], shape: Shape) -> None:
        super().__init__()
        running, widths = space.batch_norm == "running", space.widths
        blocks = [Residual(a, b, running) for a, b in itertools.pairwise(widths)]
        self.layers = nn.ModuleList([Plain(shape.image[0], widths[0], running), *blocks])
        self.head = nn.Linear(widths[-1], shape.classes)
        self.split = split
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, colors, h, w) -> (n, classes)."""
        return self.at(x, self.split)

    def at(self, x: Tensor, split: tuple[int, ...]) -> Tensor:
        """The logits with poolings at another split."""
        starts = set(itertools.accumulate(split[:-1]))
        for i, layer in enumerate(self.layers):
            if i in starts and min(x.shape[2:]) > 1:
                x = F.max_pool2d(x, 2)
            x = layer(x)
        return self.head(x.mean((2, 3)))


class PoolingSupernet(Supernet):
    """One network for all splits."""

    def __init__(self, space: Pooling, shape: Shape) -> None:
        super().__init__(space, shape)
        net = PoolingNet(space, space.splits[0], shape)
        self.layers, self.head, self.splits = net.layers, net.head, space.splits

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        gate = gates["split"]
        each = [PoolingNet.at(self, x, self.splits[o]) for o in gate.options]  # pyright: ignore[reportArgumentType] -- it has the same two parts
        if is_hard(gate):
            return each[0]
        return sum(
            (w * y for w, y in zip(gate.weights[1:], each[1:], strict=True)), gate.weights[0] * each[0]
        )


class PoolingApart(Supernet):
    """An own network for each open split."""

    def __init__(self, space: Pooling, shape: Shape, split: Choice) -> None:
        super().__init__(space, shape)
        splits = dict(zip(split.options, space.splits, strict=True))
        self.nets = separate(split, lambda text: PoolingNet(space, splits[text], shape))

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        y: Any = x
        return self.nets(y, gates["split"])

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        return inherit(super().extract(arch), self.nets.ops[str(arch[0])])
