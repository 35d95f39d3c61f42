"""GBDT-NAS (Luo et al., 2020): how many trainings until the best cell is found?

Boosted trees, regularized evolution and random search look for the best cell of the shipped table by
validation accuracy, each from many starts, in a space 27 times smaller than the paper's. Trees have leaves of
n / 50 pairs at least, or of 20 as in the released code. Boosted trees are also compared as predictors with an
ensemble of neural networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.benchmarks.table import Table
from nascore.codec import from_json
from nascore.events import Tried
from nascore.kinds import knob
from nascore.problem import search
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study
from nascore.tables import entry

Floats = NDArray[np.float64]
OWN, RELEASED = "GBDT-NAS", "GBDT-NAS, leaves of 20"
EVOLUTION, RANDOM = "regularized evolution", "random search"
SEARCHED: dict[str, Any] = {
    OWN: "gbdt_nas",
    RELEASED: {"name": "gbdt_nas", "knobs": {"min_leaf": 20}},
    EVOLUTION: "regularized_evolution",
}
PREDICTORS = ("gbdt", "mlp_ensemble")
GOAL = "15,625 cells of NAS-Bench-201 on digits; the paper searches 423,624 of NAS-Bench-101."


def _beats(key: str, other: str, expected: str, leaves: str = "") -> Claim:
    return Claim(
        key,
        f"GBDT-NAS{leaves} finds the optimum with fewer queries than {other}: how many times fewer",
        expected,
        (1.0, np.inf),
        unit="times",
        scale=GOAL,
    )


@dataclass(frozen=True)
class GbdtNas(Study):
    """Queries until the best cell, and boosted trees against neural networks as predictors."""

    key: ClassVar[str] = "gbdt_nas"
    claims: ClassVar[tuple[Claim, ...]] = (
        _beats("evolution", EVOLUTION, "above 1; 8 on NAS-Bench-101"),
        _beats("random", RANDOM, "above 1; 22 on NAS-Bench-101"),
        _beats("evolution_20", EVOLUTION, "above 1; 8 on NAS-Bench-101", ", with leaves of 20"),
        _beats("random_20", RANDOM, "above 1; 22 on NAS-Bench-101", ", with leaves of 20"),
        Claim(
            "predictor",
            "Boosted trees predict comparably to neural networks, if not better: Spearman's rho on unseen "
            "cells, minus that of an ensemble of networks",
            "above -0.02",
            (-0.02, np.inf),
            scale="Both learn from the same 100 cells; the paper's neural predictors are others.",
        ),
    )
    left: ClassVar[str] = "Pruning by SHAP values, ImageNet and Monte Carlo tree search are not tried."

    seeds: int = knob(20, 2, 1000, "searches of each kind; a third as many fits of predictors")
    most: int = knob(3000, 20, 15_625, "queries after which a search has failed; it counts as so many")
    pairs: int = knob(100, 10, 5000, "cells that predictors learn from")
    resamples: int = knob(2000, 10, 100_000, "of the bootstrap over searches")

    def measure(self, kept: Kept) -> Measuring:
        """Searches, fits, compares."""
        table = cells.digits()
        values = table.values("val_accuracy")
        good = set(np.flatnonzero(values >= np.nanmax(values)).tolist())
        fits = max(self.seeds // 3, 2)
        total = len(SEARCHED) * self.seeds + fits + 1
        queries: dict[str, list[float]] = {name: [] for name in SEARCHED}
        for seed in range(self.seeds):
            for i, name in enumerate(SEARCHED):
                what = f"{name}, search {seed + 1} of {self.seeds}"
                yield Progress(len(SEARCHED) * seed + i, total, what)
                queries[name].append(kept.once(f"{name} {seed}", self._searching(table, good, name, seed)))
        gains: list[float] = []
        for seed in range(fits):
            yield Progress(total - fits - 1 + seed, total, f"predictors, fit {seed + 1} of {fits}")
            rho = kept.once(f"fit {seed}", lambda s=seed: self._fitted(table, s))
            gains.append(rho[PREDICTORS[0]] - rho[PREDICTORS[1]])
        yield Progress(total - 1, total, "comparing")
        found = {name: np.array(v, float) for name, v in queries.items()}
        found[RANDOM] = np.full(self.seeds, random_queries(table.rows, len(good)))
        return self.judge(found, np.array(gains))

    def judge(self, queries: Mapping[str, Floats], gains: Floats) -> Results:
        """Of queries (searches,) by strategy and differences of Spearman's rho (fits,).

        Those of random search are its exact mean, as often as there are searches.
        """

        def ratio(other: str, own: str) -> stats.Interval:
            return stats.bootstrap(times, queries[other], queries[own], resamples=self.resamples)

        found: dict[str, Measured] = {
            "evolution": ratio(EVOLUTION, OWN),
            "random": ratio(RANDOM, OWN),
            "evolution_20": ratio(EVOLUTION, RELEASED),
            "random_20": ratio(RANDOM, RELEASED),
            "predictor": stats.mean(gains),
        }
        # counts have a long tail: a t interval would reach below 0
        means = {n: stats.bootstrap(np.mean, v, resamples=self.resamples) for n, v in queries.items()}
        beside: dict[str, Measured] = {f"Queries of {name}": means[name] for name in SEARCHED}
        beside[f"Queries of {RANDOM}, on average"] = float(queries[RANDOM].mean())
        failed = sum(int((queries[name] >= self.most).sum()) for name in SEARCHED)
        beside[f"Searches without success in {self.most:,} queries, counted as so many"] = float(failed)
        return Results(found, beside, _picture(means))

    def _searching(self, table: Table, good: set[int], name: str, seed: int) -> Callable[[], int]:
        def go() -> int:
            budget = {"evaluations": self.most}
            document = SEARCHED[name]
            problem = cells.problem_of(table, seed, evaluator="tabular", strategy=document, budget=budget)
            count = 0
            for event in search(from_json("strategy", document), problem):
                if isinstance(event, Tried):
                    count += 1
                    if int(table.lookup([event.arch])[0]) in good:
                        return count
            return self.most

        return go

    def _fitted(self, table: Table, seed: int) -> dict[str, float]:
        """Spearman's rho of each predictor on 1,000 cells that it has not seen."""
        rows = np.random.default_rng(seed).permutation(cells.own_rows(table))[: self.pairs + 1000]
        archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
        truth, n = table.values("val_accuracy")[rows], self.pairs
        problem = cells.problem_of(table, seed)
        out: dict[str, float] = {}
        for name in PREDICTORS:
            model: Any = entry("predictor", name)()
            fitted = model.fit(problem, archs[:n], truth[:n])
            out[name] = stats.spearman(fitted.predict(archs[n:])[0], truth[n:])
        return out


def random_queries(n: int, good: int) -> float:
    """Mean draws without replacement of n until one of `good`: exact, so random search needs no search."""
    return (n + 1) / (good + 1)


def times(other: Floats, own: Floats) -> float:
    """Ratio of mean queries (searches,)."""
    return float(other.mean() / own.mean())


def _picture(means: Mapping[str, stats.Interval]) -> dict[str, Any]:
    rows = sorted(means.items(), key=lambda item: -item[1].value)
    return {
        "kind": "whiskers",
        "title": "Queries until the best cell",
        "how": "Each dot is the mean over searches with its 95 % interval, on a log scale; random search is "
        "computed. Fewer is better.",
        "x": "Queries",
        "log": True,
        "names": [name for name, _ in rows],
        "values": [m.value for _, m in rows],
        "low": [m.low for _, m in rows],
        "high": [m.high for _, m in rows],
        "marked": OWN,
    }
