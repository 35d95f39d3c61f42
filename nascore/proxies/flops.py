"""Multiply-adds of one example: a size baseline like `params`, but maps count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascore.proxies.look import Looking, Seen

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch


@dataclass(frozen=True)
class Flops(Looking):
    """Multiply-adds of convolutions and linear layers; the dearer network scores higher."""

    counted = "flops"  # known from the architecture alone: nothing is built where the problem counts it
    needs = ("flops",)

    def read(self, seen: Seen) -> Tensor:
        """Multiply-adds of one example; a convolution without bias, a linear layer with."""
        import torch

        return torch.tensor(seen.flops, dtype=torch.float64)

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) multiply-adds of one example; a convolution without bias, a linear layer with."""
        import torch

        return torch.tensor([_flops(net, batch) for net in nets], dtype=torch.float64)


def _flops(net: nn.Module, batch: Batch) -> float:
    import torch

    total = 0.0

    def count(layer: Any, _inputs: Any, out: Tensor) -> None:
        nonlocal total
        total += out[0].numel() * (layer.weight[0].numel() + (layer.bias is not None))

    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    hooks = [m.register_forward_hook(count) for m in layers]
    modes = {m: m.training for m in net.modules()}
    try:
        with torch.no_grad():
            net.eval()(batch.x[:1])  # type: ignore[index] -- images are one tensor
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return total
