"""Two widths at a time in one network: each with a norm of its own, their maps stretched to the wider one.

Transformable Architecture Search (Dong and Yang, 2019, section 3.1) mixes widths so; `entangle` fills narrow
maps with zeros instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.entangle import Axis, Norm
from nascore.gates import Gate, Gates, Gumbel

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Space


class Two(Gumbel):
    """Two options of a choice, weighed by the Gumbel softmax over both; all depths of a stage.

    A choice on which others depend is a depth. Source: section 3.1, equations 3 to 5.

    Args:
        space: whose open options count.
        tau: the temperature.
        every: all options of every choice take part.
    """

    def __init__(self, space: Space, tau: float, every: bool) -> None:
        super().__init__(space, 0.01, tau)
        self.every = every
        self.depths = {c.when[0] for c in self.choices if c.when}

    def forward(self) -> Gates:
        """The options that take part, with weights that sum to one."""
        gates = {}
        for c in self.choices:
            own = self.logits(c)[list(c.open)].log_softmax(0)
            z = (own - torch.empty_like(own).exponential_().log()) / float(self.tau)
            if self.every or c.name in self.depths or len(c.open) <= 2:
                gates[c.name] = Gate(c.open, z.softmax(0))
                continue
            pair = torch.multinomial(z.detach().softmax(0) + 1e-7, 2).tolist()
            gates[c.name] = Gate(tuple(c.open[i] for i in pair), z[pair].softmax(0))
        return gates


def stretched(x: Tensor, channels: int) -> Tensor:
    """(n, c, h, w) -> (n, channels, h, w): each channel the mean of those that it stands for.

    Source: section 3.1, channel-wise interpolation by adaptive average pooling.
    """
    if x.shape[1] == channels:
        return x
    return F.adaptive_avg_pool3d(x[:, None], (channels, x.shape[2], x.shape[3]))[:, 0]


class Own(Norm):
    """A norm for each width; several widths are stretched to the widest and mixed."""

    def __init__(self, norm: Norm, sizes: list[int]) -> None:
        super().__init__(norm.num_features, affine=False, track_running_stats=False)
        self.norms = nn.ModuleDict({str(s): nn.BatchNorm2d(s) for s in sizes})

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] -- as Norm
        self, input: Tensor, channels: Axis | None = None
    ) -> Tensor:
        """(n, channels.full, h, w) -> the same shape."""
        axis = channels or Axis((input.shape[1],))
        maps = [stretched(self.norms[str(s)](input[:, :s]), axis.full) for s in axis.sizes]
        if axis.weights is None:
            return maps[0]
        terms = [w * m for w, m in zip(axis.weights, maps, strict=True)]
        return sum(terms[1:], start=terms[0])

    def hand_down(self, child: nn.Module) -> None:
        """Gives a stand-alone network's norm what the one of its width has learned."""
        if isinstance(child, nn.BatchNorm2d):
            child.load_state_dict(self.norms[str(child.num_features)].state_dict())


def aligned(net: nn.Module, problem: Problem) -> None:
    """Gives each norm of a supernet that sees several widths one of its own for each, in place.

    Which widths there are is seen in one call with all open options.
    """
    seen: dict[Norm, set[int]] = {}

    def note(module: Any, args: tuple[Any, ...]) -> None:
        if isinstance(axis := args[-1], Axis):
            seen.setdefault(module, set()).update(axis.sizes)

    hooks = [m.register_forward_pre_hook(note) for m in net.modules() if isinstance(m, Norm)]
    gates = {}
    for c in problem.space.choices():
        gates[c.name] = Gate(c.open, torch.full((len(c.open),), 1 / len(c.open), device=problem.device))
    net.eval()
    with torch.no_grad():
        net(next(iter(problem.batches("train", "align"))).x[:2], gates)  # type: ignore[index] -- images
    for hook in hooks:
        hook.remove()
    made = {m: Own(m, sorted(s)).to(problem.device) for m, s in seen.items() if len(s) > 1}
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Norm) and child in made:
                setattr(parent, name, made[child])
