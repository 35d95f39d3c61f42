"""The networks of a cell space: one skeleton; its cells hold the modules of all open options or of one arch.

Modules are named by block, edge and option index (`net.blocks.1.edges.edge_2_0.ops.3.conv.weight`), in a
supernet as in a stand-alone network, so weights move between them by name. Blocks are cells and reductions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nascore.cost import OPS
from nascore.errors import NotSupported
from nascore.gates import Gates
from nascore.ops import Head, Reduction, Stem, init_weights, operation
from nascore.space import Arch, Choice, Sharing
from nascore.supernet import Inputs, Mixed, Supernet, separate
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.spaces.cell import Cell


class CellModule(nn.Module):
    """One cell; an edge without a module, or whose gate lists nothing but `none`, gives nothing."""

    def __init__(self, cell: Cell, edges: dict[str, Mixed]) -> None:
        super().__init__()
        order = sorted(zip(cell.edges, cell.names, strict=True), key=lambda e: e[0][1])
        self.order = [(s, t, n) for (s, t), n in order if n in edges]
        self.edges = nn.ModuleDict(edges)
        self.last = cell.nodes - 1
        empty = [{i for i, op in enumerate(o) if OPS[op].kind == "zero"} for o in cell.wiring[2]]
        self.zeros = dict(zip(cell.names, empty, strict=True))

    def forward(self, x: Tensor, gates: Gates | None) -> Tensor:
        """(n, c, h, w) -> the same shape; zeros where no edge reaches the output.

        Without gates each edge has one option and takes it.
        """
        nodes: dict[int, Tensor] = {0: x}
        for source, target, name in self.order:
            gate = gates[name] if gates else None
            if source in nodes and not (gate and self.zeros[name].issuperset(gate.options)):
                y = self.edges[name](nodes[source], gate)
                nodes[target] = nodes[target] + y if target in nodes else y
        return nodes[self.last] if self.last in nodes else torch.zeros_like(x)


class Skeleton(nn.Module):
    """Stem, blocks (reductions and the cells that `make(channels)` gives) and head."""

    def __init__(self, cell: Cell, shape: Shape, make: Callable[[int], CellModule]) -> None:
        super().__init__()
        channels = [size[0] for size in cell.sizes(shape)]
        self.stem = Stem(shape.image[0], channels[0], cell.stem_stride)
        self.blocks = nn.ModuleList()
        for before, now in zip([0, *channels[:-1]], channels, strict=True):
            self.blocks.extend([Reduction(before, now)] if before else [])
            self.blocks.extend(make(now) for _ in range(cell.cells))
        self.head = Head(channels[-1], shape.classes)

    def forward(self, x: Tensor, gates: Gates | None) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, gates) if isinstance(block, CellModule) else block(x)
        return self.head(x)


class CellSupernet(Supernet):
    """All open options of every edge, each with weights of its own.

    Args:
        cell: the space.
        shape: of the task.
        sharing: separate.
        choices: with the open options.
        fused: `cell_fused.FusedCell`, the same function in less time and memory; False for the plain form.

    Raises:
        NotSupported: entangled sharing; operations of a cell have no common weights.
    """

    def __init__(
        self,
        cell: Cell,
        shape: Shape,
        sharing: Sharing,
        choices: tuple[Choice, ...],
        *,
        fused: bool = True,
    ) -> None:
        super().__init__(cell, shape)
        if sharing != "separate":
            raise NotSupported("the operations of a cell have no weights in common; choose separate sharing")
        from nascore.spaces.cell_fused import FusedCell

        kind = FusedCell if fused else CellModule
        self.net = Skeleton(
            cell,
            shape,
            lambda c: kind(cell, {o.name: separate(o, lambda op: operation(op, c)) for o in choices}),
        )
        init_weights(self)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, channels, height, width) -> (n, classes) under these gates."""
        return self.net(x, gates)


class CellNet(nn.Module):
    """The stand-alone network of one arch, with modules for its live edges."""

    def __init__(self, cell: Cell, arch: Arch, shape: Shape) -> None:
        super().__init__()
        edges = zip(cell.names, arch, cell.options(arch), cell.live(arch), strict=True)
        live = [(name, i, op) for name, i, op, on in edges if on]
        self.net = Skeleton(
            cell,
            shape,
            lambda c: CellModule(cell, {n: Mixed(n, {i: operation(op, c)}) for n, i, op in live}),
        )
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        return self.net(x, None)
