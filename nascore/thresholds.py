"""Decisions that weights take themselves: an outer part is used where its norm is above a learned threshold.

The options of a choice lie inside one another's weights. From one option to the next larger one there is a
ring: what the larger network has more of a superkernel. Single-Path NAS (Stamoulis et al., 2019, section 3)
uses it where its norm is large enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nascore.errors import BadInput
from nascore.expected import whole
from nascore.gates import Gate, Gates, Gating
from nascore.space import settled

if TYPE_CHECKING:
    from nascore.space import Choice, Space
    from nascore.supernet import Supernet

Ring = dict[str, Tensor]  # name of a weight -> which of its entries are in the ring, as 0 and 1
KERNELS, CHANNELS, LAYERS = range(3)  # the order of decisions; each sees what the ones before have left


class Thresholds(Gating):
    """Every open option of a choice, with weight 1 for the one that the norms of its rings decide on.

    The parameters are the thresholds, one a ring, 0 at the start, so that everything is in use. Weights and
    thresholds have the gradient of a sigmoid. Ours divides a norm by the root of the number of entries, so
    that rings of every size compare; the paper's does not.

    Attributes:
        keep: chance of a decision to count; where it does, it counts 1 / keep (the paper's warm-up).
    """

    def __init__(self, space: Space, net: Supernet) -> None:
        super().__init__(space)
        self.held = (net,)  # in a tuple: its weights are not this module's
        self.order = {c.name: tuple(sorted(c.open, key=lambda i, c=c: c.options[i])) for c in self.choices}
        self.rings = {c.name: rings(space, net, c, self.order[c.name]) for c in self.choices}
        self.sequence = sorted(self.choices, key=lambda c: _kind(self.rings[c.name], net))
        self.keep: Tensor
        self.register_buffer("keep", torch.tensor(1.0))
        start = {c.name: torch.zeros(len(c.open) - 1) for c in self.choices if len(c.open) > 1}
        self.thresholds = nn.ParameterDict({n.replace(".", "/"): nn.Parameter(t) for n, t in start.items()})

    def norms(self) -> dict[str, Tensor]:
        """Choice name -> (rings,) root mean squares, each of what earlier decisions have left."""
        return {n: norm for n, (norm, _) in self._decided(drop=False).items()}

    def forward(self) -> Gates:
        """Weight 1 for the decided option (more or less in the warm-up) and 0 for the others."""
        return self._gates(self._decided(drop=float(self.keep) < 1))

    def probabilities(self) -> dict[str, Tensor]:
        """The decisions as they are without the warm-up, with gradients."""
        return whole(self._gates(self._decided(drop=False)), self.choices)

    def _gates(self, decided: Mapping[str, tuple[Tensor, Tensor]]) -> Gates:
        gates = {}
        for c in self.choices:
            order = self.order[c.name]
            if c.name not in decided:
                gates[c.name] = Gate(order, self.keep.new_ones(1))
                continue
            used = decided[c.name][1]
            ends = torch.cat([used.new_ones(1), used]), torch.cat([used, used.new_zeros(1)])
            gates[c.name] = Gate(order, ends[0] - ends[1])
        return gates

    def _decided(self, *, drop: bool) -> dict[str, tuple[Tensor, Tensor]]:
        """Choice name -> norms (rings,) and how much each ring is used (rings,)."""
        left: dict[str, Tensor] = dict(self.held[0].named_parameters())
        out = {}
        for c in self.sequence:
            own = self.rings[c.name]
            if not own:
                continue
            norms = torch.stack([_norm(left, ring) for ring in own])
            step = decided(norms - self.thresholds[c.name.replace(".", "/")])
            if drop:
                step = step * torch.bernoulli(self.keep.expand(len(own))) / self.keep
            used = step.cumprod(0)
            out[c.name] = norms, used
            for name in {n for ring in own for n in ring}:
                masks = [ring.get(name) for ring in own]
                inside = [(m, u) for m, u in zip(masks, used, strict=True) if m is not None]
                left[name] = left[name] * (1 - sum(m * (1 - u) for m, u in inside))
        return out


def decided(x: Tensor) -> Tensor:
    """1 where x >= 0, else 0, with the gradient of a sigmoid."""
    soft = x.sigmoid()
    return (x >= 0).to(x) - soft.detach() + soft


def _norm(weights: Mapping[str, Tensor], ring: Ring) -> Tensor:
    """The root mean square of the ring's entries."""
    total = torch.stack([(weights[n] * m).square().sum() for n, m in ring.items()]).sum()
    return (total / sum(float(m.sum()) for m in ring.values()) + 1e-12).sqrt()


def rings(space: Space, net: Supernet, choice: Choice, order: Sequence[int]) -> list[Ring]:
    """What each larger option of a choice has more than the one before, everything else being largest.

    Kernels of more than one entry count, as the depthwise superkernel of the paper; other weights do where
    there is none in a ring.

    Args:
        space: whose networks are compared.
        net: whose weights they are, entangled.
        choice: has numbers as options.
        order: its open options, ascending.

    Raises:
        BadInput: two options cannot be told apart by weights.
    """
    if any(isinstance(choice.options[i], str) for i in order) and len(order) > 1:
        told = ", ".join(str(choice.options[i]) for i in order[:4]) + ", ..." * (len(order) > 4)
        raise BadInput(f"strategy: {choice.name} does not nest ({told}); keep one of its options open")
    weights = dict(net.named_parameters())
    inside = [_covered(space, net, choice.name, option, weights) for option in order]
    out = []
    for k, (small, large) in enumerate(pairwise(inside)):
        more = {n: m - small.get(n, torch.zeros_like(m)) for n, m in large.items()}
        ring = {n: m for n, m in more.items() if weights[n].dim() > 1 and bool(m.any())}
        kernels = {n: m for n, m in ring.items() if weights[n].dim() == 4 and weights[n].shape[-1] > 1}
        if not ring or any(bool((m < 0).any()) for m in more.values()):
            a, b = (choice.options[i] for i in order[k : k + 2])
            raise BadInput(
                f"strategy: {choice.name} has no weights that tell {a} from {b}; choose a space of kernels, "
                "expansions, widths or depths, such as mobilenet, or keep one option open"
            )
        out.append(kernels or ring)
    return out


def _covered(
    space: Space, net: Supernet, choice: str, option: int, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Name -> which entries of a weight the network has that is largest but for this option."""
    choices = [replace(c, allowed=(option,)) if c.name == choice else c for c in space.choices()]
    arch = settled(space, tuple(max(c.open, key=lambda i, c=c: c.options[i]) for c in choices))
    with torch.random.fork_rng(devices=[]), torch.device("meta"):  # its shapes are all that is asked
        child = space.build(arch, net.shape)
    out = {}
    for name, p in child.named_parameters():
        if name in weights:
            mask = torch.zeros_like(weights[name], requires_grad=False)
            mask[_block(p.shape, mask.shape)] = 1
            out[name] = mask
    return out


def _block(small: torch.Size, large: torch.Size) -> tuple[slice, ...]:
    """The first channels and the center of a kernel, as `supernet.inherit` takes them."""
    starts: list[Any] = [
        0 if d < 2 else (m - n) // 2 for d, (n, m) in enumerate(zip(small, large, strict=True))
    ]
    return tuple(slice(s, s + n) for s, n in zip(starts, small, strict=True))


def _kind(own: Sequence[Ring], net: Supernet) -> int:
    """Whether rings are parts of kernels, of channels, or whole layers."""
    if not own:
        return KERNELS
    if all(bool(m.all()) for ring in own for m in ring.values()):
        return LAYERS
    whole_filters = all(
        bool((m.flatten(2).amin(2) == m.flatten(2).amax(2)).all())
        for ring in own
        for m in ring.values()
        if m.dim() == 4
    )
    return CHANNELS if whole_filters else KERNELS
