"""Evolution: parents by tournament, children by crossover and mutation, survivors by age or by merit.

Children of one cycle are judged together, since a judge trains a batch as one program. A child that was
judged before would teach nothing, so a few draws go into finding one that is new.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress

import numpy as np

from nascore.engines.draw import Screen, fresh, progress
from nascore.errors import NotSupported
from nascore.events import Event, Note, Step, Tried
from nascore.kinds import Evaluator
from nascore.problem import Problem
from nascore.space import Arch, Archs, array, crossover, key, mutate, tuples

Select = Callable[[list[Tried]], Sequence[int]]
Report = Callable[[list[Tried]], dict[str, float]]
Child = tuple[Arch, tuple[str, ...]]
DRAWS = 20  # draws for a child that is allowed and new


def evolve(
    problem: Problem,
    population: Sequence[Arch] | Archs,
    cycles: int = 0,
    name: str = "evolve",
    *,
    by: Evaluator | None = None,
    select: Select | None = None,
    tournament: int = 5,
    children: int = 8,
    cross: float = 0.0,
    report: Report | None = None,
    screen: Screen | None = None,
) -> Generator[Event, None, list[Tried]]:
    """Runs cycles and returns the last population, oldest first, or best first with `select`.

    Args:
        problem: what is searched.
        population: the archs to begin with.
        cycles: how many; 0 until the budget ends or the space is exhausted.
        name: of the random streams and the `Step`s.
        by: the judge; default the problem's.
        select: members -> their positions from best to worst: parents win tournaments by it, and the first of
            parents and children together survive. Without it members die of age, and the problem's order
            decides tournaments.
        tournament: how many members compete to be a parent.
        children: how many are made and judged in a cycle.
        cross: share of children with two parents, each choice from either by a fair coin; all are then
            mutated.
        report: members -> values of the cycle's `Step`; default the best member's objectives.
        screen: lets the best of several children of one parent through, by a score that costs nothing.
    """
    tried = yield from problem.evaluate(population, by)
    seen = {t.arch for t in tried}
    rank = select or (lambda members: sorted(range(len(members)), key=lambda i: problem.order(members[i])))
    tell = report or (lambda members: progress(problem, members))
    for cycle in range(cycles) if cycles else itertools.count():
        rng = problem.rng(name, cycle)
        parents = [tried[i] for i in rank(tried)]
        brood: list[Child] = []
        for _ in range(children if tried else 0):
            if child := _child(problem, parents, seen, rng, tournament, cross, screen):
                seen.add(child[0])
                brood.append(child)
        if not brood:
            brood = [(arch, ()) for arch in fresh(problem, children, seen, name, cycle)]
            if not brood:
                yield Note("every architecture that is allowed has been tried")
                break
            seen.update(arch for arch, _ in brood)
            yield Note("all children were known: random architectures join the population")
        new = yield from problem.evaluate([a for a, _ in brood], by, [line for _, line in brood])
        tried = _survivors([*tried, *new], len(tried), select)
        yield Step(name, cycle, tell(tried))
    return tried


def _survivors(pool: list[Tried], keep: int, select: Select | None) -> list[Tried]:
    """The youngest, or the best of different archs by `select`."""
    if select is None:
        return pool[-keep:]
    pool = list({t.arch: t for t in pool}.values())
    return [pool[i] for i in select(pool)[:keep]]


def _child(
    problem: Problem,
    parents: list[Tried],
    seen: set[Arch],
    rng: np.random.Generator,
    tournament: int,
    cross: float,
    screen: Screen | None = None,
) -> Child | None:
    """An arch and its parents' keys, or None where no draw is allowed and new.

    Args:
        problem: gives the space and says what is allowed.
        parents: from best to worst.
        seen: archs that are known.
        rng: of this cycle.
        tournament: the best of so many random members is a parent.
        cross: share of children with two parents.
        screen: of `screen.pool` children of one parent the best is taken.
    """
    if screen is not None:
        parent = _winner(parents, rng, tournament)
        pool = dict(c for _ in range(screen.pool) if (c := _child(problem, [parent], seen, rng, 1, cross)))
        return (arch := screen.best(list(pool)), pool[arch]) if pool else None
    space = problem.space
    for _ in range(DRAWS):
        pair = [_winner(parents, rng, tournament)]
        if rng.random() < cross:
            pair.append(_winner(parents, rng, tournament))
        row = array([pair[0].arch], space)
        if len(pair) == 2:
            row = crossover(space, row, array([pair[1].arch], space), rng)
        with suppress(NotSupported):  # nothing valid is one change away
            row = mutate(space, row, rng)
        arch = tuples(row)[0]
        if arch not in seen and problem.allowed([arch])[0]:
            return arch, tuple(dict.fromkeys(key(space, p.arch) for p in pair))
    return None


def _winner(parents: list[Tried], rng: np.random.Generator, tournament: int) -> Tried:
    n = len(parents)
    return parents[int(rng.choice(n, min(tournament, n), replace=False).min())]
