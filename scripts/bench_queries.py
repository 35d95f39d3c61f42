"""How many architectures a search judges before it finds the best of a table, as ratios with intervals.

Prints JSON as it comes out, also where a method loses: GBDT-NAS with our and with the released leaf size
against random search and regularized evolution, and evolution that judges the best of ten proposals by a
score (G-REA) against evolution alone, the same seeds and first populations. A search that has not found the
best by `--most` counts as `--most` and as a failure. Medians with 95 % bootstrap intervals over seeds.

`python scripts/bench_queries.py [--table nasbench_digits] [--seeds 20] [--most 1500] [--only gbdt,assisted]`
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from nascore import codec, stats
from nascore.benchmarks import simulate
from nascore.benchmarks.table import Table, open_table
from nascore.evaluators.tabular import Tabular
from nascore.events import Tried
from nascore.kinds import Strategy
from nascore.problem import Budget, Memo, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import tuples
from nascore.strategies.gbdt_nas import GbdtNas
from nascore.strategies.proxy_assisted import ProxyAssisted
from nascore.tasks.images import Digits

METRIC = "val_accuracy"
POPULATION, TOURNAMENT = 50, 10
SCORES = ("gradsign", "synflow", "naswot", "grad_norm", "params")  # those that the table has
GBDT = {
    "n 50, k 10, leaf n/50": GbdtNas(first=50, top=10),
    "n 50, k 10, leaf 20 (released)": GbdtNas(first=50, top=10, min_leaf=20),
    "n 100, k 50, leaf n/50": GbdtNas(first=100, top=50),
    "n 100, k 50, leaf 20 (released)": GbdtNas(first=100, top=50, min_leaf=20),
}


def problem(table: Table, most: int, seed: int, memo: Memo | None = None) -> Problem:
    """A search on the table with so many judgments."""
    space = codec.from_json("space", table.space)
    judge, budget = Tabular(table.name, METRIC), Budget(evaluations=most)
    return Problem(space, Digits(), SgdCosine(), judge, budget=budget, seed=seed, memo=memo or Memo())


def queries(strategy: Strategy, asked: Problem, goal: float) -> int:
    """Judgments until the error is at most `goal`; the budget where it never is."""
    count = 0
    events = search(strategy, asked)
    for event in events:
        if isinstance(event, Tried):
            count += 1
            if event.metrics.get("error", np.inf) <= goal:
                events.close()  # type: ignore[attr-defined] # a generator
                return count
    return asked.budget.evaluations


def told(counts: list[int], most: int) -> dict[str, Any]:
    """Median, interval and failures."""
    middle = stats.bootstrap(lambda x: float(np.median(x)), counts)
    return {
        "median": middle.value,
        "low": middle.low,
        "high": middle.high,
        "failures": sum(c >= most for c in counts),
        "n": len(counts),
    }


def ratio(of: list[int], to: list[int]) -> dict[str, float]:
    """How many times the median of `to` is that of `of`, both resampled on their own."""
    rng, a, b = np.random.default_rng(0), np.array(of), np.array(to)
    drawn = [np.median(rng.choice(b, len(b))) / np.median(rng.choice(a, len(a))) for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = np.median(b) / np.median(a)
    return {name: round(float(v), 3) for name, v in (("ratio", value), ("low", low), ("high", high))}


def random_counts(table: Table, goal_rows: np.ndarray, runs: int) -> list[int]:
    """Draws without replacement until the first of the best rows."""
    rng, n = np.random.default_rng(0), table.rows
    return [int(rng.permutation(n)[goal_rows].min()) + 1 for _ in range(runs)]


def evolution_counts(table: Table, best: np.ndarray, runs: int, most: int) -> list[int]:
    """Regularized evolution, one child at a time, none judged twice."""
    field = simulate.ground(table, METRIC)
    history = simulate.evolution(field, most, runs, population=POPULATION, tournament=TOURNAMENT)
    hit = np.isin(history, best)
    return [int(h.argmax()) + 1 if h.any() else most for h in hit.T]


def gbdt(table: Table, best: np.ndarray, seeds: int, most: int) -> None:
    """Prints GBDT-NAS's queries and their ratios to those of random search and evolution."""
    goal = 1 - table.values(METRIC)[best[0]] / 100 + 1e-12
    bases = {
        "random_search": random_counts(table, best, 2000),
        "regularized_evolution": evolution_counts(table, best, 400, 5000),
    }
    show({"table": table.name, "rows": table.rows, "best_rows": len(best), "accuracy": 100 * (1 - goal)})
    for name, counts in bases.items():
        show({"search": name, **told(counts, table.rows if name == "random_search" else 5000)})
    for name, strategy in GBDT.items():
        start = time.process_time()
        counts = [queries(strategy, problem(table, most, seed), goal) for seed in range(seeds)]
        ratios = {f"{base}_to_gbdt": ratio(counts, other) for base, other in bases.items()}
        show(
            {"search": f"gbdt_nas, {name}", **told(counts, most), **ratios, "cpu": spent(start), "of": counts}
        )


def assisted(table: Table, best: np.ndarray, seeds: int, most: int) -> None:
    """Prints queries of evolution with and without a score at its side, paired by seed."""
    goal = 1 - table.values(METRIC)[best[0]] / 100 + 1e-12
    own = {"population": POPULATION, "tournament": TOURNAMENT, "children": 1}
    start = time.process_time()
    alone = [queries(ProxyAssisted(proposals=1, **own), problem(table, most, s), goal) for s in range(seeds)]
    show({"search": "REA", **told(alone, most), "cpu": spent(start), "of": alone})
    archs = tuples(table.archs)
    for name in (s for s in SCORES if s in table.columns):
        values = table.values(name)
        known = {arch: (v,) for arch, v in zip(archs, values.tolist(), strict=True)}
        start, counts = time.process_time(), []
        for seed in range(seeds):
            memo = Memo()
            memo.states["proxy_assisted/scores"] = known
            counts.append(queries(ProxyAssisted(**own), problem(table, most, seed, memo), goal))
        test = stats.paired(counts, alone)
        pair = {"difference": test.difference.value, "low": test.difference.low, "high": test.difference.high}
        wins = {"fewer": test.less, "equal": test.equal, "more": test.more, "p": round(test.p, 4)}
        both = {"paired_difference": pair, **wins, "REA_to_G-REA": ratio(counts, alone)}
        show({"search": f"G-REA by {name}", **told(counts, most), **both, "cpu": spent(start), "of": counts})


def spent(start: float) -> float:
    """CPU seconds since then."""
    return round(time.process_time() - start, 1)


def show(row: dict[str, Any]) -> None:
    """One line of JSON."""
    print(json.dumps(row), flush=True)


def main() -> None:
    """Reads the command line and prints row after row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", default="nasbench_digits")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--most", type=int, default=1500, help="judgments after which a search has failed")
    parser.add_argument("--only", default="gbdt,assisted")
    args = parser.parse_args()
    table = open_table(args.table)
    values = table.values(METRIC)
    best = np.flatnonzero(values == np.nanmax(values))
    for name in args.only.split(","):
        {"gbdt": gbdt, "assisted": assisted}[name](table, best, args.seeds, args.most)


if __name__ == "__main__":
    main()
