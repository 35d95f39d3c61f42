"""A recipe whose every part may be set: optimizer, schedule, warm-up, label smoothing.

Schedules as shares of the training t in [0, 1), with lr the largest rate: cosine lr / 2 * (1 + cos(pi t));
linear lr * (1 - t); step lr / 10 from half and lr / 100 from three quarters on (as He et al., 2016, on
CIFAR); constant lr; one_cycle from lr / 25 up to lr at t = .3 and down to lr / 250,000, both along half a
cosine (Smith and Topin, 2018; the numbers are those of torch's OneCycleLR, the momentum does not move);
cosine_power (sharpDARTS; Hundt et al., 2019) from lr to lr_end along power^u of the cosine's share u.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nascore.kinds import knob
from nascore.recipe import Part, Recipe

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from nascore.task import Batch, Shape

OPTIMIZERS = ("sgd", "adam", "adamw", "nadam", "radam", "rmsprop")
SCHEDULES = ("cosine", "linear", "step", "constant", "one_cycle", "cosine_power")
RISE, START, END = 0.3, 1 / 25, 1 / 250_000  # of one_cycle


@dataclass(frozen=True)
class Tunable(Recipe):
    """Any usual optimizer with any usual schedule, warm-up and label smoothing."""

    epochs: int = knob(10, 1, 600, "passes over the training data")
    batch: int = knob(64, 1, 4096, "examples in a step")
    method: Literal["sgd", "adam", "adamw", "nadam", "radam", "rmsprop"] = knob(
        "sgd", help="the optimizer that steps the weights", options=OPTIMIZERS
    )
    lr: float = knob(0.1, 1e-5, 10.0, "the largest learning rate", log=True)
    schedule: Literal["cosine", "linear", "step", "constant", "one_cycle", "cosine_power"] = knob(
        "cosine", help="how the learning rate moves", options=SCHEDULES
    )
    power: float = knob(10.0, 1.0, 1000.0, "of cosine_power: 1 is a cosine, more falls sooner", log=True)
    lr_end: float = knob(0.0, 0.0, 1.0, "of cosine_power: the learning rate at the end")
    warmup: float = knob(0.0, 0.0, 0.9, "share of the training in which the rate first rises to its schedule")
    momentum: float = knob(0.9, 0.0, 0.9999, "of sgd and rmsprop: how much of the last step is kept")
    nesterov: bool = knob(True, help="of sgd: look ahead by the momentum before taking the gradient")
    decay: float = knob(5e-4, 0.0, 1.0, "weight decay")
    smoothing: float = knob(0.0, 0.0, 0.9, "share of a label that is spread over all classes")
    parts: tuple[Part, ...] = knob((), help="further training ideas")

    def optimizer(self, params: Sequence[Any]) -> Optimizer:
        """Over tensors of any shape, all of them in one call; betas and the like are torch's defaults."""
        from torch import optim

        common: dict[str, Any] = {"lr": self.lr, "weight_decay": self.decay, "foreach": True}
        match self.method:
            case "sgd":
                ahead = self.nesterov and self.momentum > 0
                return optim.SGD(params, momentum=self.momentum, nesterov=ahead, **common)
            case "rmsprop":
                return optim.RMSprop(params, momentum=self.momentum, **common)
            case "adam":
                return optim.Adam(params, **common)
            case "adamw":
                return optim.AdamW(params, **common)
            case "nadam":
                return optim.NAdam(params, **common)
            case "radam":
                return optim.RAdam(params, **common)

    def rate(self, done: float, total: float) -> float:
        """The schedule's rate; in the warm-up, which comes first, a line from near zero up to it.

        The schedule spans the whole training: what the warm-up takes is not added behind.
        """
        share = min(done / total, 1.0) if total > 0 else 1.0
        rising = self.warmup * total
        ramp = min((done + 1) / rising, 1.0) if rising > 0 else 1.0
        if self.schedule == "cosine_power":
            return ramp * (self.lr_end + (self.lr - self.lr_end) * cosine_power(self.power, share))
        return ramp * self.lr * factor(self.schedule, share)

    def teach(self, batch: Batch, shape: Shape) -> Batch:
        """Labels (n,) or probabilities (n, classes), of which `smoothing` is spread evenly.

        Source: label smoothing (Szegedy et al., 2016, section 7).
        """
        if not self.smoothing:
            return batch
        import torch
        import torch.nn.functional as F  # noqa: N812 -- torch's own habit

        y = batch.y
        if not isinstance(y, torch.Tensor) or "class" not in dict(shape.outputs):
            return batch  # nothing here is a class
        if y.dim() == 1:
            y = F.one_hot(y, shape.classes).to(torch.get_default_dtype())
        return replace(batch, y=(1 - self.smoothing) * y + self.smoothing / y.shape[1])


def factor(schedule: str, t: float) -> float:
    """The share of the largest rate at a share t of the training, from 0 to 1."""
    match schedule:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * t))
        case "linear":
            return 1 - t
        case "step":
            return 1.0 if t < 0.5 else 0.1 if t < 0.75 else 0.01
        case "one_cycle":
            if t < RISE:
                return _between(START, 1.0, t / RISE)
            return _between(1.0, END, (t - RISE) / (1 - RISE))
        case _:
            return 1.0


def cosine_power(power: float, t: float) -> float:
    """The share from 1 at t = 0 to 0 at t = 1, lower between the larger the power is.

    (power^u - 1) / (power - 1) with u = (1 + cos(pi t)) / 2; its limit at power 1 is u.
    """
    u = 0.5 * (1 + math.cos(math.pi * t))
    return u if power == 1 else math.expm1(u * math.log(power)) / (power - 1)


def _between(start: float, end: float, t: float) -> float:
    """Along half a cosine."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * t))
