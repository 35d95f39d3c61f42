"""Scores of many architectures by several proxies: networks are built once, looked at once, and forgotten."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import AppError
from nascore.kinds import Proxy
from nascore.proxies.look import scores
from nascore.space import Arch, array, tuples

if TYPE_CHECKING:
    from nascore.problem import Problem


class Scores:
    """What proxies say of archs, kept in memory; equal networks are built and looked at once.

    Args:
        problem: builds networks and gives one batch of training images.
        proxies: by name.
        batch: how many images proxies see.
        known: arch or its representative -> scores in the proxies' order, of those computed before.
    """

    def __init__(
        self,
        problem: Problem,
        proxies: Mapping[str, Proxy],
        batch: int = 64,
        known: Mapping[Arch, Sequence[float]] | None = None,
    ) -> None:
        self.problem, self.proxies, self.batch = problem, dict(proxies), batch
        self.known: dict[Arch, tuple[float, ...]] = {a: tuple(v) for a, v in (known or {}).items()}
        counted = {n: getattr(p, "counted", "") for n, p in self.proxies.items()}
        self._counted = {n: m for n, m in counted.items() if m}
        self._seen = [n for n in self.proxies if n not in self._counted]
        self._images: Any = None

    def of(self, archs: Sequence[Arch]) -> NDArray[np.float64]:
        """(n, proxies) scores, higher is better; NaN where a network cannot be built or scored."""
        rows, names = tuples(archs), list(self.proxies)
        out = np.full((len(rows), len(names)), math.nan)
        if self._counted and rows:
            free = self.problem.costs(array(rows, self.problem.space))
            for name, metric in self._counted.items():
                out[:, names.index(name)] = free[metric]
        for i, arch in enumerate(rows if self._seen else ()):
            one = arch if arch in self.known else self.problem.space.canonical(arch)
            if one not in self.known:
                self.known[one] = self._look(one)
            out[i, [names.index(n) for n in self._seen]] = self.known[one]
        return out

    def _look(self, arch: Arch) -> tuple[float, ...]:
        """The scores of one network that need it."""
        from nascore.chunk import fresh, one_batch

        if self._images is None:
            self._images = one_batch(self.problem, self.batch)
            self._build = self.problem.space.builder(self.problem.task.shape)
        try:
            net = fresh(self.problem, arch, self._build).to(self.problem.device)
            found = scores({n: self.proxies[n] for n in self._seen}, [net], self._images, self.problem)
        except (RuntimeError, ValueError, AppError):
            return (math.nan,) * len(self._seen)
        return tuple(float(found[n][0]) for n in self._seen)
