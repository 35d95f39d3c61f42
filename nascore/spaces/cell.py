"""The data-defined cell space: a graph of nodes, operations on edges or nodes, cells stacked to a network.

Node 0 is the cell's input (or nodes 0 and 1, the outputs of the last two cells), the last node its output;
each other node joins what its edges bring. As first drawn, every edge is there, nodes add, and the network
is a stem, `stages` stages of `cells` equal cells, a reduction (stride 2, channels doubled) between two
stages, and a head. NAS-Bench-201 is one instance of it (spaces/nasbench201.py). Edges may also be optional,
or each inner node may keep some of them; the output may concatenate; and reductions may be cells of a second
kind: then the network is that of spaces/cell_stack.py, and DARTS is an instance.

A cell of the first sort through which nothing passes is a network all the same, and a valid arch: its output
is zero, so the head sees nothing of the image and training ends at chance. NAS-Bench-201 lists such cells
too. `graph` marks their edges dead. Where edges are a choice, or the output concatenates, such an arch is
invalid.

A node that no live edge reaches brings nothing to others: a layer on it is left out, although the batch norm
of the official code could still learn a constant there. The benchmark's canonical strings make the same
simplification.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nascore.cost import OPS, Cost, Size, convolution, linear, norm, operation, strided
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space, from_choices
from nascore.spaces import cell_same
from nascore.spaces.cell_graph import costs_of, drawn_graph, folded
from nascore.spaces.cell_same import Pair, Wiring
from nascore.spaces.cell_wiring import flow_of, scheme

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

FIRST_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
KINDS = (("cell",), ("normal", "reduce"))


@dataclass(frozen=True)
class Cell(Space):
    """Cells that you draw: nodes, edges and their candidate operations, stacked to a network."""

    nodes: int = knob(3, 2, 12, "nodes of the cell; the first is its input, the last its output")
    edges: tuple[tuple[int, int], ...] = knob(
        ((0, 1), (0, 2), (1, 2)), help="[source, target] of each edge; the source has the lower number"
    )
    ops: tuple[tuple[str, ...], ...] = knob(
        (FIRST_OPS,), help="candidate operations of each edge (or inner node), or one list for all"
    )
    combine: Literal["sum", "mean", "concat"] = knob(
        "sum",
        help="how a node joins what its edges bring; concat is the output's: it puts side by side what edges "
        "lead to it, or all inner nodes that nothing uses, and inner nodes add",
        options=("sum", "mean", "concat"),
    )
    cells: int = knob(1, 1, 20, "cells in each stage")
    channels: int = knob(8, 1, 512, "channels of the first stage; doubled in each further one")
    stages: int = knob(1, 1, 5, "stages; between two of them a reduction halves the map")
    stem_stride: int = knob(1, 1, 4, "stride of the first convolution; above 1 makes all maps smaller")
    inputs: int = knob(1, 1, 2, "how many of the first nodes are outputs of the cells before")
    ops_on: Literal["edges", "nodes"] = knob(
        "edges", help="where operations sit: on each edge, or on each inner node", options=("edges", "nodes")
    )
    optional: bool = knob(False, help="each edge may be absent")
    most_edges: int = knob(0, 0, 66, "with optional edges: how many may be there; 0 for any number")
    keep: int = knob(0, 0, 6, "how many of its edges each inner node keeps; 0 for all")
    kinds: tuple[str, ...] = knob(
        ("cell",), help="one kind of cell, or two: a normal one, and one that halves the map between stages"
    )

    def __post_init__(self) -> None:
        if not self.edges:
            raise BadInput("edges: a cell needs at least one edge")
        if self.nodes < self.inputs + 1:
            raise BadInput(f"nodes: {self.inputs} inputs and an output need at least {self.inputs + 1}")
        for source, target in self.edges:
            if not 0 <= source < target < self.nodes:
                raise BadInput(
                    f"edges: [{source}, {target}] does not lead from a lower to a higher node of {self.nodes}"
                )
            if target < self.inputs:
                raise BadInput(f"edges: [{source}, {target}] leads into node {target}, which is an input")
        if len(set(self.edges)) < len(self.edges):
            raise BadInput("edges: an edge is listed twice")
        self._check_ops()
        self._check_reach()
        self._check_rules()

    def _check_ops(self) -> None:
        nodes, wanted = self.nodes - 1 - self.inputs, "edges"
        if self.ops_on == "nodes":
            wanted = "inner nodes"
            if not nodes:
                raise BadInput("ops_on: this cell has no inner node; put operations on its edges")
        count = len(self.edges) if self.ops_on == "edges" else nodes
        if len(self.ops) not in (1, count):
            each = "an edge" if self.ops_on == "edges" else "a node"
            raise BadInput(f"ops: {len(self.ops)} lists for {count} {wanted}; give one, or one {each}")
        for options in self.ops:
            if unknown := [o for o in options if o not in OPS]:
                raise BadInput(f"ops: {unknown[0]!r} is none of {', '.join(OPS)}")
            if not options or len(set(options)) < len(options):
                raise BadInput("ops: each list needs at least one operation, and none twice")

    def _check_reach(self) -> None:
        reached = set(range(self.inputs))
        for source, target in sorted(self.edges, key=lambda e: e[1]):
            reached |= {target} if source in reached else set()
        inner = range(self.inputs, self.nodes - 1)
        if lost := [n for n in inner if n not in reached]:
            raise BadInput(
                f"edges: no path leads from the input to node {lost[0]}; draw one, or leave it out"
            )
        ends = self.nodes - 1 in reached if self.joins_drawn or self.combine != "concat" else bool(inner)
        if not ends:
            raise BadInput(f"edges: no path leads from the input to the output, node {self.nodes - 1}")

    def _check_rules(self) -> None:
        if self.kinds not in KINDS:
            raise BadInput(f'kinds: {list(self.kinds)} is neither ["cell"] nor ["normal", "reduce"]')
        if len(self.kinds) == 2 and self.stages == 1:
            raise BadInput("kinds: a reducing cell stands between two stages; give at least 2 stages")
        if self.optional and self.keep:
            raise BadInput("keep: edges are optional already; choose one of the two")
        if self.most_edges and not self.optional:
            raise BadInput("most_edges: every edge is always there; make edges optional, or give 0")

    @property
    def joins_drawn(self) -> bool:
        """Whether edges lead into the output; a concatenation without any takes what nothing uses."""
        return any(t == self.nodes - 1 for _, t in self.edges)

    @property
    def simple(self) -> bool:
        """Whether this is the first sort: one input, all edges there with operations on them, nodes add."""
        drawn = self.optional or self.keep or self.ops_on == "nodes"
        return self.plain_stack and self.combine == "sum" and not drawn

    @property
    def plain_stack(self) -> bool:
        """Whether the network is stem, stages of cells, reductions and head; else it is cell_stack's."""
        return self.inputs == 1 and len(self.kinds) == 1 and self.combine != "concat"

    @property
    def wiring(self) -> Wiring:
        """Nodes, edges and the options of each edge: all that decides which simple cells are equal."""
        ops = self.ops if len(self.ops) == len(self.edges) else self.ops * len(self.edges)
        return self.nodes, self.edges, ops

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each edge's choice: edge_{target}_{source}."""
        return tuple(f"edge_{t}_{s}" for s, t in self.edges)

    def options(self, arch: Arch) -> tuple[str, ...]:
        """Name of the operation on each edge of a simple cell."""
        return cell_same.options(self.wiring, arch)

    def live(self, arch: Arch) -> tuple[bool, ...]:
        """Which edges of a simple cell lie on a path from input to output that lets something through."""
        return cell_same.live(self.wiring, arch)

    def sizes(self, shape: Shape) -> tuple[Size, ...]:
        """(channels, height, width) of the cells of each stage."""
        first = strided(shape.image, self.channels, self.stem_stride)
        return tuple(strided(first, self.channels * 2**s, 2**s) for s in range(self.stages))

    def choices(self) -> tuple[Choice, ...]:
        """One an edge, in simple cells.

        Else, for each kind of cell: `use_{target}_{source}` of an optional edge or `keep_{target}` of a node
        (which sources), `edge_{target}_{source}` or `node_{node}` for operations.
        """
        if self.simple:
            return tuple(Choice(n, o) for n, o in zip(self.names, self.wiring[2], strict=True))
        return tuple(c for kind in self.kinds for c in scheme(self, kind).choices)

    def invalid(self, arch: Arch) -> str:
        """Nothing reaches the output though edges are a choice, or more edges matter than are allowed."""
        if self.simple or not (self.optional or self.keep or self.combine == "concat"):
            return ""
        for kind in self.kinds:
            found = flow_of(self, kind, arch)
            of = f" of the {kind} cell" if len(self.kinds) == 2 else ""
            if not any(found.places):
                return f"nothing leads from the input to the output{of}"
            if self.most_edges and sum(found.places) > self.most_edges:
                return f"{sum(found.places)} edges{of} matter; at most {self.most_edges} may"
        return ""

    def canonical(self, arch: Arch) -> Arch:
        """The first of all archs that compute the same function: dead edges are `none`, nothing is idle.

        Sums are flattened through skips, average pooling is distributed over sums, and each convolution keeps
        its identity, so `conv(x) + conv(x)` with one weight is another function than with two. Above 20,000
        archs or 8 edges, and where a cell is not of the first sort, only dead edges and nodes are settled.
        """
        if not self.simple:
            return folded(self, arch)
        if (found := cell_same.representatives(self.wiring)) is not None:
            return found[cell_same.pruned(self.wiring, arch)]
        return cell_same.pruned(self.wiring, arch)

    def classes(self) -> int | None:
        """How many functions there are; None above 20,000 archs or 8 edges, and for another sort of cell."""
        found = cell_same.representatives(self.wiring) if self.simple else None
        return None if found is None else len(set(found.values()))

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """One module for each open option of each edge (or node) of each cell."""
        from nascore.spaces.cell_drawn_net import DrawnSupernet
        from nascore.spaces.cell_net import CellSupernet

        return (CellSupernet if self.simple else DrawnSupernet)(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network with modules for its live parts only.

        `costs` counts all edges of a simple cell, as records do, and the live ones of any other.

        Raises:
            BadInput: the arch is invalid.
        """
        from nascore.spaces.cell_drawn_net import DrawnNet
        from nascore.spaces.cell_net import CellNet

        if why := self.invalid(arch):
            raise BadInput(f"architecture: {why}")
        return (CellNet if self.simple else DrawnNet)(self, arch, shape)

    def builder(self, shape: Shape) -> Callable[[Arch], nn.Module]:
        """Networks of simple cells have the modules of those before."""
        from nascore.spaces.cell_net import CellNets

        return CellNets(self, shape).of if self.simple else super().builder(shape)

    def batched(self, archs: Sequence[Arch], shape: Shape) -> Any:
        """Many of these networks as one program, where cells are simple."""
        from nascore.batched import cells

        return cells(self, archs, shape) if self.simple else None

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """The cell with its edges' costs summed over all cells, and the network's blocks."""
        if not self.simple:
            return drawn_graph(self, arch, shape)
        options, live = self.options(arch), self.live(arch)
        last = self.nodes - 1
        labels = {0: "input", last: "output"}
        nodes = tuple(Node(str(i), labels.get(i, str(i))) for i in range(self.nodes))
        edges = []
        for (s, t), name, op, on in zip(self.edges, self.names, options, live, strict=True):
            cost = _sum(operation(op, size) * self.cells for size in self.sizes(shape))
            edges.append(Edge(str(s), str(t), op, name, cost.params, cost.flops, not on))
        return Graph(
            nodes, tuple(edges), self.blocks(shape, lambda z: _sum(operation(o, z) for o in options))
        )

    def blocks(self, shape: Shape, inside: Any) -> tuple[Block, ...]:
        """Stem, stages, reductions and head; `inside` gives the cost of a cell's operations at a size."""
        sizes = self.sizes(shape)
        stem, *reductions, head = self._skeleton(shape)
        blocks = [Block("stem", "stem", 1, sizes[0], stem.params, stem.flops)]
        for i, size in enumerate(sizes):
            if i:
                cost = reductions[i - 1]
                blocks.append(Block(f"reduction{i}", "reduction", 1, size, cost.params, cost.flops))
            cost = inside(size) * self.cells
            blocks.append(Block(f"stage{i + 1}", "cell", self.cells, size, cost.params, cost.flops))
        return (*blocks, Block("head", "head", 1, (shape.classes,), head.params, head.flops))

    def _skeleton(self, shape: Shape) -> list[Cost]:
        """Costs of stem, reductions and head: what every arch has."""
        sizes = self.sizes(shape)
        stem = convolution(shape.image[0], sizes[0], 3) + norm(self.channels)
        reductions = [
            convolution(a[0], b, 3) + convolution(b[0], b, 3) + norm(b[0]) * 2 + convolution(a[0], b, 1)
            for a, b in itertools.pairwise(sizes)
        ]
        return [stem, *reductions, norm(sizes[-1][0]) + linear(sizes[-1][0], shape.classes)]

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Sums over a small table of edges and options: a whole space in milliseconds."""
        if not self.simple:
            return costs_of(self, np.asarray(archs), shape)
        fixed, archs = _sum(self._skeleton(shape)), np.asarray(archs)
        params, flops = np.full(len(archs), float(fixed.params)), np.full(len(archs), float(fixed.flops))
        for j, options in enumerate(self.wiring[2]):
            table = [_sum(operation(o, size) * self.cells for size in self.sizes(shape)) for o in options]
            params += np.array([float(c.params) for c in table])[archs[:, j]]
            flops += np.array([float(c.flops) for c in table])[archs[:, j]]
        return {"params": params, "flops": flops}

    def text(self, arch: Arch) -> str:
        """NAS-Bench-201's notation: `|op~source|` of each edge into node 1, `+`, into node 2, and so on.

        Cells that are not simple are written as `choice=option`.
        """
        if not self.simple:
            return super().text(arch)
        into: list[list[str]] = [[] for _ in range(self.nodes)]
        for (s, t), op in zip(self.edges, self.options(arch), strict=True):
            into[t].append(f"{op}~{s}")
        return "+".join(f"|{'|'.join(ops)}|" for ops in into[1:])

    def read(self, text: str) -> Arch | None:
        """The arch of such a string; None for anything else."""
        if not self.simple:
            return read_choices(self, text)
        taken: dict[Pair, str] = {}
        groups = text.strip().split("+")
        for target, group in enumerate(groups, start=1):
            if not re.fullmatch(r"\|([\w-]+~\d{1,2}(\|[\w-]+~\d{1,2})*)?\|", group, re.ASCII):
                return None
            for item in filter(None, group.strip("|").split("|")):
                op, source = item.split("~")
                if (int(source), target) in taken:
                    return None
                taken[int(source), target] = op
        if len(groups) != self.nodes - 1 or set(taken) != set(self.edges):
            return None
        pairs = [(taken[e], options) for e, options in zip(self.edges, self.wiring[2], strict=True)]
        return tuple(o.index(op) for op, o in pairs) if all(op in o for op, o in pairs) else None


def read_choices(space: Space, text: str) -> Arch | None:
    """The arch of `choice=option choice=option ...`, options being texts; None for anything else."""
    pairs = [item.partition("=") for item in text.split()]
    if not pairs or any(not sep for _, sep, _ in pairs) or len({n for n, _, _ in pairs}) < len(pairs):
        return None
    try:
        return from_choices(space, {name: value for name, _, value in pairs})
    except BadInput:
        return None


def _sum(costs: Any) -> Cost:
    return sum(costs, start=Cost())
