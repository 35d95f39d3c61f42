"""The small convolutional space of TangleNAS (Sukthanker et al., 2024): 3^8 networks of four layers.

Each of four convolutions has a kernel of 3, 5 or 7 and one of three widths; the pooling after the second and
third, a last 7x7 convolution and four linear layers are fixed. Convolutions have a bias and no norm. The
table of all 6,561 networks on CIFAR-10 writes them as `[[8, 16, 32, 64], [3, 3, 3, 3]]`, which is read here.

The last convolution loses two points on a side, as the authors' 6x6 map after 8x8; smaller maps than 3x3 keep
their size.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.cost import Cost, linear
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

WIDTHS = ((8, 16, 32), (16, 32, 64), (32, 64, 128), (64, 128, 256))
KERNELS = (3, 5, 7)
POOLED = (False, True, True, False)  # after which of the four layers the map is pooled
HIDDEN = (256, 128, 64)
LAST = 7  # kernel of the fifth convolution


@dataclass(frozen=True)
class ConvMacro(Space):
    """TangleNAS's toy: widths and kernels of four convolutions, 6,561 architectures with a full table."""

    last: int = knob(256, 8, 512, "channels of the fixed last convolution; officially 256")
    dropout: float = knob(0.5, 0.0, 0.9, "share of channels dropped after the third and fifth convolution")

    def choices(self) -> tuple[Choice, ...]:
        """The four widths, then the four kernels, as in the table."""
        widths = tuple(Choice(f"layer{i + 1}.channels", w) for i, w in enumerate(WIDTHS))
        return widths + tuple(Choice(f"layer{i + 1}.kernel", KERNELS) for i in range(4))

    def taken(self, arch: Arch) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Widths and kernels."""
        return tuple(w[i] for w, i in zip(WIDTHS, arch[:4], strict=True)), tuple(KERNELS[i] for i in arch[4:])

    def classes(self) -> int | None:
        """All differ."""
        return 3**8

    def sides(self, shape: Shape) -> tuple[tuple[int, int], ...]:
        """Height and width of what each of the five convolutions gives."""
        _, h, w = shape.image
        out = []
        for pooled in POOLED:
            out.append((h, w))
            h, w = (max(h // 2, 1), max(w // 2, 1)) if pooled else (h, w)
        lost = 0 if min(h, w) < 3 else 2
        return (*out, (h - lost, w - lost))

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """Entangled: one convolution a layer; separate: one for each pair of widths and each kernel."""
        from nascore.spaces.conv_macro_net import ConvMacroSupernet

        return ConvMacroSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The plain network."""
        from nascore.spaces.conv_macro_net import ConvMacroNet

        return ConvMacroNet(self, *self.taken(arch), shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """A chain of five convolutions; the linear layers are the head."""
        widths, kernels = self.taken(arch)
        rows = zip((shape.image[0], *widths), (*widths, self.last), (*kernels, LAST), strict=True)
        nodes, edges = [Node("0", "input")], []
        blocks = []
        for i, ((inputs, outputs, k), (h, w)) in enumerate(zip(rows, self.sides(shape), strict=True)):
            cost = _convolution(inputs, outputs, k, h * w)
            name = f"layer{i + 1}"
            nodes.append(Node(str(i + 1), f"{outputs}x{h}x{w}"))
            choice = f"{name}.kernel" if i < 4 else ""
            edges.append(Edge(str(i), str(i + 1), f"conv {k}x{k}", choice, cost.params, cost.flops))
            blocks.append(Block(name, "cell", 1, (outputs, h, w), cost.params, cost.flops))
        nodes[-1] = Node(nodes[-1].id, "output")
        head = self._head(shape)
        blocks.append(Block("head", "head", 1, (shape.classes,), head.params, head.flops))
        return Graph(tuple(nodes), tuple(edges), tuple(blocks))

    def _head(self, shape: Shape) -> Cost:
        h, w = self.sides(shape)[-1]
        sizes = (self.last * h * w, *HIDDEN, shape.classes)
        return sum((linear(a, b) for a, b in itertools.pairwise(sizes)), start=Cost())

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Exact and vectorized: products of neighboring widths."""
        archs = np.asarray(archs).reshape(-1, 8)
        widths = [np.array(w)[archs[:, i]] for i, w in enumerate(WIDTHS)]
        kernels = [np.array(KERNELS)[archs[:, i]] for i in range(4, 8)]
        head = self._head(shape)
        params, flops = np.full(len(archs), float(head.params)), np.full(len(archs), float(head.flops))
        inputs = [np.full(len(archs), shape.image[0]), *widths]
        outputs = [*widths, np.full(len(archs), self.last)]
        sides = [*kernels, np.full(len(archs), LAST)]
        for a, b, k, (h, w) in zip(inputs, outputs, sides, self.sides(shape), strict=True):
            params, flops = params + a * b * k**2 + b, flops + a * b * k**2 * h * w
        return {"params": params, "flops": flops}

    def text(self, arch: Arch) -> str:
        """`[[8, 16, 32, 64], [3, 3, 3, 3]]`."""
        widths, kernels = self.taken(arch)
        return f"[{list(widths)}, {list(kernels)}]"

    def read(self, text: str) -> Arch | None:
        """The arch of such a text."""
        four = r"\[\d{1,3}(, ?\d{1,3}){3}\]"
        if not re.fullmatch(rf"\[{four}, ?{four}\]", text.strip(), re.ASCII):
            return None
        numbers = [int(n) for n in re.findall(r"\d+", text)]
        options = [c.options for c in self.choices()]
        if any(n not in o for n, o in zip(numbers, options, strict=True)):
            return None
        return tuple(o.index(n) for n, o in zip(numbers, options, strict=True))


def _convolution(inputs: int, outputs: int, kernel: int, area: int) -> Cost:
    """With bias, which costs no multiply-add."""
    weights = inputs * outputs * kernel**2
    return Cost(weights + outputs, weights * area)
