"""Any predictor and any acquisition make a search; which is better depends on what is asked."""

from __future__ import annotations

import numpy as np
import pytest

from nascore import stats
from nascore.engines.acquire import ACQUIRE
from nascore.events import Tried
from nascore.predictors.gp import Gp
from nascore.predictors.ridge import Ridge
from nascore.problem import search
from nascore.strategies.predictor_search import BLIND, PredictorSearch
from nascore.strategies.random_search import RandomSearch
from tests import toys


def told(strategy, seed: int, evaluations: int = 50) -> list[Tried]:
    return toys.tried(list(search(strategy, toys.problem(evaluations, seed))))


def best(found: list[Tried]) -> float:
    return min(t.metrics["error"] for t in found)


def test_it_finds_more_than_chance() -> None:
    lead = [best(told(RandomSearch(), s)) - best(told(PredictorSearch(), s)) for s in range(4)]
    assert min(lead) >= 0
    assert np.mean(lead) > 0.005


@pytest.mark.parametrize("acquire", [*ACQUIRE, *BLIND])
def test_every_acquisition_spends_the_budget_on_different_architectures(acquire: str) -> None:
    found = told(PredictorSearch(acquire=acquire, first=10), 1, 40)
    assert len({t.arch for t in found}) == 40


def test_looking_for_what_is_not_known_finds_less_and_learns_as_much() -> None:
    goal = told(PredictorSearch(Gp(restarts=0), "greedy", first=10), 2)
    unsure = told(PredictorSearch(Gp(restarts=0), "uncertainty", first=10), 2)
    assert np.mean([t.metrics["error"] for t in goal]) < np.mean([t.metrics["error"] for t in unsure])
    archs = list(toys.table())
    truth = [-toys.table()[a] for a in archs]

    def tau(found: list[Tried]) -> float:
        fitted = Ridge().fit(toys.problem(), [t.arch for t in found], [-t.metrics["error"] for t in found])
        return stats.kendall(fitted.predict(archs)[0], truth)

    assert tau(unsure) > tau(goal)
