"""SynFlow (Tanaka et al., 2020), as a score of whole networks (Abdelfattah et al., 2021).

R is the sum of outputs for an input of ones when every weight is its absolute value and there is no batch
norm; the score sums w * dR/dw over the weights of convolutions and linear layers. No data are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.kinds import Proxy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch


@dataclass(frozen=True)
class Synflow(Proxy):
    """Synaptic flow, the sum of weight times gradient of an all-positive network; higher is better.

    The score is log(1 + S), S the sum: it has the order of S, which passes the largest float in deep
    networks. All is computed in double precision; batch norm is left out everywhere, in reductions too.
    """

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) log(1 + sum of w * dR/dw)."""
        import torch

        return torch.stack([synflow(net, batch.x[:1]).log1p() for net in nets])  # type: ignore[index]

    def layers(self, net: nn.Module, batch: Batch, problem: Problem) -> dict[str, float]:
        """Each layer's share of the sum, before the logarithm."""
        return {n: float(v) for n, v in synflow_layers(net, batch.x[:1]).items()}  # type: ignore[index]


def synflow(net: nn.Module, x: Tensor) -> Tensor:
    """The sum of w * dR/dw of one network, double precision; only the shape of `x` (1, c, h, w) is used."""
    import torch

    terms = synflow_layers(net, x).values()
    return sum(terms, start=torch.zeros((), dtype=torch.float64, device=x.device))


def synflow_layers(net: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Layer -> its sum of w * dR/dw; a layer that no path reaches is left out."""
    import copy

    import torch

    twin = copy.deepcopy(net).double().eval()
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.modules.batchnorm._BatchNorm):
                setattr(parent, name, torch.nn.Identity())
    layers = {n: m for n, m in twin.named_modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)}
    with torch.no_grad():
        for p in twin.parameters():
            p.abs_()
    out = twin(torch.ones_like(x, dtype=torch.float64)).sum()
    weights = [m.weight for m in layers.values()]
    grads = torch.autograd.grad(out, weights, allow_unused=True)
    return {
        n: (w * g).sum().detach() for n, w, g in zip(layers, weights, grads, strict=True) if g is not None
    }
