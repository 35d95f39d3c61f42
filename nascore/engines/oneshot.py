"""The loop of one-shot search: weights alone learn, on the sub-networks that the gating draws."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from nascore.engines.meter import Meter
from nascore.errors import BadInput, NotSupported
from nascore.events import Event
from nascore.gates import Gumbel
from nascore.problem import Problem, epochs
from nascore.space import key, tuples
from nascore.supernet import recalibrate

if TYPE_CHECKING:
    from nascore.gates import Gating
    from nascore.recipe import Losses, Recipe, Trainer
    from nascore.task import Batch


def oneshot(
    problem: Problem,
    trainer: Trainer,
    gating: Gating,
    n: int,
    name: str = "oneshot",
    *,
    paths: int = 1,
    losses: Losses | None = None,
) -> Generator[Event, None, None]:
    """Trains the weights for n epochs; a `Step` an epoch, with what `watched` and `Meter` say.

    Args:
        problem: gives the data.
        trainer: around the supernet.
        gating: draws the sub-networks.
        n: epochs.
        name: of the phase and its random streams; kept and resumed under it.
        paths: sub-networks that are drawn for each step, whose gradients add.
        losses: of a view and a batch, in place of the task's.

    Raises:
        NoMemory: memory is used up; says which batch would fit.
    """
    for epoch in epochs(problem, name, n, trainer.net, trainer, gating):
        trainer.net.train()
        meter = metered(problem, trainer, gating, losses)
        for batch in trainer.batches(name, epoch):
            with meter.step(batch):
                views = [trainer.net.at(gating()) for _ in range(paths)]  # type: ignore[operator] -- a supernet
                trainer.round(views, batch, losses)
        yield trainer.epoch_done(name, gating, **meter.told(), **watched(problem, trainer.net, gating))


def metered(problem: Problem, trainer: Trainer, gating: Gating, losses: Losses | None = None) -> Meter:
    """A meter of an epoch's steps of the weights."""
    held = [*trainer.net.parameters(), *gating.parameters()]
    return Meter(problem.device, held, lambda batch: learned(trainer, gating, batch, losses))


def learned(trainer: Trainer, gating: Gating, batch: Batch, losses: Losses | None = None) -> None:
    """Forward and backward of drawn gates without a step: whether there is memory for this batch."""
    trainer.learn(trainer.net.at(gating()), batch, losses=losses)  # type: ignore[operator] -- a supernet
    trainer.net.zero_grad(set_to_none=True)


@torch.no_grad()
def watched(problem: Problem, net: Any, gating: Gating) -> dict[str, float]:
    """What is told of a supernet after an epoch.

    Returns:
        `supernet_error`, of gates as training draws them, on the validation images with running
        statistics; `entropy` of the probabilities, the mean over choices, 1 where all are alike; `tau`,
        the temperature, where the gating has one; and what `sampled` says.
    """
    net.eval()
    found = problem.task.metrics(net.at(gating()), "validation")
    told = {f"supernet_{m}": v for m, v in found.items() if m == "error"}
    shares = [p[p > 0] for p in gating.probabilities().values()]
    most = [(p, float(torch.tensor(len(p)).log())) for p in shares if len(p) > 1]
    if isinstance(gating, Gumbel):
        told["tau"] = float(gating.tau)
    if most:
        told["entropy"] = sum(float(-(p * p.log()).sum()) / top for p, top in most) / len(most)
    return told | sampled(problem, net)


def sampled(problem: Problem, net: Any) -> dict[str, float]:
    """How the shared weights judge some networks, always the same ones, for their order is to be compared.

    Returns:
        `sample/<key>`: the validation error of `problem.sampled` random archs (fewer in a small space) with
        the weights that the supernet holds for them and batch norms set anew by one training batch.
    """
    told = {}
    for arch in dict.fromkeys(tuples(problem.sample(problem.sampled, "sampled"))):
        child = recalibrate(net.extract(arch), islice(problem.batches("train", "sampled"), 1))
        found = problem.task.metrics(child, "validation")
        told |= {f"sample/{key(problem.space, arch)}": v for m, v in found.items() if m == "error"}
    return told


def weights_recipe(problem: Problem, lr: float) -> Recipe:
    """The problem's recipe with the supernet's own rate at the start."""
    return problem.recipe.changed(lr=lr)


def check_sharing(problem: Problem, sharing: Any = "separate") -> None:
    """Looks whether the space's networks can share weights.

    Raises:
        BadInput: they cannot; says why, and what works here.
    """
    space, shape = problem.space, problem.task.shape
    try:
        space.supernet(shape, sharing, space.choices())
    except NotSupported as error:
        works = "a strategy that trains each network alone, such as regularized_evolution, works here"
        with contextlib.suppress(NotSupported):
            other, known = ("separate", "darts") if sharing == "entangled" else ("entangled", "tangle_nas")
            space.supernet(shape, other, space.choices())
            works = f"sharing: {other} works here, as in {known}"
        raise BadInput(
            f"strategy: it trains a network that holds all others, and {error}; {works}"
        ) from error


def check_nested(problem: Problem) -> None:
    """Looks whether the options lie inside one another's weights.

    Raises:
        BadInput: they do not; says which spaces and strategies would do.
    """
    space, shape = problem.space, problem.task.shape
    try:
        space.supernet(shape, "entangled", space.choices())
    except NotSupported:
        try:
            check_sharing(problem)
        except BadInput as error:
            raise BadInput(
                f"{error}; choose a space of widths, kernels or depths, such as nats_size"
            ) from None
        raise BadInput(
            "strategy: it trains a network that holds all others inside its own weights, and these have none "
            "in common; choose a space of widths, kernels or depths, such as nats_size, or a strategy for "
            "separate weights, such as drnas"
        ) from None
