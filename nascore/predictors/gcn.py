"""A graph convolution over the architecture's graph (Kipf and Welling, 2017; as predictor: Wen et al., 2020).

Operations are nodes, wherever the space has them: an edge with an operation becomes a node between its ends.
Dead parts are left out, so equal networks look equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nascore.encode import ENDS
from nascore.graph import Graph
from nascore.kinds import Fitted, Predictor, knob
from nascore.predictors.features import Floats, pairs
from nascore.predictors.learn import Members, Pace, learn, scaled
from nascore.predictors.losses import loss, loss_knob, slope_knob
from nascore.predictors.mlp_ensemble import dense
from nascore.space import Arch, Space

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from nascore.problem import Problem
    from nascore.task import Shape

Wired = tuple[tuple[str, ...], tuple[tuple[int, int], ...]]  # words of the nodes; (source, target)


@dataclass(frozen=True)
class Gcn(Predictor):
    """Graph convolutions along and against the edges, then the mean over nodes.

    Source: Kipf and Welling 2017, equation 2, with the mean over neighbors, one weight for each direction of
    the edges and one for the node itself (our choice, since data flow one way). Several seeds give the
    deviation.
    """

    loss: str = loss_knob("mse")
    slope: float = slope_knob(5.0)
    members: int = knob(3, 1, 50, "networks; their spread is the deviation")
    width: int = knob(32, 2, 512, "numbers a node")
    depth: int = knob(3, 1, 8, "convolutions, each reaches one edge further")
    steps: int = knob(300, 1, 100_000, "updates")
    rate: float = knob(0.005, 1e-6, 1, "first step size", log=True)
    decay: float = knob(0.01, 0, 10, "weight decay")
    list_size: int = knob(32, 2, 1024, "pairs in a list")

    def fit(self, problem: Problem, archs: Sequence[Arch], y: Sequence[float] | Floats) -> Fitted:
        """The networks of n pairs.

        Raises:
            BadInput: fewer than two pairs, or a number that is not finite.
        """
        import torch

        rows, target = pairs(archs, y)
        graphs = wired(problem, rows)
        words = {w: i for i, w in enumerate(sorted({w for names, _ in graphs for w in names}))}
        random = torch.Generator().manual_seed(problem.number("gcn"))
        weights = [w.to(problem.device) for w in self._weights(len(words), random)]
        x = tensors(graphs, words, problem.device)
        known = torch.as_tensor(scaled(target)[0], dtype=torch.float32, device=problem.device)
        pace = Pace(self.steps, self.rate, self.decay, self.list_size)
        learn(
            lambda at: convolve(tuple(t[at] for t in x), weights, self.depth),
            weights,
            known,
            loss(self.loss, self.slope),
            pace,
            self.members,
            random,
        )

        def scores(some: Sequence[Arch]) -> Floats:
            one = tensors(wired(problem, some), words, problem.device)
            each = tuple(t.expand(self.members, *t.shape) for t in one)
            return convolve(each, weights, self.depth).cpu().numpy().astype(np.float64)

        return Members(scores, rows, target, self.loss.split("+")[0] != "mse")

    def _weights(self, words: int, random: Generator) -> list[Tensor]:
        """Of the words, of each convolution (self, along, against, offset), of the score."""
        import torch

        m, d, out = self.members, self.width, []
        for layer in range(self.depth):
            inputs = words if layer == 0 else d
            out += [dense(m, inputs, d, random)[:, None] / 2 for _ in range(3)]
            out.append(torch.zeros(m, 1, 1, d))
        return [*out, dense(m, d, 1, random), torch.zeros(m, 1, 1)]


def convolve(x: tuple[Tensor, ...], weights: Sequence[Tensor], depth: int) -> Tensor:
    """Scores (members, b).

    Args:
        x: nodes (members, b, nodes, words); along and against (members, b, nodes, nodes), rows sum to one or
            zero; present (members, b, nodes), 1 where there is a node.
        weights: as `Gcn` makes them.
        depth: convolutions.
    """
    h, along, against, present = x
    for layer in range(depth):
        own, ahead, back, offset = weights[4 * layer : 4 * layer + 4]
        h = (h @ own + along @ h @ ahead + against @ h @ back + offset).relu()
    pooled = (h * present[..., None]).sum(-2) / present.sum(-1, keepdim=True)
    return (pooled @ weights[-2] + weights[-1]).squeeze(-1)


def tensors(graphs: Sequence[Wired], words: dict[str, int], device: str) -> tuple[Tensor, ...]:
    """Nodes, along, against and present of n graphs, padded to the largest; words not known are zeros."""
    import torch

    most = max(len(names) for names, _ in graphs)
    nodes, edges = np.zeros((len(graphs), most, len(words))), np.zeros((len(graphs), most, most))
    present = np.zeros((len(graphs), most))
    for g, (names, links) in enumerate(graphs):
        present[g, : len(names)] = 1
        for i, word in enumerate(names):
            if word in words:
                nodes[g, i, words[word]] = 1
        for source, target in links:
            edges[g, target, source] = 1
    both = [e / np.maximum(e.sum(-1, keepdims=True), 1) for e in (edges, edges.transpose(0, 2, 1))]
    return tuple(torch.as_tensor(v, dtype=torch.float32, device=device) for v in (nodes, *both, present))


def wired(problem: Problem, archs: Sequence[Arch]) -> list[Wired]:
    """The graphs of archs with operations as nodes."""
    known = _known(problem.space, problem.task.shape)
    for arch in archs:
        if arch not in known:
            known[arch] = operations(problem.space.graph(arch, problem.task.shape))
    return [known[a] for a in archs]


@lru_cache(maxsize=4)
def _known(space: Space, shape: Shape) -> dict[Arch, Wired]:
    """Graphs made before: one costs a millisecond, and searches ask for the same ones."""
    return {}


def operations(graph: Graph) -> Wired:
    """A graph whose nodes are places and operations; dead ones are left out, its inputs and outputs kept."""
    kept = [n for n in graph.nodes if not n.dead]
    words = [n.op if n.op and n.op not in ENDS else n.label for n in kept]
    at = {n.id: i for i, n in enumerate(kept)}
    links: list[tuple[int, int]] = []
    for e in graph.edges:
        if e.dead or e.source not in at or e.target not in at:
            continue
        if not e.op:
            links.append((at[e.source], at[e.target]))
            continue
        words.append(e.op)
        links += [(at[e.source], len(words) - 1), (len(words) - 1, at[e.target])]
    return tuple(words), tuple(links)
