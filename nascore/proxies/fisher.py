"""Fisher information of channels (Theis et al., 2018; Turner et al., 2020; Abdelfattah et al., 2021).

For each channel of a layer's output: half the mean over images of the squared sum, over the map, of
activation times gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Seen, Summed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Fisher(Summed):
    """Sum over channels of the loss's sensitivity to removing the channel; higher is better."""

    needs = ("outputs",)

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> sum over its channels; a layer that is called twice adds up."""
        out: dict[str, Tensor] = {}
        for name, value, grad in seen.outputs:
            each = value * grad
            felt = each.flatten(2).sum(2) if each.dim() > 2 else each
            share = felt.square().mean(0).sum() / 2
            out[name] = out[name] + share if name in out else share
        return out
