"""The number of parameters: the baseline that every proxy must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.kinds import Proxy
from nascore.walk import walk

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch


@dataclass(frozen=True)
class Params(Proxy):
    """Number of parameters; the larger network scores higher."""

    counted = "params"  # known from the architecture alone: nothing is built where the problem counts it

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) trainable numbers."""
        import torch

        return torch.tensor([_count(net) for net in nets], dtype=torch.float64)


def _count(net: nn.Module) -> int:
    own = {p for _, m in walk(net) for p in m._parameters.values() if p is not None and p.requires_grad}
    return sum(p.numel() for p in own)
