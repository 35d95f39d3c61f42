"""NAS-Bench-201 (Dong and Yang, 2020), also the topology space of NATS-Bench: 15,625 cells of four nodes.

Six edges with five operations each, three stages of five cells with 16, 32 and 64 channels, two residual
reductions between them. The defaults are the official skeleton; params and FLOPs equal the official records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.graph import Graph
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space
from nascore.spaces.cell import Cell
from nascore.spaces.cell_same import published_string

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # the order of the official strings
OPTIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")  # the official order


@lru_cache(maxsize=64)
def _cell(cells: int, channels: int, stages: int, stem_stride: int) -> Cell:
    return Cell(4, EDGES, (OPTIONS,), "sum", cells, channels, stages, stem_stride)


@dataclass(frozen=True)
class Nasbench201(Space):
    """NAS-Bench-201's cells: four nodes, six edges, five operations, 15,625 architectures."""

    cells: int = knob(5, 1, 20, "cells in each stage; the official network has 5")
    channels: int = knob(
        16, 1, 512, "channels of the first stage, doubled in each further one; officially 16"
    )
    stages: int = knob(3, 1, 5, "stages, with a reduction between two of them; officially 3")
    stem_stride: int = knob(1, 1, 4, "stride of the first convolution; above 1 makes all maps smaller")

    @property
    def cell(self) -> Cell:
        """The same space as plain data."""
        return _cell(self.cells, self.channels, self.stages, self.stem_stride)

    def choices(self) -> tuple[Choice, ...]:
        """edge_1_0, edge_2_0, edge_2_1, edge_3_0, edge_3_1, edge_3_2: target, then source."""
        return self.cell.choices()

    def canonical(self, arch: Arch) -> Arch:
        """The smallest arch that computes the same function."""
        return self.cell.canonical(arch)

    def classes(self) -> int | None:
        """5,044 functions."""
        return self.cell.classes()

    def published(self, arch: Arch) -> str:
        """The benchmark's own canonical string, of which there are 6,466."""
        return published_string(self.cell, arch)

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """One module an option of each edge of each cell."""
        return self.cell.supernet(shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The official network of this cell."""
        return self.cell.build(arch, shape)

    def builder(self, shape: Shape) -> Callable[[Arch], nn.Module]:
        """The same, one after the other."""
        return self.cell.builder(shape)

    def batched(self, archs: Sequence[Arch], shape: Shape) -> Any:
        """Many of these networks as one program."""
        return self.cell.batched(archs, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """The cell and the network's blocks."""
        return self.cell.graph(arch, shape)

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Params and multiply-adds as in the official records."""
        return self.cell.costs(archs, shape)

    def text(self, arch: Arch) -> str:
        """The official string."""
        return self.cell.text(arch)

    def read(self, text: str) -> Arch | None:
        """The arch of an official string."""
        return self.cell.read(text)
