"""What every search begins and ends with: fresh architectures, and the one that is taken in the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.events import Chosen, Event, Note, Tried
from nascore.problem import Problem
from nascore.space import ENUMERABLE, Arch, enumerate_archs, size, tuples

ROUNDS = 20  # draws before a space that can be listed is listed


class Screen(NamedTuple):
    """Looks at several proposals where one is to be judged, and lets the best through.

    Attributes:
        score: archs -> (n,) higher is better, free of the budget; NaN loses.
        pool: how many proposals.
    """

    score: Callable[[Sequence[Arch]], NDArray[np.float64]]
    pool: int

    def best(self, archs: Sequence[Arch]) -> Arch:
        """The first of those that score highest."""
        return archs[int(np.nan_to_num(self.score(archs), nan=-np.inf, neginf=-np.inf).argmax())]


def screened(
    problem: Problem, n: int, screen: Screen, seen: Collection[Arch], *stream: str | int
) -> list[Arch]:
    """As `fresh`, each the best of `screen.pool` draws; of fewer where not so many are left."""
    drawn = fresh(problem, n * screen.pool, seen, *stream)
    groups = np.array_split(np.arange(len(drawn)), min(n, len(drawn)) or 1)
    return [screen.best([drawn[i] for i in group]) for group in groups if len(group)]


def fresh(problem: Problem, n: int, seen: Collection[Arch], *stream: str | int) -> list[Arch]:
    """Up to n different random archs that are allowed and not in `seen`; fewer where no more were found.

    `seen` is the caller's own record: what the memo knows would differ between the lives of a resumed run.

    Raises:
        BadInput: nothing at all meets the constraints.
    """
    found: dict[Arch, None] = {}
    listable, refused = size(problem.space) <= ENUMERABLE, None
    for i in range(ROUNDS):
        try:
            draw = tuples(problem.sample(n, *stream, i))
        except BadInput as error:
            if not listable:
                raise
            refused = error
            break
        found.update(dict.fromkeys(a for a in draw if a not in seen))
        if len(found) >= n:
            return list(found)[:n]
    if listable:
        found.update(dict.fromkeys(_rest(problem, {*seen, *found}, *stream)))
    if refused and not found and not seen:
        raise refused
    return list(found)[:n]


def _rest(problem: Problem, seen: Collection[Arch], *stream: str | int) -> list[Arch]:
    """All allowed archs that are not seen, shuffled."""
    archs = [a for a in tuples(enumerate_archs(problem.space)) if a not in seen]
    if not archs:
        return []
    archs = [a for a, ok in zip(archs, problem.allowed(archs), strict=True) if ok]
    return [archs[i] for i in problem.rng(*stream, "rest").permutation(len(archs))]


def best(problem: Problem, tried: Iterable[Tried]) -> Tried | None:
    """The first in the problem's order among those that did not fail."""
    return min((t for t in tried if not t.failed), key=problem.order, default=None)


def progress(problem: Problem, tried: Iterable[Tried]) -> dict[str, float]:
    """Objectives of the best so far, for a `Step`; empty while everything failed."""
    top = best(problem, tried)
    return (
        {o.metric: top.metrics[o.metric] for o in problem.objectives if o.metric in top.metrics}
        if top
        else {}
    )


def choose(problem: Problem, tried: Iterable[Tried], why: str) -> Iterator[Event]:
    """The best as `Chosen`; a warning where there is none, or where it misses a constraint."""
    top = best(problem, tried)
    if top is None:
        yield Note("every architecture failed, so none is chosen", "warning")
        return
    if problem.violation(top) > 0:
        yield Note(
            "no architecture meets the constraints; the one that misses them least is chosen", "warning"
        )
    yield Chosen(top.arch, why)
