"""SD-DARTS: Improving Differentiable Architecture Search via Self-Distillation (Zhu et al., 2023).

The supernet of DARTS drifts to sharp minima, and a sharp one loses much when its mixture is cut down to one
architecture. Directions along which outputs change quickly from step to step are the sharp ones. So: earlier
states of the supernet, several of them by vote, teach the current one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.engines.draw import choose
from nascore.errors import BadInput
from nascore.events import Event
from nascore.kinds import Strategy, knob
from nascore.problem import Problem
from nascore.strategies.darts import adam

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.gates import Gates, Gating
    from nascore.hessian import Product
    from nascore.recipe import Trainer
    from nascore.supernet import Supernet
    from nascore.task import Batch

RHO, PRODUCTS = 0.05, 20  # step up the slope; Hessian products of the alphas


@dataclass(frozen=True)
class SdDarts(Strategy):
    """DARTS whose weights also learn from votes of the supernet's own earlier states.

    Source: Zhu et al. 2023, abstract; its constants could not be read and no code was published, so every
    number here is our choice. The loss of the weights is cross entropy + weight * T^2 * KL(votes || own
    outputs at temperature T), the weight rising in a line from 0 over the search; alphas see cross entropy
    alone. A teacher uses its own weights, its own alphas and each batch's own statistics; it is a copy, and
    gets no gradient. With weight 0 this is DARTS, watched.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(0.025, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas; 3e-4 suits long searches", log=True)
    teachers: int = knob(3, 1, 20, "earlier states that vote; each costs one more forward pass a step")
    every: int = knob(1, 1, 100, "epochs between two states that are kept as teachers")
    temperature: float = knob(3.0, 0.1, 20.0, "softens outputs of teachers and student before comparing them")
    weight: float = knob(1.0, 0.0, 100.0, "of the teachers' loss at the end; it rises from 0 in a line")
    vote: Literal["soft", "hard"] = knob(
        "soft", help="the mean of the teachers' probabilities, or the class that most of them name",
        options=("soft", "hard"),
    )  # fmt: skip
    target: Literal["votes", "first", "smooth"] = knob(
        "votes", help="votes of past states; or, to compare with, of the first state forever, or labels "
        "smoothed to the same entropy",
        options=("votes", "first", "smooth"),
    )  # fmt: skip
    watch: int = knob(64, 0, 10_000, "validation images on which sharpness is watched; 0 for none")

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights, and they tell classes.

        Raises:
            BadInput: they do not.
        """
        from nascore.engines.oneshot import check_sharing

        if "class" not in dict(problem.task.shape.outputs):
            raise BadInput("strategy: teachers vote on classes, and this task has none; choose darts")
        check_sharing(problem)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel epochs with teachers, then the largest alphas, judged."""
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import weights_recipe
        from nascore.gates import Softmax, discretize
        from nascore.recipe import Trainer

        net, gating = problem.supernet("separate"), Softmax(problem.space).to(problem.device)
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr))
        lesson = Lesson(self, trainer, net)
        yield from bilevel(
            problem, trainer, gating, adam(gating, self.alpha_lr), self.epochs,
            begin=lambda epoch: lesson.begin(epoch, gating()),
            losses=lesson.losses,
            watch=lambda _: watched(problem, net, gating, self.watch) if self.watch else {},
            kept=(lesson,),
        )  # fmt: skip
        tried = yield from problem.evaluate([discretize(problem.space, gating.probabilities())])
        yield from choose(problem, tried, "largest alphas")


class Lesson:
    """The teachers, oldest first, and what the weights learn from them.

    Args:
        how: the knobs.
        trainer: whose task and recipe say what a label is.
        net: the supernet.
    """

    def __init__(self, how: SdDarts, trainer: Trainer, net: Supernet) -> None:
        self.how, self.trainer, self.net = how, trainer, net
        self.teachers: list[dict[str, Any]] = []
        self.weight = 0.0

    def begin(self, epoch: int, gates: Gates) -> None:
        """Before an epoch: takes the state as it is for a teacher where it is time, and sets the weight."""
        self.weight = self.how.weight * epoch / max(self.how.epochs - 1, 1)
        frozen = self.how.target == "first" and self.teachers
        if epoch and epoch % self.how.every == 0 and not frozen:
            weights = {n: p.detach().clone() for n, p in self.net.named_parameters()}
            own = {n: {"options": list(g.options), "weights": g.weights.detach()} for n, g in gates.items()}
            most = 1 if self.how.target == "first" else self.how.teachers
            self.teachers = [*self.teachers, {"net": weights, "gates": own}][-most:]

    def losses(self, view: nn.Module, batch: Batch) -> tuple[Any, dict[str, Tensor]]:
        """The task's terms, and the teachers' where there are any."""
        task = self.trainer.task
        out = view(batch.x)
        terms = task.losses(out, self.trainer.recipe.teach(batch, task.shape))
        if self.teachers and self.weight:
            t, target = self.how.temperature, self.target(batch)
            terms = {**terms, "teachers": self.weight * t**2 * divergence(target, out / t)}
        return out, terms

    def target(self, batch: Batch) -> Tensor:
        """(n, classes) what the student is compared with."""
        import torch

        found = torch.stack([self.ask(teacher, batch) for teacher in self.teachers])
        votes = voted((found / self.how.temperature).softmax(-1), self.how.vote)
        return smoothed(batch, votes) if self.how.target == "smooth" else votes

    def ask(self, teacher: dict[str, Any], batch: Batch) -> Tensor:
        """(n, classes) logits of a teacher, whose statistics are thrown away as are the student's."""
        import torch

        from nascore.gates import Gate

        gates = {n: Gate(tuple(g["options"]), g["weights"]) for n, g in teacher["gates"].items()}
        state = {f"net.{n}": w for n, w in teacher["net"].items()}
        state |= {f"net.{n}": b.clone() for n, b in self.net.named_buffers()}
        with torch.no_grad():
            return torch.func.functional_call(self.net.at(gates), state, (batch.x,))

    def state_dict(self) -> dict[str, Any]:
        """The teachers; the weight belongs to the epoch."""
        return {"teachers": self.teachers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to the teachers of `state_dict`."""
        self.teachers = list(state["teachers"])


def voted(p: Tensor, vote: str) -> Tensor:
    """What teachers say together.

    Args:
        p: (teachers, n, classes) probabilities.
        vote: soft for their mean; hard for the class that most name, ties by the mean.

    Returns:
        (n, classes) probabilities.
    """
    from torch.nn.functional import one_hot

    mean, classes = p.mean(0), p.shape[-1]
    if vote == "soft":
        return mean
    named = one_hot(p.argmax(-1), classes).sum(0)
    return one_hot((named + mean / 2).argmax(-1), classes).to(p)


def divergence(target: Tensor, logits: Tensor) -> Tensor:
    """(n,) KL(target || softmax(logits)) of (n, classes) each."""
    from torch.nn.functional import kl_div

    return kl_div(logits.log_softmax(-1), target, reduction="none").sum(-1)


def entropy(p: Tensor) -> Tensor:
    """Of probabilities (..., classes), in nats: (...)."""
    import torch

    return -torch.special.xlogy(p, p).sum(-1)


def smoothed(batch: Batch, votes: Tensor) -> Tensor:
    """Labels (n, classes) smoothed alike, until their entropy is the mean entropy of the votes.

    What a teacher knows of single examples and classes is gone, how sure it is stays: a control.
    """
    from torch.nn.functional import one_hot

    goal, classes = float(entropy(votes).mean()), votes.shape[-1]
    y: Any = batch.y
    hard = one_hot(y, classes).to(votes) if y.dim() == 1 else y
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        top, rest = 1 - share + share / classes, share / classes
        own = -top * math.log(top) - (classes - 1) * rest * math.log(rest) if rest else 0.0
        low, high = (share, high) if own < goal else (low, share)
    return (1 - high) * hard + high / classes


def watched(problem: Problem, net: Supernet, gating: Gating, images: int) -> dict[str, float]:
    """How sharp the supernet is after an epoch, on the first validation images; nothing is changed.

    Returns:
        `watched_loss`, on these images with their own statistics;
        `sharpness`, the rise of that loss one step of length .05 up the slope of the weights;
        `alpha_eigenvalue`, the largest of the Hessian with respect to the alphas (Zela et al., 2020);
        `gap_error`, by how much the error on all validation images grows where the largest alphas alone take
        part, batch norms calibrated anew for both.
    """
    from itertools import islice

    import torch

    from nascore.evaluators.inherited import Inherited
    from nascore.gates import Gate, discretize
    from nascore.hessian import flat, lanczos, normal
    from nascore.measures.sharpness import Sharpness
    from nascore.supernet import recalibrate

    with Sharpness(images=images, part="validation").looking(problem, net.at(gating())) as surface:
        loss, rise = surface.loss(), surface.rise(RHO)
        like = flat([a.detach() for a in gating.parameters()])
        start = normal(like, torch.Generator().manual_seed(problem.number("sharpness")))
        top = lanczos(alpha_product(problem, net, gating, surface.batch), start, PRODUCTS).largest
    judge = Inherited(net)
    with torch.random.fork_rng(devices=[]):  # a fresh network draws weights before it inherits them
        alone = judge.child(discretize(problem.space, gating.probabilities()), problem)
    gates = {n: Gate(g.options, g.weights.detach()) for n, g in gating().items()}
    batches = islice(problem.batches("train", "calibrate"), judge.calibrate)
    mixed = recalibrate(net.at(gates), batches)
    cut, whole = (problem.task.metrics(n, "validation")["error"] for n in (alone, mixed))
    told = {"watched_loss": loss, "sharpness": rise}
    return {**told, "alpha_eigenvalue": top, "gap_error": cut - whole}


def alpha_product(problem: Problem, net: Supernet, gating: Gating, batch: Batch) -> Product:
    """The Hessian of the loss on a batch with respect to the alphas, the weights as they are."""
    import torch

    from nascore.hessian import product
    from nascore.measures.sharpness import sum_of_means

    view = net.at(gating())
    buffers = {n: b.clone() for n, b in view.named_buffers()}
    out = torch.func.functional_call(view, buffers, (batch.x,))
    return product(sum_of_means(problem.task, out, batch), list(gating.parameters()))
