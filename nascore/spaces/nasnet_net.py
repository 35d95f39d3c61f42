"""The networks of NASNet's space, on the skeleton of drawn cells (cell_drawn_net.py).

Each side of a block has, for each state that it may take, one module an option of its operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from nascore.errors import NotSupported
from nascore.gates import Gates
from nascore.ops import FactorizedReduce, ReluConvBn, ScheduledDropPath, init_weights, operation
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.cell_drawn_net import Parts, Stack
from nascore.spaces.cell_stack import Step, steps
from nascore.spaces.nasnet import INPUTS, KINDS, OPTIONS, SIDES, Nasnet
from nascore.supernet import Inputs, Mixed, Supernet
from nascore.task import Shape

Opened = Mapping[str, Sequence[int]]  # choice -> the options that there are modules for
Make = Callable[[int, int], nn.Module]  # index of an operation, stride -> its module


class Add(nn.Module):
    """The sum of both halves of the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2c, h, w) -> (n, c, h, w)."""
        a, b = x.chunk(2, 1)
        return a + b


class BlockModule(nn.Module):
    """One block: an operation on each of two states, and how both results become one."""

    def __init__(self, at: str, opened: Opened, channels: int, stride: int, make: Make) -> None:
        super().__init__()
        self.at = at
        self.sides = nn.ModuleDict()
        for side in SIDES:
            ops = f"{at}.op_{side}"
            self.sides[side] = nn.ModuleDict(
                {
                    str(s): Mixed(ops, {i: make(i, stride if s < INPUTS else 1) for i in opened[ops]})
                    for s in opened[f"{at}.in_{side}"]
                }
            )
        how = f"{at}.combine"
        kinds = (Add, lambda: ReluConvBn(2 * channels, channels, 1))
        self.combine = Mixed(how, {i: kinds[i]() for i in opened[how]})

    def forward(self, states: Sequence[Tensor], gates: Gates | None) -> Tensor:
        """The states so far -> a new one."""
        both = [self._side(side, states, gates) for side in SIDES]
        return self.combine(torch.cat(both, 1), gates[f"{self.at}.combine"] if gates else None)

    def _side(self, side: str, states: Sequence[Tensor], gates: Gates | None) -> Tensor:
        ways = dict(self.sides.get_submodule(side).named_children())
        if gates is None:
            ((state, way),) = ways.items()
            return way(states[int(state)])
        taken, ops = gates[f"{self.at}.in_{side}"], gates[f"{self.at}.op_{side}"]
        pairs = zip(taken.options, taken.weights, strict=True)
        return reduce(torch.add, [w * ways[str(s)](states[s], ops) for s, w in pairs])


class NasnetCell(nn.Module):
    """A cell; its output's parts are states, each weighed by how much it is left unused where `weighs`."""

    def __init__(
        self, kind: str, opened: Opened, joined: Sequence[int], step: Step, make: Make, weighs: bool
    ) -> None:
        super().__init__()
        channels, stride, self.joined = step.size[0], step.stride, tuple(joined)
        count = sum(name.startswith(f"{kind}.") for name in opened) // 5
        self.weighs = weighs
        self.names = [f"{kind}.block_{b}" for b in range(count)]
        self.blocks = nn.ModuleList(BlockModule(at, opened, channels, stride, make) for at in self.names)
        halved = [s for s in joined if s < INPUTS] if stride > 1 else []
        self.halve = nn.ModuleDict({str(s): FactorizedReduce(channels, channels, stride) for s in halved})

    def forward(self, given: Sequence[Tensor], gates: Gates | None) -> Parts:
        """Both inputs -> the parts of the output; None for a state that is surely taken."""
        states = list(given)
        for block in self.blocks:
            states.append(block(states, gates))
        return tuple(self._left(s, states[s], gates) for s in self.joined)

    def _left(self, state: int, x: Tensor, gates: Gates | None) -> Tensor | None:
        left: Tensor | float = 1.0
        for at in self.names if gates and self.weighs else ():
            for side in SIDES:
                gate = gates[f"{at}.in_{side}"] if gates else None
                if gate is not None and state in gate.options:
                    if len(gate.options) == 1:
                        return None
                    left = left * (1 - gate.weights[gate.options.index(state)])
        x = self.halve[str(state)](x) if str(state) in self.halve else x
        return x if isinstance(left, float) else left * x


def _network(space: Nasnet, shape: Shape, opened: Opened, parts: Mapping[str, Sequence[int]]) -> nn.Module:
    count = len(steps(space.frame, shape))

    def cell(index: int, step: Step) -> NasnetCell:
        def make(op: int, stride: int) -> nn.Module:
            layer = operation(OPTIONS[op], step.size[0], stride)
            if space.keep_path >= 1 or OPTIONS[op] == "skip_connect":
                return layer
            drop = ScheduledDropPath(space.keep_path, (index + 1) / count, space.path_batches)
            return nn.Sequential(layer, drop)

        return NasnetCell(step.kind, opened, parts[step.kind], step, make, not space.joined)

    return Stack(space.frame, shape, parts, cell)


class NasnetSupernet(Supernet):
    """All open options of every block, each with weights of its own.

    Raises:
        NotSupported: entangled sharing.
    """

    def __init__(self, space: Nasnet, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> None:
        super().__init__(space, shape)
        if sharing != "separate":
            raise NotSupported("the operations of a cell have no weights in common; choose separate sharing")
        every = range(space.blocks + INPUTS)
        parts: dict[str, Sequence[int]] = dict(zip(KINDS, space.joined or (every, every), strict=True))
        self.net = _network(space, shape, {c.name: c.open for c in choices}, parts)
        init_weights(self)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, channels, height, width) -> (n, classes) under these gates."""
        return self.net(x, gates)


class NasnetNet(nn.Module):
    """The stand-alone network of one arch."""

    def __init__(self, space: Nasnet, arch: Arch, shape: Shape) -> None:
        super().__init__()
        opened = {c.name: (i,) for c, i in zip(space.choices(), arch, strict=True)}
        parts = {kind: space.joins(kind, cell) for kind, cell in space.decoded(arch).items()}
        self.net = _network(space, shape, opened, parts)
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        return self.net(x, None)
