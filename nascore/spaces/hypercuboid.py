"""HyperCuboid, the space of sharpDARTS (Hundt et al., 2019): width, depth and operation of a chain of layers.

Layers come in pairs, of stride 1 and of stride 2. Each has a width and an operation; a block stands between
every width of the layer before and every width of its own, so the supernet is a box of blocks and an
architecture a path through it. Separable blocks are the paper's (ReLU, depthwise and 1x1 convolution, batch
norm, twice); a pooling block is a max pooling, a 1x1 convolution and batch norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.cost import OPS, Cost, Op, Size, convolution, depthwise, linear, norm, strided
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Choice, Sharing, Space

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

BLOCKS = ("sep_conv_3x3", "dil_sep_conv_3x3", "flood_conv_3x3", "dil_flood_conv_3x3",
          "choke_conv_3x3", "dil_choke_conv_3x3", "max_pool_3x3")  # fmt: skip
LAST = "sep_conv_3x3"  # the block after the layers


@dataclass(frozen=True)
class Hypercuboid(Space):
    """A chain of layers, each of any width and operation: sharpDARTS's space of widths and depths.

    Source: Hundt et al. 2019, section 3; widths and `last` are those of its experiments. The paper may skip
    layers of small weight; here every layer is there.
    """

    layers: int = knob(4, 2, 32, "layers, an even number; every second one halves the map")
    widths: tuple[int, ...] = knob(
        (32, 64, 128, 256), 1, 2048, "channels that a layer may have, also before the first one"
    )
    ops: tuple[str, ...] = knob(
        ("sep_conv_3x3", "max_pool_3x3"), help="operations of a layer", options=BLOCKS
    )
    last: int = knob(768, 1, 4096, "channels of the block before the output")

    def __post_init__(self) -> None:
        if self.layers % 2:
            raise BadInput(f"layers: {self.layers} is odd; layers come in pairs, of stride 1 and of stride 2")
        for name, values in (("widths", self.widths), ("ops", self.ops)):
            if not values or len(set(values)) < len(values):
                raise BadInput(f"{name}: give at least one, and none twice")

    def choices(self) -> tuple[Choice, ...]:
        """`stem.width`, then `layer1.width`, `layer1.op` and so on."""
        out = [Choice("stem.width", self.widths)]
        for i in range(1, self.layers + 1):
            out += [Choice(f"layer{i}.width", self.widths), Choice(f"layer{i}.op", self.ops)]
        return tuple(out)

    def together(self) -> dict[str, tuple[str, ...]]:
        """Width before, width and operation of each layer."""
        before = ["stem", *(f"layer{i}" for i in range(1, self.layers))]
        return {
            f"layer{i}": (f"{b}.width", f"layer{i}.width", f"layer{i}.op") for i, b in enumerate(before, 1)
        }

    def classes(self) -> int | None:
        """All differ."""
        return len(self.widths) ** (self.layers + 1) * len(self.ops) ** self.layers

    def taken(self, arch: Arch) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Widths, the stem's first, and operations."""
        return tuple(self.widths[i] for i in (arch[0], *arch[1::2])), tuple(self.ops[i] for i in arch[2::2])

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """One block for each pair of widths and each operation of a layer."""
        from nascore.spaces.hypercuboid_net import HypercuboidSupernet

        return HypercuboidSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The path alone."""
        from nascore.spaces.hypercuboid_net import HypercuboidNet

        return HypercuboidNet(self, arch, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """A chain of layers."""
        widths, ops = self.taken(arch)
        size = strided(shape.image, widths[0], 1)
        stem = convolution(shape.image[0], size, 3) + norm(widths[0])
        nodes, edges = [Node("0", f"{size[0]}x{size[1]}x{size[2]}")], list[Edge]()
        blocks = [Block("stem", "stem", 1, size, stem.params, stem.flops)]
        for i, (width, op) in enumerate(zip(widths[1:], ops, strict=True), 1):
            before, size = size[0], strided(size, width, stride(i))
            cost = block_cost(before, size, OPS[op])
            nodes.append(Node(str(i), f"{size[0]}x{size[1]}x{size[2]}"))
            edges.append(Edge(str(i - 1), str(i), op, f"layer{i}.op", cost.params, cost.flops))
            kind = "cell" if stride(i) == 1 else "reduction"
            blocks.append(Block(f"layer{i}", kind, 1, size, cost.params, cost.flops))
        cost = block_cost(size[0], (self.last, *size[1:]), OPS[LAST]) + linear(self.last, shape.classes)
        blocks.append(Block("head", "head", 1, (shape.classes,), cost.params, cost.flops))
        nodes[0], nodes[-1] = Node("0", "input"), Node(nodes[-1].id, "output")
        return Graph(tuple(nodes), tuple(edges), tuple(blocks))


def stride(layer: int) -> int:
    """Of a layer, counted from 1."""
    return 1 if layer % 2 else 2


def block_cost(before: int, size: Size, op: Op) -> Cost:
    """Of a block from `before` channels to an output of this size."""
    if op.kind != "layer":
        return convolution(before, size, 1) + norm(size[0])
    middle = (op.between(size[0]), *size[1:])
    ends: Sequence[tuple[int, Size]] = ((before, middle), (middle[0], size))
    return sum(
        (depthwise((a, *b[1:]), op.kernel) + convolution(a, b, 1) + norm(b[0]) for a, b in ends),
        start=Cost(),
    )
