"""Predictors on trial: fitted to so many pairs, asked about architectures that they have not seen.

Equal networks share a training, so a class of equal networks is either learned from or asked about. A
predictor that is to be tested on what it has learned from is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.kinds import Predictor
from nascore.predictors.features import Floats, pairs
from nascore.space import Arch, Archs, tuples

if TYPE_CHECKING:
    from nascore.problem import Problem

Rows = NDArray[np.int64]
LEAST = 10  # fewer architectures to ask about give no correlation worth printing


@dataclass(frozen=True)
class Held:
    """What a predictor said of architectures that it had not seen.

    Attributes:
        size: pairs that it learned from.
        seed: of the split.
        train: (size,) positions of those in the archs that were given.
        rows: (m,) positions of those that it was asked about.
        scores: (m,) what it said, higher is better; std: (m,) how sure it was.
        fit_seconds: to learn; predict_seconds: to answer all m.
    """

    size: int
    seed: int
    train: Rows
    rows: Rows
    scores: Floats
    std: Floats
    fit_seconds: float
    predict_seconds: float


def tried(
    problem: Problem,
    predictor: Predictor,
    archs: Sequence[Arch] | Archs,
    truth: Sequence[float] | Floats,
    sizes: Sequence[int],
    seeds: Sequence[int] = (0,),
    *,
    groups: Sequence[int] | Rows | None = None,
    most: int = 0,
) -> Iterator[Held]:
    """Fits a predictor to random pairs of each size and asks it about the others, split after split.

    For one seed smaller sets are parts of larger ones, and all predictors get the same sets.

    Args:
        problem: gives the space, the task and what predictors need of them.
        predictor: fitted from the beginning each time.
        archs: n archs.
        truth: (n,) higher is better; NaN where it is not known, such archs are left out.
        sizes: numbers of pairs to learn from.
        seeds: of the splits; a predictor's own randomness follows them too.
        groups: (n,) the same number for equal networks, such as a table's `trained_row`; found by the space
            where it is not given, at milliseconds an arch.
        most: ask about at most so many, drawn at random; 0 for all.

    Yields:
        One answer a seed and size, seeds outside.

    Raises:
        BadInput: a size below 2, or one that leaves fewer than ten archs to ask about.
    """
    rows, y = tuples(archs), np.asarray(truth, dtype=np.float64)
    if y.shape != (len(rows),):
        raise BadInput(f"truth: {len(rows)} architectures need as many numbers, got shape {y.shape}")
    known, of = np.flatnonzero(np.isfinite(y)), grouped(problem, rows) if groups is None else np.array(groups)
    for seed in seeds:
        for size in sizes:
            train, test = (known[part] for part in split(of[known], size, seed, most))
            yield held_out(problem, predictor, rows, y, train, test, groups=of, seed=seed)


def held_out(
    problem: Problem,
    predictor: Predictor,
    archs: Sequence[Arch],
    truth: Floats,
    train: Rows,
    test: Rows,
    *,
    groups: Rows | None = None,
    seed: int = 0,
) -> Held:
    """Fits to the archs at `train` and asks about those at `test`; the rest as for `tried`.

    Raises:
        BadInput: some network is in both: a predictor is not tested on what it has learned from.
    """
    used = (
        grouped(problem, [archs[i] for i in (*train, *test)]) if groups is None else groups[[*train, *test]]
    )
    if both := int(np.isin(used[len(train) :], used[: len(train)]).sum()):
        raise BadInput(
            f"test: {both} of {len(test)} architectures are among those learned from; "
            "ask about others, a predictor is not tested on its training set"
        )
    known, y = pairs([archs[i] for i in train], truth[train])
    start = time.monotonic()
    fitted = predictor.fit(replace(problem, seed=problem.number("trial", seed)), known, y)
    middle = time.monotonic()
    scores, std = fitted.predict([archs[i] for i in test])
    took = time.monotonic() - middle
    return Held(len(known), seed, train, test, scores, std, middle - start, took)


def grouped(problem: Problem, archs: Sequence[Arch]) -> Rows:
    """(n,) the same number for equal networks."""
    numbers: dict[Arch, int] = {}
    return np.array([numbers.setdefault(problem.space.canonical(a), len(numbers)) for a in archs])


def split(groups: Rows, size: int, seed: int, most: int = 0) -> tuple[Rows, Rows]:
    """Positions to learn from, one a class, and to ask about, none of those classes.

    Args:
        groups: (n,) class of each arch.
        size: how many to learn from.
        seed: of the order in which they are drawn.
        most: how many to ask about at most; 0 for all.

    Raises:
        BadInput: a size below 2, or fewer than ten are left to ask about.
    """
    if size < 2:
        raise BadInput(f"size: {size} is too few pairs to learn from; 2 are the least")
    order = np.random.default_rng([seed, len(groups)]).permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    train = order[np.sort(first)][:size]
    left = order[~np.isin(groups[order], groups[train])]
    if len(train) < size or len(left) < LEAST:
        classes = len(np.unique(groups))
        raise BadInput(
            f"size: {size} pairs of {classes:,} different networks leave too few to ask about; "
            f"take at most {max(classes - LEAST, 0):,}"
        )
    return train, left[-most:] if most else left
