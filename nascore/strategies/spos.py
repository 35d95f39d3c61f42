"""Single Path One-Shot NAS with Uniform Sampling (Guo et al., 2020), a baseline of the one-shot family.

A supernet learns on one uniformly drawn path a step; then evolution searches by the weights that it hands
down, and the best of that are judged for real.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nascore.engines.draw import choose
from nascore.engines.evolve import evolve
from nascore.events import Event, Note, Tried
from nascore.kinds import Strategy, knob
from nascore.problem import Budget, Problem


@dataclass(frozen=True)
class Spos(Strategy):
    """Trains a supernet on uniform paths, evolves by its inherited accuracy, judges the best few.

    Source: Guo et al. 2020, sections 3.1 to 3.4: batch norms of each candidate are calibrated on training
    images before it is judged. The paper's evolution has 50 members over 20 generations; ours is shorter by
    default. Inherited judgments cost no evaluations of the budget.
    """

    epochs: int = knob(30, 1, 1000, "epochs of the supernet")
    lr: float = knob(
        0.2, 1e-5, 1.0, "learning rate of the weights at the start, high for drawn paths", log=True
    )
    population: int = knob(20, 2, 10_000, "members of the evolution")
    cycles: int = knob(10, 0, 10_000, "its generations")
    finalists: int = knob(3, 1, 1000, "best by inherited weights that are judged for real")

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights.

        Raises:
            BadInput: they cannot.
        """
        from nascore.engines.oneshot import check_sharing

        check_sharing(problem)

    def search(self, problem: Problem) -> Iterator[Event]:
        """One-shot epochs, evolution by inherited weights, then the finalists."""
        from nascore.engines.oneshot import oneshot, weights_recipe
        from nascore.evaluators.inherited import Inherited
        from nascore.gates import Gating
        from nascore.recipe import Trainer

        net = problem.supernet("separate")
        trainer = Trainer(problem, net, self.epochs, weights_recipe(problem, self.lr))
        yield from oneshot(problem, trainer, Gating(problem.space), self.epochs)
        by, free = Inherited(net), replace(problem, budget=Budget(0), memo=problem.memo.bare())
        first = problem.sample(self.population, "spos", "first")
        last = yield from _quiet(evolve(free, first, self.cycles, "evolve", by=by))
        known = [t for t in free.memo.answers.values() if not t.failed]
        yield Note(f"{len(known)} sub-networks judged by inherited weights")
        best = sorted(known or last, key=problem.order)[: self.finalists]
        tried = yield from problem.evaluate([t.arch for t in best])
        yield from choose(problem, tried, "best of the finalists")


def _quiet(events):  # type: ignore[no-untyped-def]
    """The steps of an inner search without its answers, which are no evaluations of the run."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value
        if not isinstance(event, Tried):
            yield event
