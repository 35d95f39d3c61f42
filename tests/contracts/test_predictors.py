"""What every predictor promises."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

from nascore import codec
from nascore.benchmarks.table import open_table
from nascore.errors import BadInput
from nascore.evaluators.tabular import Tabular
from nascore.kinds import check_knobs, knobs, summary
from nascore.predictors import PREDICTORS
from nascore.problem import Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Arch, tuples
from nascore.tasks.images import Digits

torch.set_num_threads(1)
NAMES = sorted(PREDICTORS)


@lru_cache
def pairs() -> tuple[Problem, list[Arch], np.ndarray]:
    """200 trained cells of the shipped table with their validation accuracy."""
    table = open_table("nasbench_digits")
    own = np.flatnonzero(table.frame["trained_row"].to_numpy() == np.arange(table.rows))
    rows = np.random.default_rng(0).permutation(own)[:200]
    space = codec.from_json("space", table.space)
    problem = Problem(space, Digits(), SgdCosine(), Tabular())
    return problem, tuples(table.archs[rows]), table.values("val_accuracy")[rows]


@pytest.fixture(params=NAMES)
def predictor(request: pytest.FixtureRequest) -> Any:
    return PREDICTORS[request.param]()


def test_it_beats_the_mean_on_fifty_pairs(predictor: Any) -> None:
    problem, archs, y = pairs()
    mean, std = predictor.fit(problem, archs[:50], y[:50]).predict(archs[50:])
    assert mean.shape == std.shape == (150,)
    assert ((mean - y[50:]) ** 2).mean() < ((y[:50].mean() - y[50:]) ** 2).mean()
    assert np.corrcoef(mean, y[50:])[0, 1] > 0.3
    assert np.isfinite(std).all()
    assert (std >= 0).all()


def test_the_same_seed_says_the_same_and_leaves_the_streams_alone(predictor: Any) -> None:
    problem, archs, y = pairs()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = predictor.fit(problem, archs[:30], y[:30]).predict(archs[30:60])
    torch.rand(3)
    state_after = torch.get_rng_state()
    torch.set_rng_state(state)
    torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state_after)
    two = predictor.fit(problem, archs[:30], y[:30]).predict(archs[30:60])
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_an_answer_does_not_depend_on_the_company(predictor: Any) -> None:
    problem, archs, y = pairs()
    fitted = predictor.fit(problem, archs[:30], y[:30])
    together, alone = fitted.predict(archs[30:50]), fitted.predict(archs[40:41])
    np.testing.assert_allclose(alone[0][0], together[0][10], rtol=1e-4, atol=1e-4)
    assert [v.shape for v in fitted.predict([])] == [(0,), (0,)]


def test_numbers_that_are_all_the_same_are_predicted_as_such(predictor: Any) -> None:
    problem, archs, _ = pairs()
    mean, std = predictor.fit(problem, archs[:20], np.full(20, 3.0)).predict(archs[20:30])
    assert np.abs(mean - 3.0).max() < 1.0
    assert (std >= 0).all()


def test_pairs_that_cannot_be_learned_from_are_refused(predictor: Any) -> None:
    problem, archs, y = pairs()
    for few, target in ((archs[:1], y[:1]), (archs[:3], y[:2]), (archs[:3], [1.0, np.nan, 2.0])):
        with pytest.raises(BadInput, match="pairs: "):
            predictor.fit(problem, few, target)


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_through_json_and_back_and_its_knobs_explain_themselves(name: str) -> None:
    one = PREDICTORS[name]()
    assert codec.from_json("predictor", codec.to_json(one)) == one
    check_knobs(one)
    assert summary(type(one))
    assert all(f.metadata["help"] for f in knobs(type(one)))


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(PREDICTORS[n], "encoding")])
@pytest.mark.parametrize("encoding", ["one-hot", "path", "adjacency"])
def test_every_encoding_and_the_costs_can_be_learned_from(name: str, encoding: str) -> None:
    problem, archs, y = pairs()
    one = replace(PREDICTORS[name](), encoding=encoding, costs=True)
    mean, _ = one.fit(problem, archs[:50], y[:50]).predict(archs[50:])
    assert np.corrcoef(mean, y[50:])[0, 1] > 0.2
