"""Weights are learned from what their favorites are worth; repeats cost nothing; the best sum is followed."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Chosen, Note, Step
from nascore.predictors.gp import process
from nascore.problem import Memo, search
from nascore.proxies.flops import Flops
from nascore.proxies.params import Params
from nascore.proxies.snip import Snip
from nascore.proxies.synflow import Synflow
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import enumerate_archs, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.robot import Robot, Trial, best_trial, highest
from nascore.tasks.images import Digits
from tests import toys

QUICK = {"restarts": 0, "draws": 200, "climbs": 1}
ARCHS = tuples(enumerate_archs(toys.ToySpace()))


def known(*columns: list[float]) -> Memo:
    """A memo in which the toy space's scores stand already."""
    memo = Memo()
    memo.save("robot/scores", np.array(columns).T.tolist())
    return memo


def noisy(share: float, seed: int) -> list[float]:
    """Scores that are the truth in part."""
    errors = np.array([toys.table()[a] for a in ARCHS])
    noise = np.random.default_rng(seed).permutation(errors)
    return (-share * errors + (1 - share) * noise).tolist()


def test_scores_are_scaled_by_their_range_and_what_is_missing_or_constant_adds_nothing() -> None:
    raw = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 2.0], [11.0, 5.0, 4.0]])
    assert Robot().scaled(raw).tolist() == [[0, 0, 0], [0.2, 0, 0], [1, 0, 1]]
    assert Robot(scale="rank").scaled(raw).tolist() == [[0, 0, 0], [0.5, 0, 0], [1, 0, 1]]


def test_of_equally_good_weights_the_latest_counts() -> None:
    trials = [Trial(np.array([float(i)]), w, None) for i, w in enumerate([1.0, 3.0, 3.0, np.nan, 2.0])]
    assert best_trial(trials).weights[0] == 2
    assert best_trial(trials[3:4]) is None


def test_repeats_cost_nothing_and_the_budget_is_spent_on_different_architectures() -> None:
    problem = toys.problem(30, memo=known(noisy(0.6, 0), noisy(0.5, 1)))
    events = list(search(Robot((Params(), Flops()), **QUICK), problem))
    trials = [e for e in events if isinstance(e, Step) and e.phase == "robot/explore"]
    distinct = int(trials[-1].values["distinct"])
    assert len(trials) == 30
    assert distinct < 30
    assert len({t.arch for t in toys.tried(events)}) == 30
    note = next(e.text for e in events if isinstance(e, Note) and "judged in" in e.text)
    assert note.startswith(f"{distinct} architectures judged in 30 trials")


def test_a_score_that_points_the_wrong_way_gets_a_negative_weight() -> None:
    wrong = [-v for v in noisy(0.9, 0)]
    problem = toys.problem(20, memo=known(wrong))
    events = list(search(Robot((Params(),), trials=6, **QUICK), problem))
    assert isinstance(events[-1], Chosen)
    order = sorted(toys.table().values())
    assert toys.table()[events[-1].arch] <= order[10]
    assert "Params -" in next(e.text for e in events if isinstance(e, Note) and "weights" in e.text)


def test_following_the_best_sum_finds_more_than_the_trials_alone() -> None:
    def error(exploit: bool, seed: int) -> float:
        memo = known(*(noisy(0.5, 10 * seed + k) for k in range(3)))
        problem = toys.problem(25, seed, memo=memo)
        strategy = Robot((Params(), Flops(), Snip()), trials=8, exploit=exploit, **QUICK)
        return min(t.metrics["error"] for t in toys.tried(list(search(strategy, problem))))

    pairs = [(error(True, s), error(False, s)) for s in range(4)]
    assert all(a <= b for a, b in pairs)
    assert np.mean([a for a, _ in pairs]) < np.mean([b for _, b in pairs])


def test_the_highest_bound_is_found() -> None:
    x = np.array([[-1.0], [-0.2], [0.4], [1.0]])
    model = process(x, -((x[:, 0] - 0.4) ** 2), 0, noise=1e-6)
    rng = np.random.default_rng(0)
    found = highest(model, 0.0, 1, rng, draws=20, climbs=2, kappa=0.0)
    grid = np.linspace(-1, 1, 401)[:, None]
    assert model.predict(found[None])[0] >= model.predict(grid).max() - 1e-6


def test_no_metrics_are_refused() -> None:
    with pytest.raises(BadInput, match="metrics: none is given"):
        list(Robot(()).search(toys.problem()))


def test_it_trains_real_networks_that_real_scores_like() -> None:
    problem = toys.problem(3, space=Nasbench201(1, 8, 1, 2), evaluator=Trained(), recipe=SgdCosine(1, 32))
    problem = type(problem)(**{**vars(problem), "task": Digits(train_images=64)})
    strategy = Robot((Snip(), Synflow()), trials=2, pool=6, batch=8, **QUICK)
    events = list(search(strategy, problem))
    assert len(toys.tried(events)) == 3
    assert isinstance(events[-1], Chosen)
    assert np.isfinite(problem.memo.load("robot/scores")).all()
