"""How cells are stacked where they have two inputs, two kinds or a concatenated output, and what that costs.

A stem, then cells; each brings its inputs to its own width by ReLU, 1x1 convolution and batch norm, on every
second pixel where an input's map is twice as large. Between two stages stands a cell of the second kind,
whose operations on its inputs have stride 2; with one kind the first cell of a stage halves what it is
given. This is the network of DARTS (Liu et al., 2019), whose cells have two inputs and concatenate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.cost import Cost, Size, convolution, linear, norm
from nascore.graph import Block

if TYPE_CHECKING:
    from nascore.spaces.cell import Cell
    from nascore.task import Shape

Joined = Callable[[str], int]  # kind of cell -> how many nodes its output concatenates
Ops = Callable[[str, Size, int], Cost]  # kind, size of the output, stride -> the cost of its operations


@dataclass(frozen=True)
class Given:
    """An input of a cell: the cell it comes from (-1 for the stem) and how much smaller it has to become."""

    cell: int
    stride: int


@dataclass(frozen=True)
class Step:
    """One cell of the stack.

    Attributes:
        stride: of operations on its inputs.
        size: (channels, height, width) of a node.
        before: height and width of its inputs.
    """

    kind: str
    stage: int
    stride: int
    size: Size
    before: tuple[int, int]
    inputs: tuple[Given, ...]


def stem_channels(cell: Cell) -> int:
    """Three times the first stage's where the network is that of DARTS."""
    return cell.channels * (3 if cell.combine == "concat" and cell.inputs == 2 else 1)


def steps(cell: Cell, shape: Shape) -> tuple[Step, ...]:
    """All cells, the first one first."""
    sizes = cell.sizes(shape)
    out: list[Step] = []
    stages = [0]  # of the stem's map, then of each cell's output
    for stage, size in enumerate(sizes):
        reduces = stage > 0 and len(cell.kinds) == 2
        for position in range(cell.cells + reduces):
            first = reduces and position == 0
            level = stage - first
            k = len(out)
            older = [max(k - 1, 0), k][-cell.inputs :]
            given = tuple(Given(i - 1, 2 ** (level - stages[i])) for i in older)
            kind = cell.kinds[-1] if first else cell.kinds[0]
            out.append(Step(kind, stage, 1 + first, size, sizes[level][1:], given))
            stages.append(stage)
    return tuple(out)


def width(cell: Cell, plan: tuple[Step, ...], index: int, joined: Joined) -> int:
    """Channels of a cell's output, or of the stem's for -1."""
    if index < 0:
        return stem_channels(cell)
    step = plan[index]
    return step.size[0] * (joined(step.kind) if cell.combine == "concat" else 1)


def blocks(cell: Cell, shape: Shape, joined: Joined, ops: Ops) -> tuple[Block, ...]:
    """The network's blocks with their costs; costs of cells in a row are added."""
    plan, sizes = steps(cell, shape), cell.sizes(shape)
    stem = (stem_channels(cell), *sizes[0][1:])
    cost = convolution(shape.image[0], stem, 3) + norm(stem[0])
    out = [Block("stem", "stem", 1, stem, cost.params, cost.flops)]
    for stage, size in enumerate(sizes):
        for reduces in (True, False):
            own = [i for i, s in enumerate(plan) if s.stage == stage and (s.stride == 2) == reduces]
            if not own:
                continue
            cost = sum((_cell(cell, plan, i, joined, ops) for i in own), start=Cost())
            name, kind = (f"reduction{stage}", "reduction") if reduces else (f"stage{stage + 1}", "cell")
            shape_out = (width(cell, plan, own[-1], joined), *size[1:])
            out.append(Block(name, kind, len(own), shape_out, cost.params, cost.flops))
    last = width(cell, plan, len(plan) - 1, joined)
    cost = linear(last, shape.classes) + (Cost() if cell.combine == "concat" else norm(last))
    return (*out, Block("head", "head", 1, (shape.classes,), cost.params, cost.flops))


def _cell(cell: Cell, plan: tuple[Step, ...], index: int, joined: Joined, ops: Ops) -> Cost:
    step = plan[index]
    inner = (step.size[0], *step.before)
    cost = ops(step.kind, step.size, step.stride)
    for given in step.inputs:
        cost += convolution(width(cell, plan, given.cell, joined), inner, 1) + norm(inner[0])
    return cost
