"""Local search is state of the art for NAS benchmarks (White et al., 2021).

Judge all neighbors of the current architecture, go to the best of them while that is better, and begin again
elsewhere where it is not.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from nascore.engines.draw import best, choose, fresh, progress
from nascore.events import Event, Note, Step, Tried
from nascore.kinds import Strategy, knob
from nascore.problem import Problem
from nascore.space import Arch, key, neighbors


@dataclass(frozen=True)
class LocalSearch(Strategy):
    """Climbs to the best neighbor until there is no better one, then starts again elsewhere.

    Source: White et al. 2021, algorithm 1, which ends at a local optimum; we start again while budget
    remains, and from the best of a few. With several objectives the first decides, the next break ties.
    """

    starts: int = knob(
        8, 1, 1024, "random architectures judged together at each start; the best one is climbed from"
    )

    def search(self, problem: Problem) -> Iterator[Event]:
        """Climb after climb until the budget ends or the space is exhausted."""
        seen: set[Arch] = set()
        tried: list[Tried] = []
        for climb in itertools.count():
            starts = fresh(problem, self.starts, seen, "local_search", climb)
            if not starts:
                yield Note("every architecture that is allowed has been tried")
                break
            tried += yield from _climb(problem, starts, seen, climb)
            yield Step("local_search", climb, progress(problem, tried))
        yield from choose(problem, tried, "best of all local optima")


def _climb(
    problem: Problem, starts: list[Arch], seen: set[Arch], climb: int
) -> Generator[Event, None, list[Tried]]:
    """From the best start to a local optimum; returns all that was judged on the way."""
    seen.update(starts)
    tried = yield from problem.evaluate(starts)
    current, move = best(problem, tried), 0
    while current and (around := _around(problem, current.arch, climb, move)):
        seen.update(around)
        line = (key(problem.space, current.arch),)
        tried += yield from problem.evaluate(around, parents=[line] * len(around))
        better = best(problem, tried)
        if better is None or problem.order(better) >= problem.order(current):
            break
        current, move = better, move + 1
    return tried


def _around(problem: Problem, arch: Arch, climb: int, move: int) -> list[Arch]:
    """The allowed neighbors in random order: where the budget ends among them, none is preferred."""
    archs = [a for _, a in neighbors(problem.space, arch)]
    if not archs:
        return []
    archs = [a for a, ok in zip(archs, problem.allowed(archs), strict=True) if ok]
    return [archs[i] for i in problem.rng("local_search", climb, "move", move).permutation(len(archs))]
