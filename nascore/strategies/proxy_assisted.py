"""Search with a training-free score at its side (GradSign, Zhang and Jia, 2022, section 5).

Wherever the host would judge one architecture, it makes ten proposals, and only the one that scores best is
judged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nascore.engines.draw import Screen, choose, fresh, progress, screened
from nascore.engines.evolve import evolve
from nascore.events import Event, Note, Step, Tried
from nascore.kinds import Proxy, Strategy, knob
from nascore.problem import Problem
from nascore.proxies.gradsign import Gradsign
from nascore.proxies.score import Scores
from nascore.space import Arch

DEFAULT = Gradsign()
HOSTS = ("regularized_evolution", "random_search")


@dataclass(frozen=True)
class ProxyAssisted(Strategy):
    """Random search or evolution that judges the best of ten proposals by a training-free score.

    Source: Zhang and Jia 2022, section 5: G-RS draws ten at random, G-REA ten mutations of the tournament's
    winner, its first population stays plain random. The hosts are ours, so an architecture is not judged
    twice. Scores cost no evaluation, and proposals that are passed over are not told. The paper's hosts
    REINFORCE and BOHB are not here.
    """

    host: str = knob(HOSTS[0], help="the search that is helped", options=HOSTS)
    proxy: Proxy = knob(DEFAULT, help="what is computed of each proposal")  # noqa: RUF009 -- a field
    proposals: int = knob(10, 1, 1000, "proposals of which one is judged; 10 in the paper, 1: host alone")
    batch: int = knob(64, 2, 1024, "images that the score sees; the paper's GradSign sees 128")
    population: int = knob(20, 2, 10_000, "evolution: architectures alive")
    tournament: int = knob(5, 1, 10_000, "evolution: random members of which the best becomes a parent")
    children: int = knob(8, 1, 1024, "judged together")

    def search(self, problem: Problem) -> Iterator[Event]:
        """The host's cycles until the budget ends or the space is exhausted."""
        screen = Screen(self.scores(problem), self.proposals) if self.proposals > 1 else None
        if self.host == "random_search":
            yield from self._random(problem, screen)
            return
        first = fresh(problem, self.population, (), "regularized_evolution", "first")
        yield from evolve(
            problem,
            first,
            name="regularized_evolution",
            tournament=self.tournament,
            children=self.children,
            screen=screen,
        )
        yield from choose(problem, problem.tried(), "best of all generations")

    def scores(self, problem: Problem) -> Callable[[Sequence[Arch]], NDArray[np.float64]]:
        """Archs -> (n,) scores; those in the memo under `proxy_assisted/scores` are not computed again."""
        known = problem.memo.load("proxy_assisted/scores")
        scores = Scores(problem, {"score": self.proxy}, self.batch, known)

        def of(archs: Sequence[Arch]) -> NDArray[np.float64]:
            return scores.of(archs)[:, 0]

        return of

    def _random(self, problem: Problem, screen: Screen | None) -> Iterator[Event]:
        seen: set[Arch] = set()
        tried: list[Tried] = []
        for i in itertools.count():
            stream = ("random_search", i)
            archs = (
                screened(problem, self.children, screen, seen, *stream)
                if screen
                else fresh(problem, self.children, seen, *stream)
            )
            if not archs:
                yield Note("every architecture that is allowed has been tried")
                break
            seen.update(archs)
            tried += yield from problem.evaluate(archs)
            yield Step("random_search", i, progress(problem, tried))
        yield from choose(problem, tried, "best of all that were judged")
