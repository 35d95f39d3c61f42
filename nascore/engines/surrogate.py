"""Search by a predictor: fit to what was judged, propose, judge, again (the loop of GBDT-NAS, BANANAS, ...).

The predictor learns minus the first objective, so higher is better. What failed is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Generator, Sequence
from typing import NamedTuple

import numpy as np

from nascore.engines.draw import fresh, progress
from nascore.events import Event, Note, Step, Tried
from nascore.kinds import Evaluator, Fitted, Predictor
from nascore.problem import Problem
from nascore.space import ENUMERABLE, Arch, enumerate_archs, size, tuples

Propose = Callable[["Learned", int], Sequence[Arch]]
LEAST = 2  # pairs that a predictor needs


class Learned(NamedTuple):
    """What a round begins with.

    Attributes:
        fitted: the predictor that has seen `known`; None while there are fewer than two pairs.
        known: judged architectures that did not fail.
        seen: everything that was asked, failed or not.
    """

    fitted: Fitted | None
    known: list[Tried]
    seen: set[Arch]


def surrogate(
    problem: Problem,
    predictor: Predictor,
    propose: Propose,
    rounds: int = 0,
    name: str = "surrogate",
    *,
    first: Sequence[Arch],
    by: Evaluator | None = None,
    pairs: Callable[[list[Tried]], list[Tried]] | None = None,
) -> Generator[Event, None, tuple[Fitted | None, list[Tried]]]:
    """Judges `first`, then rounds of fitting, proposing and judging; returns the last fit and all judged.

    Args:
        problem: what is searched.
        predictor: fitted from the beginning each round, to minus the first objective.
        propose: (what was learned, round) -> archs to judge, none seen before; none ends the search.
        rounds: how many; 0 until the budget ends or nothing is proposed.
        name: of the `Step`s.
        first: the archs to begin with.
        by: the judge; default the problem's.
        pairs: judged -> those that are learned from; default all.
    """
    tried = yield from problem.evaluate(first, by)
    seen, fitted = set(first), None
    yield Step(name, 0, progress(problem, tried))
    for i in range(rounds) if rounds else itertools.count():
        known = [t for t in tried if not t.failed]
        used = pairs(known) if pairs else known
        if len(used) >= LEAST:
            fitted = predictor.fit(problem, [t.arch for t in used], merits(problem, used))
        archs = list(propose(Learned(fitted, known, seen), i))
        if not archs:
            yield Note("every architecture that is allowed has been tried")
            break
        seen.update(archs)
        tried += yield from problem.evaluate(archs, by)
        yield Step(name, i + 1, progress(problem, tried))
    return fitted, tried


def merits(problem: Problem, tried: Sequence[Tried]) -> np.ndarray:
    """(n,) minus the first objective, lower cost being better."""
    return np.array([-problem.cost(t)[0] for t in tried], dtype=np.float64)


def candidates(problem: Problem, most: int, seen: Collection[Arch], *stream: str | int) -> list[Arch]:
    """Allowed archs that are not seen: all where the space can be listed, else up to `most` random ones."""
    if size(problem.space) > ENUMERABLE:
        return fresh(problem, most, seen, *stream)
    archs = [a for a in tuples(enumerate_archs(problem.space)) if a not in seen]
    if not archs:
        return []
    return [a for a, ok in zip(archs, problem.allowed(archs), strict=True) if ok]
