"""The number of parameters: the baseline that every proxy must beat."""

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
class Params(Proxy):
    """Number of parameters; the larger network scores higher."""

    counted = "params"  # known from the architecture alone: nothing is built where the problem counts it

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) trainable numbers."""
        import torch

        counts = [sum(p.numel() for p in net.parameters() if p.requires_grad) for net in nets]
        return torch.tensor(counts, dtype=torch.float64)
