"""sharpDARTS: Faster and More Accurate Differentiable Architecture Search (Hundt et al., 2019).

In DARTS the option that leads takes most of the gradient and leads the more. So: the leader's weight in the
mixture is 1 whatever its alpha, the others' are 1 minus how far they are behind (Max-W), and the learning
rate falls by a power of a cosine. The paper's blocks are operations: `ops` of the space darts has its set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nascore.engines.draw import choose
from nascore.errors import BadInput, NotSupported
from nascore.events import Event
from nascore.kinds import Strategy, knob
from nascore.problem import Problem
from nascore.strategies.darts import adam

if TYPE_CHECKING:
    from nascore.gates import Gating
    from nascore.recipe import Recipe
    from nascore.space import Arch


@dataclass(frozen=True)
class SharpDarts(Strategy):
    """DARTS with mixtures in which no option starves and a learning rate that falls sooner.

    Source: Hundt et al. 2019, section 3; numbers are those of the released search. Where a space says which
    choices belong together, as hypercuboid does, one softmax weighs all their combinations and the answer is
    the path with the largest sum of shares. Learning rates fall with every step, the paper's with every
    epoch. Its data augmentation is not here.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(0.025, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    lr_end: float = knob(1e-4, 0.0, 1.0, "learning rate of the weights at the end")
    power: float = knob(2.0, 1.0, 1000.0, "1 lets the rate fall along a cosine; more lets it fall sooner")
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas; 3e-4 suits long searches", log=True)
    weighting: Literal["max_w", "scalar"] = knob(
        "max_w", help="scalar weighs options by their shares, as DARTS does", options=("max_w", "scalar")
    )

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights, and the recipe has a learning rate to shape.

        Raises:
            BadInput: they cannot, or it has none.
        """
        from nascore.engines.oneshot import check_sharing

        check_sharing(problem)
        if self.lr_end > self.lr:
            raise BadInput(f"strategy.lr_end: {self.lr_end:g} is above lr, {self.lr:g}")
        try:
            self.recipe(problem)
        except NotSupported as error:
            raise BadInput(f"strategy: it sets how the learning rate falls, but {error}") from error

    def recipe(self, problem: Problem) -> Recipe:
        """The problem's recipe with this strategy's schedule."""
        falls = {"schedule": "cosine_power", "power": self.power, "lr_end": self.lr_end}
        return problem.recipe.changed(lr=self.lr, **falls)

    def gating(self, problem: Problem) -> Gating:
        """What weighs the options."""
        from nascore.gates import MaxW, Softmax
        from nascore.together import Together

        if problem.space.together():
            return Together(problem.space, max_w=self.weighting == "max_w").to(problem.device)
        return (MaxW if self.weighting == "max_w" else Softmax)(problem.space).to(problem.device)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel epochs, then the largest shares, judged."""
        from nascore.engines.bilevel import bilevel
        from nascore.recipe import Trainer

        net, gating = problem.supernet("separate"), self.gating(problem)
        trainer = Trainer(problem, net, self.epochs, self.recipe(problem))
        yield from bilevel(problem, trainer, gating, adam(gating, self.alpha_lr), self.epochs)
        tried = yield from problem.evaluate([read_off(problem, gating)])
        yield from choose(problem, tried, "largest shares")


def read_off(problem: Problem, gating: Gating) -> Arch:
    """The arch of the largest share of each choice, or the path with the largest sum of shares."""
    from nascore.gates import discretize
    from nascore.together import Together

    if isinstance(gating, Together):
        return gating.longest()
    return discretize(problem.space, gating.probabilities())
