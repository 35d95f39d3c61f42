"""Weight times gradient with its sign, summed (Mozer and Smolensky, 1989; zero-cost-nas, 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Seen, Summed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Plain(Summed):
    """Signed sum of weight times gradient: how much the loss falls when weights shrink; higher is better."""

    needs = ("gradients",)

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> sum of weight times gradient."""
        return {n: p.sum() for n, p in seen.products.items()}
