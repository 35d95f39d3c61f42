"""Searches on an imported NAS-Bench-201 table: how many a second, whether they are distributed as the scalar
strategies, and what they find next to what is published.

Prints JSON. Evolution: 300 evaluations, population 50, sample 10, on the 12-epoch validation accuracy of
CIFAR-10, all 15,625 rows. `python scripts/bench_table_search.py PARQUET [--runs 10000] [--scalar 200]`, where
PARQUET is a table such as `nb201_topology.parquet`, or the name of a table that is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from scipy.stats import ks_2samp, mannwhitneyu

from nascore.benchmarks import simulate
from nascore.benchmarks.imports import import_path
from nascore.benchmarks.table import Table, open_table
from nascore.evaluators.tabular import Tabular
from nascore.events import Tried
from nascore.kinds import Strategy
from nascore.problem import Budget, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.local_search import LocalSearch
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.regularized_evolution import RegularizedEvolution
from nascore.tasks.images import Digits

SEARCHED = "cifar10_val_acc_12"
FINAL = ("cifar10_test_acc_200", "cifar100_test_acc_200", "imagenet16_120_test_acc_200")
PUBLISHED = {"random_search_100": (93.75, 71.17, 44.75), "best_of_table": (94.37, 73.51, 47.31)}


def alone(table: Table, strategy: Strategy, evaluations: int, seed: int) -> float:
    """What one run of a strategy finds: the best value of the metric that is searched for."""
    problem = Problem(
        Nasbench201(),
        Digits(),
        SgdCosine(),
        Tabular(table.name, SEARCHED),
        budget=Budget(evaluations=evaluations),
        seed=seed,
    )
    errors = [e.metrics["error"] for e in search(strategy, problem) if isinstance(e, Tried)]
    assert len(errors) == evaluations  # noqa: S101 -- a search that ends early would be another
    return 100 * (1 - min(errors))


def agreement(one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Two-sample tests of two sets of results, and their means with standard errors."""
    means = {
        name: [round(float(v.mean()), 4), round(float(v.std(ddof=1) / np.sqrt(len(v))), 4)]
        for name, v in (("vectorized", one), ("scalar", other))
    }
    return {
        "runs": [len(one), len(other)],
        "mean_and_standard_error": means,
        "p_kolmogorov_smirnov": round(float(ks_2samp(one, other).pvalue), 4),
        "p_mann_whitney": round(float(mannwhitneyu(one, other).pvalue), 4),
    }


def rate(act: Callable[[], object], runs: int, repeats: int = 5) -> dict[str, int]:
    """Searches a second by the clock and by the processor, which others may use too: the best of a few."""
    clock, busy = np.inf, np.inf
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        act()
        clock, busy = min(clock, time.perf_counter() - start), min(busy, time.process_time() - used)
    return {"clock": round(runs / clock), "processor": round(runs / busy)}


def final(table: Table, rows: np.ndarray) -> dict[str, list[float]]:
    """Mean test accuracy of what was found, with its 95 % interval, on each data set."""
    out = {}
    for metric in FINAL:
        values = table.values(metric)[rows]
        half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
        out[metric] = [
            round(float(v), 3) for v in (values.mean(), values.mean() - half, values.mean() + half)
        ]
    return out


def lead(table: Table, rows: np.ndarray, base: np.ndarray) -> dict[str, list[float]]:
    """Mean difference to other searches with its 95 % interval."""
    out = {}
    for metric in FINAL:
        a, b = table.values(metric)[rows], table.values(metric)[base]
        half = 1.96 * np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        mean = float(a.mean() - b.mean())
        out[metric] = [round(float(v), 3) for v in (mean, mean - half, mean + half)]
    return out


def measure(table: Table, runs: int, scalar: int) -> dict[str, Any]:
    """Everything that is printed."""
    field, values = simulate.ground(table, SEARCHED), table.values(SEARCHED)
    vectorized: dict[str, Callable[[int], np.ndarray]] = {
        "evolution_again": lambda n: simulate.evolution(field, 300, n, again=True),
        "evolution": lambda n: simulate.evolution(field, 300, n),
        "random_search": lambda n: simulate.random_search(field, 300, n),
        "local_search": lambda n: simulate.local_search(field, 300, n),
    }
    found = {name: values[simulate.best(field, act(runs))] for name, act in vectorized.items()}
    rng = np.random.default_rng(0)
    twins = [
        simulate.best(field, simulate.evolution_alone(field, 300, rng)[:, None])[0] for _ in range(scalar)
    ]
    strategies: dict[str, Strategy] = {
        "evolution": RegularizedEvolution(population=50, tournament=10, children=1),
        "random_search": RandomSearch(),
        "local_search": LocalSearch(),
    }
    agree = {"evolution_again": agreement(found["evolution_again"], values[twins])}
    for name, strategy in strategies.items():
        agree[name] = agreement(
            found[name], np.array([alone(table, strategy, 300, s) for s in range(scalar)])
        )
    hundred = {
        "random_search": simulate.best(field, simulate.random_search(field, 100, runs, 1)),
        "evolution": simulate.best(field, simulate.evolution(field, 100, runs, 1)),
        "evolution_again": simulate.best(field, simulate.evolution(field, 100, runs, 1, again=True)),
    }
    three = {
        "random_search": simulate.best(field, simulate.random_search(field, 300, runs, 2)),
        "evolution": simulate.best(field, simulate.evolution(field, 300, runs, 2)),
    }
    return {
        "rows": table.rows,
        "searches_per_second": {name: rate(lambda a=act: a(4000), 4000) for name, act in vectorized.items()},
        "agreement_with_scalar": agree,
        "published": PUBLISHED,
        "best_of_table": {m: round(float(table.values(m).max()), 3) for m in FINAL},
        "random_search_100": final(table, hundred["random_search"]),
        "evolution_100": final(table, hundred["evolution"]),
        "evolution_over_random_100": lead(table, hundred["evolution"], hundred["random_search"]),
        "evolution_again_over_random_100": lead(table, hundred["evolution_again"], hundred["random_search"]),
        "evolution_over_random_300": lead(table, three["evolution"], three["random_search"]),
    }


def main() -> None:
    """Reads the command line, imports where that is due, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", help="a Parquet file, or the name of a table")
    parser.add_argument("--runs", type=int, default=10_000, help="vectorized searches of each kind")
    parser.add_argument("--scalar", type=int, default=200, help="runs of each scalar strategy")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if Path(args.table).is_file():
            os.environ["NASCOPE_HOME"] = folder
            import_path(args.table, "nb201", Path(folder))
        table = open_table("nb201" if Path(args.table).is_file() else args.table)
        print(json.dumps(measure(table, args.runs, args.scalar), indent=1))


if __name__ == "__main__":
    main()
