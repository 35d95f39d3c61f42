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
from nascore.ops import Head, Reduction, Stem, draw_again, init_weights, operation
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
        self.every = [(s, t, n) for (s, t), n in order]
        self.take(edges)
        self.last = cell.nodes - 1
        empty = [{i for i, op in enumerate(o) if OPS[op].kind == "zero"} for o in cell.wiring[2]]
        self.zeros = dict(zip(cell.names, empty, strict=True))

    def take(self, edges: dict[str, Mixed]) -> None:
        """Has these edges from now on, and no others."""
        self.order = [e for e in self.every if e[2] in edges]
        self.edges = nn.ModuleDict(edges)

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
        live = _live(cell, arch)
        self.net = Skeleton(
            cell,
            shape,
            lambda c: CellModule(cell, {n: Mixed(n, {i: operation(op, c)}) for n, i, op in live}),
        )
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        return self.net(x, None)


class CellNets:
    """`CellNet`s one after the other, each from the modules of those before and good until the next.

    A module takes three times as long to make as its weights take to be drawn.
    """

    def __init__(self, cell: Cell, shape: Shape) -> None:
        self.cell, self.shape = cell, shape
        self.net: CellNet | None = None
        self.made: dict[tuple[int, str, int], Mixed] = {}  # block, edge, option -> module

    def of(self, arch: Arch) -> nn.Module:
        """The network of an arch: the bits of a new one, and as many numbers drawn from torch's generator."""
        if self.net is None:
            self.net = CellNet(self.cell, arch, self.shape)
            return self.net
        stream = torch.get_rng_state()  # making modules draws numbers, but only a few are made
        live = _live(self.cell, arch)
        for place, (block, channels) in enumerate(self._cells()):
            block.take({n: self._edge(place, n, i, op, channels) for n, i, op in live})
        torch.set_rng_state(stream)
        return draw_again(self.net)

    def _cells(self) -> list[tuple[CellModule, int]]:
        """The cells and their channels."""
        assert self.net is not None  # noqa: S101 -- the first arch was built
        cells = [b for b in self.net.net.blocks if isinstance(b, CellModule)]
        sizes = [size[0] for size in self.cell.sizes(self.shape)]
        return list(zip(cells, [c for c in sizes for _ in range(self.cell.cells)], strict=True))

    def _edge(self, place: int, name: str, option: int, op: str, channels: int) -> Mixed:
        if (place, name, option) not in self.made:
            self.made[place, name, option] = Mixed(name, {option: operation(op, channels)})
        return self.made[place, name, option]


def _live(cell: Cell, arch: Arch) -> list[tuple[str, int, str]]:
    """(edge, option, operation) of the edges that take part."""
    edges = zip(cell.names, arch, cell.options(arch), cell.live(arch), strict=True)
    return [(name, i, op) for name, i, op, on in edges if on]
