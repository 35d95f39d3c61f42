from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import root_scalar

from nascore.errors import BadInput
from nascore.measures.significance import difference, holm, signed_rank, superiority, trials, won

RNG = np.random.default_rng(3)
A, B = RNG.normal(1.0, 1, 9), RNG.normal(0, 2, 7)


def seeds(values: object, start: int = 0) -> dict[int, float]:
    return {start + i: float(v) for i, v in enumerate(np.asarray(values))}


def test_matching_seeds_are_compared_seed_by_seed_by_wilcoxon() -> None:
    b = A + RNG.normal(0.3, 0.5, 9)
    shuffled = dict(reversed(seeds(b).items()))
    (t,) = trials({"a": seeds(A), "b": shuffled}, "min")
    assert t.paired
    assert t.p == t.holm == pytest.approx(stats.wilcoxon(A, b).pvalue)
    low, high = stats.ttest_rel(A, b).confidence_interval()
    assert (t.difference.low, t.difference.high) == pytest.approx((low, high))
    assert t.difference.value == pytest.approx((A - b).mean())
    assert t.wins.value == pytest.approx((b > A).mean())
    assert t.least == 2 / 2**9


@pytest.mark.parametrize("n", [5, 8, 12])
def test_the_signed_rank_test_is_exact_with_and_without_ties(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.random((2, n))
    assert signed_rank(a, b) == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue)
    tied = rng.integers(-2, 4, n).astype(float)
    tied[:2] = 1, -1
    signs = np.array([[1 - 2 * (i >> k & 1) for k in range(n)] for i in range(2**n)])
    ranks = np.where(tied != 0, stats.rankdata(np.where(tied != 0, np.abs(tied), np.inf)), 0)
    sums, here = (ranks * (signs > 0)).sum(1), ranks[tied > 0].sum()
    p = min(1, 2 * min((sums <= here).mean(), (sums >= here).mean()))
    assert signed_rank(tied, np.zeros(n)) == pytest.approx(p)


def test_many_pairs_take_the_approximation_of_scipy() -> None:
    a, b = RNG.random((2, 80))
    assert signed_rank(a, b) == pytest.approx(stats.wilcoxon(a, b, method="approx").pvalue)


def test_other_seeds_are_compared_by_mann_whitney_and_welch() -> None:
    (t,) = trials({"a": seeds(A), "b": seeds(B, 100)}, "max")
    assert not t.paired
    assert t.p == pytest.approx(stats.mannwhitneyu(A, B).pvalue)
    low, high = stats.ttest_ind(A, B, equal_var=False).confidence_interval()
    assert (t.difference.low, t.difference.high) == pytest.approx((low, high))
    u = stats.mannwhitneyu(A, B).statistic
    assert t.wins.value == pytest.approx(u / (9 * 7))
    assert t.least == 2 / math.comb(16, 7)


def test_fewer_than_five_seeds_have_words_and_no_p() -> None:
    (t,) = trials({"a": seeds(A[:4]), "b": seeds(B[:4])}, "min")
    assert math.isnan(t.p)
    assert math.isnan(t.holm)
    assert "too few seeds for a test" in t.words
    assert math.isfinite(t.difference.low)


def test_values_of_different_kinds_are_not_tested_and_do_not_count_for_holm() -> None:
    given = {"a": seeds(A), "b": seeds(B, 100), "c": seeds(A + B[0])}
    alone, *others = trials(given, "min", {"a": "x", "b": "x", "c": "y"})
    assert alone.holm == alone.p == pytest.approx(stats.mannwhitneyu(A, B).pvalue)
    assert all(math.isnan(t.holm) and "different protocols" in t.words for t in others)


def test_equal_results_are_said_in_words() -> None:
    (same,) = trials({"a": seeds(A), "b": seeds(A)}, "min")
    assert (same.words, same.wins.value) == ("equal with every seed", 0.5)
    (flat,) = trials({"a": seeds(np.ones(6)), "b": seeds(np.ones(5))}, "min")
    assert flat.words == "every run found the same"


def test_holm_is_the_step_down_of_the_book() -> None:
    # the worked example of most textbooks: 0.01, 0.04, 0.03, 0.005 with four tests
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    given = RNG.random(20)
    naive = []
    for p in given:
        below = sorted(given[given <= p])
        naive.append(min(1, max((20 - i) * q for i, q in enumerate(below))))
    assert holm(given.tolist()) == pytest.approx(naive)
    kept = holm([0.01, math.nan, 0.03])
    assert math.isnan(kept[1])
    assert kept[::2] == pytest.approx([0.02, 0.03])


@pytest.mark.parametrize("k", [0, 3, 7, 10])
def test_the_share_of_won_pairs_has_wilsons_interval(k: int) -> None:
    made = won([1.0] * k + [0.0] * (10 - k), [0.5] * 10)
    ci = stats.binomtest(k, 10).proportion_ci(method="wilson")
    assert (made.low, made.high) == pytest.approx((ci.low, ci.high), abs=1e-12)
    assert won([1, 1, 0, 2], [1, 1, 1, 1]).value == 0.5


def test_the_interval_of_superiority_covers_and_does_not_vanish() -> None:
    rng, truth = np.random.default_rng(0), float(stats.norm.cdf(1 / math.sqrt(2)))
    found = [superiority(rng.normal(1, 1, 8), rng.normal(0, 1, 8)) for _ in range(400)]
    assert 0.92 <= np.mean([i.low <= truth <= i.high for i in found]) <= 0.99
    apart = superiority([3, 4, 5, 6, 7], [0, 1, 2, 1, 0])
    assert (apart.value, apart.high) == (1, 1)
    # at A = 1 with m = n = 5 the equation is (1 - x)^2 = z^2 x (1 - x)(1 + 4((1-x)/(2-x) + x/(1+x)))/25

    def off(x: float) -> float:
        return (1 - x) - 1.959964**2 * x * (1 + 4 * ((1 - x) / (2 - x) + x / (1 + x))) / 25

    assert apart.low == pytest.approx(root_scalar(off, bracket=(0, 1)).root, abs=1e-5)
    assert 0.4 < apart.low < 0.8


def test_single_runs_have_a_difference_without_an_interval() -> None:
    assert math.isnan(difference([1.0], [2.0], paired=True).low)
    assert math.isnan(difference([1.0], [2.0, 3.0], paired=False).low)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(BadInput, match="not finite"):
        trials({"a": {0: math.nan}, "b": {0: 1.0}}, "min")
    with pytest.raises(BadInput, match="none of min, max"):
        trials({}, "down")
