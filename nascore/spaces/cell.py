"""The data-defined cell space: a graph of nodes, an operation on each edge, cells stacked to a network.

Node 0 is the cell's input, the last node its output; each other node is the sum of what its edges bring. The
network is a stem, `stages` stages of `cells` equal cells, a reduction (stride 2, channels doubled) between
two stages, and a head. NAS-Bench-201 is one instance of it (spaces/nasbench201.py).

A cell through which nothing passes is a network all the same, and a valid arch: its output is zero, so the
head sees nothing of the image and training ends at chance. NAS-Bench-201 lists such cells too. `graph` marks
their edges dead.

A node that no live edge reaches brings nothing to others: a layer on it is left out, although the batch norm
of the official code could still learn a constant there. The benchmark's canonical strings make the same
simplification.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nascore.cost import OPS, Cost, Size, convolution, linear, norm, operation, strided
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node, live_edges
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

Pair = tuple[int, int]  # source, target
Wiring = tuple[int, tuple[Pair, ...], tuple[tuple[str, ...], ...]]  # nodes, edges, options of each edge
FIRST_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
ENUMERATED = 20_000  # up to this many archs, and
RENAMED = 8  # up to this many edges, the classes of equal cells are listed, in a second or two


@dataclass(frozen=True)
class Cell(Space):
    """Cells that you draw: nodes, edges and their candidate operations, stacked to a network."""

    nodes: int = knob(3, 2, 12, "nodes of the cell; the first is its input, the last its output")
    edges: tuple[tuple[int, int], ...] = knob(
        ((0, 1), (0, 2), (1, 2)), help="[source, target] of each edge; the source has the lower number"
    )
    ops: tuple[tuple[str, ...], ...] = knob(
        (FIRST_OPS,), help="candidate operations of each edge, or one list for all edges"
    )
    combine: Literal["sum"] = knob("sum", help="how a node joins what its edges bring", options=("sum",))
    cells: int = knob(1, 1, 20, "cells in each stage")
    channels: int = knob(8, 1, 512, "channels of the first stage; doubled in each further one")
    stages: int = knob(1, 1, 5, "stages; between two of them a reduction halves the map")
    stem_stride: int = knob(1, 1, 4, "stride of the first convolution; above 1 makes all maps smaller")

    def __post_init__(self) -> None:
        if not self.edges:
            raise BadInput("edges: a cell needs at least one edge")
        for source, target in self.edges:
            if not 0 <= source < target < self.nodes:
                raise BadInput(
                    f"edges: [{source}, {target}] does not lead from a lower to a higher node of {self.nodes}"
                )
        if len(set(self.edges)) < len(self.edges):
            raise BadInput("edges: an edge is listed twice")
        if len(self.ops) not in (1, len(self.edges)):
            raise BadInput(
                f"ops: {len(self.ops)} lists for {len(self.edges)} edges; give one, or one an edge"
            )
        for options in self.ops:
            if unknown := [o for o in options if o not in OPS]:
                raise BadInput(f"ops: {unknown[0]!r} is none of {', '.join(OPS)}")
            if not options or len(set(options)) < len(options):
                raise BadInput("ops: each list needs at least one operation, and none twice")

    @property
    def wiring(self) -> Wiring:
        """Nodes, edges and the options of each edge: all that decides which cells are equal."""
        ops = self.ops if len(self.ops) == len(self.edges) else self.ops * len(self.edges)
        return self.nodes, self.edges, ops

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each edge's choice: edge_{target}_{source}."""
        return tuple(f"edge_{t}_{s}" for s, t in self.edges)

    def options(self, arch: Arch) -> tuple[str, ...]:
        """Name of the operation on each edge."""
        return _options(self.wiring, arch)

    def live(self, arch: Arch) -> tuple[bool, ...]:
        """Which edges lie on a path from input to output that lets something through."""
        return _live(self.wiring, arch)

    def sizes(self, shape: Shape) -> tuple[Size, ...]:
        """(channels, height, width) of the cells of each stage."""
        first = strided(shape.image, self.channels, self.stem_stride)
        return tuple(strided(first, self.channels * 2**s, 2**s) for s in range(self.stages))

    def choices(self) -> tuple[Choice, ...]:
        """One an edge."""
        return tuple(Choice(n, o) for n, o in zip(self.names, self.wiring[2], strict=True))

    def canonical(self, arch: Arch) -> Arch:
        """The first of all archs that compute the same function: dead edges are `none`, nothing is idle.

        Sums are flattened through skips, average pooling is distributed over sums, and each convolution keeps
        its identity, so `conv(x) + conv(x)` with one weight is another function than with two. Above 20,000
        archs or 8 edges only dead edges are set to `none`.
        """
        if (found := _representatives(self.wiring)) is not None:
            return found[_pruned(self.wiring, arch)]
        return _pruned(self.wiring, arch)

    def classes(self) -> int | None:
        """How many functions there are; None for more than 20,000 archs or 8 edges."""
        found = _representatives(self.wiring)
        return None if found is None else len(set(found.values()))

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """One module for each open option of each edge of each cell."""
        from nascore.spaces.cell_net import CellSupernet

        return CellSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network with modules for its live edges only; `costs` counts all edges, as records do."""
        from nascore.spaces.cell_net import CellNet

        return CellNet(self, arch, shape)

    def batched(self, archs: Sequence[Arch], shape: Shape) -> Any:
        """Many of these networks as one program."""
        from nascore.batched import cells

        return cells(self, archs, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """The cell with its edges' costs summed over all cells, and the network's blocks."""
        options, live = self.options(arch), self.live(arch)
        last = self.nodes - 1
        labels = {0: "input", last: "output"}
        nodes = tuple(Node(str(i), labels.get(i, str(i))) for i in range(self.nodes))
        edges = []
        for (s, t), name, op, on in zip(self.edges, self.names, options, live, strict=True):
            cost = _sum(operation(op, size) * self.cells for size in self.sizes(shape))
            edges.append(Edge(str(s), str(t), op, name, cost.params, cost.flops, not on))
        return Graph(nodes, tuple(edges), self._blocks(options, shape))

    def _blocks(self, options: tuple[str, ...], shape: Shape) -> tuple[Block, ...]:
        sizes = self.sizes(shape)
        stem, *reductions, head = self._skeleton(shape)
        blocks = [Block("stem", "stem", 1, sizes[0], stem.params, stem.flops)]
        for i, size in enumerate(sizes):
            if i:
                cost = reductions[i - 1]
                blocks.append(Block(f"reduction{i}", "reduction", 1, size, cost.params, cost.flops))
            cost = _sum(operation(op, size) for op in options) * self.cells
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
        fixed, archs = _sum(self._skeleton(shape)), np.asarray(archs)
        params, flops = np.full(len(archs), float(fixed.params)), np.full(len(archs), float(fixed.flops))
        for j, options in enumerate(self.wiring[2]):
            table = [_sum(operation(o, size) * self.cells for size in self.sizes(shape)) for o in options]
            params += np.array([float(c.params) for c in table])[archs[:, j]]
            flops += np.array([float(c.flops) for c in table])[archs[:, j]]
        return {"params": params, "flops": flops}

    def text(self, arch: Arch) -> str:
        """NAS-Bench-201's notation: `|op~source|` of each edge into node 1, `+`, into node 2, and so on."""
        into: list[list[str]] = [[] for _ in range(self.nodes)]
        for (s, t), op in zip(self.edges, self.options(arch), strict=True):
            into[t].append(f"{op}~{s}")
        return "+".join(f"|{'|'.join(ops)}|" for ops in into[1:])

    def read(self, text: str) -> Arch | None:
        """The arch of such a string; None for anything else."""
        taken: dict[Pair, str] = {}
        groups = text.strip().split("+")
        for target, group in enumerate(groups, start=1):
            if not re.fullmatch(r"\|(\w+~\d{1,2}(\|\w+~\d{1,2})*)?\|", group, re.ASCII):
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


def _sum(costs: Any) -> Cost:
    return sum(costs, start=Cost())


def _options(wiring: Wiring, arch: Arch) -> tuple[str, ...]:
    return tuple(o[i] for o, i in zip(wiring[2], arch, strict=True))


@lru_cache(maxsize=100_000)
def _live(wiring: Wiring, arch: Arch) -> tuple[bool, ...]:
    nodes, edges, _ = wiring
    carries = tuple(OPS[op].kind != "zero" for op in _options(wiring, arch))
    return live_edges(tuple((str(s), str(t)) for s, t in edges), carries, "0", str(nodes - 1))


def _pruned(wiring: Wiring, arch: Arch) -> Arch:
    """The arch with `none` on dead edges that have this option."""
    live = _live(wiring, arch)
    return tuple(
        o.index("none") if not on and "none" in o else i
        for i, on, o in zip(arch, live, wiring[2], strict=True)
    )


@lru_cache(maxsize=4)
def _representatives(wiring: Wiring) -> dict[Arch, Arch] | None:
    """Each arch without idle operations -> the first of its class; None where there are too many."""
    counts = [len(o) for o in wiring[2]]
    if np.prod(counts, dtype=object) > ENUMERATED or len(counts) > RENAMED:
        return None
    first: dict[str, Arch] = {}
    out: dict[Arch, Arch] = {}
    for arch in itertools.product(*(range(n) for n in counts)):
        if _pruned(wiring, arch) == arch:
            out[arch] = first.setdefault(function(wiring, arch), arch)
    return out


# A cell's output is a sum of terms, kept as term -> how often. A term is "x" (the cell's input), ("pool",
# term), or (op, edge, sum): the layer of that edge applied to a sum. The edge is the layer's identity: two
# terms of one edge share their weights.
Term = Any
Sum = frozenset[tuple[Term, int]]


def function(wiring: Wiring, arch: Arch) -> str:
    """What the cell computes, up to a renaming of its weights: equal texts, equal functions."""
    out = _output(wiring, arch)
    shapes: dict[int, str] = {}
    _layers(out, shapes)
    groups: dict[str, list[int]] = {}
    for edge, text in sorted(shapes.items()):
        groups.setdefault(text, []).append(edge)
    # Layers of unlike shape cannot be exchanged, so only those of one shape are renamed among themselves.
    orders = itertools.product(*(itertools.permutations(range(len(g))) for g in groups.values()))
    names = (
        {e: n for g, o in zip(groups.values(), order, strict=True) for e, n in zip(g, o, strict=True)}
        for order in orders
    )
    return min(_write(out, n) for n in names)


def _output(wiring: Wiring, arch: Arch) -> Sum:
    nodes, edges, _ = wiring
    sums: list[Counter[Term]] = [Counter() for _ in range(nodes)]
    sums[0]["x"] = 1
    ordered = sorted(
        zip(edges, _options(wiring, arch), range(len(edges)), strict=True), key=lambda e: e[0][1]
    )
    for (source, target), op, edge in ordered:
        given = sums[source]
        match OPS[op].kind:
            case "identity":
                sums[target].update(given)
            case "linear":
                sums[target].update({(op, term): n for term, n in given.items()})
            case "layer" if given:
                sums[target][(op, edge, frozenset(given.items()))] += 1
    return frozenset(sums[-1].items())


def _layers(terms: Sum, found: dict[int, str]) -> None:
    """Fills edge -> its layer and all below it without names."""
    for term, _ in terms:
        while len(term) == 2:
            term = term[1]
        if len(term) == 3 and term[1] not in found:
            found[term[1]] = f"{term[0]}({_write(term[2], {})})"
            _layers(term[2], found)


def _write(terms: Sum, names: dict[int, int]) -> str:
    return "+".join(sorted(f"{n}{_term(t, names)}" for t, n in terms))


def _term(term: Term, names: dict[int, int]) -> str:
    if term == "x":
        return "x"
    if len(term) == 2:
        return f"{term[0]}({_term(term[1], names)})"
    return f"{term[0]}#{names.get(term[1], '')}({_write(term[2], names)})"


def published_string(cell: Cell, arch: Arch) -> str:
    """NAS-Bench-201's own canonical string, for comparison with the literature: 6,466 of them.

    It keeps zeros inside sums and does not tell one shared layer from two, so it parts and joins other cells
    than `canonical` does. Source: the paper's section 2.1 and the `unique string` of its code, with zero
    considered.
    """
    nodes, edges, _ = cell.wiring
    texts = ["0"] + ["#"] * (nodes - 1)
    for target in range(1, nodes):
        terms = [
            _published(op, texts[s])
            for (s, t), op in zip(edges, cell.options(arch), strict=True)
            if t == target
        ]
        texts[target] = "+".join(sorted(terms))
    return texts[-1]


def _published(op: str, given: str) -> str:
    if OPS[op].kind == "zero" or given == "#":
        return "#"
    return given if OPS[op].kind == "identity" else f"({given})@{op}"
