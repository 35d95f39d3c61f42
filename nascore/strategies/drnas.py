"""DrNAS: Dirichlet Neural Architecture Search (Chen et al., 2021), a baseline of the differentiable family.

DARTS with shares that are drawn anew in each step from a Dirichlet distribution, whose concentration is
learned: exploration comes with the draw.
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
class Drnas(Strategy):
    """DARTS with shares drawn from a learned Dirichlet distribution; takes the largest mean in the end.

    Source: Chen et al. 2021, section 3. The pull of concentrations to 1 is Adam's weight decay on alphas, as
    in the authors' experiments on NAS-Bench-201; the progressive narrowing of section 4 is left out.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(0.025, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas; 3e-4 suits long searches", log=True)

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights.

        Raises:
            BadInput: they cannot.
        """
        from nascore.engines.oneshot import check_sharing

        check_sharing(problem)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel epochs, then the largest mean shares, judged."""
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import weights_recipe
        from nascore.gates import Dirichlet, discretize
        from nascore.recipe import Trainer

        net, gating = problem.supernet("separate"), Dirichlet(problem.space).to(problem.device)
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr))
        yield from bilevel(problem, trainer, gating, adam(gating, self.alpha_lr), self.epochs)
        tried = yield from problem.evaluate([discretize(problem.space, gating.probabilities())])
        yield from choose(problem, tried, "largest mean of the Dirichlet distribution")
