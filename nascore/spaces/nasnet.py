"""NASNet's space (Zoph et al., 2018): a normal and a reducing cell of five blocks, 50 decisions in all.

A cell starts with two hidden states, the outputs of the two cells before. Each block takes two states,
applies an operation to each and adds or concatenates the results to a new state. All states that no block
uses are concatenated to the cell's output. In a reducing cell operations on the cell's own inputs have
stride 2.

Where the paper is silent: a block that concatenates squeezes the result to its width by ReLU, 1x1 convolution
and batch norm; an unused input of a reducing cell is halved by a factorized reduction. The released NASNet-A
also concatenates two states that blocks do use; the knob `joined` says so (NASNET_A_JOINED).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.cost import Cost, Size, convolution, norm, operation
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space, tuples
from nascore.spaces.cell import Cell
from nascore.spaces.cell_stack import blocks, steps

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

INPUTS = 2
KINDS = ("normal", "reduce")
SIDES = ("a", "b")
COMBINE = ("add", "concat")
OPTIONS = (
    "skip_connect", "conv_1x3_3x1", "conv_1x7_7x1", "dil_conv_3x3", "avg_pool_3x3", "max_pool_3x3",
    "max_pool_5x5", "max_pool_7x7", "nor_conv_1x1", "nor_conv_3x3", "sep_conv_3x3", "sep_conv_5x5",
    "sep_conv_7x7",
)  # fmt: skip
Side = tuple[int, int]  # state, index of the operation
BlockOf = tuple[Side, Side, int]  # both sides, index of the combination
# NASNet-A as published, state 0 being the older input
NASNET_A = (
    "normal: sep_conv_5x5(1)+sep_conv_3x3(0), sep_conv_5x5(0)+sep_conv_3x3(0), "
    "avg_pool_3x3(1)+skip_connect(0), avg_pool_3x3(0)+avg_pool_3x3(0), sep_conv_3x3(1)+skip_connect(1); "
    "reduce: sep_conv_5x5(1)+sep_conv_7x7(0), max_pool_3x3(1)+sep_conv_7x7(0), "
    "avg_pool_3x3(1)+sep_conv_5x5(0), skip_connect(3)+avg_pool_3x3(2), sep_conv_3x3(2)+max_pool_3x3(1)"
)
NASNET_A_JOINED = ((0, 2, 3, 4, 5, 6), (3, 4, 5, 6))


@dataclass(frozen=True)
class Nasnet(Space):
    """NASNet's two cells: blocks of two states, two of 13 operations, and a way to combine them."""

    blocks: int = knob(5, 1, 7, "blocks of each cell; 5 in the paper")
    cells: int = knob(6, 1, 20, "normal cells in each stage; the paper's N")
    channels: int = knob(32, 2, 512, "channels of a state in the first stage, doubled in each further one")
    stages: int = knob(3, 2, 5, "stages, with a reducing cell between two of them; 3 in the paper")
    stem_stride: int = knob(1, 1, 4, "stride of the first convolution; above 1 makes all maps smaller")
    keep_path: float = knob(
        1.0,
        0.1,
        1.0,
        "chance that a path of the last cell is kept at the end of training (ScheduledDropPath)",
    )
    path_batches: int = knob(1000, 1, 1_000_000, "training batches until paths are dropped at full strength")
    joined: tuple[tuple[int, ...], ...] = knob(
        (), 0, 8, "states that the normal and the reducing cell concatenate; none for those that are unused"
    )

    def __post_init__(self) -> None:
        if self.joined and len(self.joined) != len(KINDS):
            raise BadInput(f"joined: {len(self.joined)} lists; give none, or one for each of two cells")
        for states in self.joined:
            if not states or list(states) != sorted({*states}):
                raise BadInput(f"joined: {list(states)} is no rising list of states")
            if states[0] < 0 or states[-1] >= self.blocks + INPUTS:
                raise BadInput(f"joined: {list(states)} has no state of 0 to {self.blocks + 1}")

    @property
    def frame(self) -> Cell:
        """The skeleton: that of drawn cells with two inputs and two kinds."""
        return _frame(self.cells, self.channels, self.stages, self.stem_stride)

    def choices(self) -> tuple[Choice, ...]:
        """For each kind and block: `in_a`, `in_b`, `op_a`, `op_b`, `combine`, as the controller decides."""
        return _choices(self.blocks)

    def decoded(self, arch: Arch) -> dict[str, tuple[BlockOf, ...]]:
        """Kind -> its blocks."""
        found = {}
        for k, kind in enumerate(KINDS):
            rows = [
                arch[5 * (k * self.blocks + b) : 5 * (k * self.blocks + b + 1)] for b in range(self.blocks)
            ]
            found[kind] = tuple(((ia, oa), (ib, ob), how) for ia, ib, oa, ob, how in rows)
        return found

    def encoded(self, cells: Sequence[Sequence[BlockOf]]) -> Arch:
        """The arch of the blocks of both cells."""
        return tuple(i for cell in cells for a, b, how in cell for i in (a[0], b[0], a[1], b[1], how))

    def canonical(self, arch: Arch) -> Arch:
        """The smallest of all archs with sides swapped and blocks numbered differently.

        Where `joined` names blocks, they keep their numbers.
        """
        cells = self.decoded(arch).values()
        if self.joined:
            return self.encoded([[(min(a, b), max(a, b), how) for a, b, how in cell] for cell in cells])
        return self.encoded([min(_orders(cell)) for cell in cells])

    def joins(self, kind: str, cell: Sequence[BlockOf]) -> tuple[int, ...]:
        """The states that a cell's output concatenates."""
        return self.joined[KINDS.index(kind)] if self.joined else unused(cell)

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """One module an option of each operation on each state that it may be given."""
        from nascore.spaces.nasnet_net import NasnetSupernet

        return NasnetSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network of these two cells, without its auxiliary head."""
        from nascore.spaces.nasnet_net import NasnetNet

        return NasnetNet(self, arch, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """Both cells, operations as nodes of their own, and the network's blocks."""
        cells = self.decoded(arch)
        nodes: list[Node] = []
        edges: list[Edge] = []
        for kind, cell in cells.items():
            self._draw(kind, cell, shape, nodes, edges)

        return Graph(tuple(nodes), tuple(edges), self._network(cells, shape))

    def _network(self, cells: dict[str, tuple[BlockOf, ...]], shape: Shape) -> tuple[Block, ...]:
        joins = {kind: self.joins(kind, cell) for kind, cell in cells.items()}
        seen: dict[tuple[str, Size], Cost] = {}

        def ops(kind: str, size: Size, stride: int) -> Cost:
            if (kind, size) not in seen:
                costs = _costs(cells[kind], joins[kind], size, stride)
                seen[kind, size] = sum(costs.values(), start=Cost())
            return seen[kind, size]

        return blocks(self.frame, shape, lambda kind: len(joins[kind]), ops)

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Params and multiply-adds, without drawing anything."""
        made = [self._network(self.decoded(a), shape) for a in tuples(archs)]
        return {
            "params": np.array([float(sum(b.params for b in m)) for m in made]),
            "flops": np.array([float(sum(b.flops for b in m)) for m in made]),
        }

    def _draw(
        self, kind: str, cell: tuple[BlockOf, ...], shape: Shape, nodes: list[Node], edges: list[Edge]
    ) -> None:
        costs: dict[str, Cost] = {}
        joins = self.joins(kind, cell)
        for step in steps(self.frame, shape):
            if step.kind == kind:
                for part, cost in _costs(cell, joins, step.size, step.stride).items():
                    costs[part] = costs.get(part, Cost()) + cost
        nodes += [Node(f"{kind}.{s}", f"{kind} input {s + 1}", "input") for s in range(INPUTS)]
        for b, (*sides, how) in enumerate(cell):
            state = f"{kind}.{b + INPUTS}"
            for side, (source, op) in zip(SIDES, sides, strict=True):
                part, cost = f"{b}{side}", costs[f"{b}{side}"]
                at = f"{kind}.block_{b}"
                nodes.append(Node(f"{kind}.{part}", part, OPTIONS[op], cost.params, cost.flops))
                edges.append(Edge(f"{kind}.{source}", f"{kind}.{part}", "", f"{at}.in_{side}"))
                edges.append(Edge(f"{kind}.{part}", state, "", f"{at}.combine"))
            own = costs.get(f"{b}", Cost())
            nodes.append(Node(state, f"{b} {COMBINE[how]}", "", own.params, own.flops))
        last = f"{kind}.output"
        nodes.append(Node(last, f"{kind} output", "output"))
        for s in joins:
            cost = costs.get(f"out{s}", Cost())
            edges.append(Edge(f"{kind}.{s}", last, "", "", cost.params, cost.flops))

    def text(self, arch: Arch) -> str:
        """`normal: op(state)+op(state), ...; reduce: ...`, with & for a concatenation."""
        cells = []
        for kind, cell in self.decoded(arch).items():
            said = ["+&"[how].join(f"{OPTIONS[op]}({state})" for state, op in sides) for *sides, how in cell]
            cells.append(f"{kind}: {', '.join(said)}")
        return "; ".join(cells)

    def read(self, text: str) -> Arch | None:
        """The arch of such a text; None for anything else."""
        cells = []
        for kind, part in itertools.zip_longest(KINDS, text.strip().split("; ")):
            cell = _read_cell(part[len(kind) + 2 :]) if part and part.startswith(f"{kind}: ") else None
            if cell is None or len(cell) != self.blocks:
                return None
            cells.append(cell)
        return self.encoded(cells)


@lru_cache(maxsize=64)
def _frame(cells: int, channels: int, stages: int, stem_stride: int) -> Cell:
    skeleton = (cells, channels, stages, stem_stride)
    return Cell(4, ((0, 2), (1, 2)), (OPTIONS,), "concat", *skeleton, inputs=INPUTS, kinds=KINDS)


@lru_cache(maxsize=8)
def _choices(count: int) -> tuple[Choice, ...]:
    out: list[Choice] = []
    for kind, b in itertools.product(KINDS, range(count)):
        at, states = f"{kind}.block_{b}", tuple(range(b + INPUTS))
        out += [Choice(f"{at}.in_{side}", states) for side in SIDES]
        out += [Choice(f"{at}.op_{side}", OPTIONS) for side in SIDES]
        out.append(Choice(f"{at}.combine", COMBINE))
    return tuple(out)


def unused(cell: Sequence[BlockOf]) -> tuple[int, ...]:
    """The states that no block takes: what the output concatenates."""
    taken = {state for a, b, _ in cell for state in (a[0], b[0])}
    return tuple(s for s in range(len(cell) + INPUTS) if s not in taken)


def _costs(cell: Sequence[BlockOf], joins: Sequence[int], size: Size, stride: int) -> dict[str, Cost]:
    """Cost of each side (`0a`), each concatenating block (`0`), each input halved for the output (`out0`)."""
    out: dict[str, Cost] = {}
    for b, (*sides, how) in enumerate(cell):
        for side, (state, op) in zip(SIDES, sides, strict=True):
            out[f"{b}{side}"] = _operation(op, size, stride if state < INPUTS else 1)
        if COMBINE[how] == "concat":
            out[f"{b}"] = convolution(2 * size[0], size, 1) + norm(size[0])
    halved = [s for s in joins if s < INPUTS] if stride > 1 else []
    return out | {f"out{s}": operation("skip_connect", size, stride) for s in halved}


@lru_cache(maxsize=4096)
def _operation(op: int, size: Size, stride: int) -> Cost:
    return operation(OPTIONS[op], size, stride)


def _orders(cell: tuple[BlockOf, ...]) -> list[tuple[BlockOf, ...]]:
    """The cell under each numbering of its blocks in which states come before who takes them."""
    out = []
    for order in itertools.permutations(range(len(cell))):
        place = {0: 0, 1: 1} | {old + INPUTS: new + INPUTS for new, old in enumerate(order)}
        new: list[BlockOf] = []
        for old in order:
            *sides, how = cell[old]
            a, b = sorted((place[state], op) for state, op in sides)
            if b[0] >= len(new) + INPUTS:
                break
            new.append((a, b, how))
        if len(new) == len(cell):
            out.append(tuple(new))
    return out


def _read_cell(text: str) -> list[BlockOf] | None:
    cell: list[BlockOf] = []
    for item in text.split(", "):
        found = re.fullmatch(r"(\w{1,20})\((\d)\)([+&])(\w{1,20})\((\d)\)", item, re.ASCII)
        if found is None or found[1] not in OPTIONS or found[4] not in OPTIONS:
            return None
        a, b = (int(found[2]), OPTIONS.index(found[1])), (int(found[5]), OPTIONS.index(found[4]))
        if max(a[0], b[0]) >= len(cell) + INPUTS:
            return None
        cell.append((a, b, "+&".index(found[3])))
    return cell
