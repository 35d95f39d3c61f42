"""Where to down-sample: the 36 positions of two poolings in ResNet-20 (Balanced Mixture of SuperNets, 2023).

A network of `layers` layers (a convolution, then residual blocks) whose channels never move: 16, 32 and 64,
the first of them for one layer more. `scales` - 1 max-poolings of 2x2 stand between two layers each, so an
arch is a list of layers for each resolution, as in the paper: `[4,3,3]` is the usual ResNet-20. All 36 have
weights of the same sizes, so they can share all of them. Batch norms have no scale and shift; those of the
paper also keep no running statistics.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nascore.cost import Cost, Size, convolution, linear
from nascore.errors import BadInput, NotSupported
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Choice, Sharing, Space

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape


MOST = 1_000_000_000  # numbers of separate networks together


@dataclass(frozen=True)
class Pooling(Space):
    """Positions of the poolings in a residual network; the 36 of ResNet-20 as they come."""

    layers: int = knob(10, 4, 24, "a first convolution and residual blocks; ResNet-20 has 10")
    scales: int = knob(3, 2, 4, "resolutions; between two of them is a pooling")
    channels: int = knob(16, 1, 256, "of the first third of the layers, doubled in the second and third")
    batch_norm: Literal["running", "batch"] = knob(
        "running",
        help="in evaluation: running statistics, or those of the batch as in the paper",
        options=("running", "batch"),
    )

    def __post_init__(self) -> None:
        if self.scales > self.layers:
            raise BadInput(
                f"scales: {self.scales} resolutions need as many layers, and there are {self.layers}"
            )

    @property
    def splits(self) -> tuple[tuple[int, ...], ...]:
        """Layers at each resolution, of every option, in the order of the paper's files."""
        cuts = itertools.combinations(range(1, self.layers), self.scales - 1)
        return tuple(tuple(b - a for a, b in itertools.pairwise((0, *cut, self.layers))) for cut in cuts)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each layer."""
        third = (self.layers - 1) // 3
        return tuple(self.channels * 2 ** min(max(i - 1, 0) // max(third, 1), 2) for i in range(self.layers))

    def choices(self) -> tuple[Choice, ...]:
        """One: the layers at each resolution."""
        return (Choice("split", tuple(_text(s) for s in self.splits)),)

    def split(self, arch: Arch) -> tuple[int, ...]:
        """Layers at each resolution."""
        return self.splits[arch[0]]

    def classes(self) -> int | None:
        """All differ."""
        return len(self.splits)

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """Entangled: one network for all positions; separate: one each, as every position uses all weights.

        Raises:
            NotSupported: separate networks of more than a billion numbers in all.
        """
        from nascore.spaces.pooling_net import PoolingApart, PoolingSupernet

        if sharing == "entangled":
            return PoolingSupernet(self, shape)
        (split,) = choices
        numbers = len(split.open) * self.graph((0,), shape).params
        if numbers > MOST:
            raise NotSupported(
                f"pooling: separate networks of {len(split.open):,} splits have {numbers / 1e9:.1f} billion "
                "numbers; choose entangled, fewer channels or fewer splits"
            )
        return PoolingApart(self, shape, split)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network of one split."""
        from nascore.spaces.pooling_net import PoolingNet

        return PoolingNet(self, self.split(arch), shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """A chain of layers; poolings are part of the layer that follows."""
        nodes, edges, blocks, total = [Node("0", "input")], [], [], Cost()
        inputs, (_, h, w), widths = shape.image[0], shape.image, iter(self.widths)
        for scale, count in enumerate(self.split(arch)):
            h, w = (h, w) if not scale else (_half(h), _half(w))
            here = Cost()
            for j in range(count):
                first, size = not scale and not j, (next(widths), h, w)
                cost, here = _layer(inputs, size, first), here + _layer(inputs, size, first)
                op = ("max_pool " if scale and not j else "") + ("conv 3x3" if first else "basic 3x3")
                nodes.append(Node(str(len(nodes)), "x".join(map(str, size))))
                edges.append(
                    Edge(nodes[-2].id, nodes[-1].id, op, "split" if scale and not j else "", *_two(cost))
                )
                inputs = size[0]
            blocks.append(Block(f"scale{scale + 1}", "cell", count, (inputs, h, w), *_two(here)))
            total += here
        head = linear(inputs, shape.classes)
        nodes[-1] = Node(nodes[-1].id, "output")
        blocks.append(Block("head", "head", 1, (shape.classes,), *_two(head)))
        return Graph(tuple(nodes), tuple(edges), tuple(blocks))

    def text(self, arch: Arch) -> str:
        """`[4,3,3]`."""
        return _text(self.split(arch))

    def read(self, text: str) -> Arch | None:
        """The arch of such a text."""
        if not re.fullmatch(r"\[?\d{1,2}( ?, ?\d{1,2})*\]?", text.strip(), re.ASCII):
            return None
        split = tuple(int(n) for n in re.findall(r"\d+", text))
        return (self.splits.index(split),) if split in self.splits else None


def _text(split: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, split))}]"


def _half(side: int) -> int:
    """2x2 pooling leaves a rest out, but never the last point."""
    return max(side // 2, 1)


def _layer(inputs: int, out: Size, first: bool) -> Cost:
    """Norms without scale and shift have no parameters."""
    if first:
        return convolution(inputs, out, 3)
    bridge = convolution(inputs, out, 1) if inputs != out[0] else Cost()
    return convolution(inputs, out, 3) + convolution(out[0], out, 3) + bridge


def _two(cost: Cost) -> tuple[int, int]:
    return cost.params, cost.flops
