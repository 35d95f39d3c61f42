"""Neural ranking models as a space (survey of Guo et al., 2020): represent, let interact, or both.

A representation-focused network turns query and document into a vector each and compares these (DSSM, Huang
et al., 2013; with a convolution CDSSM). An interaction-focused one compares every word with every word first
and looks at that grid: by a histogram (DRMM, Guo et al., 2016), by soft kernels (KNRM, Xiong et al., 2017) or
by convolution (MatchPyramid, Pang et al., 2016). A hybrid adds both scores, and BM25's may be added to any.

All learn their word vectors from the task alone; the originals start from vectors of a large corpus, DSSM
from letter trigrams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nascore.cost import Cost, linear
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Choice, Space, describe

if TYPE_CHECKING:
    from torch import nn

    from nascore.task import Shape

INPUTS = ("query", "documents", "weights", "bm25")
REPRESENTS, INTERACTS = ("representation", "hybrid"), ("interaction", "hybrid")
PYRAMID = 8  # channels of the convolution over the grid
POOLED = (2, 6)  # of which this many places are kept
TERM = 5  # hidden units for each word of the query in DRMM


class Sizes(NamedTuple):
    """Words known, words of a query, candidates, words of a document."""

    words: int
    query: int
    documents: int
    length: int


@dataclass(frozen=True)
class Ranker(Space):
    """Ranking networks: vectors of query and document, a grid of their words, or both; with BM25 or not."""

    widths: tuple[int, ...] = knob((16, 32, 64), 1, 1024, "numbers a word")
    vectors: tuple[int, ...] = knob((32, 64), 1, 1024, "numbers of a query or document")
    bins: tuple[int, ...] = knob((5, 11, 21), 2, 101, "bins of the histogram, or kernels")

    def choices(self) -> tuple[Choice, ...]:
        """The form, then what each half of it needs, then BM25."""
        represents, interacts = ("form", REPRESENTS), ("form", INTERACTS)
        by_word = ("interaction.match", ("histogram", "kernels"))
        return (
            Choice("form", ("representation", "interaction", "hybrid")),
            Choice("width", self.widths),
            Choice("representation.encoder", ("mean", "conv"), represents),
            Choice("representation.towers", ("shared", "separate"), represents),
            Choice("representation.vector", self.vectors, represents),
            Choice("interaction.match", ("histogram", "kernels", "pyramid"), interacts),
            Choice("interaction.bins", self.bins, by_word),
            Choice("interaction.words", ("alike", "by_rarity"), by_word),
            Choice("bm25", ("without", "with")),
        )

    def reads(self) -> tuple[str, ...]:
        """A query, its candidates, rarities, BM25."""
        return INPUTS

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network.

        Raises:
            BadInput: the task gives no queries and documents.
        """
        from nascore.spaces.ranker_net import RankerNet

        return RankerNet(describe(self, arch), sizes_of(shape).words)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """Words, the two ways, the score.

        Raises:
            BadInput: as `build`.
        """
        taken, n = describe(self, arch), sizes_of(shape)
        width, form = int(taken["width"]), str(taken["form"])
        words, edges = Cost(n.words * width), [Edge("0", "1", "embed", "width", n.words * width)]
        nodes = [Node("0", "input"), Node("1", "words")]
        parts: list[tuple[str, Cost]] = []
        for kinds, name, cost, op in (
            (REPRESENTS, "representation", representation, taken.get("representation.encoder")),
            (INTERACTS, "interaction", interaction, taken.get("interaction.match")),
        ):
            if form not in kinds:
                continue
            spent, at = cost(taken, n), str(len(nodes))
            nodes.append(Node(at, name))
            choice = "representation.encoder" if name == "representation" else "interaction.match"
            edges += [Edge("1", at, str(op), choice, spent.params, spent.flops), Edge(at, "9", "add", "form")]
            parts.append((name, spent))
        last = Cost(1, n.documents) if taken["bm25"] == "with" else Cost()
        if taken["bm25"] == "with":
            edges.append(Edge("0", "9", "bm25", "bm25", last.params, last.flops))
        blocks = (
            Block("words", "stem", 1, (width, n.query + n.length), words.params),
            *(Block(name, "cell", 1, (n.documents,), c.params, c.flops) for name, c in parts),
            Block("score", "head", 1, (n.documents,), last.params, last.flops),
        )
        return Graph((*nodes, Node("9", "output")), tuple(edges), blocks)


def representation(taken: Any, n: Sizes) -> Cost:
    """Of the towers, and of comparing a query with its documents; one number scales the cosine."""
    width, size = int(taken["width"]), int(taken["representation.vector"])
    tower, seen = linear(width, size), Cost()
    if taken["representation.encoder"] == "conv":
        weights = width * width * 3
        seen = Cost(weights + width, weights * (n.query + n.documents * n.length))
    params = (tower.params + seen.params) * (2 if taken["representation.towers"] == "separate" else 1)
    return Cost(params + 1, tower.flops * (1 + n.documents) + seen.flops + n.documents * size)


def interaction(taken: Any, n: Sizes) -> Cost:
    """Of the grid and of what looks at it."""
    width, cells = int(taken["width"]), n.documents * n.query * n.length
    grid = Cost(0, cells * width)
    if taken["interaction.match"] == "pyramid":
        kept = PYRAMID * POOLED[0] * POOLED[1]
        last = linear(kept, 1)
        return grid + Cost(PYRAMID * 10 + last.params, PYRAMID * 9 * cells + last.flops * n.documents)
    bins = int(taken["interaction.bins"])
    gate = Cost(1) if taken["interaction.words"] == "by_rarity" else Cost()
    if taken["interaction.match"] == "kernels":
        each = linear(bins, 1)
        return grid + gate + Cost(each.params, each.flops * n.documents)
    each = linear(bins, TERM) + linear(TERM, 1)
    return grid + gate + Cost(each.params + 1, each.flops * n.documents * n.query)


def sizes_of(shape: Shape) -> Sizes:
    """What a task gives.

    Raises:
        BadInput: no queries and documents.
    """
    given = dict(shape.inputs)
    if not set(INPUTS) <= set(given):
        raise BadInput(
            f"task: this space ranks documents, the task gives {', '.join(given)}; take the task ranking"
        )
    (query, words), (documents, length) = given["query"], given["documents"]
    return Sizes(words, query, documents, length)
