"""Zen-score (Lin et al., 2021): how much an untrained network's features move when its input is nudged.

Weights are drawn from N(0, 1) and images from N(0, 1), so no data are needed. The score is the log of the
mean, over images, of the summed absolute change of the last features under a step of 0.01, plus, for each
batch norm, the log of the root mean variance that it divides by (the scale that it hides). It is the mean of
`repeats` draws. Unlike the published network family, skips are kept, for a cell is not a plain network; the
variances are those of the batch itself, not a running mean of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascore.kinds import knob
from nascore.proxies.borrow import patched
from nascore.proxies.look import Guest, features

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch

STEP = 1e-2
LEAST = 1e-30  # what does not move or vary at all counts as this


@dataclass(frozen=True)
class Zen(Guest):
    """Log of the movement of features under noise, batch norm's scales restored; higher is better."""

    repeats: int = knob(4, 1, 64, "independent draws of weights and images")

    def visit(self, net: nn.Module, batch: Batch, problem: Problem) -> Tensor:
        """The score; only the shape of the batch's images is used."""
        return zen(net, batch.x, self.repeats)  # type: ignore[arg-type] -- images are one tensor


def zen(net: nn.Module, like: Tensor, repeats: int) -> Tensor:
    """The score of a borrowed network on images shaped as `like`; every network's draws begin alike."""
    import torch

    draws = torch.Generator().manual_seed(0)
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    spread: list[Tensor] = []  # of each batch norm in the order of calls: the batch's variances

    def norm(layer: Any) -> Any:
        """Batch norm as it starts, by the batch's statistics; the spread is noted."""
        mean, var = torch.zeros_like(layer.weight), torch.ones_like(layer.weight)

        def forward(x: Tensor) -> Tensor:
            out = torch.nn.functional.batch_norm(x, mean, var, None, None, True, 1.0, layer.eps)
            spread.append(var)
            return out

        return forward

    found = []
    with torch.no_grad(), _own_weights(layers), patched(net, {torch.nn.BatchNorm2d: norm}):
        for _ in range(repeats):
            for layer in layers:
                layer.weight.data = torch.randn(layer.weight.shape, generator=draws).to(layer.weight)
            x, nudge = (torch.randn(like.shape, generator=draws).to(like) for _ in range(2))
            spread.clear()
            at = features(net, x)
            scale = sum((_log(v.double().mean()) / 2 for v in spread), torch.zeros(()).double())
            moved = (features(net, x + STEP * nudge) - at).double().abs().flatten(1).sum(1).mean()
            found.append(_log(moved) + scale)
    return torch.stack(found).mean()


@contextmanager
def _own_weights(layers: list[Any]) -> Iterator[None]:
    """Weights may be exchanged within; afterwards they are the old ones."""
    before = [layer.weight.data for layer in layers]
    try:
        yield
    finally:
        for layer, weight in zip(layers, before, strict=True):
            layer.weight.data = weight


def _log(x: Tensor) -> Tensor:
    return x.clamp(min=LEAST).log()
