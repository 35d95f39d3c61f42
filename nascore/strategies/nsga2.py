"""A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II (Deb et al., 2002).

Parents and children compete together; whole fronts survive, and of the last one those with the most room
around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nascore import pareto
from nascore.engines.draw import choose, fresh, progress
from nascore.engines.evolve import evolve
from nascore.errors import OutOfBudget
from nascore.events import Chosen, Event, Note, Tried
from nascore.kinds import Strategy, knob
from nascore.problem import Problem


@dataclass(frozen=True)
class Nsga2(Strategy):
    """Evolves a whole front of several objectives under constraints; one objective works too.

    Two results: the front's knee, labeled so, where there are several objectives, and last the front's best
    in the first objective.

    Source: Deb et al. 2002, section III; constraints by domination, section VI-A. Uniform crossover and one
    change a child stand for the paper's operators on real numbers, and half of the children have one parent
    (our choice: on NAS-Bench-201's records crossover of 0.9 finds slightly worse extremes). Architectures are
    not judged twice.
    """

    population: int = knob(
        20, 4, 10_000, "architectures kept; as many children are judged together in a generation"
    )
    crossover: float = knob(0.5, 0, 1, "share of children that have two parents")

    def search(self, problem: Problem) -> Iterator[Event]:
        """Generations until the budget ends or the space is exhausted."""
        try:
            yield from self._generations(problem)
        except OutOfBudget:
            yield Note("budget spent")
        tried, (first, *others) = problem.tried(), problem.objectives
        if others and (at := pareto.knee(_feasible(problem, tried))) is not None:
            yield Chosen(tried[at].arch, "knee of the front", "knee")
        yield from choose(problem, tried, f"best {first.metric} on the front")

    def _generations(self, problem: Problem) -> Iterator[Event]:
        first = yield from problem.evaluate(fresh(problem, self.population, (), "nsga2", "first"))
        ref = pareto.reference(_feasible(problem, first))
        if ref is None:
            ref = pareto.reference([problem.cost(t) for t in first])
        if ref is not None:
            yield Note(f"hypervolume of the population is measured up to {_words(problem, ref)}")

        def rank(members: list[Tried]) -> Sequence[int]:
            found = pareto.order([problem.cost(t) for t in members], [problem.violation(t) for t in members])
            return found.tolist()

        def report(members: list[Tried]) -> dict[str, float]:
            points = _feasible(problem, members)
            area = {} if ref is None else {"hypervolume": pareto.hypervolume(points, ref)}
            return {**progress(problem, members), "front": float(len(pareto.front(points))), **area}

        yield from evolve(
            problem,
            [t.arch for t in first],
            name="nsga2",
            select=rank,
            tournament=2,
            children=self.population,
            cross=self.crossover,
            report=report,
        )


def _feasible(problem: Problem, tried: Sequence[Tried]) -> NDArray[np.float64]:
    """(n, objectives) costs, infinite where a constraint is missed or the arch failed."""
    rows = [
        problem.cost(t) if problem.violation(t) == 0 else (np.inf,) * len(problem.objectives) for t in tried
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(problem.objectives))


def _words(problem: Problem, ref: NDArray[np.float64]) -> str:
    """The reference point in the objectives' own directions."""
    signs = [1 if o.direction == "min" else -1 for o in problem.objectives]
    pairs = zip(problem.objectives, ref, signs, strict=True)
    return ", ".join(f"{o.metric} {s * r:.4g}" for o, r, s in pairs)
