"""The loop of differentiable search: alphas learn from validation batches, weights from training batches.

Source: Liu et al. 2019 (DARTS), algorithm 1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nascore.engines.meter import Meter
from nascore.engines.oneshot import learned, watched
from nascore.errors import Diverged
from nascore.events import Event, Note
from nascore.problem import Problem, epochs
from nascore.task import Batch

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from nascore.gates import Gating
    from nascore.recipe import Losses, Trainer

Penalty = Callable[[dict[str, Tensor]], Tensor]


def bilevel(
    problem: Problem,
    trainer: Trainer,
    gating: Gating,
    alphas: Optimizer,
    n: int,
    name: str = "search",
    *,
    order: int = 1,
    penalty: Penalty | None = None,
    begin: Callable[[int], None] | None = None,
    losses: Losses | None = None,
    watch: Callable[[int], dict[str, float]] | None = None,
    kept: Sequence[Any] = (),
    every: int = 1,
    step: Callable[[Batch, Batch], None] | None = None,
) -> Generator[Event, None, None]:
    """Alternates n epochs: in each step first the alphas, then the weights; a `Step` an epoch.

    It tells `train_loss` of the weights, `alpha_loss` of the alphas (each the mean over steps), the gates,
    what `watched` says, and what `Meter` says of a step: one of the alphas, if any, and one of the weights.

    Where alphas are no longer finite, the phase ends with a warning, at its last good epoch.

    Args:
        problem: gives the data.
        trainer: around the supernet.
        gating: draws gates; its parameters are the alphas.
        alphas: their optimizer.
        n: epochs.
        name: of the phase and its random streams; kept and resumed under it.
        order: 1 takes the weights as they are; 2 looks through one step of theirs (equation 7).
        penalty: probabilities -> a term of the alphas' loss, such as an expected cost.
        begin: called with the epoch's number before it.
        losses: of the weights, of a view and a batch, in place of the task's.
        watch: called with the epoch's number after it; what it returns is told with the epoch.
        kept: what else must survive a restart.
        every: steps of the weights for one of the alphas.
        step: of the alphas, on a training and a validation batch, in place of `step_alphas`.

    Raises:
        Diverged: alphas or the loss are not finite in the first epoch, or the loss is later.
        NoMemory: memory is used up; says which batch would fit.
    """
    everything = (trainer.net, trainer, gating, alphas, *kept)

    def attempt(batch: Batch) -> None:
        if step is not None:
            step(batch, batch)
        else:
            step_alphas(trainer, gating, alphas, batch, batch, order, penalty)
        learned(trainer, gating, batch, losses)

    for epoch in epochs(problem, name, n, *everything):
        if begin is not None:
            begin(epoch)
        trainer.net.train()
        held, losing = cycle(problem.batches("validation", name, "held", epoch)), []
        meter = Meter(problem.device, [*trainer.net.parameters(), *gating.parameters()], attempt)
        with unless_broken(gating):
            for i, batch in enumerate(trainer.batches(name, epoch)):
                with meter.step(batch):
                    if i % every == 0 and step is not None:
                        step(batch, next(held))
                    elif i % every == 0:
                        losing.append(step_alphas(trainer, gating, alphas, batch, next(held), order, penalty))
                    trainer.round([trainer.net.at(gating())], batch, losses)  # type: ignore[operator] -- a supernet
        if not finite(gating):
            yield back(problem, name, epoch, everything)
            return
        told = {"alpha_loss": float(torch.stack(losing).mean())} if losing else {}
        told |= meter.told() | watched(problem, trainer.net, gating) | ({} if watch is None else watch(epoch))
        yield trainer.epoch_done(name, gating, **told)


def finite(gating: Gating) -> bool:
    """Whether all alphas are numbers."""
    return all(bool(a.isfinite().all()) for a in gating.parameters())


@contextlib.contextmanager
def unless_broken(gating: Gating) -> Iterator[None]:
    """Around the steps of an epoch: lets errors out, but for draws by alphas that are no longer numbers."""
    try:
        yield
    except (RuntimeError, ValueError):
        if finite(gating):
            raise


def back(problem: Problem, name: str, epoch: int, kept: Sequence[Any]) -> Note:
    """Takes everything back to the end of the epoch before; the warning to tell.

    Raises:
        Diverged: there is none.
    """
    state = problem.memo.load(name)
    if not state:
        raise Diverged("alphas are no longer numbers in the first epoch; lower their learning rate")
    for thing, saved in zip(kept, state["kept"], strict=True):
        thing.load_state_dict(saved)
    problem.reseed(name, "after")
    return Note(
        f"alphas are no longer numbers in epoch {epoch + 1}; "
        f"going on with those of epoch {epoch}, and a lower learning rate may help",
        "warning",
    )


def step_alphas(
    trainer: Trainer,
    gating: Gating,
    alphas: Optimizer,
    batch: Batch,
    held: Batch,
    order: int = 1,
    penalty: Penalty | None = None,
) -> Tensor:
    """One step of the alphas on a validation batch; the weights stay.

    Args:
        trainer: gives network, task and the weights' rate.
        gating: whose parameters move.
        alphas: their optimizer.
        batch: of training examples, for second order.
        held: of validation examples.
        order: 1 or 2.
        penalty: as `bilevel`.

    Returns:
        The loss of the alphas before it, penalty included.
    """
    params = [a for a in gating.parameters() if a.requires_grad]
    view = trainer.net.at(gating.probe())  # type: ignore[operator] -- a supernet
    out = view(held.x) if order == 1 else unrolled(trainer, view, batch, held)
    loss = _mean(trainer.task.losses(out, held))
    if penalty is not None:
        loss = loss + penalty(gating.probabilities())
    for a, g in zip(params, torch.autograd.grad(loss, params, allow_unused=True), strict=True):
        a.grad = g
    alphas.step()
    alphas.zero_grad(set_to_none=True)
    gating.settle()
    return loss.detach()


def unrolled(trainer: Trainer, view: nn.Module, batch: Batch, held: Batch) -> Tensor:
    """The output on `held` after one virtual gradient step of the weights on `batch`.

    Exact: DARTS approximates the same second-order term by finite differences (its equation 8), and its
    virtual step has momentum and weight decay, ours has neither.
    """
    weights = {n: p for n, p in view.named_parameters() if n.startswith("net.")}
    loss = _mean(trainer.task.losses(view(batch.x), batch))
    grads = torch.autograd.grad(loss, list(weights.values()), create_graph=True, allow_unused=True)
    rate = trainer.recipe.rate(trainer.moved, trainer.epochs * trainer.steps)
    ahead = {n: p if g is None else p - rate * g for (n, p), g in zip(weights.items(), grads, strict=True)}
    return torch.func.functional_call(view, ahead, (held.x,))


def _mean(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack([t.mean() for t in terms.values()]).sum()
