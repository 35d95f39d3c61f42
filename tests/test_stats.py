from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as oracle

from nascore import stats
from nascore.errors import BadInput

A = [1.0, 2.0, 2.0, 4.0, 5.0, 7.0, 7.0]
B = [2.0, 1.0, 3.0, 3.0, 6.0, 5.0, 9.0]


def test_kendall_with_a_tie_equals_the_formula_by_hand() -> None:
    # pairs of (1,2,3) and (1,3,3): two agree, one is tied on the right: 2 / sqrt(3 * 2)
    assert stats.kendall([1, 2, 3], [1, 3, 3]) == pytest.approx(2 / math.sqrt(6))


def test_spearman_is_pearson_of_the_ranks() -> None:
    ranks = np.corrcoef(oracle.rankdata(A), oracle.rankdata(B))[0, 1]
    assert stats.spearman(A, B) == pytest.approx(ranks)


def test_weighted_kendall_minds_an_exchange_at_the_top_more() -> None:
    truth = np.arange(10.0)
    top, bottom = truth.copy(), truth.copy()
    top[[8, 9]], bottom[[0, 1]] = top[[9, 8]], bottom[[1, 0]]
    assert stats.weighted_kendall(top, truth) < stats.weighted_kendall(bottom, truth) < 1
    assert stats.weighted_kendall(A, B) == pytest.approx(oracle.weightedtau(A, B).statistic)


@pytest.mark.parametrize("of", [stats.spearman, stats.kendall, stats.weighted_kendall])
def test_a_constant_side_has_no_correlation(of: stats.Statistic) -> None:
    assert math.isnan(of([1, 1, 1], [1, 2, 3]))
    assert math.isnan(of([], []))


def test_lists_of_two_lengths_are_refused() -> None:
    with pytest.raises(BadInput, match="one length"):
        stats.spearman([1, 2], [1, 2, 3])


def test_the_mean_has_students_interval() -> None:
    found = stats.mean([1, 2, 3, 4, 5])
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)  # t(0.975, 4)
    assert (found.value, found.n) == (3, 5)
    assert found.low == pytest.approx(3 - half)
    assert found.high == pytest.approx(3 + half)


def test_one_sample_has_no_interval() -> None:
    found = stats.mean([4.0])
    assert found.value == 4
    assert math.isnan(found.low)
    assert math.isnan(stats.bootstrap(np.mean, [4.0]).high)


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    x = np.random.default_rng(0).normal(0, 1, 400)
    found = stats.bootstrap(np.mean, x)
    assert found.low == pytest.approx(x.mean() - 1.96 * x.std() / 20, abs=0.015)
    assert found.high == pytest.approx(x.mean() + 1.96 * x.std() / 20, abs=0.015)


def test_the_bootstrap_says_the_same_twice() -> None:
    assert stats.bootstrap(stats.spearman, A, B) == stats.bootstrap(stats.spearman, A, B)


def test_the_bootstrap_resamples_cases_and_not_each_list_alone() -> None:
    x = np.arange(30.0)
    found = stats.bootstrap(stats.spearman, x, x)
    assert found.low == pytest.approx(1)


def test_two_judges_with_overlapping_intervals_can_still_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=100)
    shared = truth + rng.normal(size=100)
    better, worse = shared, shared + 0.7 * rng.normal(size=100)
    one, two = stats.bootstrap(stats.spearman, better, truth), stats.bootstrap(stats.spearman, worse, truth)
    assert one.low < two.high
    assert stats.advantage(stats.spearman, truth, better, worse).low > 0


def test_paired_finds_a_small_but_steady_difference() -> None:
    a = np.array([0.10, 0.30, 0.50, 0.70, 0.90, 0.20])
    found = stats.paired(a - [0.01, 0.02, 0.01, 0.02, 0.01, 0.02], a)
    assert found.difference.value == pytest.approx(-0.015)
    assert found.difference.high < 0
    assert found.p == pytest.approx(2 / 64)  # all six signs alike: 2 of 64 flips
    assert (found.less, found.equal, found.more) == (6, 0, 0)


def test_paired_of_equal_lists_is_no_difference() -> None:
    found = stats.paired(A, A)
    assert (found.difference.low, found.difference.high, found.p, found.equal) == (0, 0, 1, 7)


def test_the_flip_test_of_many_cases_agrees_with_the_exact_one() -> None:
    d = np.random.default_rng(3).normal(0.4, 1, 14)
    signs = 1.0 - 2.0 * ((np.arange(2**14)[:, None] >> np.arange(14)) & 1)
    exact = (np.abs(signs @ d) >= abs(d.sum()) - 1e-9).mean()
    assert stats.paired(d, np.zeros(14)).p == pytest.approx(exact, abs=0.02)
