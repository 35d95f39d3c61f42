"""The size of the first weights: with one way of starting weights, a count of layers and their widths.

Source: the `l2_norm` of zero-cost-nas (Abdelfattah et al., 2021), written there but in no table of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Seen, Summed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class L2Norm(Summed):
    """Sum over layers of the norm of the untrained weight; a size baseline, higher is better."""

    needs = ("weights",)

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> norm of its weight."""
        import torch

        return {n: torch.linalg.vector_norm(w.detach()) for n, w in seen.weights.items()}
