"""One plain network in the place of a program of many, for spaces that have no such program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    import torch


class Single(nn.Module):
    """A program with one member, as `chunk.Chunk` trains it.

    Args:
        net: the network; `single(x)` gives (1, batch, classes).
    """

    members = 1

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (1, batch, classes)."""
        return self.net(x)[None]

    def fitting(self, batch: int) -> int:
        """How many members a program may have: one."""
        return 1

    def load(self, member: int, state: Mapping[str, Tensor]) -> None:
        """Takes the weights of a stand-alone network."""
        self.net.load_state_dict(dict(state))

    def member_state(self, member: int) -> dict[str, Tensor]:
        """A copy of the weights, as the stand-alone network names them."""
        return {n: t.detach().clone() for n, t in self.net.state_dict().items()}

    def momentum(self, member: int, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """What the optimizer remembers, by parameter."""
        known = {n: optimizer.state[p].get("momentum_buffer") for n, p in self.net.named_parameters()}
        return {n: b.clone() for n, b in known.items() if b is not None}

    def load_momentum(
        self,
        member: int,
        optimizer: torch.optim.Optimizer,
        saved: Mapping[str, Tensor],
    ) -> None:
        """Puts back what `momentum` gave."""
        own = dict(self.net.named_parameters())
        for name, buffer in saved.items():
            optimizer.state[own[name]]["momentum_buffer"] = buffer.clone()
