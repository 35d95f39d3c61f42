"""Regularized Evolution for Image Classifier Architecture Search (Real et al., 2019).

The best of a random few has a child with one change; the oldest dies, however good it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nascore.engines.draw import choose, fresh
from nascore.engines.evolve import evolve
from nascore.events import Event
from nascore.kinds import Strategy, knob
from nascore.problem import Problem


@dataclass(frozen=True)
class RegularizedEvolution(Strategy):
    """Tournaments choose parents, one change makes a child, the oldest die.

    Source: Real et al. 2019, algorithm 1 (population 100, sample 25 for 20,000 models; our defaults are for
    some hundred). Children of one cycle are judged together, as the paper's parallel workers do: a parent may
    be chosen before its siblings are known. Unlike the paper, an architecture is not judged twice. With
    several objectives the first decides, the next break ties.
    """

    population: int = knob(20, 2, 10_000, "architectures alive")
    tournament: int = knob(5, 1, 10_000, "random members of which the best becomes a parent")
    children: int = knob(8, 1, 1024, "children judged together in a cycle")

    def search(self, problem: Problem) -> Iterator[Event]:
        """Cycles until the budget ends or the space is exhausted."""
        first = fresh(problem, self.population, (), "regularized_evolution", "first")
        yield from evolve(
            problem, first, name="regularized_evolution", tournament=self.tournament, children=self.children
        )
        yield from choose(problem, problem.tried(), "best of all generations")
