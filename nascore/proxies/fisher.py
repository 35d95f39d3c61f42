"""Fisher information of channels (Theis et al., 2018; Turner et al., 2020; Abdelfattah et al., 2021).

For each channel of a layer's output: half the mean over images of the squared sum, over the map, of
activation times gradient. zero-cost-nas gives each weight its channel's value before it adds up, so there a
channel counts as often as it has weights; published tables hold that sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nascore.kinds import knob
from nascore.proxies.look import Seen, Summed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Fisher(Summed):
    """Sum over channels of the loss's sensitivity to removing the channel; higher is better."""

    needs = ("pulls",)

    per: Literal["channel", "weight"] = knob(
        "channel", help="add once a channel, or once each of its weights", options=("channel", "weight")
    )

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> sum over its channels or weights; a layer that is called twice adds up."""
        import torch

        if not seen.pulls:
            return {}
        names, pulls = zip(*seen.pulls, strict=True)
        channels = torch.cat(pulls, 1).square().mean(0) / 2
        out: dict[str, Tensor] = {}
        for name, own in zip(names, channels.split([p.shape[1] for p in pulls]), strict=True):
            share = own.sum()
            if self.per == "weight":
                share = share * seen.weights[name][0].numel()
            out[name] = out[name] + share if name in out else share
        return out
