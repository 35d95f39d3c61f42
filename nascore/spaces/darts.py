"""DARTS (Liu et al., 2019): a normal and a reducing cell, 14 edges, of which each of four nodes keeps two.

A cell has two inputs, the outputs of the two cells before; its four nodes add what two of their edges bring,
and the output concatenates the nodes. The defaults are the network of the paper's CIFAR-10 table: 20 cells,
of which the 7th and the 14th reduce, 36 channels; 2 cells a stage and 16 channels are what is searched with.
The auxiliary head of its training is no part of the network.

The paper counts ((4 * 5 / 2) (3 * 4 / 2) (2 * 3 / 2) 7^8)^2, about 10^18 archs: `none` is no option of an
edge that is kept, although the mixture that is searched has it. So it is listed, but not open; a supernet
computes it when gates name it, and the knob `none` opens it. With `ops` the operations are those of
sharpDARTS (Hundt et al., 2019): pooling, identity and six SharpSepConv blocks, of one kernel size and many
shapes.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from nascore.graph import Graph
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space
from nascore.spaces.cell import Cell
from nascore.spaces.cell_wiring import columns

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

INPUTS, LAST = 2, 6
INNER = (2, 3, 4, 5)
KINDS = ("normal", "reduce")
EDGES = tuple((s, t) for t in INNER for s in range(t)) + tuple((n, LAST) for n in INNER)
# the order of the released code; `none` has the index 0
OPTIONS = ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect",
           "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")  # fmt: skip
SHARP = ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3", "dil_sep_conv_3x3",
         "flood_conv_3x3", "dil_flood_conv_3x3", "choke_conv_3x3", "dil_choke_conv_3x3")  # fmt: skip
SETS = {"darts": OPTIONS, "sharp": SHARP}  # sharpDARTS's set: SharpSepConv blocks of one kernel size
LONGEST = 4_000  # characters of a genotype that is read
Kept = tuple[tuple[int, int], ...]  # of a node: (source, index of the operation), sources ascending


@lru_cache(maxsize=64)
def _cell(cells: int, channels: int, stages: int, stem_stride: int, ops: str = "darts") -> Cell:
    return Cell(
        LAST + 1,
        EDGES,
        (SETS[ops],),
        "concat",
        cells,
        channels,
        stages,
        stem_stride,
        inputs=INPUTS,
        keep=2,
        kinds=KINDS,
    )


@dataclass(frozen=True)
class Darts(Space):
    """DARTS's two cells: four nodes that keep two edges each, seven operations, about 10^18 architectures.

    With the operations of sharpDARTS there are eight, and about 10^19 architectures.
    """

    cells: int = knob(6, 1, 20, "normal cells in each stage; 6 in the paper's network, 2 in its search")
    channels: int = knob(
        36, 1, 512, "channels of a node in the first stage; 36 in the paper, 16 in its search"
    )
    stages: int = knob(3, 2, 5, "stages, with a reducing cell between two of them; 3 in the paper")
    stem_stride: int = knob(1, 1, 4, "stride of the first convolution; above 1 makes all maps smaller")
    none: bool = knob(False, help="an edge that is kept may also give nothing")
    ops: Literal["darts", "sharp"] = knob(
        "darts", help="operations: those of DARTS, or the eight of sharpDARTS, whose blocks are two deep",
        options=("darts", "sharp"),
    )  # fmt: skip

    @property
    def cell(self) -> Cell:
        """The same space as plain data, with `none` open."""
        return _cell(self.cells, self.channels, self.stages, self.stem_stride, self.ops)

    def choices(self) -> tuple[Choice, ...]:
        """For each kind: `keep_3` to `keep_5`, the two sources of a node, and `edge_{target}_{source}`."""
        return _choices(self.none, self.ops)

    def invalid(self, arch: Arch) -> str:
        """An edge gives nothing where that is not open, or none gives anything."""
        for c, i in zip(self.choices(), arch, strict=True):
            if i >= 0 and i not in c.open:
                return f"{c.name}: {c.options[i]} is not open here"
        return self.cell.invalid(arch)

    def canonical(self, arch: Arch) -> Arch:
        """The smallest of all archs that number the nodes of their cells differently.

        Equal up to the order of the output's channels. Cells with `none` have only their dead parts settled.
        """
        arch = self.cell.canonical(arch)
        cells = [kept(arch, kind) for kind in KINDS]
        if any(op == 0 for cell in cells for node in cell for _, op in node):
            return arch
        return arch_of([min(_orders(cell)) for cell in cells])

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """One module an option of each of the 14 edges of each cell; `none` is there whether open or not.

        An edge counts by the weights of those pairs of sources that hold it: one arch takes two edges of a
        node, and all pairs at 1 / (sources - 1) take every edge whole, as the paper's mixture does.
        """
        opened = tuple(
            replace(c, allowed=tuple(sorted({0, *c.open}))) if "edge_" in c.name else c for c in choices
        )
        return self.cell.supernet(shape, sharing, opened)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network of the paper's evaluation, without its auxiliary head."""
        return self.cell.build(arch, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """Both cells and the network's blocks."""
        return self.cell.graph(arch, shape)

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Params and multiply-adds of the paper's network."""
        return self.cell.costs(archs, shape)

    def text(self, arch: Arch) -> str:
        """The released code's genotype."""
        said = []
        for kind in KINDS:
            pairs = [(SETS[self.ops][op], s) for node in kept(arch, kind) for s, op in node]
            said.append(f"{kind}={pairs}, {kind}_concat=range({INNER[0]}, {LAST})")
        return f"Genotype({', '.join(said)})"

    def read(self, text: str) -> Arch | None:
        """The arch of a genotype, or of two tuples of eight (source, operation without none); else None."""
        pairs = _pairs(text, SETS[self.ops]) if len(text) <= LONGEST else None
        if pairs is None:
            return None
        cells = [_nodes(p) for p in pairs]
        return arch_of([c for c in cells if c is not None]) if None not in cells else None


@lru_cache(maxsize=4)
def _choices(none: bool, ops: str) -> tuple[Choice, ...]:
    shut = () if none else tuple(range(1, len(SETS[ops])))
    own = _cell(1, 1, 2, 1, ops).choices()
    return tuple(replace(c, allowed=shut) if "edge_" in c.name else c for c in own)


def kept(arch: Arch, kind: str) -> tuple[Kept, ...]:
    """What each of the four nodes of a cell keeps."""
    at = columns(_cell(1, 1, 2, 1))
    out = []
    for t in INNER:
        taken = ((s, arch[at[f"{kind}.edge_{t}_{s}"]]) for s in range(t))
        out.append(tuple((s, op) for s, op in taken if op >= 0))
    return tuple(out)


def arch_of(cells: Sequence[Sequence[Kept]]) -> Arch:
    """The arch of what the nodes of both cells keep: two different sources each."""
    at = columns(_cell(1, 1, 2, 1))
    row = [-1] * len(at)
    for kind, cell in zip(KINDS, cells, strict=True):
        for t, node in zip(INNER, cell, strict=True):
            if t > INNER[0]:
                pairs = list(itertools.combinations(range(t), 2))
                row[at[f"{kind}.keep_{t}"]] = pairs.index((node[0][0], node[1][0]))
            for s, op in node:
                row[at[f"{kind}.edge_{t}_{s}"]] = op
    return tuple(row)


def _orders(cell: tuple[Kept, ...]) -> list[tuple[Kept, ...]]:
    """The cell under each numbering of its nodes in which sources come first."""
    out = []
    for order in itertools.permutations(range(len(INNER))):
        place = {old + INPUTS: new + INPUTS for new, old in enumerate(order)} | {0: 0, 1: 1}
        new = tuple(tuple(sorted((place[s], op) for s, op in cell[old])) for old in order)
        if all(s < t for t, node in zip(INNER, new, strict=True) for s, _ in node):
            out.append(new)
    return out


def _nodes(pairs: list[tuple[Any, Any]]) -> tuple[Kept, ...] | None:
    """(source, operation) eight times -> what each node keeps; None where that is no cell."""
    if len(pairs) != 2 * len(INNER):
        return None
    out = []
    for j, t in enumerate(INNER):
        node = sorted(pairs[2 * j : 2 * j + 2])
        if not all(0 <= s < t for s, _ in node) or node[0][0] == node[1][0]:
            return None
        out.append(tuple(node))
    return tuple(out)


def _pairs(text: str, options: tuple[str, ...]) -> list[list[tuple[int, int]]] | None:
    """The pairs of both cells as numbers; None for anything else. Nothing is evaluated."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Call):
            given = {k.arg: k.value for k in tree.keywords}
            named = [ast.literal_eval(given[kind]) for kind in KINDS]
            return [[(int(s), options.index(op)) for op, s in cell] for cell in named]
        compact = ast.literal_eval(tree)
        if len(compact) != len(KINDS):
            return None
        found = [[(int(s), int(op) + 1) for s, op in cell] for cell in compact]
        return found if all(0 < op < len(options) for cell in found for _, op in cell) else None
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError):
        return None
