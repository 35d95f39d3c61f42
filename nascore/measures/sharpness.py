"""How sharp a minimum is: curvature, the rise of the loss nearby, and the loss around it as a picture.

A flat minimum is thought to generalize better, and to lose less where a network is cut down. Four numbers
say how flat it is: the largest eigenvalue of the loss's Hessian, its trace, the rise of the loss one step of
fixed length up its slope (Foret et al., 2021, SAM), and how fast it rises along random directions. Those
are scaled filter by filter to the weights (Li et al., 2018, section 4): weights before a batch norm can grow
without changing the function, so unscaled directions compare nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.kinds import knob

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.hessian import Product
    from nascore.problem import Problem
    from nascore.space import Arch
    from nascore.task import Batch, Split, Task

Directions = dict[str, "Tensor"]  # a step for each parameter, by its name


@dataclass(frozen=True)
class Line:
    """Losses (points,) at `at` (points,) times one direction away from the weights."""

    at: list[float]
    losses: list[float]


@dataclass(frozen=True)
class Plane:
    """Losses (points, points) at `at` times two directions: rows move along the second, columns the first."""

    at: list[float]
    losses: list[list[float]]


@dataclass(frozen=True)
class Sharpness:
    """How sharply the loss rises around a network's weights.

    Source: eigenvalue and trace as in Yao et al. 2020 (PyHessian); `rise` as in Foret et al. 2021, equation
    2 and its one-step solution; surfaces as in Li et al. 2018. The loss is the task's alone, without weight
    decay, on the first `images` examples of a part; buffers and weights are left as they are.
    """

    images: int = knob(256, 8, 100_000, "examples that the loss is taken on")
    part: Literal["train", "validation", "test"] = knob(
        "train", help="part of the data they come from", options=("train", "validation", "test")
    )
    norms: Literal["batch", "running"] = knob(
        "batch", help="whether batch norms use these examples' own statistics or those kept in training",
        options=("batch", "running"),
    )  # fmt: skip
    steps: int = knob(20, 1, 500, "Hessian products for the largest eigenvalue")
    draws: int = knob(20, 1, 10_000, "Hessian products for the trace")
    rho: float = knob(
        0.05, 1e-6, 10.0, "length of the step up the slope, over all weights together", log=True
    )
    span: float = knob(1.0, 0.01, 10.0, "how far surfaces reach, in lengths of each filter")
    points: int = knob(21, 3, 201, "points of a line and of each side of a plane; odd to meet the weights")

    def measure(self, problem: Problem, net: nn.Module) -> dict[str, float]:
        """The numbers of one network, or of a supernet under gates (`net.at(gates)`).

        Returns:
            `loss`; `top_eigenvalue` and `eigenvalue_residual`; `trace` and its standard error `trace_error`;
            `rise`.
        """
        from nascore.hessian import lanczos, normal, trace

        with self.looking(problem, net) as surface:
            times, like = surface.curvature()
            generator = _generator(problem)
            top = lanczos(times, normal(like, generator), self.steps)
            whole = trace(times, like, self.draws, generator)
            return {
                "loss": surface.loss(),
                "top_eigenvalue": top.largest,
                "eigenvalue_residual": top.residual,
                "trace": whole.value,
                "trace_error": whole.error,
                "rise": surface.rise(self.rho),
            }

    def line(self, problem: Problem, net: nn.Module) -> Line:
        """The loss along one random direction."""
        with self.looking(problem, net) as surface:
            one = surface.direction(_generator(problem))
            at = self._at()
            return Line(at, [surface.loss([(a, one)]) for a in at])

    def plane(self, problem: Problem, net: nn.Module) -> Plane:
        """The loss over the plane of two random directions."""
        return Plane(self._at(), list(self.rows(problem, net)))

    def rows(self, problem: Problem, net: nn.Module) -> Iterator[list[float]]:
        """The rows of the plane one by one, since they take their time."""
        with self.looking(problem, net) as surface:
            generator = _generator(problem)
            one, two = surface.direction(generator), surface.direction(generator)
            for b in self._at():
                yield [surface.loss([(a, one), (b, two)]) for a in self._at()]

    def _at(self) -> list[float]:
        return [self.span * (2 * i / (self.points - 1) - 1) for i in range(self.points)]

    @contextmanager
    def looking(self, problem: Problem, net: nn.Module) -> Iterator[Surface]:
        """The network's loss as a function of its weights; its modes are put back in the end."""
        modes = [(m, m.training) for m in net.modules()]
        batch = first(problem, self.part, self.images)
        try:
            by_batch(net.eval(), self.norms == "batch")
            yield Surface(net, problem.task, batch)
        finally:
            for module, mode in modes:
                module.training = mode


def by_batch(net: nn.Module, on: bool = True) -> nn.Module:
    """Sets only its batch norms to each batch's own statistics, or back; returns it."""
    from torch.nn.modules.batchnorm import _BatchNorm  # the base of them all has no public name

    for module in net.modules():
        if isinstance(module, _BatchNorm):
            module.training = on
    return net


def first(problem: Problem, part: Split, images: int) -> Batch:
    """The first examples of a part in their fixed order."""
    from dataclasses import replace

    whole = problem.task.whole(part, problem.device)
    return replace(whole, x=whole.x[:images], y=whole.y[:images], index=whole.index[:images])  # type: ignore[index]


def trained(problem: Problem, arch: Arch, epochs: int = 0) -> nn.Module:
    """The stand-alone network of an arch after the recipe's training, or after its first so many epochs.

    Raises:
        Diverged: the loss is not finite.
    """
    from dataclasses import replace

    from nascore.chunk import fresh
    from nascore.problem import Memo
    from nascore.recipe import train

    net = fresh(problem, arch).to(problem.device)
    alone = replace(problem, memo=Memo())
    for _ in train(alone, net, problem.space.recipe(arch, problem.recipe), "sharpness", epochs):
        pass
    return net.eval()


class Surface:
    """The mean loss of a network on one batch as a function of its weights, which it never changes.

    Args:
        net: in the mode in which it is looked at.
        task: its loss.
        batch: examples.
    """

    def __init__(self, net: nn.Module, task: Task, batch: Batch) -> None:
        self.net, self.task, self.batch = net, task, batch
        self.weights = {n: p.detach() for n, p in net.named_parameters() if p.requires_grad}

    def at(self, weights: dict[str, Tensor]) -> Tensor:
        """The loss with these weights; statistics that training would keep are thrown away."""
        import torch

        buffers = {n: b.clone() for n, b in self.net.named_buffers()}
        out = torch.func.functional_call(self.net, {**weights, **buffers}, (self.batch.x,))
        return sum_of_means(self.task, out, self.batch)

    def loss(self, steps: Sequence[tuple[float, Directions]] = ()) -> float:
        """The loss after steps (length, direction) from the weights; NaN where it is not finite."""
        import torch

        with torch.no_grad():
            moved = {
                n: w + sum((a * d[n] for a, d in steps), start=torch.zeros_like(w))
                for n, w in self.weights.items()
            }
            found = float(self.at(moved))
        return found if math.isfinite(found) else math.nan

    def leaves(self) -> dict[str, Tensor]:
        """The weights as leaves of a new graph."""
        return {n: w.clone().requires_grad_() for n, w in self.weights.items()}

    def curvature(self) -> tuple[Product, Tensor]:
        """The Hessian's product, and a vector of its size."""
        from nascore.hessian import flat, product

        leaves = self.leaves()
        return product(self.at(leaves), list(leaves.values())), flat(list(self.weights.values()))

    def rise(self, rho: float) -> float:
        """By how much the loss grows one step of length rho up its slope; 0 where it has none."""
        import torch

        leaves = self.leaves()
        loss = self.at(leaves)
        found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        slopes = dict(zip(leaves, found, strict=True))
        length = math.sqrt(sum(float(g.square().sum()) for g in found if g is not None))
        if length == 0:
            return 0.0
        up = {n: torch.zeros_like(self.weights[n]) if g is None else g for n, g in slopes.items()}
        return self.loss([(rho / length, up)]) - float(loss.detach())

    def direction(self, generator: Any) -> Directions:
        """A random direction in which each filter is as long as the network's own.

        Biases and batch norms stay where they are, as in Li et al. 2018.
        """
        import torch

        from nascore.hessian import normal

        out = {}
        for name, w in self.weights.items():
            if w.dim() < 2:
                out[name] = torch.zeros_like(w)
                continue
            drawn = normal(w, generator)
            axes = tuple(range(1, w.dim()))
            length = drawn.square().sum(axes, keepdim=True).sqrt().clamp_min(1e-12)
            out[name] = drawn * w.square().sum(axes, keepdim=True).sqrt() / length
        return out


def sum_of_means(task: Task, out: Any, batch: Batch) -> Tensor:
    """The task's loss of outputs, as one number."""
    import torch

    return torch.stack([t.mean() for t in task.losses(out, batch).values()]).sum()


def _generator(problem: Problem) -> Any:
    import torch

    return torch.Generator().manual_seed(problem.number("sharpness"))
