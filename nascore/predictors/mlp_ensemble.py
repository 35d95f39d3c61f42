"""A few multilayer perceptrons that differ in their beginnings (Lakshminarayanan et al., 2017)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nascore.kinds import Fitted, Predictor, knob
from nascore.predictors.features import Encoder, Floats, encoding, pairs, with_costs
from nascore.predictors.learn import Members, Pace, learn, scaled
from nascore.predictors.losses import loss, loss_knob, slope_knob

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from nascore.problem import Problem
    from nascore.space import Arch


@dataclass(frozen=True)
class MlpEnsemble(Predictor):
    """Perceptrons on the encoding; where they disagree, they do not know.

    Members differ in their first weights and in the lists that they see; without the adversarial examples of
    Lakshminarayanan et al. 2017 (section 2.4, algorithm 1), and with one output instead of mean and variance.
    """

    encoding: str = encoding()
    costs: bool = with_costs()
    loss: str = loss_knob("mse")
    slope: float = slope_knob(5.0)
    members: int = knob(5, 1, 50, "networks; their spread is the deviation")
    width: int = knob(64, 2, 1024, "units in a layer")
    depth: int = knob(2, 1, 6, "layers of units")
    steps: int = knob(400, 1, 100_000, "updates")
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
        encoder = Encoder(problem, self.encoding, self.costs, rows)

        def numbers(some: Sequence[Arch]) -> Tensor:
            return torch.as_tensor(encoder.rows(some), dtype=torch.float32, device=problem.device)

        random = torch.Generator().manual_seed(problem.number("mlp_ensemble"))
        x, layers = numbers(rows), []
        sizes = [x.shape[1], *[self.width] * self.depth, 1]
        for inputs, outputs in itertools.pairwise(sizes):
            layers.append(dense(self.members, inputs, outputs, random).to(x.device))
            layers.append(torch.zeros(self.members, 1, outputs, device=x.device))
        known = torch.as_tensor(scaled(target)[0], dtype=x.dtype, device=x.device)
        pace = Pace(self.steps, self.rate, self.decay, self.list_size)
        learn(
            lambda at: perceptron(x[at], layers),
            layers,
            known,
            loss(self.loss, self.slope),
            pace,
            self.members,
            random,
        )

        def scores(some: Sequence[Arch]) -> Floats:
            each = numbers(some).expand(self.members, -1, -1)
            return perceptron(each, layers).cpu().numpy().astype(np.float64)

        return Members(scores, rows, target, self.loss.split("+")[0] != "mse")


def dense(members: int, inputs: int, outputs: int, random: Generator) -> Tensor:
    """(members, inputs, outputs) normal weights of variance 2 / inputs (He et al. 2015)."""
    import torch

    return torch.randn(members, inputs, outputs, generator=random) * math.sqrt(2 / max(inputs, 1))


def perceptron(x: Tensor, layers: Sequence[Tensor]) -> Tensor:
    """(members, b, inputs) -> (members, b); weights and offsets in turn, ReLU between."""
    for i in range(0, len(layers) - 2, 2):
        x = (x @ layers[i] + layers[i + 1]).relu()
    return (x @ layers[-2] + layers[-1]).squeeze(-1)
