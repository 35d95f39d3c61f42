"""SynFlow (Tanaka et al., 2020), as a score of whole networks (Abdelfattah et al., 2021).

R is the sum of outputs for an input of ones when every weight is its absolute value and there is no batch
norm; the score sums w * dR/dw over the weights of convolutions and linear layers. No data are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascore.proxies.borrow import by_pixel, patched
from nascore.proxies.look import Guest
from nascore.walk import walk

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch


@dataclass(frozen=True)
class Synflow(Guest):
    """Synaptic flow, the sum of weight times gradient of an all-positive network; higher is better.

    The score is log(1 + S), S the sum: it has the order of S, which passes the largest float in deep
    networks. All is computed in double precision; batch norm is left out everywhere, in reductions too.
    """

    def visit(self, net: nn.Module, batch: Batch, problem: Problem) -> Tensor:
        """log(1 + sum of w * dR/dw)."""
        x: Any = batch.x
        return (flow(net, x[:1]) if _plain(net) else synflow(net, x[:1])).log1p()

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


def flow(net: nn.Module, x: Tensor) -> Tensor:
    """The same sum as `synflow` for a network whose only weights are those of layers and batch norms.

    A layer's output less its bias is linear in its weight, so its sum of w * dR/dw is that of
    output * dR/doutput: neither a copy of the network nor a gradient by weights is needed.
    """
    import torch

    kept: list[tuple[Tensor, Tensor | None]] = []

    def positive(layer: Any) -> Callable[[Tensor], Tensor]:
        weight = layer.weight.detach().double().abs_()
        bias = None if layer.bias is None else layer.bias.detach().double().abs_()
        run = layer._conv_forward if isinstance(layer, torch.nn.Conv2d) else torch.nn.functional.linear

        def forward(inputs: Tensor) -> Tensor:
            out = run(inputs, weight, bias)
            begins = not out.requires_grad  # nothing before it depends on the input
            out = out.requires_grad_()
            pixels = [1] * (weight.dim() - 2)
            kept.append((out, None if bias is None else bias.view(-1, *pixels)))
            return out.clone() if begins else out

        return forward

    kinds: Any = torch.nn.Conv2d | torch.nn.Linear
    norms = torch.nn.modules.batchnorm._BatchNorm
    with patched(net, {kinds: positive, norms: lambda _: lambda inputs: inputs}):
        ones = by_pixel(torch.ones_like(x, dtype=torch.float64))
        out = net(ones.requires_grad_())
        grads = torch.autograd.grad(out.sum(), [o for o, _ in kept], allow_unused=True)
    terms = [
        ((o.detach() if b is None else o.detach() - b) * g).sum()
        for (o, b), g in zip(kept, grads, strict=True)
        if g is not None
    ]
    return torch.stack(terms).sum() if terms else torch.zeros((), dtype=torch.float64, device=x.device)


def _plain(net: nn.Module) -> bool:
    """Whether only convolutions, linear layers and batch norms have weights, and nothing else has modes."""
    import torch

    layers = (torch.nn.Conv2d, torch.nn.Linear)  # exactly: others may do more, such as rounding
    norms, dropout = torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd
    return all(
        type(m) in layers
        or isinstance(m, norms)
        or not (m._parameters or m._buffers or isinstance(m, (*layers, dropout)))
        for _, m in walk(net)
    )
