"""Active learning's study: verdicts of made-up curves, cells without truth, and the whole at toy size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.query import QUERIES
from nascore.studies import cells
from nascore.studies.active_learning import LEARNED, WAYS, ActiveLearning
from nascore.studies.claim import judged
from nascore.studies.study import run

torch.set_num_threads(1)
RNG = np.random.default_rng(0)
TINY = ActiveLearning(seeds=2, updates=4, budget=30, rounds=1)


def said(gain: float) -> dict[str, str]:
    """Verdicts where asking gains so much over random, and vectors and goals matter as much."""
    level = {n: 50 + gain for n in QUERIES} | {"random": 50.0, LEARNED: 50 - 4 * gain, "bald": 50 + 2 * gain}
    curves = {n: RNG.normal(v, 0.1, (10, 4)) for n, v in level.items()}
    rho = {"random": 0.5, "core_set": 0.5 + gain / 50, "uncertainty": 0.5 + gain / 50, "improvement": 0.5}
    best = {**dict.fromkeys(WAYS, 90.0), "improvement": 90 + gain}
    found = {w: np.stack([RNG.normal(rho[w], 0.001, 10), RNG.normal(best[w], 0.1, 10)], 1) for w in WAYS}
    measured = ActiveLearning().judge(curves, found).found
    return {c.key: judged(c, measured[c.key])["verdict"] for c in ActiveLearning.claims}


def test_what_gains_reproduces_and_what_loses_does_not() -> None:
    assert set(said(3).values()) == {"reproduced"}
    assert set(said(-3).values()) == {"not reproduced"}


def test_shuffled_accuracies_of_cells_teach_nothing() -> None:
    table = cells.digits()
    rows = cells.some(table, 200)
    archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
    problem, truth = cells.problem_of(table), table.values("val_accuracy")[rows]
    study = ActiveLearning(rounds=2)
    assert study.learned(problem, archs, truth, "random")[0] > 0.5
    assert study.learned(problem, archs, RNG.permutation(truth), "random")[0] < 0.45


def test_the_study_runs_at_toy_size() -> None:
    found = run(TINY)
    assert [c["key"] for c in found["claims"]] == [c.key for c in ActiveLearning.claims]
    assert all(one["x"] == [25, 50][: len(one["x"])] for one in found["picture"]["series"])


@pytest.mark.parametrize("name", ["random", LEARNED])
def test_all_ways_begin_alike(name: str) -> None:
    a, b = (ActiveLearning(budget=25, updates=2).problem(n, 1) for n in (name, "margin"))
    parts = [p.recipe.parts[0] for p in (a, b)]
    assert np.array_equal(parts[0].begun(a), parts[1].begun(b))  # type: ignore[attr-defined] -- its own
