from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from nascore.measures import agreement
from nascore.measures.agreement import average, difference
from nascore.measures.agreement import kendall as tau
from nascore.stats import bootstrap, kendall


def pair(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    return np.round(a, 1), np.round(a + rng.normal(size=n), 1)  # with ties


def test_the_value_is_scipys_with_ties() -> None:
    for n in (5, 40, 700):
        a, b = pair(n)
        assert tau(a, b).value == pytest.approx(kendalltau(a, b).statistic)
    assert np.isnan(tau([1, 1, 1], [1, 2, 3]).value)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = tau(*pair(4000, 1)).value
    found = [tau(*pair(120, seed)).interval() for seed in range(2, 202)]
    held = np.mean([i.low <= truth <= i.high for i in found])
    assert 0.9 <= held <= 0.99


def test_the_interval_is_as_wide_as_that_of_resampling() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 200))
    b = b + a
    mine, other = tau(a, b).interval(), bootstrap(kendall, a, b, resamples=400)
    assert mine.high - mine.low == pytest.approx(other.high - other.low, rel=0.15)


def test_a_difference_of_the_same_cases_is_surer_than_two_intervals() -> None:
    a, b = pair(300)
    near = b + np.random.default_rng(5).normal(size=300) * 0.2
    gap = difference(tau(a, b), tau(a, near))
    alone = tau(a, b).interval()
    assert gap.high - gap.low < alone.high - alone.low
    assert average([tau(a, b), tau(a, b)]).interval() == tau(a, b).interval()


def test_archs_with_equal_ranks_count_as_one_with_their_weight() -> None:
    rng = np.random.default_rng(3)
    few = rng.integers(0, 12, (2, 40))
    x, y = (agreement.dense(v.astype(float)) for v in few[:, rng.integers(0, 40, 300)])
    weights = np.stack([np.ones(300), rng.random(300)])
    merged, plain = agreement.concordance(x, y, weights), agreement._concordance(x, y, weights)
    np.testing.assert_allclose(merged, plain, atol=1e-9)
    signs = np.sign(np.subtract.outer(x, x)) * np.sign(np.subtract.outer(y, y))
    np.testing.assert_allclose(merged, weights @ signs.T, atol=1e-9)
