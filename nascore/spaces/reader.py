"""Networks that read a short text: words as vectors, an average or a convolution over them, a class.

The convolution with its maximum over the text is that of Kim (2014), with one width instead of three at once;
the average is fastText's (Joulin et al., 2017). Words come as numbers, for which the network learns vectors,
or as vectors that the task gives, which the network maps to its own width.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.cost import Cost, linear
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Choice, Space, describe

if TYPE_CHECKING:
    from torch import nn

    from nascore.task import Shape

INPUTS = ("words", "vectors")
CONVOLVED = ("conv", "both")


@dataclass(frozen=True)
class Reader(Space):
    """Text classifiers: averaged words, a convolution over them or both, and a hidden layer or none."""

    widths: tuple[int, ...] = knob((16, 32, 64), 1, 1024, "numbers a word")
    kernels: tuple[int, ...] = knob((3, 5, 7), 1, 15, "words that a convolution sees at once")
    channels: tuple[int, ...] = knob((16, 32, 64), 1, 1024, "of the convolution")
    hidden: tuple[int, ...] = knob((0, 32, 64), 0, 4096, "units of the hidden layer; 0 for none")
    dropout: tuple[float, ...] = knob((0.0, 0.25, 0.5), 0.0, 0.95, "share of the text's numbers dropped")

    def choices(self) -> tuple[Choice, ...]:
        """Width, how words are put together, the convolution where there is one, the head."""
        when = ("encoder", CONVOLVED)
        return (
            Choice("width", self.widths),
            Choice("encoder", ("mean", *CONVOLVED)),
            Choice("conv.kernel", self.kernels, when),
            Choice("conv.channels", self.channels, when),
            Choice("hidden", self.hidden),
            Choice("dropout", self.dropout),
        )

    def reads(self) -> tuple[str, ...]:
        """Numbers of words, or vectors."""
        return INPUTS

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network.

        Raises:
            BadInput: the task gives neither words nor vectors.
        """
        from nascore.spaces.reader_net import ReaderNet

        given, (_, size) = text_of(shape)
        return ReaderNet(describe(self, arch), given, size, shape.classes)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """Words, what is made of them, the head.

        Raises:
            BadInput: as `build`.
        """
        taken, (given, (length, size)) = describe(self, arch), text_of(shape)
        width, encoder = int(taken["width"]), str(taken["encoder"])
        words = Cost(size * width) if given == "words" else Cost(size * width + width, size * width * length)
        features, conv = (width if encoder != "conv" else 0), Cost()
        if encoder in CONVOLVED:
            kernel, channels = int(taken["conv.kernel"]), int(taken["conv.channels"])
            weights = width * channels * kernel
            conv, features = Cost(weights + channels, weights * length), features + channels
        sizes = [features, *([int(taken["hidden"])] if taken["hidden"] else []), shape.classes]
        head = sum((linear(a, b) for a, b in itertools.pairwise(sizes)), start=Cost())
        edges = [
            Edge("0", "1", "embed" if given == "words" else "linear", "width", words.params, words.flops)
        ]
        if encoder != "conv":
            edges.append(Edge("1", "2", "mean", "encoder"))
        if encoder in CONVOLVED:
            op = f"conv {taken['conv.kernel']} words"
            edges.append(Edge("1", "2", op, "conv.kernel", conv.params, conv.flops))
        edges.append(Edge("2", "3", "linear", "hidden", head.params, head.flops))
        nodes = (
            Node("0", "input"),
            Node("1", f"{length}x{width}"),
            Node("2", str(features)),
            Node("3", "output"),
        )
        blocks = (
            Block("words", "stem", 1, (width, length), words.params, words.flops),
            Block("text", "cell", 1, (features,), conv.params, conv.flops),
            Block("head", "head", 1, (shape.classes,), head.params, head.flops),
        )
        return Graph(nodes, tuple(edges), blocks)


def text_of(shape: Shape) -> tuple[str, tuple[int, int]]:
    """What a task gives, words or vectors, and its sizes: words a text, and words known or numbers a word.

    Raises:
        BadInput: it gives something else.
    """
    for name, sizes in shape.inputs:
        if name in INPUTS:
            length, size = sizes
            return name, (length, size)
    given = ", ".join(n for n, _ in shape.inputs)
    raise BadInput(f"task: this space reads words, the task gives {given}; take the task text")
