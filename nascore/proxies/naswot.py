"""NASWOT (Mellor et al., 2021): how differently an untrained network's ReLUs fire on different images.

Each image has a code of zeros and ones, one a ReLU unit. K counts in how many units two images agree. The
score is log |det K|: a network that tells the images apart scores high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascore.kinds import Proxy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch


@dataclass(frozen=True)
class Naswot(Proxy):
    """Log-determinant of how alike the ReLU codes of images are; higher is better."""

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) log |det K|, in training mode as published; -1e10 where two images have one code."""
        import torch

        x = batch.x
        assert isinstance(x, torch.Tensor)  # noqa: S101 -- images are one tensor
        return torch.stack([log_determinant(agreement(net, x)) for net in nets])


def agreement(net: nn.Module, x: Tensor) -> Tensor:
    """K (n, n), double: the number of ReLU units in which the codes of two images agree.

    With codes c (n, D) and their row sums s, ones and zeros that agree are 2cc' + D - s - s': one product.
    """
    import torch

    k = torch.zeros(len(x), len(x), dtype=torch.float64, device=x.device)
    for c in relu_codes(net, x):
        s = c.sum(1)
        k += (2 * (c @ c.T) + c.shape[1] - s[:, None] - s[None]).double()
    return k


def relu_codes(net: nn.Module, x: Tensor) -> list[Tensor]:
    """Of every ReLU of one forward pass, module or function: (n, units), 1 where the unit fires, else 0."""
    import copy

    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    codes: list[Tensor] = []
    relus = (torch.ops.aten.relu.default, torch.ops.aten.relu_.default)

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if func in relus:
                codes.append((out > 0).flatten(1).float())  # sums of these below 2^24 are exact
            return out

    with torch.no_grad(), Watch():
        copy.deepcopy(net).train()(x)  # a copy: batch statistics of the network must not move
    return codes


def log_determinant(k: Tensor) -> Tensor:
    """The value log |det K|, at least -1e10: where two images have one code, the determinant is zero."""
    import torch

    return torch.linalg.slogdet(k)[1].clamp(min=-1e10)
