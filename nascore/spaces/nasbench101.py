"""NAS-Bench-101 (Ying et al., 2019): graphs of at most seven nodes and nine edges, three operations on nodes.

Every edge of a lower to a higher node may be there. What no path from input to output meets is cut away, and
only what is left counts: its nodes, its edges, its channels. The output concatenates what leads to it, so the
channels of a module are shared out among those nodes; whatever comes from the input passes a 1x1 convolution.
Three stages of three modules; between stages the map is halved by max pooling and channels double.
Params equal the official records.

Modules are equal if a renumbering of their nodes makes them so. Where the channels do not divide evenly, the
first nodes get one more: then two equal modules may differ by a few weights.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from nascore.cost import Cost, Size, convolution, linear, norm, operation, strided
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Choice, Sharing, Space
from nascore.spaces.cell import Cell
from nascore.spaces.cell_wiring import flow_of, scheme
from nascore.spaces.nasbench101_count import unique

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

OPERATIONS = (
    "conv3x3-bn-relu",
    "conv1x1-bn-relu",
    "maxpool3x3",
)  # in the order that the official hash counts
INPUT, OUTPUT = "input", "output"
Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Module:
    """What is left of an arch: nodes keep their numbers, `last` is the output.

    Attributes:
        nodes: inner nodes on a path from input to output.
        edges: (source, target) of what leads from input to output.
        ops: operation of each inner node.
    """

    nodes: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]
    ops: tuple[str, ...]
    last: int

    def widths(self, channels: int) -> dict[int, int]:
        """Channels of each inner node where the output has `channels`.

        Those that lead to the output share them, the first ones get the rest; any other has as many as the
        widest that it leads to. Source: `compute_vertex_channels` of the official code.
        """
        sharing = [s for s in self.nodes if (s, self.last) in self.edges]
        out = {}
        for place, node in enumerate(sharing):
            out[node] = channels // len(sharing) + (place < channels % len(sharing))
        for node in reversed(self.nodes):
            if node not in out:
                out[node] = max(out[t] for s, t in self.edges if s == node)
        return out

    def numbered(self) -> tuple[Matrix, tuple[str, ...]]:
        """Adjacency matrix and labels of what is left, numbered from 0."""
        place = {n: i for i, n in enumerate((0, *self.nodes, self.last))}
        rows = [[0] * len(place) for _ in place]
        for s, t in self.edges:
            rows[place[s]][place[t]] = 1
        return tuple(map(tuple, rows)), (INPUT, *self.ops, OUTPUT)


@lru_cache(maxsize=64)
def _cell(nodes: int, most_edges: int, cells: int, channels: int, stages: int, stem_stride: int) -> Cell:
    edges = tuple((s, t) for t in range(1, nodes) for s in range(t))
    skeleton = (cells, channels, stages, stem_stride)
    return Cell(
        nodes,
        edges,
        (OPERATIONS,),
        "concat",
        *skeleton,
        ops_on="nodes",
        optional=True,
        most_edges=min(most_edges, len(edges)),
    )


@dataclass(frozen=True)
class Nasbench101(Space):
    """NAS-Bench-101's modules: up to seven nodes, nine edges and three operations, 423,624 architectures."""

    nodes: int = knob(7, 3, 7, "most nodes, with input and output; 7 in the benchmark")
    most_edges: int = knob(9, 1, 21, "most edges on paths from input to output; 9 in the benchmark")
    cells: int = knob(3, 1, 20, "modules in each stage; officially 3")
    channels: int = knob(
        128, 5, 512, "channels of the first stage, doubled in each further one; officially 128"
    )
    stages: int = knob(3, 1, 5, "stages, with a max pool between two of them; officially 3")
    stem_stride: int = knob(1, 1, 4, "stride of the first convolution; above 1 makes all maps smaller")

    def __post_init__(self) -> None:
        if self.channels < self.nodes - 2:
            raise BadInput(f"channels: {self.channels} cannot be shared out among {self.nodes - 2} nodes")

    @property
    def cell(self) -> Cell:
        """The same drawing as plain data; its network does not share out channels."""
        skeleton = (self.cells, self.channels, self.stages, self.stem_stride)
        return _cell(self.nodes, self.most_edges, *skeleton)

    def choices(self) -> tuple[Choice, ...]:
        """`use_{target}_{source}` of each edge, then `node_{node}` of each inner node."""
        return self.cell.choices()

    def module(self, arch: Arch) -> Module:
        """What is left of an arch."""
        plan = scheme(self.cell, "cell")
        found = flow_of(self.cell, "cell", arch)
        nodes = tuple(s.node for s in plan.spots if found.nodes[s.node])
        edges = tuple((p.source, p.target) for p, on in zip(plan.places, found.places, strict=True) if on)
        return Module(nodes, edges, tuple(self.operation(arch, n) for n in nodes), self.nodes - 1)

    def operation(self, arch: Arch, node: int) -> str:
        """The operation of an inner node, whether it is left or not."""
        return OPERATIONS[arch[node - 1 - (self.nodes - 2)]]

    def invalid(self, arch: Arch) -> str:
        """No path from input to output, or too many edges."""
        return self.cell.invalid(arch)

    def canonical(self, arch: Arch) -> Arch:
        """The first of all archs that are this one up to the numbers of their nodes."""
        return _first(self, self.module(arch)) if not self.invalid(arch) else arch

    def classes(self) -> int | None:
        """How many modules differ, counted; 423,624 for the benchmark's limits."""
        return sum(unique(n, self.most_edges, len(OPERATIONS)) for n in range(2, self.nodes + 1))

    def module_hash(self, arch: Arch) -> str:
        """The benchmark's name of this module. Equal modules share it, and other ones may, too."""
        return module_hash(*self.module(arch).numbered())

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """One module an option of each node, as wide as it can get; an arch uses the leading channels."""
        from nascore.spaces.nasbench101_net import ModuleSupernet

        return ModuleSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The official network of this module.

        Raises:
            BadInput: the arch is invalid.
        """
        from nascore.spaces.nasbench101_net import ModuleNet

        if why := self.invalid(arch):
            raise BadInput(f"architecture: {why}")
        return ModuleNet(self, arch, shape)

    def sizes(self, shape: Shape) -> tuple[Size, ...]:
        """(channels, height, width) of the modules of each stage."""
        return self.cell.sizes(shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """All nodes, with costs summed over all modules, and the network's blocks."""
        module, sizes = self.module(arch), self.sizes(shape)
        given = [(sizes[max(i - 1, 0)][0], size, self.cells) for i, size in enumerate(sizes)]
        own: dict[int, Cost] = {}
        brought: dict[int, Cost] = {}
        blocks = [self._block("stem", "stem", 1, sizes[0], _stem(shape, sizes[0]))]
        for i, (before, size, cells) in enumerate(given):
            if i:
                blocks.append(Block(f"reduction{i}", "reduction", 1, (before, *size[1:])))
            total = Cost()
            for inputs in (before, *[size[0]] * (cells - 1)):
                for parts, costs in zip((own, brought), _costs(module, inputs, size), strict=True):
                    for node, cost in costs.items():
                        parts[node] = parts.get(node, Cost()) + cost
                        total += cost
            blocks.append(self._block(f"stage{i + 1}", "cell", cells, size, total))
        head = linear(sizes[-1][0], shape.classes)
        blocks.append(self._block("head", "head", 1, (shape.classes,), head))
        return Graph(self._nodes(arch, module, own), self._edges(arch, module, brought), tuple(blocks))

    def _block(self, name: str, kind: str, repeats: int, shape: tuple[int, ...], cost: Cost) -> Block:
        return Block(name, kind, repeats, shape, cost.params, cost.flops)

    def _nodes(self, arch: Arch, module: Module, costs: dict[int, Cost]) -> tuple[Node, ...]:
        out = [Node("0", INPUT)]
        for n in range(1, self.nodes - 1):
            cost = costs.get(n, Cost())
            op = self.operation(arch, n)
            out.append(Node(str(n), str(n), op, cost.params, cost.flops, n not in module.nodes))
        return (*out, Node(str(module.last), OUTPUT))

    def _edges(self, arch: Arch, module: Module, costs: dict[int, Cost]) -> tuple[Edge, ...]:
        out = []
        for j, p in enumerate(scheme(self.cell, "cell").places):
            if arch[j]:
                on = (p.source, p.target) in module.edges
                cost = costs.get(p.target, Cost()) if on and p.source == 0 else Cost()
                ends = str(p.source), str(p.target)
                out.append(Edge(*ends, "", p.there, cost.params, cost.flops, not on))
        return tuple(out)

    def text(self, arch: Arch) -> str:
        """`adjacency:operations` as in the records, dead parts with it: the matrix row by row."""
        present = {(p.source, p.target) for j, p in enumerate(scheme(self.cell, "cell").places) if arch[j]}
        bits = "".join(str(int((s, t) in present)) for s in range(self.nodes) for t in range(self.nodes))
        ops = [self.operation(arch, n) for n in range(1, self.nodes - 1)]
        return f"{bits}:{','.join([INPUT, *ops, OUTPUT])}"

    def read(self, text: str) -> Arch | None:
        """The arch of such a text, also with fewer nodes; None for anything else."""
        found = re.fullmatch(r"([01]{4,49}):([a-z0-9,-]{12,200})", text.strip())
        if found is None:
            return None
        first, *ops, last = found[2].split(",")
        n = len(ops) + 2
        good = first == INPUT and last == OUTPUT and n <= self.nodes and len(found[1]) == n * n
        if not good or any(op not in OPERATIONS for op in ops):
            return None
        bits = [[c == "1" for c in found[1][i * n : (i + 1) * n]] for i in range(n)]
        if any(bits[s][t] for s in range(n) for t in range(s + 1)):
            return None
        return self.place([(s, t) for s in range(n) for t in range(n) if bits[s][t]], ops)

    def place(self, edges: Sequence[tuple[int, int]], ops: Sequence[str]) -> Arch:
        """The arch of a graph of input, inner nodes with these operations, and output, numbered from 0."""
        number = {len(ops) + 1: self.nodes - 1}
        present = {(s, number.get(t, t)) for s, t in edges}
        uses = [int((p.source, p.target) in present) for p in scheme(self.cell, "cell").places]
        codes = [OPERATIONS.index(op) for op in ops]
        return (*uses, *codes, *[0] * (self.nodes - 2 - len(ops)))


def _stem(shape: Shape, size: Size) -> Cost:
    return convolution(shape.image[0], size, 3) + norm(size[0])


def _costs(module: Module, inputs: int, size: Size) -> tuple[dict[int, Cost], dict[int, Cost]]:
    """Costs in one module with `inputs` channels: of each node's operation, of the input's way to it."""
    widths = {**module.widths(size[0]), module.last: size[0]}
    own = {
        n: operation(op, strided((0, *size[1:]), widths[n], 1))
        for n, op in zip(module.nodes, module.ops, strict=True)
    }
    brought = {
        t: convolution(inputs, (widths[t], *size[1:]), 1) + norm(widths[t]) for s, t in module.edges if s == 0
    }
    return own, brought


@lru_cache(maxsize=20_000)
def _first(space: Nasbench101, module: Module) -> Arch:
    """The smallest arch of this module under every numbering of its nodes in which sources come first."""
    matrix, labels = module.numbered()
    inner = len(module.nodes)
    edges = [(s, t) for s, row in enumerate(matrix) for t, on in enumerate(row) if on]
    found = []
    for order in itertools.permutations(range(1, inner + 1)):
        place = (0, *order, inner + 1)  # old number -> new number
        if all(place[s] < place[t] for s, t in edges):
            ops = [""] * inner
            for old, label in enumerate(labels[1:-1], start=1):
                ops[place[old] - 1] = label
            found.append(space.place([(place[s], place[t]) for s, t in edges], ops))
    return min(found)


def module_hash(matrix: Matrix, labels: Sequence[str]) -> str:
    """The official hash of a pruned module, 32 hex digits.

    Each node starts with the digest of its degrees and label and takes in those of its neighbors as many
    times as there are nodes. Two modules that differ may have one hash (the official tests show a pair).

    Args:
        matrix: (nodes, nodes) adjacency, sources before targets.
        labels: input, operations, output.
    """
    n = len(matrix)
    codes = [-1, *(OPERATIONS.index(label) for label in labels[1:-1]), -2]
    ahead = [[w for w in range(n) if matrix[v][w]] for v in range(n)]
    behind = [[w for w in range(n) if matrix[w][v]] for v in range(n)]
    hashes = [_md5(str((len(ahead[v]), len(behind[v]), codes[v]))) for v in range(n)]
    for _ in range(n):
        hashes = [
            _md5(
                "|".join(
                    (
                        "".join(sorted(hashes[w] for w in behind[v])),
                        "".join(sorted(hashes[w] for w in ahead[v])),
                    )
                )
                + "|"
                + hashes[v]
            )
            for v in range(n)
        ]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
