"""Training 64 random cells on digits as one program, against one module per architecture.

Same machine, one thread, same data, same weights at the start; the two ways take turns, so that drifts of
the machine hit both. Prints JSON: CPU and wall seconds a training, their ratio for each repeat, and the
largest difference of logits at the start (same weights) between the two. `python scripts/bench_batched.py
[--cells 64] [--epochs 3]`
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from nascore.chunk import Chunk, fresh
from nascore.evaluators.trained import Trained
from nascore.problem import Problem
from nascore.recipe import train
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Arch, sample, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits


def together(problem: Problem, archs: list[Arch], size: int) -> list[list[float]]:
    """Validation losses by epoch of each arch, trained in programs of `size` members."""
    out = []
    for at in range(0, len(archs), size):
        part = archs[at : at + size]
        net = problem.space.batched(part, problem.task.shape)
        chunk = Chunk(problem, net, part, [None] * len(part))
        for _ in range(problem.recipe.epochs):
            chunk.epoch()
        out += [r.curve["loss"] for r in chunk.records]
    return out


def one_by_one(problem: Problem, archs: list[Arch]) -> list[list[float]]:
    """The same by `recipe.train`, one module per architecture."""
    return [
        [step.values["loss"] for step in train(problem, fresh(problem, a), problem.recipe, f"alone {i} {a}")]
        for i, a in enumerate(archs)
    ]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


@torch.no_grad()
def difference(problem: Problem, archs: list[Arch]) -> float:
    """Largest difference of logits between the program and each module, same weights, training mode."""
    net = problem.space.batched(archs, problem.task.shape)
    alone = [fresh(problem, a) for a in archs]
    for i, module in enumerate(alone):
        net.load(i, module.state_dict())
    x = problem.task.whole("train").x[:64]
    out = net(x)
    return max((out[i] - module(x)).abs().max().item() for i, module in enumerate(alone))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--chunk", type=int, default=0, help="members of a program; 0 as the trainer chooses")
    given = parser.parse_args()
    torch.set_num_threads(1)

    def problem() -> Problem:
        return Problem(Nasbench201(1, 8, 1, 2), Digits(), SgdCosine(given.epochs), Trained())

    p = problem()
    archs = tuples(sample(p.space, given.cells, p.rng("bench")))
    size = given.chunk or p.space.batched(archs[:1], p.task.shape).fitting(p.recipe.batch)
    timed(lambda: (together(p, archs[:4], 4), one_by_one(p, archs[:2])))  # first calls load kernels
    rows = []
    for _ in range(given.repeats):
        fast = timed(lambda: together(problem(), archs, size))
        slow = timed(lambda: one_by_one(problem(), archs))
        rows.append((fast, slow))
    n = len(archs)
    ratios = {k: [round(s[i] / f[i], 2) for f, s in rows] for i, k in enumerate(("cpu", "wall"))}
    report = {
        "what": f"{n} random cells, digits, stem stride 2, C=8, batch 64, {given.epochs} epochs, 1 thread",
        "members_of_a_program": size,
        "cpu_seconds_a_training": {
            "one program": round(statistics.median(f[0] for f, _ in rows) / n, 4),
            "one module each": round(statistics.median(s[0] for _, s in rows) / n, 4),
        },
        "ratio_cpu": ratios["cpu"],
        "ratio_wall": ratios["wall"],
        "ratio": statistics.median(ratios["cpu"]),
        "logits_differ_by": difference(p, archs),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
