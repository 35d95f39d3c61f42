"""TAS: Network Pruning via Transformable Architecture Search (Dong and Yang, 2019).

How wide each layer and how deep each stage should be is learned as a distribution. In each step two widths a
layer take part, whose maps are brought to one width by interpolation along the channels; a term of the loss
steers the mean cost to a target. The network that is found learns from the unpruned one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.engines.draw import choose
from nascore.errors import BadInput
from nascore.events import Event, Note
from nascore.kinds import Strategy, knob
from nascore.problem import Problem, State
from nascore.strategies.darts import adam

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.expected import Expected
    from nascore.gates import Gating
    from nascore.space import Arch
    from nascore.task import Batch

MILLION = 1e6


@dataclass(frozen=True)
class Tas(Strategy):
    """Learns widths and depths under a target of multiply-adds; the result learns from the unpruned network.

    Source: Dong and Yang 2019, sections 3.1 to 3.3, with the authors' settings: alphas from N(0, .01), Adam
    with betas (.5, .999) and decay 1e-3, a temperature that falls by a cosine, tolerance 5 % of the whole
    network, weight 2. The sign of the cost term looks at the largest shares, its slope at the mean cost. Of
    the epochs whose largest shares lie within the tolerance the last one is taken. Differences: the step of
    the alphas comes before that of the weights; a shortcut between unlike widths is the space's own; layers
    without a norm fill narrow maps with zeros.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(0.1, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    alpha_lr: float = knob(
        1e-3, 1e-6, 1.0, "learning rate of the alphas; larger for short searches", log=True
    )
    target: float = knob(0.5, 0.01, 1.0, "multiply-adds to reach, as a share of the largest network's")
    tolerance: float = knob(0.05, 0.001, 1.0, "how far below the target is well, as the same share")
    weight: float = knob(2.0, 0.0, 100.0, "of the cost term in the loss of the alphas")
    hot: float = knob(5.0, 0.01, 100.0, "temperature of the first epoch", log=True)
    cold: float = knob(0.1, 0.01, 100.0, "temperature of the last epoch", log=True)
    widths: Literal["two", "all"] = knob(
        "two", help="widths of a layer that take part in a step; all need more memory", options=("two", "all")
    )
    align: Literal["interpolate", "pad"] = knob(
        "interpolate", help="how maps of unlike width meet: each with a norm of its own, stretched along its "
        "channels; or in one norm, narrow ones as the first channels",
        options=("interpolate", "pad"),
    )  # fmt: skip
    distill: bool = knob(True, help="train the result once more with the unpruned network as its teacher")
    share: float = knob(0.9, 0.0, 1.0, "of the teacher in that loss; labels have the rest")
    softness: float = knob(4.0, 0.1, 20.0, "temperature of teacher and student")

    def check(self, problem: Problem) -> None:
        """The options nest, their cost has an exact mean, and there are classes to teach.

        Raises:
            BadInput: something of this is not so.
        """
        from nascore.engines.oneshot import check_nested
        from nascore.errors import NotSupported
        from nascore.expected import expected

        check_nested(problem)
        if self.distill and "class" not in dict(problem.task.shape.outputs):
            raise BadInput("strategy.distill: this task has no classes for a teacher to tell; choose false")
        try:
            expected(problem, "flops")
        except NotSupported as error:
            raise BadInput(f"strategy: multiply-adds of this space cannot be steered: {error}") from error

    def ending(self, problem: Problem) -> tuple[str, ...]:
        """The network that learns from the unpruned one."""
        return ("student",)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel epochs under the cost term, the last shape on target, with and without its teacher."""
        from nascore.align import Two, aligned
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import weights_recipe
        from nascore.expected import expected
        from nascore.gates import discretize
        from nascore.recipe import Trainer

        net: Any = problem.supernet("entangled")
        if self.align == "interpolate":
            aligned(net, problem)
        gating = Two(problem.space, self.hot, self.widths == "all").to(problem.device)
        cost, found = expected(problem, "flops").scaled(MILLION), State({"arch": []})
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr))
        yield from bilevel(
            problem, trainer, gating, adam(gating, self.alpha_lr), self.epochs,
            penalty=steering(problem, cost, self), begin=self.cooling(gating),
            watch=lambda _: self.watch(problem, gating, cost, found), kept=(found,),
        )  # fmt: skip
        arch = tuple(found["arch"]) or discretize(problem.space, gating.probabilities())
        if not found["arch"]:
            low, high = (f"{v:.3g}" for v in self.band(problem))
            text = f"no epoch's largest shares lay between {low} and {high} million multiply-adds; the last "
            yield Note(f"{text} ones are taken", "warning")
        if self.distill:
            yield from taught(problem, arch, self)
        tried = yield from problem.evaluate([arch])
        yield from choose(problem, tried, "largest shares within the tolerance" if found["arch"] else
                          "largest shares, off target")  # fmt: skip

    def cooling(self, gating: Any) -> Callable[[int], None]:
        """Sets the temperature before an epoch: a cosine from hot to cold."""

        def cool(epoch: int) -> None:
            done = epoch / max(self.epochs - 1, 1)
            gating.tau.fill_(self.cold + (self.hot - self.cold) * (1 + math.cos(math.pi * done)) / 2)

        return cool

    def band(self, problem: Problem) -> tuple[float, float]:
        """Least and most million multiply-adds that count as on target."""
        full = mflops(problem, largest(problem))
        return (self.target - self.tolerance) * full, self.target * full

    def watch(self, problem: Problem, gating: Gating, cost: Expected, found: State) -> dict[str, float]:
        """Tells costs after an epoch, and notes the shape where it is on target."""
        from nascore.gates import discretize

        p = {n: v.detach() for n, v in gating.probabilities().items()}
        arch = discretize(problem.space, p)
        low, high = self.band(problem)
        now = mflops(problem, arch)
        if low <= now <= high:
            found["arch"] = list(arch)
        return {"expected_mflops": float(cost(p)), "mflops": now, "on_target": float(low <= now <= high)}


def largest(problem: Problem) -> Arch:
    """The arch of the largest open option of each choice: the unpruned network."""
    from nascore.space import settled

    arch = tuple(max(c.open, key=lambda i, c=c: c.options[i]) for c in problem.space.choices())
    return settled(problem.space, arch)


def mflops(problem: Problem, arch: Arch) -> float:
    """Million multiply-adds of an arch."""
    from nascore.space import array

    costs = problem.space.costs(array([arch], problem.space), problem.task.shape)
    return float(costs["flops"][0]) / MILLION


def steering(problem: Problem, cost: Expected, how: Tas) -> Callable[[dict[str, Tensor]], Tensor]:
    """The cost term: the logarithm of the mean cost, up or down as the largest shares miss the target.

    Source: equation 6; within the tolerance it is zero.
    """
    from nascore.gates import discretize

    low, high = how.band(problem)

    def term(p: dict[str, Tensor]) -> Tensor:
        now = mflops(problem, discretize(problem.space, {n: v.detach() for n, v in p.items()}))
        sign = 1.0 if now > high else -1.0 if now < low else 0.0
        return how.weight * sign * cost(p).log()

    return term


def taught(problem: Problem, arch: Arch, how: Tas) -> Iterator[Event]:
    """Trains the unpruned network, then the found one with it as teacher; ends with a `Note` of both errors.

    Source: section 3.3, equation 8.
    """
    from nascore.chunk import fresh
    from nascore.recipe import train

    whole, errors = largest(problem), {}
    teacher = fresh(problem, whole).to(problem.device)
    for step in train(problem, teacher, problem.recipe, "teacher"):
        errors["teacher"] = step.values.get("error", math.nan)
        yield step
    student = fresh(problem, arch).to(problem.device)
    for step in distilled(problem, student, teacher.eval(), how):
        errors["student"] = step.values.get("error", math.nan)
        yield step
    if len(errors) == 2:
        told = " and ".join(f"{100 * errors[k]:.2f} % of the {k}" for k in errors)
        yield Note(f"validation errors after distillation: {told}")


def distilled(problem: Problem, student: nn.Module, teacher: nn.Module, how: Tas) -> Iterator[Any]:
    """Ordinary training whose labels have `1 - share` of the loss; a `Step` an epoch."""
    from nascore.problem import epochs
    from nascore.recipe import Trainer

    trainer = Trainer(problem, student, problem.recipe.epochs)

    def losses(view: nn.Module, batch: Batch) -> tuple[Any, dict[str, Tensor]]:
        import torch

        out = view(batch.x)
        with torch.no_grad():
            said = teacher(batch.x)
        terms = trainer.task.losses(out, trainer.recipe.teach(batch, trainer.task.shape))
        labels = {n: (1 - how.share) * t for n, t in terms.items()}
        return out, {**labels, "teacher": how.share * softly(said, out, how.softness)}

    for epoch in epochs(problem, "student", problem.recipe.epochs, student, trainer):
        student.train()
        for batch in trainer.batches("train", epoch):
            trainer.round([student], batch, losses)
        student.eval()
        yield trainer.epoch_done("student", **problem.task.metrics(student, "validation"))


def softly(said: Tensor, out: Tensor, t: float) -> Tensor:
    """(n,) t^2 KL(teacher || student) of logits (n, classes), both divided by t."""
    from torch.nn.functional import kl_div

    return t**2 * kl_div((out / t).log_softmax(-1), (said / t).softmax(-1), reduction="none").sum(-1)
