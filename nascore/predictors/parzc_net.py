"""The networks of ParZC: a mixer over segments of the vector, some weights drawn anew at every pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

DROP = 0.1


class BayesianLinear(nn.Module):
    """A linear map without offset; its weights are mu + softplus(rho) * noise, new in every pass."""

    def __init__(self, inputs: int, outputs: int, rho: float) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.empty(outputs, inputs))
        self.rho = nn.Parameter(torch.full((outputs, inputs), rho))
        nn.init.kaiming_uniform_(self.mu, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return linear(x, self.mu + softplus(self.rho) * torch.randn_like(self.mu))


def mlp(size: int, between: int) -> nn.Sequential:
    """Two layers with GELU and dropout, (..., size) -> (..., size)."""
    return nn.Sequential(
        nn.Linear(size, between), nn.GELU(), nn.Dropout(DROP), nn.Linear(between, size), nn.Dropout(DROP)
    )


class Block(nn.Module):
    """Mixes segments, then channels; `across` False is the released form, where both act on channels."""

    def __init__(self, segments: int, hidden: int, across: bool) -> None:
        super().__init__()
        self.across, first = across, segments if across else hidden
        self.norms = nn.ModuleList([nn.LayerNorm(hidden), nn.LayerNorm(hidden)])
        self.first, self.second = mlp(first, 4 * first), mlp(hidden, max(hidden // 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, segments, hidden) -> the same shape."""
        y = self.norms[0](x)
        x = x + (self.first(y.transpose(1, 2)).transpose(1, 2) if self.across else self.first(y))
        return x + self.second(self.norms[1](x))


class Mabn(nn.Module):
    """Projection, segments, mixer, mean over segments, score (ParZC, section 3.2, and the released sizes).

    Args:
        inputs: numbers an arch.
        width: of the projection, cut into `segments`.
        segments: how many.
        hidden: channels of the mixer.
        blocks: of the mixer; 0 for none.
        bayes: whether two of the linear maps are Bayesian.
        rho: where their softplus(rho), the noise, begins.
        across: whether the mixer mixes segments.
    """

    def __init__(
        self,
        inputs: int,
        *,
        width: int,
        segments: int,
        hidden: int,
        blocks: int,
        bayes: bool,
        rho: float,
        across: bool,
    ) -> None:
        super().__init__()
        self.segments, each = segments, max(width // segments, 1)

        def inner(a: int, b: int) -> nn.Module:
            return BayesianLinear(a, b, rho) if bayes else nn.Linear(a, b)

        self.project, self.lift = nn.Linear(inputs, segments * each), inner(each, hidden)
        self.mixer = nn.Sequential(*(Block(segments, hidden, across) for _ in range(blocks)))
        self.norm, self.read = nn.LayerNorm(hidden), inner(hidden, hidden)
        self.score = nn.Sequential(
            nn.Linear(hidden, max(hidden // 2, 1), bias=False),
            nn.Dropout(DROP),
            nn.Linear(max(hidden // 2, 1), 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n,)."""
        cut = self.project(x).unflatten(-1, (self.segments, -1))
        return self.score(self.read(self.norm(self.mixer(self.lift(cut))).mean(1))).squeeze(-1)


class Perceptron(nn.Module):
    """Two hidden layers with ReLU: what is left without segments and mixer."""

    def __init__(self, inputs: int, *, width: int, hidden: int, bayes: bool, rho: float) -> None:
        super().__init__()

        def inner(a: int, b: int) -> nn.Module:
            return BayesianLinear(a, b, rho) if bayes else nn.Linear(a, b)

        self.layers = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), inner(width, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n,)."""
        return self.layers(x).squeeze(-1)
