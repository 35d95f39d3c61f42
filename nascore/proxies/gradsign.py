"""GradSign (Zhang and Jia, 2022): do single examples pull each weight in the same direction?

At random weights, the signs of two examples' gradients on a weight agree the more often, the closer their
optima lie. For each weight of a convolution or linear layer the signs of the examples' gradients are added,
and the absolute sums are added over weights (Algorithm 1). The signs are taken example by example, before any
sum; a gradient of zero has sign 0.

An example goes through the network alone and in training mode, as in the released code, where batch norm then
normalizes each map by its own mean and variance. Doing so for all examples at once is the same function, so
per-example gradients come from one vectorized pass. A map of one pixel would become zero: `frozen` uses batch
norm's statistics at the start (mean 0, variance 1) instead. One batch and one start serve every network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.kinds import Proxy, knob

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch

AT_ONCE = 16  # examples whose gradients are held together


@dataclass(frozen=True)
class Gradsign(Proxy):
    """Agreement of the signs of single examples' gradients; higher is better, and grows with size."""

    reduce: Literal["sum", "mean"] = knob(
        "sum", help="sum over weights, or their mean", options=("sum", "mean")
    )
    norm: Literal["per_image", "frozen"] = knob(
        "per_image", help="what batch norm divides by", options=("per_image", "frozen")
    )

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) sums or means over weights of the absolute sum of signs."""
        import torch

        found = [sign_sums(net, batch, problem, self.norm) for net in nets]
        total = [sum(int(s.abs().sum()) for s in sums.values()) for sums in found]
        if self.reduce == "mean":
            counts = [max(sum(s.numel() for s in sums.values()), 1) for sums in found]
            return torch.tensor([t / c for t, c in zip(total, counts, strict=True)], dtype=torch.float64)
        return torch.tensor(total, dtype=torch.float64)


def sign_sums(net: nn.Module, batch: Batch, problem: Problem, norm: str = "per_image") -> dict[str, Tensor]:
    """Layer -> integers of its weight's shape: the sum over examples of the sign of each one's gradient."""
    import copy

    import torch
    from torch.func import functional_call, grad, vmap

    twin = _renormed(copy.deepcopy(net), norm)
    kinds = torch.nn.Conv2d | torch.nn.Linear
    names = [n for n, m in twin.named_modules() if isinstance(m, kinds)]
    every = {n: p.detach() for n, p in twin.named_parameters()}
    weights = {f"{n}.weight": every[f"{n}.weight"] for n in names}

    def loss(own: dict[str, Tensor], x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        from nascore.task import Batch

        out = functional_call(twin, {**every, **own}, (x[None],))
        terms = problem.task.losses(out, Batch(x[None], y[None], index[None]))
        return sum((t.mean() for t in terms.values()), start=out.new_zeros(()))

    each = vmap(grad(loss), in_dims=(None, 0, 0, 0))
    sums: dict[str, Tensor] = {n: torch.zeros(w.shape, dtype=torch.int64) for n, w in weights.items()}
    data: Any = batch
    for at in range(0, len(data.x), AT_ONCE):
        piece = slice(at, at + AT_ONCE)
        found = each(weights, data.x[piece], data.y[piece], data.index[piece])
        for name, g in found.items():
            sums[name] += torch.nan_to_num(g).sign().sum(0).long().cpu()
    return {n: sums[f"{n}.weight"] for n in names}


def _renormed(net: nn.Module, norm: str) -> nn.Module:
    """The network with each batch norm replaced by what it does to one example alone."""
    import torch

    class Alone(torch.nn.Module):
        def __init__(self, old: Any) -> None:
            super().__init__()
            self.weight, self.bias, self.eps = old.weight, old.bias, old.eps

        def forward(self, x: Tensor) -> Tensor:
            if norm == "per_image":
                x = x - x.mean((2, 3), keepdim=True)
                x = x * torch.rsqrt(x.square().mean((2, 3), keepdim=True) + self.eps)
            return x * self.weight[:, None, None] + self.bias[:, None, None]

    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.BatchNorm2d):
                setattr(parent, name, Alone(child))
    return net.train()
