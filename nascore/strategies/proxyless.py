"""ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware (Cai et al., 2019).

Gates are binary: weights train on one drawn path, as little in memory as a single network, so that no smaller
stand-in for the task is needed. Alphas learn from two drawn paths a step, or by REINFORCE. The mean latency
is a differentiable term of their loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.engines.draw import choose
from nascore.errors import BadInput, NotSupported
from nascore.events import Event, Note
from nascore.kinds import Strategy, knob
from nascore.problem import Problem, State

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from nascore.binary import Binary
    from nascore.expected import Expected
    from nascore.recipe import Trainer
    from nascore.task import Batch

BASELINE = 0.99  # share of the newest mean reward in what REINFORCE compares with


@dataclass(frozen=True)
class Proxyless(Strategy):
    """Trains one drawn path a step; alphas learn from two paths, and from the mean cost on a device.

    Source: Cai et al. 2019, sections 3.2 and 3.3, and the authors' code: a warm-up of the weights alone, then
    one step of the alphas every `every` steps, by Adam with betas (0, .999) and no decay; a pair's total
    probability stays as it is, and so do all others; the mean cost is taken over the pair. REINFORCE rewards
    accuracy * (reference / cost)^.1 above a mean that follows the newest rewards, as in the code.
    Differences: where a zero operation is drawn its alternative still gets the gradient of the loss, which
    the code drops; both paths of a pair, or all of `full`, keep what the backward pass needs, where the code
    can recompute one at a time; alphas see the validation images, weights the training images; one cosine
    spans warm-up and search, where the code has one for each; the cost of cells is exact multiply-adds by
    default, not milliseconds. The paper's alphas take some hundred thousand steps at 1e-3; a search on digits
    has a hundred.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    warmup: int = knob(10, 0, 1000, "epochs before it, in which only weights learn")
    lr: float = knob(
        0.1, 1e-5, 1.0, "learning rate of the weights at the start, high for drawn paths", log=True
    )
    alpha_lr: float = knob(0.05, 1e-6, 1.0, "learning rate of the alphas; 1e-3 suits long searches", log=True)
    every: int = knob(5, 1, 100, "steps of the weights for one of the alphas")
    mode: Literal["two", "full", "reinforce"] = knob(
        "two", help="alphas by two drawn paths, by all paths (more memory), or by rewards of drawn networks",
        options=("two", "full", "reinforce"),
    )  # fmt: skip
    cost: Literal["flops", "params", "latency_ms"] = knob(
        "flops", help="multiply-adds or parameters, exact; or latency as timed on this machine at the start",
        options=("flops", "params", "latency_ms"),
    )  # fmt: skip
    form: Literal["linear", "log", "hinge"] = knob(
        "linear", help="loss + weight * (cost / reference - 1); loss * (log cost / log reference)^weight; "
        "or, ours, as linear but only above the reference, which is then a target",
        options=("linear", "log", "hinge"),
    )  # fmt: skip
    weight: float = knob(0.1, 0.0, 1000.0, "of the cost in the loss of the alphas; for log the power, .3")
    reference: float = knob(
        0.0, 0.0, 1e12, "cost in its unit that counts as 1; 0 for a random network's mean"
    )
    draws: int = knob(10, 1, 100, "networks that are rewarded in a step of reinforce")
    nets: int = knob(48, 8, 1000, "networks that are timed for the latency model")

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights, and their cost has a mean.

        Raises:
            BadInput: they cannot, or it has none.
        """
        from nascore.engines.oneshot import check_sharing
        from nascore.expected import expected

        check_sharing(problem)
        if self.mode == "reinforce" and "class" not in dict(problem.task.shape.outputs):
            raise BadInput("strategy.mode: reinforce rewards accuracy, and this task has none; choose two")
        if self.cost != "latency_ms":
            try:
                expected(problem, self.cost)
            except NotSupported as error:
                raise BadInput(f"strategy.cost: {error}; choose latency_ms") from error

    def shared_epochs(self, choices: int) -> int:
        """Those of the warm-up too."""
        return self.warmup + self.epochs

    def search(self, problem: Problem) -> Iterator[Event]:
        """Weights alone, then both in turns, then the largest alphas, judged."""
        from nascore.binary import Binary
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import oneshot, weights_recipe
        from nascore.gates import discretize
        from nascore.recipe import Trainer

        net = problem.supernet("separate")
        gating = Binary(problem.space, pairs=self.mode == "two").to(problem.device)
        cost = self.model(problem)
        if self.cost == "latency_ms":
            yield Note(f"the latency model is off by {100 * cost.error:.1f} % of the mean latency")
        trainer = Trainer(problem, net, self.warmup + self.epochs, weights_recipe(problem, self.lr))
        yield from oneshot(problem, trainer, gating, self.warmup, "warm")
        alphas, told = adam(gating, self.alpha_lr), State({"baseline": None})
        goal = self.goal(problem, cost)
        step = (
            rewarded(trainer, gating, alphas, cost, goal, self.draws, told)
            if self.mode == "reinforce"
            else gated(trainer, gating, alphas, cost, self.term(goal))
        )
        yield from bilevel(
            problem, trainer, gating, alphas, self.epochs, step=step, every=self.every, kept=(told,),
            watch=lambda _: {"cost": float(cost({n: p.detach() for n, p in gating.probabilities().items()}))},
        )  # fmt: skip
        tried = yield from problem.evaluate([discretize(problem.space, gating.probabilities())])
        yield from choose(problem, tried, "largest alphas")

    def model(self, problem: Problem) -> Expected:
        """The mean cost; latency in microseconds, so that its logarithm is positive."""
        from nascore.expected import expected
        from nascore.measures.latency_model import measured

        if self.cost == "latency_ms":
            return measured(problem, self.nets).scaled(1e-3)
        return expected(problem, self.cost)

    def goal(self, problem: Problem, cost: Expected) -> float:
        """The reference in the model's unit."""
        from nascore.gates import Gating

        if self.reference:
            return self.reference * (1e3 if self.cost == "latency_ms" else 1.0)
        return float(cost(Gating(problem.space).probabilities()))

    def term(self, goal: float) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss of the alphas, of the task's loss and the mean cost (equation 3 and the code's forms)."""
        import math

        def joined(loss: Tensor, mean: Tensor) -> Tensor:
            match self.form:
                case "linear":
                    return loss + self.weight * (mean / goal - 1)
                case "hinge":
                    return loss + self.weight * (mean / goal - 1).clamp(min=0)
                case _:
                    return loss * (mean.clamp(min=1 + 1e-6).log() / max(math.log(goal), 1e-6)) ** self.weight

        return joined


def adam(gating: Binary, lr: float) -> Optimizer:
    """Adam without momentum and decay: an alpha that was not drawn does not move."""
    import torch

    return torch.optim.Adam(gating.parameters(), lr, betas=(0.0, 0.999))


def gated(
    trainer: Trainer,
    gating: Binary,
    alphas: Optimizer,
    cost: Expected,
    joined: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Batch, Batch], None]:
    """The step of the alphas by gradients through binary gates (equation 4)."""
    import torch

    from nascore.expected import whole

    def step(_: Batch, held: Batch) -> None:
        net: Any = trainer.net
        net.requires_grad_(requires_grad=False)
        params = list(gating.parameters())
        out = net.at(gating.probe())(held.x)
        loss = torch.stack([t.mean() for t in trainer.task.losses(out, held).values()]).sum()
        loss = joined(loss, cost(whole(gating.drawn, gating.choices)))
        for a, g in zip(params, torch.autograd.grad(loss, params, allow_unused=True), strict=True):
            a.grad = g
        net.requires_grad_(requires_grad=True)
        alphas.step()
        alphas.zero_grad(set_to_none=True)
        gating.settle()

    return step


def rewarded(
    trainer: Trainer,
    gating: Binary,
    alphas: Optimizer,
    cost: Expected,
    goal: float,
    draws: int,
    told: State,
) -> Callable[[Batch, Batch], None]:
    """The step of the alphas by REINFORCE on drawn networks (section 3.3.2; appendix D)."""
    import torch

    from nascore.expected import whole

    def step(_: Batch, held: Batch) -> None:
        net: Any = trainer.net
        rewards, logs = [], []
        for _draw in range(draws):
            gates = gating()
            with torch.no_grad():
                out = net.at(gates)(held.x)
                mean = float(cost(whole(gates, gating.choices)))
                right = float(out.argmax(-1).eq(held.y).float().mean())  # type: ignore[arg-type] -- labels
            rewards.append(right * (goal / max(mean, 1e-9)) ** 0.1)
            logs.append(log_probability(gating, gates))
        now = sum(rewards) / len(rewards)
        before = told["baseline"]
        told["baseline"] = now if before is None else (1 - BASELINE) * before + BASELINE * now
        above = logs[0].new_tensor(rewards) - told["baseline"]
        params = list(gating.parameters())
        grads = torch.autograd.grad(-(above * torch.stack(logs)).mean(), params)
        for a, g in zip(params, grads, strict=True):
            a.grad = g
        alphas.step()
        alphas.zero_grad(set_to_none=True)

    return step


def log_probability(gating: Binary, gates: Any) -> Tensor:
    """The logarithm of how likely these options are drawn, a scalar with gradients."""
    import torch

    own = [gating.logits(c).log_softmax(0)[gates[c.name].options[0]] for c in gating.choices]
    return torch.stack(own).sum()
