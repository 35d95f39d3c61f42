"""Gates of choices that a layer reads together: one softmax over all their combinations.

The layers of a space that says so (`Space.together`) stand in a chain: each one's first choice is the second
of the layer before. So a path from end to end is one arch, and what a choice's options come to on average is
a sum over all paths, taken layer by layer.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from nascore.gates import Gate, Gates, Gating
from nascore.space import Arch, Space, array, settle, tuples


class Together(Gating):
    """All open combinations of each layer, weighed by the softmax of their alphas, or by Max-W of it.

    Source: the HyperCuboid search of sharpDARTS (Hundt et al., 2019), whose softmax spans width before, width
    and operation of a layer.

    Args:
        space: that says what belongs together.
        max_w: gives the leading combination weight 1 and others 1 minus their distance from its share.
        scale: standard deviation of the alphas at the start.
    """

    def __init__(self, space: Space, *, max_w: bool = False, scale: float = 1e-3) -> None:
        super().__init__(space)
        self.space, self.max_w, self.groups = space, max_w, space.together()
        self.sizes = {c.name: len(c.options) for c in self.choices}
        start = {n: scale * torch.randn(self._shape(n)) for n in self.groups}
        self.alphas = nn.ParameterDict({n: nn.Parameter(a) for n, a in start.items()})

    def _shape(self, group: str) -> tuple[int, ...]:
        return tuple(self.sizes[c] for c in self.groups[group])

    def shares(self, group: str) -> Tensor:
        """The softmax over the open combinations of a layer, one axis a choice; zero where one is shut."""
        alphas, opened = self.alphas[group], {c.name: c.open for c in self.choices}
        shut = torch.full_like(alphas, -torch.inf)
        shut[torch.meshgrid(*(torch.tensor(opened[c]) for c in self.groups[group]), indexing="ij")] = 0
        return (alphas + shut).flatten().softmax(0).view_as(alphas)

    def forward(self) -> Gates:
        """For each layer every open combination with its weight."""
        opened, out = {c.name: c.open for c in self.choices}, {}
        for group, names in self.groups.items():
            flat = self.shares(group).flatten()
            size = self._shape(group)
            options = [_place(row, size) for row in itertools.product(*(opened[n] for n in names))]
            p = flat[options]
            out[group] = Gate(tuple(options), 1 - p.max() + p if self.max_w else p)
        return out

    def probabilities(self) -> dict[str, Tensor]:
        """How often each option is on a path that is drawn by the product of its layers' shares."""
        every = {n: self.shares(n).flatten(2) for n in self.groups}  # (before, width, the rest together)
        ahead = [torch.ones_like(next(iter(every.values()))[:, 0, 0])]
        for p in every.values():
            ahead.append(_scaled(ahead[-1] @ p.sum(2)))
        after = [torch.ones_like(ahead[-1])]
        for p in reversed(every.values()):
            after.insert(0, _scaled(p.sum(2) @ after[0]))
        out: dict[str, Tensor] = {}
        for i, (group, p) in enumerate(every.items()):
            on = p * ahead[i][:, None, None] * after[i + 1][None, :, None]
            on = (on / on.sum()).view(self._shape(group))
            for axis, name in enumerate(self.groups[group]):
                others = [a for a in range(on.dim()) if a != axis]
                out.setdefault(name, on.sum(others))
        return out

    def longest(self) -> Arch:
        """The arch of the path with the largest sum of shares."""
        best, steps = None, list[tuple[str, Tensor, Tensor]]()
        for group in self.groups:
            p = self.shares(group).detach()
            p = torch.where(p > 0, p, -torch.inf)
            before = torch.zeros(p.shape[0]).to(p) if best is None else best
            sums = before.view(-1, *[1] * (p.dim() - 1)) + p
            ways = sums.transpose(0, 1).flatten(1)  # (width, width before x the rest)
            best, at = ways.max(1)
            steps.append((group, at, sums.transpose(0, 1)))
        assert best is not None  # noqa: S101 -- there is a layer
        taken, width = {}, int(best.argmax())
        for group, at, sums in reversed(steps):
            names, rest = self.groups[group], int(at[width])
            where = _row(rest, tuple(sums.shape[1:]))
            taken |= {names[1]: width, names[0]: where[0]}
            taken |= dict(zip(names[2:], where[1:], strict=True))
            width = where[0]
        row = tuple(taken[c.name] for c in self.choices)
        return tuples(settle(self.space, array([row], self.space)))[0]


def _place(row: tuple[int, ...], size: tuple[int, ...]) -> int:
    """Where a combination stands, the last choice fastest."""
    place = 0
    for i, n in zip(row, size, strict=True):
        place = place * n + i
    return place


def _row(place: int, size: tuple[int, ...]) -> tuple[int, ...]:
    """The combination that stands there."""
    out = []
    for n in reversed(size):
        place, i = divmod(place, n)
        out.append(i)
    return tuple(reversed(out))


def _scaled(x: Tensor) -> Tensor:
    """Products of many shares would become zero."""
    return x / x.sum()
