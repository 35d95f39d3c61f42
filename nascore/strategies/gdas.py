"""GDAS: Searching for a Robust Neural Architecture in Four GPU Hours (Dong and Yang, 2019), a baseline.

One option a choice takes part in each step, drawn by the Gumbel-max trick, with the gradient of the Gumbel
softmax; its temperature falls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nascore.engines.draw import choose
from nascore.events import Event
from nascore.kinds import Strategy, knob
from nascore.problem import Problem
from nascore.strategies.darts import adam


@dataclass(frozen=True)
class Gdas(Strategy):
    """Trains one drawn path a step, alphas by the Gumbel softmax; takes the largest in the end.

    Source: Dong and Yang 2019, equations 4 to 6; the temperature falls linearly from `hot` to `cold`, as in
    the authors' experiments on NAS-Bench-201.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(
        0.1, 1e-5, 1.0, "learning rate of the weights at the start, high for drawn paths", log=True
    )
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas; 3e-4 suits long searches", log=True)
    hot: float = knob(10.0, 0.01, 100.0, "temperature of the first epoch", log=True)
    cold: float = knob(0.1, 0.01, 100.0, "temperature of the last epoch", log=True)

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights.

        Raises:
            BadInput: they cannot.
        """
        from nascore.engines.oneshot import check_sharing

        check_sharing(problem)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel epochs at a falling temperature, then the largest alphas, judged."""
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import weights_recipe
        from nascore.gates import Gumbel, discretize
        from nascore.recipe import Trainer

        net, gating = problem.supernet("separate"), Gumbel(problem.space).to(problem.device)
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr))

        def cool(epoch: int) -> None:
            gating.tau.fill_(self.hot + (self.cold - self.hot) * epoch / max(self.epochs - 1, 1))

        yield from bilevel(problem, trainer, gating, adam(gating, self.alpha_lr), self.epochs, begin=cool)
        tried = yield from problem.evaluate([discretize(problem.space, gating.probabilities())])
        yield from choose(problem, tried, "largest alphas")
