"""All proxies of a network from one shared look, against each alone from a network built anew.

NAS-Bench-201 cells at 16x16, batch 16, C = 16, N = 5; one thread; the two ways take turns. Prints JSON: CPU
seconds a network of each way, the ratio for each repeat, the largest relative difference of the scores, and
the floor: one forward and one backward pass. GraSP needs second-order gradients and is timed on its own.
"alone" uses this program's own scores; the library that made them popular also builds a network for each.
`python scripts/bench_proxies.py [--cells 3] [--repeats 3]`
"""

from __future__ import annotations

import argparse
import json
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
DEARER = ("zen", "gradsign", "diswot")  # several passes, a pass an example, a teacher: timed one by one


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


def alone(problem: Problem, arch: Arch, names: tuple[str, ...]) -> dict[str, float]:
    """Each proxy from a network of its own."""
    return {n: float(PROXIES[n]().score([fresh(problem, arch)], batch(), problem)) for n in names}


def together(problem: Problem, arch: Arch, names: tuple[str, ...]) -> dict[str, float]:
    """All proxies from one network."""
    found = scores({n: PROXIES[n]() for n in names}, [fresh(problem, arch)], batch(), problem)
    return {n: float(v) for n, v in found.items()}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    problem = Problem(Nasbench201(5, 16, 3, 1), Colored(), SgdCosine(), ZeroCost())
    archs = tuples(sample(problem.space, given.cells, np.random.default_rng(0)))
    together(problem, archs[0], NAMES)
    ratios, costs, worst = [], [], 0.0
    for _ in range(given.repeats):
        ours = theirs = 0.0
        for arch in archs:
            spent, mine = timed(lambda a=arch: together(problem, a, NAMES))
            ours += spent
            spent, other = timed(lambda a=arch: alone(problem, a, NAMES))
            theirs += spent
            worst = max(worst, *(abs(mine[n] - v) / max(abs(v), 1e-12) for n, v in other.items()))
        ratios.append(theirs / ours)
        costs.append((ours / len(archs), theirs / len(archs)))
    nets = [fresh(problem, a) for a in archs]
    floor = statistics.median(timed(lambda n=n: look(n, batch(), problem, ("gradients",)))[0] for n in nets)
    dear = {}
    for name in ("grasp", *DEARER):
        proxy = PROXIES[name]()
        dear[name] = statistics.median(
            timed(lambda p=proxy, n=n: p.score([n], batch(), problem))[0] for n in nets
        )
    out = {
        "cells": len(archs),
        "proxies": NAMES,
        "ratio": [round(r, 2) for r in ratios],
        "cpu_seconds_together": round(statistics.median(c[0] for c in costs), 3),
        "cpu_seconds_alone": round(statistics.median(c[1] for c in costs), 3),
        "cpu_seconds_forward_and_backward": round(floor, 3),
        "largest_relative_difference": worst,
        "cpu_seconds_of_the_dearer": {n: round(s, 3) for n, s in dear.items()},
    }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
