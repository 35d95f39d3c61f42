"""The networks of NAS-Bench-101: one skeleton; modules of one arch, or of all with leading channels.

A node's width depends on the arch. A supernet has every layer as wide as it can get, and uses the leading
channels; a stand-alone network has layers of the right width under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nascore.entangle import Axis, Conv
from nascore.errors import NotSupported
from nascore.gates import Gates
from nascore.ops import ConvBnRelu, init_weights
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.cell_wiring import scheme
from nascore.spaces.nasbench101 import OPERATIONS, Module, Nasbench101
from nascore.supernet import Inputs, Mixed, Supernet
from nascore.task import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}
Weights = Mapping[tuple[int, int], Tensor | float]  # of each edge that is there


class Leading(nn.Module):
    """`ConvBnRelu` of which a call uses the leading channels."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, outputs: int = 0) -> Tensor:
        """(n, c, h, w) -> (n, outputs, h, w); c channels where nothing is said."""
        k = outputs or x.shape[1]
        y = self.conv(x, Axis((k,)))
        mean, var = self.bn.get_buffer("running_mean")[:k], self.bn.get_buffer("running_var")[:k]
        scale, shift = self.bn.weight[:k], self.bn.bias[:k]
        momentum = 0.1 if self.bn.momentum is None else self.bn.momentum
        y = nn.functional.batch_norm(y, mean, var, scale, shift, self.training, momentum, self.bn.eps)
        return y.relu()


def layer(op: str, channels: int, make: Callable[[int, int, int], nn.Module]) -> nn.Module:
    """The operation of a node."""
    return make(channels, channels, KERNELS[op]) if op in KERNELS else nn.MaxPool2d(3, 1, 1)


class FixedModule(nn.Module):
    """The module of one arch from `inputs` to `outputs` channels."""

    def __init__(self, module: Module, inputs: int, outputs: int) -> None:
        super().__init__()
        self.module = module
        self.widths = module.widths(outputs)
        wide = {**self.widths, module.last: outputs}
        self.brings = nn.ModuleDict(
            {f"node_{t}": ConvBnRelu(inputs, wide[t], 1) for s, t in module.edges if s == 0}
        )
        self.nodes = nn.ModuleDict(
            {
                f"node_{n}": Mixed(f"node_{n}", {OPERATIONS.index(op): layer(op, self.widths[n], ConvBnRelu)})
                for n, op in zip(module.nodes, module.ops, strict=True)
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        nodes: dict[int, Tensor] = {}
        for t in self.module.nodes:
            terms = [nodes[s][:, : self.widths[t]] for s in self._sources(t)]
            if (0, t) in self.module.edges:
                terms.append(self.brings[f"node_{t}"](x))
            nodes[t] = self.nodes[f"node_{t}"](reduce(torch.add, terms))
        last = self.module.last
        parts = [nodes[s] for s in self._sources(last)]
        brought = [self.brings[f"node_{last}"](x)] if (0, last) in self.module.edges else []
        return reduce(torch.add, [*([torch.cat(parts, 1)] if parts else []), *brought])

    def _sources(self, node: int) -> list[int]:
        return [s for s, t in self.module.edges if t == node and s]


class WideModule(nn.Module):
    """The modules of all archs from `inputs` to `outputs` channels."""

    def __init__(self, nodes: int, inputs: int, outputs: int, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.brings = nn.ModuleDict({f"node_{t}": Leading(inputs, outputs, 1) for t in range(1, nodes)})
        self.nodes = nn.ModuleDict(
            {
                c.name: Mixed(c.name, {i: layer(str(c.options[i]), outputs, Leading) for i in c.open})
                for c in choices
                if c.name.startswith("node_")
            }
        )
        self.outputs = outputs

    def forward(self, x: Tensor, module: Module, weights: Weights, gates: Gates) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w).

        Args:
            x: what comes in.
            module: all edges that may be there.
            weights: how much each of them is.
            gates: of the nodes' operations.
        """
        widths = module.widths(self.outputs)
        nodes: dict[int, Tensor] = {}
        for t in module.nodes:
            terms = [weights[s, t] * nodes[s][:, : widths[t]] for s, t_ in module.edges if t_ == t and s]
            if (0, t) in module.edges:
                terms.append(weights[0, t] * self.brings[f"node_{t}"](x, widths[t]))
            nodes[t] = self.nodes[f"node_{t}"](reduce(torch.add, terms), gates[f"node_{t}"])
        last = module.last
        parts = [weights[s, last] * nodes[s] for s, t in module.edges if t == last and s]
        out = [torch.cat(parts, 1)] if parts else []
        if (0, last) in module.edges:
            out.append(weights[0, last] * self.brings[f"node_{last}"](x, self.outputs))
        return reduce(torch.add, out)


class Skeleton(nn.Module):
    """Stem, stages of modules with a max pool between two of them, the mean over the map, a linear layer."""

    def __init__(self, space: Nasbench101, shape: Shape, make: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        channels = [c for c, *_ in space.sizes(shape)]
        self.stem = ConvBnRelu(shape.image[0], channels[0], 3, space.stem_stride)
        self.blocks = nn.ModuleList()
        for before, now in zip([0, *channels[:-1]], channels, strict=True):
            self.blocks.extend([nn.MaxPool2d(2, 2, ceil_mode=True)] if before else [])
            self.blocks.extend(make(c, now) for c in (before or now, *[now] * (space.cells - 1)))
        self.linear = nn.Linear(channels[-1], shape.classes)

    def forward(self, x: Tensor, *how: object) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x) if isinstance(block, nn.MaxPool2d) else block(x, *how)
        return self.linear(x.mean((2, 3)))


class ModuleSupernet(Supernet):
    """Each operation of each node, each with weights of its own, as wide as it can get.

    Under mixed gates every edge that may be there is, by its weight, and widths are those of all these edges
    together.

    Raises:
        NotSupported: entangled sharing.
    """

    def __init__(
        self, space: Nasbench101, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]
    ) -> None:
        super().__init__(space, shape)
        if sharing != "separate":
            raise NotSupported("the operations of a cell have no weights in common; choose separate sharing")
        self.cell_space = space
        self.net = Skeleton(space, shape, lambda i, o: WideModule(space.nodes, i, o, choices))
        init_weights(self)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, channels, height, width) -> (n, classes) under these gates.

        Raises:
            NotSupported: no path from input to output is left.
        """
        space, row = self.cell_space, []
        weights: dict[tuple[int, int], Tensor | float] = {}
        for p in scheme(space.cell, "cell").places:
            gate = gates[p.there]
            there = [j for j, o in enumerate(gate.options) if o == 1]
            row.append(int(bool(there)))
            if there:
                weights[p.source, p.target] = gate.weights[there].sum()
        module = space.module((*row, *[0] * (space.nodes - 2)))
        if not module.edges:
            raise NotSupported("these gates leave no path from the input to the output")
        return self.net(x, module, weights, gates)


class ModuleNet(nn.Module):
    """The stand-alone network of one arch."""

    def __init__(self, space: Nasbench101, arch: Arch, shape: Shape) -> None:
        super().__init__()
        module = space.module(arch)
        self.net = Skeleton(space, shape, lambda i, o: FixedModule(module, i, o))
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        return self.net(x)
