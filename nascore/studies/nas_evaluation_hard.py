"""NAS evaluation is frustratingly hard (Yang et al., 2020): what do searches add to the average random cell?

Strategies search the shipped table by validation accuracy; what they find and as many random cells of the
same space are compared by test accuracy. Since a wide space makes any search look good, two narrower ones
are searched too. The table's single trainings say how much the seed alone changes the ranking of cells.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.benchmarks.table import Table
from nascore.events import Chosen
from nascore.kinds import knob
from nascore.measures.relative import Improvement, Relative
from nascore.problem import search
from nascore.space import enumerate_archs, sample
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

Floats = NDArray[np.float64]
STRATEGIES = ("random_search", "local_search", "regularized_evolution", "successive_halving")
SPACES: dict[str, tuple[str, ...]] = {
    "all cells": (),
    "no edge cut": ("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
    "convolutions and skips": ("skip_connect", "nor_conv_1x1", "nor_conv_3x3"),
}
NARROW = "no edge cut"
RANDOM_CELLS = 214  # as many as the paper trained
FEWEST = 8  # searches of a pair, as in the paper: with fewer, hardly anything is ever significant


@dataclass(frozen=True)
class NasEvaluationHard(Study):
    """Searches against the average random cell, and seeds against each other."""

    key: ClassVar[str] = "nas_evaluation_hard"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "beats",
            "Many techniques struggle to beat the average architecture: share of pairs of method and space "
            "in which search is significantly better (Welch, p below 0.05)",
            "at most half; 9 of 39 in the released results",
            (-math.inf, 0.5),
            scale="Black-box searches of a table instead of eight one-shot methods, three spaces instead of "
            "five data sets; eight searches and eight random cells each, as there.",
        ),
        Claim(
            "seed",
            "The seed has a considerable impact on the ranking of architectures: Kendall's tau between the "
            "rankings of two seeds",
            "below 0.75; 0.58 in the released trainings",
            (-1.0, 0.75),
            scale="214 random cells without a cut edge, 10 epochs on digits instead of 600 on CIFAR-10.",
        ),
        Claim(
            "range",
            "The cell-based space has a very narrow range: standard deviation of the test accuracy of "
            "random cells",
            "below 0.5; 0.23 in the released trainings",
            (0.0, 0.5),
            unit="points",
            scale="The same 214 cells; they are far smaller networks than the paper's.",
        ),
    )
    left: ClassVar[str] = (
        "Tricks of training, macro against micro structure and the gap between 8 and 20 cells are not tried."
    )

    seeds: int = knob(8, 2, 1000, "searches, and random cells, of each pair")
    evaluations: int = knob(50, 5, 15_625, "architectures that each search may judge")
    resamples: int = knob(300, 10, 100_000, "of the bootstrap over cells")

    def measure(self, kept: Kept) -> Measuring:
        """Searches, then compares."""
        table = cells.digits()
        truth = table.values("test_accuracy")
        pairs = list(itertools.product(SPACES, STRATEGIES))
        total = len(pairs) * self.seeds + 1
        found: dict[str, list[float]] = {}
        for i, (space, strategy) in enumerate(pairs):
            rows: list[int] = []
            for seed in range(self.seeds):
                yield Progress(i * self.seeds + seed, total, f"{_words(strategy)}, {space}")
                rows.append(
                    kept.once(f"{space} {strategy} {seed}", self._search(table, space, strategy, seed))
                )
            found[f"{_words(strategy)}, {space}"] = truth[rows].tolist()
        yield Progress(total - 1, total, "comparing seeds")
        random = {space: truth[self._random(table, space)].tolist() for space in SPACES}
        trials = {pair: Relative().measure(v, random[pair.split(", ")[1]]) for pair, v in found.items()}
        return self.judge(trials, single(table, self._narrow(table)))

    def judge(self, trials: Mapping[str, Improvement], runs: Floats) -> Results:
        """Of each pair's improvement, and of single trainings (cells, seeds) of random cells."""
        wins = [t.better for t in trials.values()]
        resamples = self.resamples
        found: dict[str, Measured] = {
            "beats": share(wins) if self.seeds >= FEWEST else blind(wins),
            "seed": stats.bootstrap(between_seeds, runs, resamples=resamples),
            "range": stats.bootstrap(lambda r: float(r.mean(1).std(ddof=1)), runs, resamples=resamples),
        }
        noise = stats.bootstrap(lambda r: float(np.sqrt(r.var(1, ddof=1).mean())), runs, resamples=resamples)
        beside: dict[str, Measured] = {"Standard deviation between seeds of one cell, points": noise}
        return Results(found, beside, _picture(trials))

    def _search(self, table: Table, space: str, strategy: str, seed: int) -> Any:
        def go() -> int:
            document = {
                "space": space_of(table, space),
                "evaluator": {"name": "tabular"},
                "strategy": strategy,
            }
            budget = {"evaluations": self.evaluations}
            problem = cells.problem_of(table, seed, **document, budget=budget)
            from nascore.codec import from_json

            events = search(from_json("strategy", strategy), problem)
            chosen = [e.arch for e in events if isinstance(e, Chosen)][-1]
            return int(table.lookup([chosen])[0])

        return go

    def _random(self, table: Table, space: str) -> list[int]:
        problem = cells.problem_of(table, space=space_of(table, space))
        rng = np.random.default_rng(0)
        return table.lookup(sample(problem.space, self.seeds, rng)).tolist()

    def _narrow(self, table: Table) -> list[int]:
        """Rows of random cells of the narrow space, none equal to another."""
        problem = cells.problem_of(table, space=space_of(table, NARROW))
        rows = np.unique(
            table.lookup([problem.space.canonical(tuple(a)) for a in enumerate_archs(problem.space).tolist()])
        )
        own = np.intersect1d(rows, cells.own_rows(table))
        return np.random.default_rng(0).choice(own, min(RANDOM_CELLS, len(own)), replace=False).tolist()


def space_of(table: Table, name: str) -> Any:
    """JSON of one of `SPACES`: the table's own, or with fewer operations on every edge."""
    if not SPACES[name]:
        return table.space
    allowed = {c.name: list(SPACES[name]) for c in table.choices}
    return {"name": "restrict", "knobs": {"space": table.space, "allowed": allowed}}


def single(table: Table, rows: Sequence[int]) -> Floats:
    """(rows, seeds) test accuracies of single trainings."""
    keys = table.frame["key"].to_numpy()[list(rows)].tolist()
    runs = table.runs(keys)
    wide = runs.pivot_table(index="row", columns="seed", values="test_accuracy")
    return wide.to_numpy(np.float64)


def between_seeds(runs: Floats) -> float:
    """Mean Kendall's tau-b over pairs of seeds; runs is (cells, seeds)."""
    pairs = itertools.combinations(runs.T, 2)
    return float(np.mean([stats.kendall(a, b) for a, b in pairs]))


def share(wins: Sequence[bool]) -> stats.Interval:
    """How many of n are true, with Wilson's interval."""
    n, z = len(wins), 1.959964
    p = sum(wins) / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return stats.Interval(p, (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n), n)


def blind(wins: Sequence[bool]) -> stats.Interval:
    """The share alone: what it stands on is too little for an interval."""
    return stats.Interval(sum(wins) / len(wins), math.nan, math.nan, len(wins))


def _words(key: str) -> str:
    return key.replace("_", " ")


def _picture(trials: Mapping[str, Improvement]) -> dict[str, Any]:
    rows = list(trials.items())[::-1]
    return {
        "kind": "whiskers",
        "title": "Improvement over the average random cell",
        "how": "Each dot is a strategy on a space: mean of its searches against the mean of as many random "
        "cells, with a 95 % interval. Left of 0 it is worse than the average random cell.",
        "x": "Relative improvement (%)",
        "names": [name for name, _ in rows],
        "values": [t.percent.value for _, t in rows],
        "low": [t.percent.low for _, t in rows],
        "high": [t.percent.high for _, t in rows],
        "zero": True,
    }
