"""The networks of the pruned ResNet: the plain one of given widths, and the one that holds all of them.

Where blocks of unlike width meet, a narrow map stands in the first channels of a wide one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.entangle import Axis, Conv, Linear, add, axis, either, is_hard, mixed_depth, same
from nascore.gates import Gate, Gates
from nascore.ops import init_weights
from nascore.space import Choice
from nascore.spaces.stages_blocks import ConvNorm
from nascore.supernet import Inputs, Supernet
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
        share = same(inputs, outer)
        if isinstance(share, float) and share == 1:
            return add(carried, y).relu()
        way = self.bridge(carried, outer)
        if not isinstance(share, float) or share:
            way = add(carried[:, : way.shape[1]] * share, way * (1 - share))
        return add(way, y).relu()


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

    def __init__(self, space: PrunedResnet, shape: Shape, choices: tuple[Choice, ...]) -> None:
        super().__init__(space, shape)
        self.options: Mapping[str, Choice] = {c.name: c for c in choices}
        stem = last = self._widest("stem.width")
        self.stem = ConvNorm(shape.image[0], stem, 3, nested=True)
        stages = []
        for s in range(3):
            blocks = []
            for b in range(self._widest(f"stage{s + 1}.depth")):
                inner, outer = (self._widest(f"stage{s + 1}.block{b + 1}.{k}") for k in ("inner", "outer"))
                stride = 2 if s and not b else 1
                blocks.append(PrunedBlock(last, inner, outer, stride, bridge=True, nested=True))
                last = max(last, outer) if b else outer
            stages.append(nn.ModuleList(blocks))
        self.stages, self.head = nn.ModuleList(stages), Linear(last, shape.classes)
        init_weights(self)

    def _widest(self, name: str) -> int:
        """The largest open option; 1 where there is no such choice."""
        if name not in self.options:
            return 1
        return max(int(self.options[name].options[i]) for i in self.options[name].open)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        here = self._axis(gates, "stem.width")
        y: Any = self.stem(x, here)
        for s, blocks in enumerate(self.stages):
            y, here = self._stage(f"stage{s + 1}", blocks, y, here, gates)
        return self.head(y.mean((2, 3)))

    def _stage(self, name: str, blocks: Any, x: Tensor, here: Axis, gates: Gates) -> tuple[Tensor, Axis]:
        depth = gates.get(f"{name}.depth", Gate((0,), torch.ones(1)))
        counts = [int(v) for v in self.options[f"{name}.depth"].options] if f"{name}.depth" in gates else [1]
        maps, axes = [x], [here]
        for b, block in enumerate(blocks[: max(counts[o] for o in depth.options)]):
            inner, outer = (self._axis(gates, f"{name}.block{b + 1}.{k}") for k in ("inner", "outer"))
            maps.append(block(maps[-1], (axes[-1], inner, outer)))
            axes.append(outer)
        mixed = mixed_depth(maps, depth, counts)
        taken = [axes[counts[o]] for o in depth.options]
        return mixed, taken[0] if is_hard(depth) else either(taken, depth.weights)

    def _axis(self, gates: Gates, name: str) -> Axis:
        return axis(gates[name], [int(v) for v in self.options[name].options])
