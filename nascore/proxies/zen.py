"""Zen-score (Lin et al., 2021): how much an untrained network's features move when its input is nudged.

Weights are drawn from N(0, 1) and images from N(0, 1), so no data are needed. The score is the log of the
mean, over images, of the summed absolute change of the last features under a step of 0.01, plus, for each
batch norm, the log of the root mean variance that it divides by (the scale that it hides). It is the mean of
`repeats` draws. Unlike the published network family, skips are kept, for a cell is not a plain network; the
variances are those of the batch itself, not a running mean of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascore.kinds import Proxy, knob
from nascore.proxies.look import features

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch

STEP = 1e-2
LEAST = 1e-30  # what does not move or vary at all counts as this


@dataclass(frozen=True)
class Zen(Proxy):
    """Log of the movement of features under noise, batch norm's scales restored; higher is better."""

    repeats: int = knob(4, 1, 64, "independent draws of weights and images")

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) scores; only the shape of the batch's images is used."""
        import torch

        return torch.stack([zen(net, batch.x, self.repeats) for net in nets])  # type: ignore[arg-type]


def zen(net: nn.Module, like: Tensor, repeats: int) -> Tensor:
    """The score of one network on images shaped as `like`; the draws are the same for every network."""
    import copy

    import torch

    draws = torch.Generator().manual_seed(0)
    twin = copy.deepcopy(net).train()
    norms: list[Any] = [m for m in twin.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_parameters()
        norm.momentum = 1.0  # the running variance is then the batch's
    found = []
    for _ in range(repeats):
        with torch.no_grad():
            for layer in twin.modules():
                if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                    layer.weight.copy_(torch.randn(layer.weight.shape, generator=draws))
        x, nudge = (torch.randn(like.shape, generator=draws).to(like) for _ in range(2))
        at = features(twin, x)
        scale = sum((_log(n.running_var.double().mean()) / 2 for n in norms), torch.zeros(()).double())
        moved = (features(twin, x + STEP * nudge) - at).double().abs().flatten(1).sum(1).mean()
        found.append(_log(moved) + scale)
    return torch.stack(found).mean()


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=LEAST).log()
