"""How several small networks learn side by side: one program, lists of their own, no global random numbers.

Members are a leading axis of every weight. Each sees lists of pairs drawn for itself; a loss gives one value
a member, and their sum has each member's own gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nascore.kinds import Fitted
from nascore.predictors.features import Floats
from nascore.predictors.losses import Loss
from nascore.space import Arch

if TYPE_CHECKING:
    from torch import Generator, Tensor

PIECE = 512  # architectures asked about at once


@dataclass(frozen=True)
class Pace:
    """How long and how fast: Adam with a cosine that ends at zero.

    Attributes:
        steps: updates.
        rate: first step size.
        decay: weight decay, not coupled to the gradient.
        list_size: pairs in a list; all where there are fewer.
    """

    steps: int
    rate: float
    decay: float
    list_size: int


def learn(
    forward: Callable[[Tensor], Tensor],
    weights: Sequence[Tensor],
    target: Tensor,
    loss: Loss,
    pace: Pace,
    members: int,
    random: Generator,
) -> None:
    """Moves weights until the scores of random lists fit.

    Args:
        forward: (members, b) positions of pairs -> (members, b) scores.
        weights: each with the members first, or shared by a single member.
        target: (n,) numbers with mean 0 and deviation 1.
        loss: scores and numbers (members, b) -> (members,).
        pace: how long and how fast.
        members: how many networks.
        random: draws the lists.
    """
    import torch

    for w in weights:
        w.requires_grad_(True)
    optimizer = torch.optim.AdamW(list(weights), pace.rate, weight_decay=pace.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(pace.steps, 1))
    n = len(target)
    for _ in range(pace.steps):
        drawn = torch.rand(members, n, generator=random).argsort(1)[:, : pace.list_size].to(target.device)
        loss(forward(drawn), target[drawn]).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
    for w in weights:
        w.requires_grad_(False)


def scaled(target: Floats) -> tuple[Floats, float, float]:
    """Numbers with mean 0 and deviation 1, their mean and deviation (1 where all are equal)."""
    center, spread = float(target.mean()), float(target.std()) or 1.0
    return (target - center) / spread, center, spread


def line(scores: Floats, y: Floats) -> tuple[float, float]:
    """Intercept and slope (never negative) of y on scores: a score that only orders gets y's scale back."""
    around = scores - scores.mean()
    slope = float(max(around @ y / (around @ around), 0.0)) if around.any() else 0.0
    return float(y.mean() - slope * scores.mean()), slope


class Members(Fitted):
    """Networks that have learned; their mean and spread are the answer.

    Args:
        scores: archs -> (members, n).
        archs: those that were learned from.
        target: (n,) their numbers.
        ranks: the scores only order, so each member's are brought to the numbers' scale by a line.
    """

    def __init__(
        self, scores: Callable[[Sequence[Arch]], Floats], archs: Sequence[Arch], target: Floats, ranks: bool
    ) -> None:
        self.scores = scores
        y, self.center, self.spread = scaled(target)
        own = self._pieces(archs) if ranks else np.zeros((1, len(y)))
        self.bends = np.array([line(s, y) for s in own] if ranks else [(0.0, 1.0)])

    def predict(self, archs: Sequence[Arch]) -> tuple[Floats, Floats]:
        """Mean and deviation over members, (n,) each."""
        if not len(archs):
            return np.zeros(0), np.zeros(0)
        each = self.bends[:, :1] + self.bends[:, 1:] * self._pieces(archs)
        return self.center + self.spread * each.mean(0), self.spread * each.std(0)

    def _pieces(self, archs: Sequence[Arch]) -> Floats:
        return np.concatenate([self.scores(archs[i : i + PIECE]) for i in range(0, len(archs), PIECE)], 1)
