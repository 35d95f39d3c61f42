"""Search with any predictor: fit to what was judged, judge what an acquisition likes best, again.

With an ensemble and expected improvement or Thompson draws this is the loop of BANANAS (White et al., 2021);
with `uncertainty`, or a way to ask that looks only at where architectures lie (`nascore.query`), it is active
learning, which makes the predictor better and not the search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nascore.engines.acquire import ACQUIRE, ranked
from nascore.engines.draw import choose, fresh
from nascore.engines.surrogate import Learned, candidates, merits, surrogate
from nascore.events import Event
from nascore.kinds import Predictor, Strategy, knob
from nascore.predictors.ridge import Ridge
from nascore.problem import Problem
from nascore.query import DATA, Pool, Query, random
from nascore.space import Arch, array, encode

DEFAULT = Ridge()
BLIND: dict[str, Query] = {"random": random, **DATA}  # ask nothing of the predictor


@dataclass(frozen=True)
class PredictorSearch(Strategy):
    """A predictor learns from what was judged, and an acquisition says what is judged next.

    Source: White et al. 2021, algorithm 1, from which it differs in that candidates are the whole space where
    it can be listed, else random architectures and no mutations. With several objectives the first is
    learned.
    """

    predictor: Predictor = knob(DEFAULT, help="what learns")  # noqa: RUF009 -- a field
    acquire: str = knob("expected_improvement", help="what is worth judging next", options=(*ACQUIRE, *BLIND))
    first: int = knob(20, 2, 100_000, "random architectures to begin with")
    top: int = knob(8, 1, 10_000, "architectures judged in a round")
    candidates: int = knob(1000, 1, 100_000, "random architectures predicted where a space cannot be listed")

    def search(self, problem: Problem) -> Iterator[Event]:
        """Rounds until the budget ends or the space is exhausted."""
        start = fresh(problem, self.first, (), "predictor_search", "first")

        def propose(learned: Learned, i: int) -> list[Arch]:
            archs = candidates(problem, self.candidates, learned.seen, "predictor_search", i)
            rng = problem.rng("predictor_search", "acquire", i)
            if self.acquire in BLIND and archs:
                asked = BLIND[self.acquire](_pool(problem, archs, learned, rng), self.top)
                return [archs[j] for j in asked]
            worth = np.zeros(len(archs))
            if learned.fitted is not None:
                mean, std = learned.fitted.predict(archs)
                best = float(merits(problem, learned.known).max())
                worth = ACQUIRE[self.acquire](mean, std, best, rng)
            return [archs[j] for j in ranked(worth, rng)[: self.top]]

        _, tried = yield from surrogate(
            problem, self.predictor, propose, name="predictor_search", first=start
        )
        yield from choose(problem, tried, "best of all that were judged")


def _pool(problem: Problem, archs: list[Arch], learned: Learned, rng: np.random.Generator) -> Pool:
    """Where architectures lie: a column an option."""
    space, known = problem.space, [t.arch for t in learned.known]
    return Pool(encode(space, array(archs, space)), encode(space, array(known, space)), rng)
