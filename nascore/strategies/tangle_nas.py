"""TangleNAS: Weight-Entanglement Meets Gradient-Based Neural Architecture Search (Sukthanker et al., 2024).

Small kernels, narrow layers and shallow stages live inside the weights of large ones. The slices of all
options are weighed by the architecture's own parameters and added to one weight, so that one operation does
the work of all: gradient-based search at the memory of the largest network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.engines.draw import choose
from nascore.events import Event, Note, Tried
from nascore.kinds import Strategy, knob
from nascore.problem import Problem
from nascore.strategies.darts import adam

if TYPE_CHECKING:
    from nascore.gates import Softmax
    from nascore.space import Arch
    from nascore.supernet import Supernet


@dataclass(frozen=True)
class TangleNas(Strategy):
    """Searches by gradients in one weight that holds all sizes of a layer; takes the largest shares.

    Source: Sukthanker et al. 2024, section 3, and the authors' code: alphas by Adam with betas (.5, .999) and
    decay 1e-3, which pulls concentrations to 1; a temperature that falls in a line; the sampler of DARTS is
    sparsemax where weights are entangled. Kernels are cut from the center. A width is covered where it is
    made, so the layer that reads it takes it as it comes: the exact mixture of a chain, where the authors'
    code multiplies the weights of both. Weights learn from the training images, alphas from the validation
    images. With separate sharing this is DrNAS, GDAS or DARTS with a weight for each size.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(0.025, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas; 3e-4 suits long searches", log=True)
    sampler: Literal["drnas", "gdas", "darts"] = knob(
        "drnas", help="shares from a Dirichlet distribution, one drawn by Gumbel noise, or all by sparsemax",
        options=("drnas", "gdas", "darts"),
    )  # fmt: skip
    sharing: Literal["entangled", "separate"] = knob(
        "entangled", help="slices of one weight, or, to compare with, a weight for each option",
        options=("entangled", "separate"),
    )  # fmt: skip
    hot: float = knob(10.0, 0.01, 100.0, "temperature of the first epoch; of gdas alone", log=True)
    cold: float = knob(0.1, 0.01, 100.0, "temperature of the last epoch; of gdas alone", log=True)
    calibrate: int = knob(4, 0, 100, "training batches that set the norms of the chosen network before it is "
                          "told how it does with inherited weights; 0 for each batch's own")  # fmt: skip

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights in the way that is asked.

        Raises:
            BadInput: they cannot; says which sharing works.
        """
        from nascore.engines.oneshot import check_sharing

        check_sharing(problem, self.sharing)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel epochs, then the largest shares: with inherited weights, and judged."""
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import weights_recipe
        from nascore.gates import discretize
        from nascore.recipe import Trainer

        net, gating = problem.supernet(self.sharing), self.gating(problem).to(problem.device)
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr))
        yield from bilevel(
            problem, trainer, gating, adam(gating, self.alpha_lr), self.epochs, begin=self.cooling(gating)
        )
        arch = discretize(problem.space, gating.probabilities())
        yield inherited(problem, net, arch, self.calibrate)
        tried = yield from problem.evaluate([arch])
        yield from choose(problem, tried, "largest shares")

    def gating(self, problem: Problem) -> Softmax:
        """Draws shares as the sampler does."""
        from nascore import gates

        match self.sampler:
            case "drnas":
                return gates.Dirichlet(problem.space)
            case "gdas":
                return gates.Gumbel(problem.space, tau=self.hot)
            case _:
                kind = gates.Sparsemax if self.sharing == "entangled" else gates.Softmax
                return kind(problem.space)

    def cooling(self, gating: Any) -> Callable[[int], None]:
        """What sets the temperature before an epoch, where there is one."""

        def cool(epoch: int) -> None:
            if self.sampler == "gdas":
                gating.tau.fill_(self.hot + (self.cold - self.hot) * epoch / max(self.epochs - 1, 1))

        return cool


def inherited(problem: Problem, net: Supernet, arch: Arch, calibrate: int) -> Note:
    """How an architecture does with the supernet's own weights, in words; nothing is changed."""
    import torch

    from nascore.evaluators.inherited import Inherited

    with torch.random.fork_rng(devices=[]):  # a fresh network draws weights before it inherits them
        found = next(e for e in Inherited(net, calibrate).evaluate([arch], problem) if isinstance(e, Tried))
    if found.failed:
        return Note(f"with inherited weights: {found.failed}", "warning")
    told = ", ".join(f"{m} {v:.4g}" for m, v in found.metrics.items() if m not in ("params", "flops"))
    return Note(f"with inherited weights, norms set by {calibrate} batches: {told}")
