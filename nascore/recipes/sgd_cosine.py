"""SGD with momentum and a cosine schedule, the default: NAS-Bench-201's training, shortened.

The rate falls with every step along half a cosine, from `lr` to zero (SGDR without restarts, Loshchilov and
Hutter, 2017, equation 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from nascore.kinds import knob
from nascore.recipe import Part, Recipe
from nascore.recipes.tunable import Tunable

if TYPE_CHECKING:
    from torch.optim import Optimizer


@dataclass(frozen=True)
class SgdCosine(Recipe):
    """Stochastic gradient descent with momentum; the learning rate falls to zero along a cosine."""

    epochs: int = knob(10, 1, 600, "passes over the training data")
    batch: int = knob(64, 1, 4096, "examples in a step")
    lr: float = knob(0.1, 1e-5, 10.0, "learning rate at the start", log=True)
    momentum: float = knob(0.9, 0.0, 0.9999, "how much of the last step is kept")
    nesterov: bool = knob(True, help="look ahead by the momentum before taking the gradient")
    decay: float = knob(5e-4, 0.0, 1.0, "weight decay")
    parts: tuple[Part, ...] = knob((), help="further training ideas")

    def optimizer(self, params: Sequence[Any]) -> Optimizer:
        """SGD over tensors of any shape, all of them in one call."""
        import torch

        return torch.optim.SGD(
            params,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
            weight_decay=self.decay,
            foreach=True,
        )

    def changed(self, **settings: Any) -> Recipe:
        """The tunable recipe that does the same, with these settings."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return Tunable(**{**own, "method": "sgd", "schedule": "cosine", **settings})

    def rate(self, done: float, total: float) -> float:
        """The rate lr / 2 * (1 + cos(pi * done / total)); zero from `total` on."""
        share = min(done / total, 1.0) if total > 0 else 1.0
        return 0.5 * self.lr * (1.0 + math.cos(math.pi * share))
