"""Non-stochastic Best Arm Identification and Hyperparameter Optimization (Jamieson and Talwalkar, 2016).

Train many architectures a little, keep the better third, train those longer, and so on up to the whole
recipe.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from nascore.engines.draw import choose, fresh, progress
from nascore.errors import BadInput, NotSupported, OutOfBudget
from nascore.events import Event, Note, Step, Tried
from nascore.kinds import Evaluator, Strategy, knob
from nascore.problem import Problem
from nascore.space import Arch

Rung = tuple[int, int]  # architectures, epochs


@dataclass(frozen=True)
class SuccessiveHalving(Strategy):
    """Trains many a little and the better ones longer; brackets repeat while budget remains.

    The budget's evaluations count every training, short or long; epochs are the fairer limit. The last
    bracket is made as small as what is left allows.

    Source: Jamieson and Talwalkar 2016, section 3; rungs as in Li et al. 2018 (Hyperband), algorithm 1,
    innermost loop. Whether a rung goes on from the training of the rung below is the judge's matter;
    `trained` does.
    """

    first: int = knob(27, 1, 10_000, "architectures in a bracket's first rung")
    eta: int = knob(3, 2, 16, "one in so many goes up a rung and is trained so many times longer")
    min_epochs: int = knob(1, 1, 1000, "epochs of the first rung, at least")

    def search(self, problem: Problem) -> Iterator[Event]:
        """Brackets until the budget ends or the space is exhausted.

        Raises:
            BadInput: the judge has no shorter trainings.
        """
        levels = self._judges(problem)
        if len(levels) == 1:
            yield Note(f"{problem.recipe.epochs} epochs leave room for one rung only: this is random search")
        tops: list[Tried] = []
        try:
            yield from self._brackets(problem, levels, tops)
        except OutOfBudget:
            yield Note("budget spent")
        full = [t for t in problem.tried() if not t.failed]
        why = (
            "best after whole trainings"
            if full
            else "best after short trainings: the budget held no whole one"
        )
        yield from choose(problem, full or tops, why)

    def check(self, problem: Problem) -> None:
        """The judge must have short trainings."""
        self._judges(problem)

    def _judges(self, problem: Problem) -> list[tuple[int, Evaluator]]:
        """Epochs and judge of each rung."""
        return [(e, _judge(problem, e)) for e in self.levels(problem.recipe.epochs)]

    def levels(self, epochs: int) -> list[int]:
        """Epochs of each rung, the last the recipe's own; they differ by about eta."""
        rungs = [epochs]
        while (e := round(epochs / self.eta ** len(rungs))) >= self.min_epochs and e < rungs[0]:
            rungs.insert(0, e)
        return rungs

    def rungs(self, n: int, levels: list[int]) -> list[Rung]:
        """(architectures, epochs) of a bracket that begins with n."""
        return [(max(n // self.eta**i, 1), e) for i, e in enumerate(levels)]

    def _brackets(
        self, problem: Problem, levels: list[tuple[int, Evaluator]], tops: list[Tried]
    ) -> Iterator[Event]:
        """Runs brackets; `tops` keeps the best of the highest rung that was reached."""
        seen: set[Arch] = set()
        spent = {"evaluations": 0.0, "epochs": 0.0}
        for bracket in itertools.count():
            skipped, n = self._affordable(problem, [e for e, _ in levels], spent)
            archs = fresh(problem, n, seen, "successive_halving", bracket) if n else []
            if not archs:
                yield Note(
                    "the space is exhausted" if n else "what is left of the budget holds no further bracket"
                )
                return
            seen.update(archs)
            for i, (epochs, judge) in enumerate(levels[skipped:]):
                tried = yield from problem.evaluate(archs, judge)
                spent["evaluations"] += len(tried)
                spent["epochs"] += sum(t.spent.get("epochs", 0.0) for t in tried)
                good = sorted((t for t in tried if not t.failed), key=problem.order)
                tops[:] = good or tops
                values = {
                    "epochs": float(epochs),
                    "architectures": float(len(archs)),
                    **progress(problem, good),
                }
                yield Step(f"successive_halving/{bracket}", i, values)
                if not good:
                    break
                archs = [t.arch for t in good[: max(len(good) // self.eta, 1)]]

    def _affordable(self, problem: Problem, levels: list[int], spent: dict[str, float]) -> tuple[int, int]:
        """Rungs to skip and architectures to begin with, so that what is left suffices; else (0, 0).

        Rungs that would let nobody fall are skipped. Counts what this search has asked, not what the memo has
        seen: a resumed run must decide the same.
        """
        limits = {u: getattr(problem.budget, u) - spent[u] for u in spent if getattr(problem.budget, u)}
        for skipped in range(len(levels)):
            least = min(self.first, self.eta ** (len(levels) - skipped - 1))
            for n in range(self.first, least - 1, -1):
                rungs = self.rungs(n, levels[skipped:])
                costs = {"evaluations": sum(k for k, _ in rungs), "epochs": sum(k * e for k, e in rungs)}
                if all(costs[u] <= left for u, left in limits.items()):
                    return skipped, n
        return 0, 0


def _judge(problem: Problem, epochs: int) -> Evaluator:
    """The judge at a fidelity; at the recipe's epochs the problem's own.

    Raises:
        BadInput: it has no fidelities.
    """
    if epochs == problem.recipe.epochs:
        return problem.evaluator
    try:
        return problem.evaluator.at(epochs)
    except NotSupported as error:
        raise BadInput(
            "strategy: successive_halving asks for short trainings, and "
            f"{problem.evaluator.key} has none ({error}); "
            "choose the trained evaluator or another strategy"
        ) from error
