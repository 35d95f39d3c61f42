"""Architectures as rows of numbers for predictors: which encoding, with or without the free costs.

Columns are those of the pairs that are learned from; what occurs only in other architectures is left out,
since nothing is known of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore import encode
from nascore.errors import BadInput
from nascore.kinds import knob
from nascore.space import Arch, Space, array, tuples
from nascore.space import encode as one_hot

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.task import Shape

Floats = NDArray[np.float64]
ENCODINGS = ("one-hot", "path", "adjacency")


def encoding(default: str = "one-hot") -> Any:
    """The knob that says how an arch becomes numbers."""
    return knob(
        default, help="one column an option, a path of the graph, or an edge or node", options=ENCODINGS
    )


def with_costs() -> Any:
    """The knob that adds the free costs."""
    return knob(False, help="also give the logarithms of parameters and multiply-adds")


def pairs(archs: Sequence[Arch], y: Sequence[float] | Floats) -> tuple[list[Arch], Floats]:
    """Archs as tuples and their numbers, (n,).

    Raises:
        BadInput: fewer than two pairs, unequal lengths, or a number that is not finite.
    """
    rows, target = tuples(archs), np.asarray(y, dtype=np.float64)
    if target.shape != (len(rows),):
        raise BadInput(f"pairs: {len(rows)} architectures need as many numbers, got shape {target.shape}")
    if len(rows) < 2:
        raise BadInput(f"pairs: {len(rows)} is too few to learn from; 2 are the least")
    if bad := int((~np.isfinite(target)).sum()):
        raise BadInput(f"pairs: {bad} of {len(rows)} numbers are not finite; leave those pairs out")
    return rows, target


class Encoder:
    """The columns that pairs have.

    Args:
        problem: gives the space, and the shape that costs are counted at.
        kind: one of `ENCODINGS`.
        costs: whether log(1 + params) and log(1 + flops) are further columns, standardized by the pairs.
        archs: those that are learned from.

    Attributes:
        names: of the columns; of one-hot `choice=option`.
    """

    def __init__(self, problem: Problem, kind: str, costs: bool, archs: Sequence[Arch]) -> None:
        self.problem, self.kind, self.costs = problem, kind, costs
        self._columns: tuple[tuple[str, ...], ...] = ()
        if kind == "one-hot":
            choices = problem.space.choices()
            self.names = tuple(f"{c.name}={o}" for c in choices for o in c.options)
        else:
            self._columns = tuple(sorted({n for row in self._counts(archs) for n in row}))
            self.names = tuple(" ".join(c) for c in self._columns)
        if costs:
            raw = self._priced(archs)
            self._center, self._spread = raw.mean(0), np.where(raw.std(0) > 0, raw.std(0), 1.0)
            self.names += ("log params", "log flops")

    def rows(self, archs: Sequence[Arch]) -> Floats:
        """(n, columns)."""
        if self.kind == "one-hot":
            out = one_hot(self.problem.space, array(tuples(archs), self.problem.space))
        else:
            out = np.zeros((len(archs), len(self._columns)))
            at = {name: j for j, name in enumerate(self._columns)}
            for i, row in enumerate(self._counts(archs)):
                for name in row.keys() & at.keys():
                    out[i, at[name]] = row[name]
        if not self.costs:
            return out
        return np.concatenate([out, (self._priced(archs) - self._center) / self._spread], 1)

    def _priced(self, archs: Sequence[Arch]) -> Floats:
        rows = array(tuples(archs), self.problem.space)
        found = self.problem.space.costs(rows, self.problem.task.shape)
        return np.log1p(np.stack([found["params"], found["flops"]], 1))

    def _counts(self, archs: Sequence[Arch]) -> list[Mapping[Any, int]]:
        known = _known(self.problem.space, self.problem.task.shape, self.kind)
        for arch in archs:
            if arch not in known:
                known[arch] = _counted(self.problem, arch, self.kind)
        return [known[a] for a in archs]


@lru_cache(maxsize=4)
def _known(space: Space, shape: Shape, kind: str) -> dict[Arch, Counter[Any]]:
    """What was counted before: a graph costs a millisecond, and searches ask for the same ones."""
    return {}


def _counted(problem: Problem, arch: Arch, kind: str) -> Counter[Any]:
    graph = problem.space.graph(arch, problem.task.shape)
    return encode.paths(graph) if kind == "path" else encode.parts(graph)
