"""All proxies of a network from one shared look, against each alone from a network built anew.

NAS-Bench-201 cells at 16x16, batch 16, C = 16, N = 5; one thread; the two ways take turns. Prints JSON: CPU
seconds a network of each way, the ratio of all cells and of each, the largest relative difference of the
scores, and the floor: one forward and one backward pass. A time is the least of the repeats. Zen, GradSign
and DisWOT need passes, weights or a teacher of their own that nobody else could use: the ratio with them
stands apart. GraSP needs second-order gradients and is in neither. "alone" uses this program's own scores,
which copy the network they are given; the library that made them popular also builds a network for each.
Together, a network is made of the modules of the one before. What 3x3 convolutions multiply bounds the ratio:
alone they go forward 6 times and backward 9 times, together once and 3 times.
`python scripts/bench_proxies.py [--cells 8] [--repeats 5]`
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from nascore.chunk import fresh
from nascore.evaluators.zero_cost import ZeroCost
from nascore.problem import Problem
from nascore.proxies import PROXIES
from nascore.proxies.look import look, scores
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Arch, sample, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Batch, Shape
from nascore.tasks.images import Digits

Build = Callable[[Arch], torch.nn.Module]
NAMES = (
    "params",
    "flops",
    "l2_norm",
    "plain",
    "grad_norm",
    "snip",
    "fisher",
    "synflow",
    "jacob_cov",
    "naswot",
)
DEARER = ("zen", "gradsign", "diswot")  # several passes, a pass an example, a teacher


class Colored(Digits):
    """Only its loss and the shape of small colored images are used."""

    @property
    def shape(self) -> Shape:
        """16x16 in three colors."""
        return Shape((("image", (3, 16, 16)),), (("class", 10),))


def batch(n: int = 16) -> Batch:
    """Random images with random labels: the time does not depend on what is seen."""
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, 16, 16, generator=draws)
    return Batch(x, torch.randint(10, (n,), generator=draws), torch.arange(n))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and the result."""
    begin = time.process_time()
    out = work()
    return time.process_time() - begin, out


def alone(problem: Problem, arch: Arch, name: str) -> float:
    """One proxy from a network of its own."""
    return float(PROXIES[name]().score([fresh(problem, arch)], batch(), problem))


def together(problem: Problem, arch: Arch, names: tuple[str, ...], build: Build) -> dict[str, float]:
    """All proxies from one network, made of the modules of those before."""
    net = fresh(problem, arch, build)
    found = scores({n: PROXIES[n]() for n in names}, [net], batch(), problem)
    return {n: float(v) for n, v in found.items()}


def compared(
    problem: Problem, archs: tuple[Arch, ...], names: tuple[str, ...], repeats: int
) -> dict[str, Any]:
    """Both ways by turns on every cell: seconds, ratios and the largest relative difference."""
    ours: dict[Arch, float] = dict.fromkeys(archs, math.inf)
    theirs: dict[tuple[Arch, str], float] = {(a, n): math.inf for a in archs for n in names}
    worst, build = 0.0, problem.space.builder(problem.task.shape)
    for _ in range(repeats):
        for arch in archs:
            spent, mine = timed(lambda a=arch: together(problem, a, names, build))
            ours[arch] = min(ours[arch], spent)
            for name in names:
                spent, other = timed(lambda a=arch, n=name: alone(problem, a, n))
                theirs[arch, name] = min(theirs[arch, name], spent)
                worst = max(worst, abs(mine[name] - other) / max(abs(other), 1e-12))
    summed = {a: sum(theirs[a, n] for n in names) for a in archs}
    return {
        "proxies": names,
        "ratio": round(sum(summed.values()) / sum(ours.values()), 2),
        "ratio_of_each_cell": {problem.space.text(a): round(summed[a] / ours[a], 2) for a in archs},
        "cpu_seconds_together": round(statistics.mean(ours.values()), 3),
        "cpu_seconds_alone": round(statistics.mean(summed.values()), 3),
        "largest_relative_difference": worst,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    problem = Problem(Nasbench201(5, 16, 3, 1), Colored(), SgdCosine(), ZeroCost())
    archs = tuple(tuples(sample(problem.space, given.cells, np.random.default_rng(0))))
    together(problem, archs[0], (*NAMES, *DEARER), problem.space.builder(problem.task.shape))
    nets = [fresh(problem, a) for a in archs]
    floor = [
        min(timed(lambda n=n: look(n, batch(), problem, ("gradients",)))[0] for _ in range(given.repeats))
        for n in nets
    ]
    out = {
        "cells": len(archs),
        "repeats": given.repeats,
        "cpu_seconds_forward_and_backward": round(statistics.mean(floor), 3),
        "shared": compared(problem, archs, NAMES, given.repeats),
        "with_the_dearer": compared(problem, archs, (*NAMES, *DEARER), given.repeats),
    }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
