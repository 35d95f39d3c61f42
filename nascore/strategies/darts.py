"""DARTS: Differentiable Architecture Search (Liu et al., 2019), the baseline of the differentiable family.

Every option of every choice takes part, weighed by a softmax of alphas. Alphas descend the validation loss,
weights the training loss, in turns; in the end each choice takes its largest alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nascore.engines.draw import choose
from nascore.events import Event
from nascore.kinds import Strategy, knob
from nascore.problem import Problem

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from nascore.gates import Gating


@dataclass(frozen=True)
class Darts(Strategy):
    """Weighs all options by learned shares, trained with the weights; takes the largest in the end.

    Source: Liu et al. 2019, algorithm 1; alphas by Adam with betas (.5, .999) and decay 1e-3, weights by the
    problem's recipe from `lr`. The paper's weights end at a rate of .001, with gradients clipped at 5; ours
    follow the recipe. Weights learn from the training images, alphas from the validation images. Where a
    space offers `none` it can be taken, as in NAS-Bench-201's experiments; where it offers the inputs of a
    node they are choices with alphas of their own, while the paper keeps the two edges of the strongest
    operations.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    lr: float = knob(0.025, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas; 3e-4 suits long searches", log=True)
    order: Literal["first", "second"] = knob(
        "first", help="second looks through one step of the weights, at three times the cost",
        options=("first", "second"),
    )  # fmt: skip

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights.

        Raises:
            BadInput: they cannot.
        """
        from nascore.engines.oneshot import check_sharing

        check_sharing(problem)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel epochs, then the largest alphas, judged."""
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import weights_recipe
        from nascore.gates import Softmax, discretize
        from nascore.recipe import Trainer

        net, gating = problem.supernet("separate"), Softmax(problem.space).to(problem.device)
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr))
        order = 1 if self.order == "first" else 2
        yield from bilevel(problem, trainer, gating, adam(gating, self.alpha_lr), self.epochs, order=order)
        tried = yield from problem.evaluate([discretize(problem.space, gating.probabilities())])
        yield from choose(problem, tried, "largest alphas")


def adam(gating: Gating, lr: float) -> Optimizer:
    """The optimizer of alphas in the whole family: Adam, betas (.5, .999), weight decay 1e-3."""
    import torch

    return torch.optim.Adam(gating.parameters(), lr, betas=(0.5, 0.999), weight_decay=1e-3)
