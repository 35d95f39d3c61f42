"""Single-Path NAS: Designing Hardware-Efficient ConvNets in less than 4 Hours (Stamoulis et al., 2019).

All options of a layer are parts of one superkernel. Whether an outer part is used is decided by comparing its
norm with a threshold that is learned together with the weights, on the same batches; the logarithm of the
runtime is a term of the loss. The search costs as much as one training of the largest network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.engines.draw import choose
from nascore.errors import BadInput, NotSupported
from nascore.events import Event, Note
from nascore.kinds import Strategy, knob
from nascore.problem import Problem

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.expected import Expected
    from nascore.recipe import Losses, Trainer
    from nascore.task import Batch
    from nascore.thresholds import Thresholds

MILLION = 1e6


@dataclass(frozen=True)
class SinglePath(Strategy):
    """Lets the norms of the parts of one superkernel decide, against thresholds that learn with the weights.

    Source: Stamoulis et al. 2019, sections 3 and 4: a warm-up of 5 of 8 parts, when decisions drop out and
    runtime does not count; then cross entropy + weight * log(runtime). Thresholds learn by RMSProp (decay .9,
    momentum .9, epsilon .001), which their small gradients need, without the decay that the authors' code
    gives them; weights follow the problem's recipe, which is theirs in neither optimizer nor schedule. Our
    norms are root mean squares, so the weight of the runtime is not the paper's. Channels that are out of use
    are also out of use after their norm, so the largest shares are the network that was trained.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(0.05, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    threshold_lr: float = knob(3e-4, 1e-7, 1.0, "learning rate of the thresholds", log=True)
    weight: float = knob(1.0, 0.0, 1000.0, "of the logarithm of the cost in the loss, after the warm-up")
    cost: Literal["flops", "params", "latency_ms"] = knob(
        "flops", help="multiply-adds or parameters, exact; or latency as timed on this machine at the start",
        options=("flops", "params", "latency_ms"),
    )  # fmt: skip
    nets: int = knob(48, 8, 1000, "networks that are timed for the latency model")
    warm: float = knob(0.625, 0.0, 1.0, "share of the epochs that are warm-up")
    keep: float = knob(0.6, 0.1, 1.0, "chance of a decision to count in the warm-up")

    def check(self, problem: Problem) -> None:
        """The options nest, in weights that tell them apart, and their cost has a mean.

        Raises:
            BadInput: something of this is not so.
        """
        from nascore.engines.oneshot import check_nested
        from nascore.expected import expected
        from nascore.thresholds import Thresholds

        check_nested(problem)
        Thresholds(problem.space, problem.supernet("entangled"))
        if self.cost != "latency_ms":
            try:
                expected(problem, self.cost)
            except NotSupported as error:
                raise BadInput(f"strategy.cost: {error}; choose latency_ms") from error

    def search(self, problem: Problem) -> Iterator[Event]:
        """One training of weights and thresholds, then what they have decided, judged."""
        import torch

        from nascore.engines.oneshot import weights_recipe
        from nascore.gates import discretize
        from nascore.recipe import Trainer
        from nascore.thresholds import Thresholds

        net = problem.supernet("entangled")
        gating = Thresholds(problem.space, net).to(problem.device)
        cost = self.model(problem)
        if self.cost == "latency_ms":
            yield Note(f"the latency model is off by {100 * cost.error:.1f} % of the mean latency")
        own = list(gating.parameters())
        steps = torch.optim.RMSprop(own, self.threshold_lr, alpha=0.9, eps=1e-3, momentum=0.9)
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr), extra=own)
        yield from self.trained(problem, trainer, gating, steps, cost)
        arch = discretize(problem.space, gating.probabilities())
        tried = yield from problem.evaluate([arch])
        yield from choose(problem, tried, "norms above their thresholds")

    def model(self, problem: Problem) -> Expected:
        """The mean cost, in millions where it is counted, in microseconds where it is timed."""
        from nascore.expected import expected
        from nascore.measures.latency_model import measured

        if self.cost == "latency_ms":
            return measured(problem, self.nets).scaled(1e-3)
        return expected(problem, self.cost).scaled(MILLION)

    def trained(
        self, problem: Problem, trainer: Trainer, gating: Thresholds, steps: Any, cost: Expected
    ) -> Iterator[Event]:
        """The epochs; where thresholds are no longer numbers, back to the last good one, with a warning."""
        from nascore.engines.bilevel import back, finite
        from nascore.engines.oneshot import metered, watched
        from nascore.problem import epochs

        net: Any = trainer.net
        kept = (net, trainer, gating, steps)
        for epoch in epochs(problem, "search", self.epochs, *kept):
            warm = epoch < self.warm * self.epochs
            gating.keep.fill_(self.keep if warm else 1.0)
            net.train()
            meter = metered(problem, trainer, gating)
            for batch in trainer.batches("search", epoch):
                with meter.step(batch):
                    gates = gating()
                    term = None if warm else self.weight * cost(gating.probabilities()).log()
                    trainer.learn(net.at(gates), batch, losses=with_cost(trainer, term))
                    steps.step()
                    steps.zero_grad(set_to_none=True)  # the weights' optimizer must not see them
                    trainer.step()
            if not finite(gating):
                yield back(problem, "search", epoch, kept)
                return
            gating.keep.fill_(1.0)
            told = {"entropy": 0.0, **meter.told(), **watched(problem, net, gating), **told_of(gating)}
            told["cost"] = float(cost(gating.probabilities()).detach())
            yield trainer.epoch_done("search", gating, **told)


def with_cost(trainer: Trainer, term: Tensor | None) -> Losses:
    """The task's losses of a view and a batch, and the cost's (n,) where there is one."""

    def losses(view: nn.Module, batch: Batch) -> tuple[Any, dict[str, Tensor]]:
        out: Any = view(batch.x)
        terms = trainer.task.losses(out, trainer.recipe.teach(batch, trainer.task.shape))
        return out, terms if term is None else {**terms, "cost": term.expand(len(out))}

    return losses


def told_of(gating: Thresholds) -> dict[str, float]:
    """`norm/NAME/1`, `threshold/NAME/1` of each ring by its number, and `on`, the share that is used."""
    told, on = {}, []
    for name, norms in gating.norms().items():
        limits = gating.thresholds[name.replace(".", "/")]
        for k, (norm, limit) in enumerate(zip(norms.tolist(), limits.tolist(), strict=True)):
            told |= {f"norm/{name}/{k + 1}": norm, f"threshold/{name}/{k + 1}": limit}
            on.append(norm >= limit)
    return {**told, "on": sum(on) / max(len(on), 1)}
