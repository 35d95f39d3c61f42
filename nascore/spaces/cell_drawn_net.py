"""The networks of drawn cells beyond the simple sort: edges as choices, operations on nodes, two inputs.

As in cell_net.py modules are named by block, edge (or node) and option index in a supernet and in a stand-
alone network alike. A cell gives the tensors that its output concatenates, one by one, and who reads them
has a convolution (or a linear layer) for each: together that is one layer on their concatenation, and a part
that is missing needs no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nascore.cost import OPS
from nascore.errors import NotSupported
from nascore.gates import Gate, Gates
from nascore.ops import Head, Reduction, Shrink, Stem, init_weights, operation
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.cell_stack import Step, stem_channels, steps
from nascore.spaces.cell_wiring import Place, Scheme, columns, flow_of, scheme
from nascore.supernet import Inputs, Mixed, Supernet
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.spaces.cell import Cell

Parts = tuple[Tensor | None, ...]  # what an output consists of; None where a part takes no part
Weight = Tensor | float


class Bring(nn.Module):
    """ReLU, a 1x1 convolution of all parts side by side, batch norm; `Shrink` instead at a larger stride."""

    def __init__(self, parts: Sequence[str], inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convs = nn.ModuleDict(
            {
                name: nn.Conv2d(inputs, outputs, 1, bias=False)
                if stride == 1
                else Shrink(inputs, outputs, stride)
                for name in parts
            }
        )
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, parts: Parts) -> Tensor:
        """Each (n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        pairs = zip(self.convs.values(), parts, strict=True)
        return self.bn(reduce(torch.add, [conv(x.relu()) for conv, x in pairs if x is not None]))


class JoinedHead(nn.Module):
    """The mean over the map, and a linear layer on all parts side by side."""

    def __init__(self, parts: Sequence[str], channels: int, classes: int) -> None:
        super().__init__()
        self.linears = nn.ModuleDict({name: nn.Linear(channels, classes, bias=False) for name in parts})
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, parts: Parts) -> Tensor:
        """Each (n, channels, h, w) -> (n, classes)."""
        pairs = zip(self.linears.values(), parts, strict=True)
        return reduce(torch.add, [f(x.mean((2, 3))) for f, x in pairs if x is not None]) + self.bias


class OneHead(nn.Module):
    """`Head` for an output of one part."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = Head(channels, classes)

    def forward(self, parts: Parts) -> Tensor:
        """(n, channels, h, w) -> (n, classes)."""
        (x,) = parts
        assert x is not None  # noqa: S101 -- a sum is always there
        return self.head(x)


class DrawnCell(nn.Module):
    """One cell of one arch, or of all.

    Args:
        cell: the drawing.
        plan: this kind of cell.
        channels: of every node.
        stride: of operations on inputs.
        arch: whose live parts are made; None for every open option.
        open_choices: of a supernet.
    """

    def __init__(
        self,
        cell: Cell,
        plan: Scheme,
        channels: int,
        stride: int,
        arch: Arch | None,
        open_choices: Sequence[Choice] = (),
    ) -> None:
        super().__init__()
        found = flow_of(cell, plan.kind, arch) if arch is not None else None
        on = found.places if found else [True] * len(plan.places)
        at = columns(cell)
        opened = {c.name: c.open for c in open_choices}

        def mixed(choice: str, ops: Sequence[str], own: int) -> Mixed:
            options = (arch[at[choice]],) if arch is not None else opened[choice]
            return Mixed(choice, {i: operation(ops[i], channels, own) for i in options})

        self.cell, self.plan, self.stride = cell, plan, stride
        self.places = [p for p, live in zip(plan.places, on, strict=True) if live]
        strides = {p.name: stride if p.source < cell.inputs else 1 for p in self.places}
        self.edges = nn.ModuleDict(
            {p.name: mixed(p.choice, p.ops, strides[p.name]) for p in self.places if p.choice}
        )
        self.spots = nn.ModuleDict(
            {s.name: mixed(s.choice, s.ops, 1) for s in plan.spots if found is None or found.nodes[s.node]}
        )
        self.pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.joined = part_nodes(cell, plan, arch)

    def forward(self, given: Sequence[Tensor], gates: Gates | None) -> Parts:
        """Inputs, each (n, c, h, w) -> the parts of the output.

        Without gates every part of this module is there and has one option.
        """
        nodes: dict[int, Tensor] = dict(enumerate(given))
        leaves: dict[int, Weight | None] = {n: 1.0 for n in self.joined}
        outputs: dict[int, Tensor] = {}
        last = self.cell.nodes - 1
        for target in range(self.cell.inputs, self.cell.nodes):
            terms: list[tuple[Weight, Tensor]] = []
            node_gate = self._gate(self.plan.spot(target), gates)
            for p in self.places:
                weight = _weight(p, gates) if p.target == target and p.source in nodes else None
                share = _share(p, gates)
                if weight is None or share is None or not self._works(target, gates):
                    continue
                y = self._edge(p, nodes[p.source], gates)
                if target == last and self.cell.combine == "concat":
                    outputs[p.source] = _times(weight, y)
                    continue
                if p.source in leaves:
                    leaves[p.source] = _less(leaves[p.source], p, gates, weight, share)
                terms.append((weight if isinstance(share, float) else weight * share, _times(weight, y)))
            if terms:
                x = self._combine(terms)
                nodes[target] = self.spots[f"node_{target}"](x, node_gate) if self.plan.spot(target) else x
        return self._output(nodes, outputs, leaves)

    def _output(
        self, nodes: dict[int, Tensor], outputs: dict[int, Tensor], leaves: dict[int, Weight | None]
    ) -> Parts:
        last = self.cell.nodes - 1
        if self.cell.combine != "concat":
            return (nodes[last] if last in nodes else self._smaller(nodes[self.cell.inputs - 1]) * 0,)
        if self.cell.joins_drawn:
            return tuple(outputs.get(n) for n in self.joined)
        return tuple(
            _times(w, nodes[n]) if n in nodes and (w := leaves[n]) is not None else None for n in self.joined
        )

    def _gate(self, spot: object, gates: Gates | None) -> Gate | None:
        return gates[getattr(spot, "choice")] if spot is not None and gates is not None else None  # noqa: B009

    def _works(self, node: int, gates: Gates | None) -> bool:
        """Whether the operation of a node lets anything through."""
        spot = self.plan.spot(node)
        return spot is None or gates is None or _carries(spot.ops, gates[spot.choice])

    def _edge(self, p: Place, x: Tensor, gates: Gates | None) -> Tensor:
        if p.choice:
            return self.edges[p.name](x, gates[p.choice] if gates is not None else None)
        return self._smaller(x) if p.source < self.cell.inputs else x

    def _smaller(self, x: Tensor) -> Tensor:
        return self.pool(x) if self.stride > 1 else x

    def _combine(self, terms: list[tuple[Weight, Tensor]]) -> Tensor:
        x = reduce(torch.add, [y for _, y in terms])
        return x / sum(w for w, _ in terms) if self.cell.combine == "mean" else x


def part_nodes(cell: Cell, plan: Scheme, arch: Arch | None) -> tuple[int, ...]:
    """The nodes that an output concatenates, of one arch or at most; the last one where nodes add."""
    last = cell.nodes - 1
    if cell.combine != "concat":
        return (last,)
    if arch is not None:
        return tuple(n for n, on in enumerate(flow_of(cell, plan.kind, arch).joined) if on)
    if cell.joins_drawn:
        return tuple(p.source for p in plan.places if p.target == last)
    return tuple(range(cell.inputs, last))


def _part(options: Iterable[int], gate: Gate) -> Tensor | None:
    """The weight of some options; None where the gate lists none of them."""
    wanted = set(options)
    found = [j for j, o in enumerate(gate.options) if o in wanted]
    return gate.weights[found].sum() if found else None


def _weight(p: Place, gates: Gates | None) -> Weight | None:
    """How much an edge is there; None for not at all."""
    return _part(p.kept, gates[p.there]) if p.there and gates is not None else 1.0


def _carries(ops: Sequence[str], gate: Gate) -> bool:
    return any(OPS[ops[i]].kind != "zero" for i in gate.options)


def _share(p: Place, gates: Gates | None) -> Weight | None:
    """The part of an edge's operations that let something through; None for no part, 1.0 for all."""
    if not p.choice or gates is None:
        return 1.0
    gate = gates[p.choice]
    some = [i for i in gate.options if OPS[p.ops[i]].kind != "zero"]
    if len(some) == len(gate.options):
        return 1.0
    weight = _part(some, gate)
    total = gate.weights.sum()
    return None if weight is None else weight / torch.where(total == 0, torch.ones_like(total), total)


def _less(left: Weight | None, p: Place, gates: Gates | None, weight: Weight, share: Weight) -> Weight | None:
    """How much a node is still unused after one more edge that may use it; None once one surely does."""
    always = gates is None or not p.there or all(i in p.kept for i in gates[p.there].options)
    if left is None or (always and isinstance(share, float)):
        return None
    return left * (1 - (share if always else weight * share))


def _times(weight: Weight, x: Tensor) -> Tensor:
    return x if isinstance(weight, float) else weight * x


class PlainStack(nn.Module):
    """Stem, stages of cells, reductions, head."""

    def __init__(self, cell: Cell, shape: Shape, arch: Arch | None, open_choices: Sequence[Choice]) -> None:
        super().__init__()
        channels = [c for c, *_ in cell.sizes(shape)]
        plan = scheme(cell, cell.kinds[0])
        self.stem = Stem(shape.image[0], channels[0], cell.stem_stride)
        self.blocks = nn.ModuleList()
        for before, now in zip([0, *channels[:-1]], channels, strict=True):
            self.blocks.extend([Reduction(before, now)] if before else [])
            self.blocks.extend(DrawnCell(cell, plan, now, 1, arch, open_choices) for _ in range(cell.cells))
        self.head = Head(channels[-1], shape.classes)

    def forward(self, x: Tensor, gates: Gates | None) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block([x], gates)[0] if isinstance(block, DrawnCell) else block(x)
        return self.head(x)


class StackedCell(nn.Module):
    """A cell, and what brings its inputs to its width."""

    def __init__(self, brings: Iterable[Bring], cell: nn.Module) -> None:
        super().__init__()
        self.brings = nn.ModuleList(brings)
        self.cell = cell

    def forward(self, given: Sequence[Parts], gates: Gates | None) -> Parts:
        """The parts of each input -> the parts of the output."""
        return self.cell([b(x) for b, x in zip(self.brings, given, strict=True)], gates)


class Stack(nn.Module):
    """The network of spaces/cell_stack.py.

    Args:
        cell: its skeleton.
        shape: of images and classes.
        parts: kind of cell -> the nodes that its output concatenates, at most.
        make: index and step -> the module of a cell, called with (inputs, gates).
    """

    def __init__(
        self,
        cell: Cell,
        shape: Shape,
        parts: Mapping[str, Sequence[int]],
        make: Callable[[int, Step], nn.Module],
    ) -> None:
        super().__init__()
        self.steps = steps(cell, shape)
        self.stem = Stem(shape.image[0], stem_channels(cell), cell.stem_stride)

        def given(index: int) -> tuple[list[str], int]:
            """Names of the parts of an output, and the channels of each."""
            if index < 0:
                return ["stem"], stem_channels(cell)
            step = self.steps[index]
            return [f"node_{n}" for n in parts[step.kind]], step.size[0]

        self.blocks = nn.ModuleList()
        for i, step in enumerate(self.steps):
            brings = [Bring(*given(g.cell), step.size[0], g.stride) for g in step.inputs]
            self.blocks.append(StackedCell(brings, make(i, step)))
        names, channels = given(len(self.steps) - 1)
        self.head = (
            JoinedHead(names, channels, shape.classes)
            if cell.combine == "concat"
            else OneHead(channels, shape.classes)
        )

    def forward(self, x: Tensor, gates: Gates | None) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        outputs: list[Parts] = [(self.stem(x),)]
        for step, block in zip(self.steps, self.blocks, strict=True):
            outputs.append(block([outputs[g.cell + 1] for g in step.inputs], gates))
        return self.head(outputs[-1])


def stack(cell: Cell, shape: Shape, arch: Arch | None, open_choices: Sequence[Choice]) -> nn.Module:
    """The network of one arch, or of all."""
    if cell.plain_stack:
        return PlainStack(cell, shape, arch, open_choices)
    plans = {kind: scheme(cell, kind) for kind in cell.kinds}
    parts = {kind: part_nodes(cell, plan, arch) for kind, plan in plans.items()}

    def make(_: int, step: Step) -> DrawnCell:
        return DrawnCell(cell, plans[step.kind], step.size[0], step.stride, arch, open_choices)

    return Stack(cell, shape, parts, make)


class DrawnSupernet(Supernet):
    """All open options of every edge or node, each with weights of its own.

    An edge that may be absent, or that a node may not keep, is weighed by how much the options under which it
    is there weigh together. Under mixed gates a node is concatenated by how much it is left unused.

    Raises:
        NotSupported: entangled sharing; operations of a cell have no common weights.
    """

    def __init__(self, cell: Cell, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> None:
        super().__init__(cell, shape)
        if sharing != "separate":
            raise NotSupported("the operations of a cell have no weights in common; choose separate sharing")
        self.net = stack(cell, shape, None, choices)
        init_weights(self)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, channels, height, width) -> (n, classes) under these gates."""
        return self.net(x, gates)


class DrawnNet(nn.Module):
    """The stand-alone network of one arch, with modules for its live parts."""

    def __init__(self, cell: Cell, arch: Arch, shape: Shape) -> None:
        super().__init__()
        self.net = stack(cell, shape, arch, ())
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, classes)."""
        return self.net(x, None)
