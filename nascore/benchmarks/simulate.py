"""Thousands of searches on a table at once: what a method finds, as a distribution and not as one lucky run.

An architecture is its row number, a population a column of rows, and one step of all searches a few array
operations. The results are distributed as those of the strategies of the same names, which are the oracle.

Every search returns its history: (evaluations, runs) rows in the order in which they were judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.table import Table
from nascore.errors import BadInput
from nascore.space import Choice

Rows = NDArray[np.int32]
Flags = NDArray[np.bool_]
TOGETHER = 2000  # searches that run side by side: few calls, and the living members fit into the cache
DRAWS = 20  # draws for a child that is new, as in engines/evolve


@dataclass(frozen=True)
class Ground:
    """What is searched on.

    Attributes:
        ranks: (rows,) dense rank of each architecture, 0 is best; equal values share one.
        neighbors: (rows, degree) rows that are one change away; a change of each choice is equally likely.
    """

    ranks: NDArray[np.uint32]
    neighbors: Rows

    @property
    def size(self) -> int:
        """Number of architectures."""
        return len(self.ranks)


def ground(table: Table, metric: str) -> Ground:
    """A table and the metric that is searched for, prepared.

    Raises:
        BadInput: the table does not hold its whole space, or the metric of every architecture.
    """
    values = table.values(metric)
    if np.isnan(values).any():
        raise BadInput(f"{table.name}: {metric} is missing for {int(np.isnan(values).sum()):,} architectures")
    sign = 1.0 if table.column(metric).direction == "min" else -1.0
    ranks = np.unique(sign * values, return_inverse=True)[1]
    return Ground(ranks.astype(np.uint32), _neighbors(table))


def _neighbors(table: Table) -> Rows:
    if any(c.when for c in table.choices):
        raise BadInput(f"{table.name}: a space in which choices depend on others cannot be simulated")
    shares = math.lcm(*(len(c.options) - 1 for c in table.choices))
    out = [_changed(table, j, c, step) for j, c in enumerate(table.choices) for step in _steps(c, shares)]
    found = np.stack(out, 1).astype(np.int32)
    if (found < 0).any():
        raise BadInput(f"{table.name}: it does not hold its whole space")
    return found


def _steps(choice: Choice, shares: int) -> Iterator[int]:
    """Each other option, so often that all choices have the same share of the neighbors."""
    for step in range(1, len(choice.options)):
        yield from [step] * (shares // (len(choice.options) - 1))


def _changed(table: Table, j: int, choice: Choice, step: int) -> NDArray[np.int64]:
    other = table.archs.copy()
    other[:, j] = (other[:, j] + step) % len(choice.options)
    return table.lookup(other)


def best(field: Ground, history: Rows) -> Rows:
    """(runs,) the best architecture of each search, the earliest of equals."""
    return np.take_along_axis(history, field.ranks[history].argmin(0)[None], 0)[0]


def best_so_far(field: Ground, history: Rows) -> Rows:
    """(evaluations, runs) the best architecture after each evaluation, the earliest of equals."""
    ranks = field.ranks[history]
    lowest = np.minimum.accumulate(ranks, 0)
    new = np.vstack([np.ones((1, ranks.shape[1]), bool), lowest[1:] < lowest[:-1]])
    since = np.maximum.accumulate(np.where(new, np.arange(len(ranks))[:, None], 0), 0)
    return np.take_along_axis(history, since, 0)


def random_search(field: Ground, evaluations: int, runs: int, seed: int = 0) -> Rows:
    """Random architectures, none twice."""
    _check(field, evaluations)
    return _side_by_side(lambda n, rng: _distinct(field, evaluations, n, rng), runs, seed)


def evolution(
    field: Ground,
    evaluations: int,
    runs: int,
    seed: int = 0,
    *,
    population: int = 50,
    tournament: int = 10,
    again: bool = False,
) -> Rows:
    """Regularized evolution, one child at a time (Real et al. 2019, algorithm 1).

    Args:
        field: what is searched on.
        evaluations: architectures judged by each search.
        runs: independent searches.
        seed: of all randomness.
        population: architectures alive, the youngest.
        tournament: different random members of which the best becomes a parent.
        again: a child that was judged before is judged again, as in the paper and in studies on tables;
            otherwise another is drawn, as our strategy does.
    """
    _check(field, evaluations)
    if not 1 <= tournament <= population <= evaluations:
        raise BadInput(
            f"evolution: tournament {tournament} must not exceed population {population}, nor that "
            f"evaluations {evaluations}"
        )
    evolve = _evolve_again if again else _evolve_new
    return _side_by_side(
        lambda n, rng: evolve(field, evaluations, n, rng, population, tournament), runs, seed
    )


def evolution_alone(
    field: Ground, evaluations: int, rng: np.random.Generator, population: int = 50, tournament: int = 10
) -> Rows:
    """(evaluations,) one search by the obvious loop: the slow twin of `evolution(..., again=True)`."""
    history = [int(i) for i in rng.integers(0, field.size, population)]
    while len(history) < evaluations:
        alive = history[-population:]
        sample = sorted(rng.choice(population, tournament, replace=False))
        parent = min((alive[i] for i in sample), key=lambda row: field.ranks[row])
        history.append(int(rng.choice(field.neighbors[parent])))
    return np.array(history, np.int32)


def local_search(field: Ground, evaluations: int, runs: int, seed: int = 0, *, starts: int = 8) -> Rows:
    """Climbs to the best neighbor from the best of a few random ones, and again (White et al. 2021)."""
    _check(field, evaluations)
    return _side_by_side(lambda n, rng: _climb(field, evaluations, n, rng, starts), runs, seed)


def _check(field: Ground, evaluations: int) -> None:
    if not 1 <= evaluations <= field.size:
        raise BadInput(f"evaluations: {evaluations} is not between 1 and {field.size:,}")


def _side_by_side(search: Callable[[int, np.random.Generator], Rows], runs: int, seed: int) -> Rows:
    """Histories of all searches, `TOGETHER` at a time, each lot with a stream of its own."""
    sizes = [min(TOGETHER, runs - at) for at in range(0, runs, TOGETHER)]
    streams = np.random.SeedSequence(seed).spawn(len(sizes))
    lots = [search(n, np.random.Generator(np.random.SFC64(s))) for n, s in zip(sizes, streams, strict=True)]
    return np.concatenate(lots, 1)


def _distinct(field: Ground, n: int, runs: int, rng: np.random.Generator) -> Rows:
    """(n, runs) uniform rows, none twice in a column: later ones of equals are drawn again."""
    rows = rng.integers(0, field.size, (n, runs), dtype=np.int32)
    todo = np.arange(runs)
    while len(todo):
        part = rows[:, todo]
        order = part.argsort(0, kind="stable")
        ordered = np.take_along_axis(part, order, 0)
        twice = np.zeros(part.shape, bool)
        np.put_along_axis(twice, order[1:], ordered[1:] == ordered[:-1], 0)
        part[twice] = rng.integers(0, field.size, int(twice.sum()), dtype=np.int32)
        rows[:, todo] = part
        todo = todo[twice.any(0)]
    return rows


class _Window:
    """The last members of all searches, and tournaments among them.

    A member is one number, rank times the length of the history plus its place in it: the least of some is
    the best, and the oldest of equals, as in the strategy.
    """

    def __init__(self, field: Ground, history: Rows, population: int, tournament: int) -> None:
        self.field, self.history = field, history
        self.length, self.runs = history.shape
        self.population = population
        large = int(field.ranks.max(initial=0) + 1) * self.length >= 2**32
        self.members = np.zeros(history.shape, np.uint64 if large else np.uint32)
        self.bounds = np.arange(population - tournament + 1, population + 1, dtype=np.float32)[:, None]
        self.columns = np.arange(self.runs, dtype=np.int32)

    def put(self, t: int, rows: Rows) -> None:
        """The members of time t."""
        self.history[t] = rows
        np.multiply(self.field.ranks[rows], self.length, out=self.members[t], casting="unsafe")
        self.members[t] += self.members.dtype.type(t)

    def winners(self, t: int, columns: Rows, rng: np.random.Generator) -> Rows:
        """(n,) rows of the winner of one tournament in each of these columns.

        Different members by Floyd's method: number j of the sample is one of the first j, or j itself where
        that one has been taken.
        """
        draws = rng.random((len(self.bounds), len(columns)), dtype=np.float32)
        draws *= self.bounds
        taken = draws.astype(np.int32)
        for k in range(1, len(taken)):
            again = taken[0] == taken[k]
            for j in range(1, k):
                again |= taken[j] == taken[k]
            taken[k][again] = self.population - len(taken) + k
        taken += t - self.population
        taken *= self.runs
        taken += columns
        least = self.members.reshape(-1).take(taken).min(0)
        place = (least % self.length).astype(np.int32)
        return self.history.reshape(-1).take(place * self.runs + columns)

    def children(self, t: int, columns: Rows, rng: np.random.Generator) -> Rows:
        """(n,) rows one random change away from winners."""
        neighbors = self.field.neighbors
        parents = self.winners(t, columns, rng)
        change = rng.integers(0, neighbors.shape[1], len(columns), dtype=np.int32)
        return neighbors.reshape(-1).take(parents * neighbors.shape[1] + change)


def _evolve_again(
    field: Ground, evaluations: int, runs: int, rng: np.random.Generator, population: int, tournament: int
) -> Rows:
    window = _Window(field, np.zeros((evaluations, runs), np.int32), population, tournament)
    first = rng.integers(0, field.size, (population, runs), dtype=np.int32)
    for t in range(population):
        window.put(t, first[t])
    for t in range(population, evaluations):
        window.put(t, window.children(t, window.columns, rng))
    return window.history


def _evolve_new(
    field: Ground, evaluations: int, runs: int, rng: np.random.Generator, population: int, tournament: int
) -> Rows:
    window = _Window(field, np.zeros((evaluations, runs), np.int32), population, tournament)
    seen = np.zeros((runs, field.size), bool)
    first = _distinct(field, population, runs, rng)
    for t in range(population):
        window.put(t, first[t])
        seen[window.columns, first[t]] = True
    for t in range(population, evaluations):
        rows, todo = np.zeros(runs, np.int32), window.columns
        for _ in range(DRAWS):
            rows[todo] = window.children(t, todo, rng)
            todo = todo[seen[todo, rows[todo]]]
            if not len(todo):
                break
        rows[todo] = _unseen(seen, todo, rng)
        window.put(t, rows)
        seen[window.columns, rows] = True
    return window.history


def _unseen(seen: Flags, columns: NDArray[np.integer], rng: np.random.Generator) -> Rows:
    """(n,) a random row for each of these searches that it has not judged."""
    rows = rng.integers(0, seen.shape[1], len(columns), dtype=np.int32)
    todo = np.flatnonzero(seen[columns, rows])
    while len(todo):
        rows[todo] = rng.integers(0, seen.shape[1], len(todo), dtype=np.int32)
        todo = todo[seen[columns[todo], rows[todo]]]
    return rows


def _climb(field: Ground, evaluations: int, runs: int, rng: np.random.Generator, starts: int) -> Rows:
    """All searches side by side; those whose budget is spent drop out."""
    history = np.zeros((evaluations, runs), np.int32)
    seen = np.zeros((runs, field.size), bool)
    used = np.zeros(runs, np.int64)
    current = np.full(runs, -1)  # -1: a new start is due
    live = np.arange(runs)
    while len(live):
        fresh, climbing = live[current[live] < 0], live[current[live] >= 0]
        for _ in range(starts):
            fresh_left = fresh[used[fresh] < evaluations]
            rows = _unseen(seen, fresh_left, rng)
            _judge(history, seen, used, fresh_left, rows)
            _take_better(field, current, fresh_left, rows)
        before = current[climbing].copy()
        around = rng.permuted(field.neighbors[before], axis=1)
        for rows in around.T:
            new = ~seen[climbing, rows] & (used[climbing] < evaluations)
            _judge(history, seen, used, climbing[new], rows[new])
            known = seen[climbing, rows]
            _take_better(field, current, climbing[known], rows[known])
        current[climbing[current[climbing] == before]] = -1
        live = live[used[live] < evaluations]
    return history


def _judge(
    history: Rows, seen: Flags, used: NDArray[np.int64], columns: NDArray[np.integer], rows: Rows
) -> None:
    history[used[columns], columns] = rows
    seen[columns, rows] = True
    used[columns] += 1


def _take_better(field: Ground, current: NDArray[np.int64], columns: NDArray[np.integer], rows: Rows) -> None:
    """Goes to rows that are better than where the searches stand."""
    held = current[columns]
    better = (held < 0) | (field.ranks[rows] < field.ranks[np.maximum(held, 0)])
    current[columns[better]] = rows[better]
