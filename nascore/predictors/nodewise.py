"""What training-free scores are made of: one number a layer, before the sum, as columns of a predictor.

Aligned columns are places of the network, such as an edge of a cell, whatever operation stands there; packed
ones count the layers of each network from the beginning, so that a column is another place in another arch.
Of equal networks the representative (`space.canonical`) is looked at, whatever places the arch itself uses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.kinds import Proxy
from nascore.proxies.look import Summed, look
from nascore.space import Arch, Space
from nascore.task import Task

if TYPE_CHECKING:
    from nascore.problem import Problem

Floats = NDArray[np.float64]
Layers = tuple[dict[str, float], ...]  # layer -> value, of each proxy
OPTION = re.compile(r"\.ops\.\d+")


class Nodewise:
    """The columns that the archs learned from have, and their scale.

    Args:
        problem: builds the networks; their first weights are those of seed 0, so a seed changes no column.
        proxies: each gives a value a layer.
        aligned: columns are places; else positions in the network.
        raw: values as they are; else sign(v) log(1 + |v|), standardized by the archs learned from.
        batch: images that proxies see.
        archs: those learned from.

    Raises:
        BadInput: a proxy gives no value a layer.
    """

    def __init__(
        self,
        problem: Problem,
        proxies: Sequence[Proxy],
        *,
        aligned: bool,
        raw: bool,
        batch: int,
        archs: Sequence[Arch],
    ) -> None:
        for proxy in proxies:
            if not hasattr(proxy, "layers"):
                raise BadInput(f"proxies: {type(proxy).__name__} has no value for each layer; take another")
        self.problem, self.proxies = replace(problem, seed=0), tuple(proxies)
        self.aligned, self.raw, self.batch = aligned, raw, batch
        slots = [self._slots(found) for found in self._of(archs)]
        self.names = tuple(
            f"{type(p).__name__} {s}"
            for i, p in enumerate(proxies)
            for s in dict.fromkeys(s for row in slots for s in row[i])
        )
        self._columns = [
            (i, s) for i in range(len(proxies)) for s in dict.fromkeys(s for r in slots for s in r[i])
        ]
        plain = self._plain(archs)
        self._center, self._spread = plain.mean(0), np.where(plain.std(0) > 0, plain.std(0), 1.0)

    def rows(self, archs: Sequence[Arch]) -> Floats:
        """(n, columns)."""
        plain = self._plain(archs)
        return plain if self.raw else (plain - self._center) / self._spread

    def _plain(self, archs: Sequence[Arch]) -> Floats:
        out = np.zeros((len(archs), len(self._columns)))
        for row, found in zip(out, self._of(archs), strict=True):
            slots = self._slots(found)
            row[:] = [slots[i].get(s, 0.0) for i, s in self._columns]
        out = np.nan_to_num(out, nan=0.0, posinf=0.0, neginf=0.0)
        return out if self.raw else np.sign(out) * np.log1p(np.abs(out))

    def _slots(self, found: Layers) -> list[dict[str, float]]:
        if self.aligned:
            return [{OPTION.sub("", name): v for name, v in one.items()} for one in found]
        return [{f"layer {i:03d}": v for i, v in enumerate(one.values())} for one in found]

    def _of(self, archs: Sequence[Arch]) -> list[Layers]:
        space = self.problem.space
        known = _known(space, self.problem.task, self.proxies, self.batch)
        out = []
        for arch in map(space.canonical, archs):
            if arch not in known:
                known[arch] = _values(self.problem, arch, self.proxies, self.batch)
            out.append(known[arch])
        return out


@lru_cache(maxsize=4)
def _known(space: Space, task: Task, proxies: tuple[Proxy, ...], batch: int) -> dict[Arch, Layers]:
    """What was computed before: a network costs milliseconds, and splits ask for the same ones."""
    return {}


def _values(problem: Problem, arch: Arch, proxies: Sequence[Any], batch: int) -> Layers:
    """Of each proxy layer -> value; those that only look share one look. A layer without a value has 0."""
    from nascore.chunk import fresh, one_batch

    net, images = fresh(problem, arch).to(problem.device), one_batch(problem, batch)
    looking = [p for p in proxies if isinstance(p, Summed)]
    seen = look(net, images, problem, {need for p in looking for need in p.needs}) if looking else None
    names = list(look(net, images, problem, ("weights",)).weights)
    out = []
    for p in proxies:
        found = p.parts(seen) if seen and isinstance(p, Summed) else p.layers(net, images, problem)
        out.append({n: float(found.get(n, 0.0)) for n in names})
    return tuple(out)
