"""The gradient norm at the start of training, as zero-cost-nas counts it (Abdelfattah et al., 2021).

One backward pass of the mean loss of one batch, in training mode; the Euclidean norm of the gradient of each
convolution's and linear layer's weight, summed over layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Seen, Summed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GradNorm(Summed):
    """Sum over layers of the norm of the first gradient; higher is better."""

    needs = ("gradients",)

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> norm; a layer that the loss does not reach adds nothing."""
        import torch

        return {n: torch.linalg.vector_norm(g) for n, g in seen.gradients.items()}
