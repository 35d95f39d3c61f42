"""Random search without replacement: the baseline that every method has to beat."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from nascore.engines.draw import choose, fresh, progress
from nascore.events import Event, Note, Step, Tried
from nascore.kinds import Strategy, knob
from nascore.problem import Problem
from nascore.space import Arch


@dataclass(frozen=True)
class RandomSearch(Strategy):
    """Random architectures, none twice.

    Source: Li and Talwalkar, Random Search and Reproducibility for NAS (2019), the baseline without weight
    sharing.
    """

    batch: int = knob(16, 1, 1024, "architectures judged together")

    def search(self, problem: Problem) -> Iterator[Event]:
        """Batches until the budget ends or the space is exhausted."""
        seen: set[Arch] = set()
        tried: list[Tried] = []
        for i in itertools.count():
            archs = fresh(problem, self.batch, seen, "random_search", i)
            if not archs:
                yield Note("every architecture that is allowed has been tried")
                break
            seen.update(archs)
            tried += yield from problem.evaluate(archs)
            yield Step("random_search", i, progress(problem, tried))
        yield from choose(problem, tried, "best of all that were tried")
