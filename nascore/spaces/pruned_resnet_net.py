"""The networks of the pruned ResNet: the plain one of given widths, and those that hold all of them.

Where blocks of unlike width meet, a narrow map stands in the first channels of a wide one. Separate, each
convolution is there once for each width of its output, with weights and norm of its own. For each width of
its input too it would be 64 times; so it reads as many channels as come in, and of its input weights takes
the first ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.entangle import Axis, Conv, Linear, Widths, add, axis, either, is_hard, mixed_depth, same
from nascore.gates import Gate, Gates
from nascore.ops import init_weights
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.stages_blocks import ConvNorm
from nascore.supernet import Inputs, Supernet, inherit
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.spaces.pruned_resnet import PrunedResnet

Rows = tuple[tuple[tuple[int, int], ...], ...]


class PrunedBlock(nn.Module):
    """Two convolutions around a shortcut; `bridge` says whether the shortcut may be a convolution."""

    def __init__(self, inputs: int, inner: int, outer: int, stride: int, bridge: bool, nested: bool) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, inner, 3, stride, nested=nested)
        self.last = ConvNorm(inner, outer, 3, act="", nested=nested)
        self.stride, conv = stride, Conv if nested else nn.Conv2d
        if stride > 1:
            self.bridge: Any = conv(inputs, outer, 1, bias=False)
        else:
            self.bridge = ConvNorm(inputs, outer, act="", nested=nested) if bridge else nn.Identity()

    def forward(self, x: Tensor, sizes: tuple[Axis, Axis, Axis] | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outer, ceil(h / stride), ...); sizes are inputs, inner, outer."""
        carried = _pooled(x) if self.stride > 1 else x
        if sizes is None:
            return (self.bridge(carried) + self.last(self.first(x))).relu()
        inputs, inner, outer = sizes
        y = self.last(self.first(x, inner), outer)
        if self.stride > 1:
            return add(self.bridge(carried, outer), y).relu()
        return add(_past(self.bridge, carried, inputs, outer), y).relu()


def _past(bridge: ConvNorm, x: Tensor, inputs: Axis, outputs: Axis) -> Tensor:
    """The input as far as the widths agree, for the rest the convolution."""
    share = same(inputs, outputs)
    if isinstance(share, float) and share == 1:
        return x
    way = bridge(x, outputs)
    if isinstance(share, float) and share == 0:
        return way
    return add(x[:, : way.shape[1]] * share, way * (1 - share))


class _Own(nn.Module):
    """The layers of one width, which is all that they give."""

    def __init__(self, layers: nn.Module, width: int, *, past: bool = False) -> None:
        super().__init__()
        self.layers, self.width, self.past = layers, Axis((width,)), past

    def forward(self, x: Tensor, inputs: Axis | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, width, ...); `past` stands beside a block and needs to know the inputs."""
        layers: Any = self.layers
        return _past(layers, x, inputs, self.width) if self.past and inputs else layers(x, self.width)


class ApartBlock(nn.Module):
    """A block with weights of its own for each width of its two convolutions.

    Args:
        inputs: the most channels that come in.
        inner: open widths of the first convolution.
        outer: of the second one, and of the shortcut.
        stride: 1 or 2.
    """

    def __init__(self, inputs: int, inner: Choice, outer: Choice, stride: int) -> None:
        super().__init__()
        between = _widest(inner)
        self.stride = stride
        self.first = _each(inner, lambda w: ConvNorm(inputs, w, 3, stride, nested=True))
        self.last = _each(outer, lambda w: ConvNorm(between, w, 3, act="", nested=True))
        if stride > 1:
            self.bridge = _each(outer, lambda w: Conv(inputs, w, 1, bias=False))
        else:
            self.bridge = _each(outer, lambda w: ConvNorm(inputs, w, act="", nested=True), past=True)

    def forward(self, x: Tensor, inputs: Axis, gates: Gates) -> Tensor:
        """(n, inputs, h, w) -> (n, widest outer that takes part, ceil(h / stride), ...)."""
        carried = _pooled(x) if self.stride > 1 else x
        inner, outer = gates[self.first.choice], gates[self.last.choice]
        y = self.last(self.first(x, inner), outer)
        return add(self.bridge(carried, outer, inputs), y).relu()


def _each(choice: Choice, make: Callable[[int], nn.Module], *, past: bool = False) -> Widths:
    widths = {i: int(choice.options[i]) for i in choice.open}
    return Widths(choice.name, {i: _Own(make(w), w, past=past) for i, w in widths.items()})


def _widest(choice: Choice) -> int:
    return max(int(choice.options[i]) for i in choice.open)


def _pooled(x: Tensor) -> Tensor:
    """The mean of each 2x2 square; the rest of an odd map stands for itself."""
    return F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)


class PrunedNet(nn.Module):
    """The plain network.

    Args:
        stem: its width.
        rows: (inner, outer) width of each block of each stage.
        shape: of the task.
    """

    def __init__(self, stem: int, rows: Rows, shape: Shape) -> None:
        super().__init__()
        self.stem, last = ConvNorm(shape.image[0], stem, 3), stem
        stages = []
        for s, row in enumerate(rows):
            blocks = []
            for b, (inner, outer) in enumerate(row):
                stride = 2 if s and not b else 1
                blocks.append(PrunedBlock(last, inner, outer, stride, last != outer, nested=False))
                last = outer
            stages.append(nn.Sequential(*blocks))
        self.stages, self.head = nn.Sequential(*stages), nn.Linear(last, shape.classes)
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, colors, h, w) -> (n, classes)."""
        return self.head(self.stages(self.stem(x)).mean((2, 3)))


class PrunedSupernet(Supernet):
    """All open widths and depths in one network."""

    def __init__(
        self, space: PrunedResnet, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]
    ) -> None:
        super().__init__(space, shape)
        self.options: Mapping[str, Choice] = {c.name: c for c in choices}
        self.sharing: Sharing = sharing
        stem, colors = self.options["stem.width"], shape.image[0]
        last = _widest(stem)
        self.stem: nn.Module = (
            ConvNorm(colors, last, 3, nested=True)
            if sharing == "entangled"
            else _each(stem, lambda w: ConvNorm(colors, w, 3, nested=True))
        )
        stages = []
        for s in range(3):
            blocks, depth = [], self.options.get(f"stage{s + 1}.depth")
            for b in range(_widest(depth) if depth else 1):
                inner, outer = (self.options[f"stage{s + 1}.block{b + 1}.{k}"] for k in ("inner", "outer"))
                blocks.append(self._block(last, inner, outer, 2 if s and not b else 1))
                last = max(last, _widest(outer)) if b else _widest(outer)
            stages.append(nn.ModuleList(blocks))
        self.stages, self.head = nn.ModuleList(stages), Linear(last, shape.classes)
        init_weights(self)

    def _block(self, inputs: int, inner: Choice, outer: Choice, stride: int) -> nn.Module:
        if self.sharing == "separate":
            return ApartBlock(inputs, inner, outer, stride)
        return PrunedBlock(inputs, _widest(inner), _widest(outer), stride, bridge=True, nested=True)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        here = self._axis(gates, "stem.width")
        y: Any = self.stem(x, here if self.sharing == "entangled" else gates["stem.width"])
        for s, blocks in enumerate(self.stages):
            y, here = self._stage(f"stage{s + 1}", blocks, y, here, gates)
        return self.head(y.mean((2, 3)))

    def _stage(self, name: str, blocks: Any, x: Tensor, here: Axis, gates: Gates) -> tuple[Tensor, Axis]:
        depth = gates.get(f"{name}.depth", Gate((0,), torch.ones(1)))
        counts = [int(v) for v in self.options[f"{name}.depth"].options] if f"{name}.depth" in gates else [1]
        maps, axes = [x], [here]
        for b, block in enumerate(blocks[: max(counts[o] for o in depth.options)]):
            inner, outer = (self._axis(gates, f"{name}.block{b + 1}.{k}") for k in ("inner", "outer"))
            if isinstance(block, ApartBlock):
                maps.append(block(maps[-1], axes[-1], gates))
            else:
                maps.append(block(maps[-1], (axes[-1], inner, outer)))
            axes.append(outer)
        mixed = mixed_depth(maps, depth, counts)
        taken = [axes[counts[o]] for o in depth.options]
        return mixed, taken[0] if is_hard(depth) else either(taken, depth.weights)

    def _axis(self, gates: Gates, name: str) -> Axis:
        return axis(gates[name], [int(v) for v in self.options[name].options])

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        child = super().extract(arch)
        taken = {c.name: i for c, i in zip(self.space.choices(), arch, strict=True)}
        theirs = dict(child.named_modules())
        for name, part in self.named_modules():
            if isinstance(part, Widths) and taken[part.choice] >= 0 and name in theirs:
                own: Any = part.ops[str(taken[part.choice])]
                inherit(theirs[name], own.layers)
        return child
