"""GraSP (Wang et al., 2020), as a score of whole networks (Abdelfattah et al., 2021).

Each weight counts with minus its product with the Hessian times the gradient: what removing it would take
from the gradient's flow. It needs a second backward pass and costs more than all first-order scores together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Seen, Summed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Grasp(Summed):
    """Minus the sum of weight times Hessian-gradient product; higher is better."""

    needs = ("curvature",)

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> minus the sum of weight times (Hessian times gradient)."""
        return {n: -(seen.weights[n] * h).sum() for n, h in seen.curvature.items()}
