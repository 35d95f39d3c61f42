"""What an architecture costs on average where its options are drawn, as a function that gates can descend.

A cost is a sum of terms in which few choices meet: multiply-adds of a convolution depend on the two widths
around it, its kernel, and the depth that decides whether it is there. `exact` finds these terms by asking the
space what single archs cost; over independent choices the expectation of each is a product of probabilities
and a table, so it is exact, and a one-hot gate gives the cost of that arch. `additive` fits one number an
option instead, for costs that are measured, as latency tables of ProxylessNAS (Cai et al., 2019, section
3.3.1) do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nascore.errors import NotSupported
from nascore.space import Arch, Archs, Choice, Space, array, sample, settle

if TYPE_CHECKING:
    from nascore.gates import Gates
    from nascore.problem import Problem

Cost = Callable[[Archs], NDArray[np.float64]]
MOST = 5  # choices that meet in one term
CELLS = 1_000_000  # numbers in all tables of as many choices
PLACES = 64  # where two choices are tried for meeting
EXACT = 1e-9  # relative error that counts as none


@dataclass(frozen=True)
class Term:
    """A table over the options of a few choices.

    Attributes:
        names: k choices.
        table: (n_1, ..., n_k) over all their options; what is shut holds 0.
    """

    names: tuple[str, ...]
    table: NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """A cost as a sum of terms.

    Attributes:
        base: what every arch costs.
        terms: none holds a constant.
        error: largest difference from the cost itself over random archs, relative to its mean.
    """

    base: float
    terms: tuple[Term, ...]
    error: float = 0.0

    def __call__(self, probabilities: Mapping[str, Tensor]) -> Tensor:
        """The mean cost, a scalar with gradients, of choice name -> (n_options,) that sum to one."""
        total: Tensor | float = self.base
        for term in self.terms:
            first = probabilities[term.names[0]]
            value = torch.as_tensor(term.table, dtype=first.dtype, device=first.device)
            for name in reversed(term.names):
                value = value @ probabilities[name]
            total = total + value
        return torch.as_tensor(total)

    def of(self, archs: Archs, space: Space) -> NDArray[np.float64]:
        """(n,) the cost of archs (n, choices) by the terms alone."""
        column = {c.name: i for i, c in enumerate(space.choices())}
        rows = np.maximum(archs, 0)
        total = np.full(len(archs), self.base)
        for term in self.terms:
            total += term.table[tuple(rows[:, column[n]] for n in term.names)]
        return total

    def scaled(self, unit: float) -> Expected:
        """The same cost in another unit: all numbers divided by `unit`."""
        terms = tuple(Term(t.names, t.table / unit) for t in self.terms)
        return Expected(self.base / unit, terms, self.error)


def whole(gates: Gates, choices: Sequence[Choice]) -> dict[str, Tensor]:
    """Choice name -> (n_options,) of gates: the weights of those that take part, else zero."""
    out = {}
    for c in choices:
        gate = gates[c.name]
        where = (torch.tensor(gate.options, device=gate.weights.device),)
        out[c.name] = gate.weights.new_zeros(len(c.options)).index_put(where, gate.weights)
    return out


def expected(problem: Problem, metric: str) -> Expected:
    """The mean of an exact and free cost ("flops", "params") of the problem's space.

    Raises:
        NotSupported: too many choices meet in one term.
    """
    space, shape = problem.space, problem.task.shape
    return exact(space, lambda rows: space.costs(rows, shape)[metric], problem.rng("expected", metric))


def exact(space: Space, cost: Cost, rng: np.random.Generator) -> Expected:
    """The terms of a cost of archs, found by asking it.

    Which choices meet is seen from mixed differences in random places; tables are then built from one arch
    on, each without what smaller ones hold (an anchored decomposition), until random archs agree.

    Args:
        space: open options count; where a choice is inactive, whatever it has does not matter.
        cost: archs (n, choices) -> (n,), any number of archs at once.
        rng: draws the places.

    Raises:
        NotSupported: with terms of five choices random archs still do not agree.
    """
    choices = space.choices()

    def asked(rows: Archs) -> NDArray[np.float64]:
        return cost(settle(space, rows))

    origin = np.array([c.open[0] for c in choices], dtype=np.int64)
    base = float(asked(origin[None])[0])
    test = drawn(choices, 256, rng)
    true = asked(test)
    scale = max(float(np.abs(true).mean()), 1e-12)
    meet = _meetings(choices, asked, rng, EXACT * scale)
    groups: list[tuple[int, ...]] = [(i,) for i in range(len(choices))]
    found: dict[tuple[int, ...], NDArray[np.float64]] = {}
    for _ in range(MOST):
        found |= _tables(groups, choices, origin, lambda rows: asked(rows) - base, found)
        kept = {g: t for g, t in found.items() if np.abs(t).max() > EXACT * scale}
        terms = tuple(Term(tuple(choices[i].name for i in g), t) for g, t in kept.items())
        error = float(np.abs(Expected(base, terms).of(test, space) - true).max()) / scale
        if error < 100 * EXACT:
            return Expected(base, terms, error)
        groups = [(*g, j) for g in groups for j in range(g[-1] + 1, len(choices)) if meet[j, list(g)].all()]
    raise NotSupported(f"more than {MOST} choices decide together on this cost; it has no exact mean")


def drawn(choices: Sequence[Choice], n: int, rng: np.random.Generator) -> Archs:
    """(n, choices) open options, independent and uniform, valid or not; no choice is marked inactive."""
    columns = [rng.choice(c.open, n) for c in choices]
    return np.stack(columns, 1) if columns else np.zeros((n, 0), dtype=np.int64)


def _meetings(
    choices: Sequence[Choice], cost: Cost, rng: np.random.Generator, least: float
) -> NDArray[np.bool_]:
    """(choices, choices) whether two ever decide on the cost together."""
    pairs = list(itertools.combinations(range(len(choices)), 2))
    corners = []
    for i, j in pairs:
        rows = drawn(choices, PLACES, rng)
        other = _others(choices, rows, rng)
        for moved in ((), (i,), (j,), (i, j)):
            corner = rows.copy()
            corner[:, moved] = other[:, moved]
            corners.append(corner)
    meet = np.zeros((len(choices), len(choices)), dtype=bool)
    if not corners:
        return meet
    value = cost(np.concatenate(corners)).reshape(len(pairs), 4, PLACES)
    mixed = np.abs(value[:, 0] - value[:, 1] - value[:, 2] + value[:, 3]).max(1) > least
    for (i, j), together in zip(pairs, mixed, strict=True):
        meet[i, j] = meet[j, i] = together
    return meet


def _others(choices: Sequence[Choice], rows: Archs, rng: np.random.Generator) -> Archs:
    """(n, choices) open options, each another one than in `rows` where there is another."""
    out = rows.copy()
    for j, c in enumerate(choices):
        places = {o: k for k, o in enumerate(c.open)}
        at = np.array([places[int(o)] for o in rows[:, j]], dtype=np.int64)
        step = rng.integers(1, max(len(c.open), 2), len(rows))
        out[:, j] = np.array(c.open)[(at + step) % len(c.open)]
    return out


def _tables(
    groups: Sequence[tuple[int, ...]],
    choices: Sequence[Choice],
    origin: NDArray[np.int64],
    cost: Cost,
    known: Mapping[tuple[int, ...], NDArray[np.float64]],
) -> dict[tuple[int, ...], NDArray[np.float64]]:
    """Of groups of one size: the cost over their open options, others at the origin, less what parts hold."""
    blocks = []
    for group in groups:
        cells = np.array(list(itertools.product(*(choices[i].open for i in group))))
        block = np.repeat(origin[None], len(cells), 0)
        block[:, group] = cells
        blocks.append(block)
    if (count := sum(map(len, blocks))) > CELLS:
        raise NotSupported(f"{count:,} combinations decide together on this cost; it has no exact mean")
    ends = np.cumsum([len(b) for b in blocks])[:-1]
    values = np.split(cost(np.concatenate(blocks)), ends) if blocks else []
    out = {}
    for group, rows, value in zip(groups, blocks, values, strict=True):
        for n in range(1, len(group)):
            for part in itertools.combinations(group, n):
                value = value - known[part][tuple(rows[:, i] for i in part)]
        table = np.zeros([len(choices[i].options) for i in group])
        table[tuple(rows[:, i] for i in group)] = value
        out[group] = table
    return out


def additive(space: Space, archs: Sequence[Arch], values: Sequence[float]) -> Expected:
    """One number for each option, by least squares on what some archs cost.

    Args:
        space: whose choices count; an inactive one adds nothing.
        archs: n archs.
        values: (n,) their cost.

    Returns:
        A model whose `error` is the root mean square over these archs, relative to the mean cost.
    """
    rows, choices = array(archs, space), space.choices()
    y = np.asarray(values, dtype=np.float64)
    ones = [np.eye(len(c.options) + 1)[rows[:, i]][:, :-1] for i, c in enumerate(choices)]
    design = np.concatenate(ones, 1) if ones else np.zeros((len(y), 0))
    solved = np.linalg.lstsq(design, y - y.mean(), rcond=1e-6)[0]
    parts = np.split(solved, np.cumsum([len(c.options) for c in choices])[:-1])
    terms = tuple(Term((c.name,), p) for c, p in zip(choices, parts, strict=True))
    rest = design @ solved + y.mean() - y
    return Expected(float(y.mean()), terms, float(np.sqrt((rest**2).mean())) / float(np.abs(y).mean()))


def some(problem: Problem, n: int, *stream: str) -> list[Arch]:
    """Up to n different random archs to fit on."""
    rows = sample(problem.space, n, problem.rng("expected", *stream))
    return list(dict.fromkeys(tuple(int(i) for i in r) for r in rows))
