"""SNIP (Lee et al., 2019), as a score of whole networks (Abdelfattah et al., 2021).

The gradient of the loss with respect to a mask of ones on each weight is weight times gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Seen, Summed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Snip(Summed):
    """Sum of |weight times gradient|: how much the loss feels each connection; higher is better."""

    needs = ("gradients",)

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> sum of absolute products."""
        import torch

        return {n: torch.linalg.vector_norm(p, ord=1) for n, p in seen.products.items()}
