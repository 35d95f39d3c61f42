from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr, weightedtau
from sklearn.metrics import ndcg_score

from nascore.errors import BadInput
from nascore.measures.agreement import CORRELATIONS, agreements
from nascore.measures.ranking import (
    ceiling,
    chances,
    difference,
    expected_best,
    ndcg,
    partial_spearman,
    trial,
)
from nascore.measures.resampling import counts, resampled

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(90, 2, 300)
SCORES = TRUTH + RNG.normal(0, 2, 300)
ORACLES = dict(zip(CORRELATIONS, (kendalltau, spearmanr, pearsonr, weightedtau), strict=True))


def with_ties(n: int, values: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    base = rng.random(n)
    return np.floor(base * values), np.floor((base + rng.random(n)) * values)


@pytest.mark.parametrize("n", [12, 65, 257])
@pytest.mark.parametrize("values", [2, 7, 10**9])
def test_correlations_are_those_of_scipy_also_with_many_ties(n: int, values: int) -> None:
    a, b = with_ties(n, values, n)
    for name, one in agreements(a, b).items():
        assert one.value == pytest.approx(ORACLES[name](a, b).statistic, abs=1e-12)


@pytest.mark.parametrize("values", [5, 10**9])
def test_resampled_correlations_are_those_of_scipy_on_each_resample(values: int) -> None:
    a, b = with_ties(40, values)
    w = counts(40, 5)
    found = resampled(a, b, w)
    for i, times in enumerate(w.astype(int)):
        d = np.repeat(np.arange(40), times)
        for name, oracle in ORACLES.items():
            assert found[name][i] == pytest.approx(oracle(a[d], b[d]).statistic, abs=1e-6)


@pytest.mark.parametrize("name", CORRELATIONS)
def test_intervals_by_influence_are_as_wide_as_those_of_the_bootstrap(name: str) -> None:
    a, b = SCORES, TRUTH
    error = float(np.linalg.norm(agreements(a, b)[name].influence))
    boot = float(resampled(a, b, counts(300, 1000))[name].std())
    slack = 0.2 if name == "weighted_kendall" else 0.1  # the few best weigh most of it, and they are few
    assert error == pytest.approx(boot, rel=slack)


def test_an_influence_is_what_a_little_more_weight_does() -> None:
    a, b = with_ties(30, 6)
    for name in ("kendall", "spearman", "pearson"):
        one = agreements(a, b, (name,))[name]
        w = np.full((1, 30), 1e4, np.float32)
        w[0, 4] += 1
        for_more = resampled_value(a, b, w, name)
        assert (for_more - one.value) * 1e4 == pytest.approx(one.influence[4], rel=0.02, abs=1e-4)


def resampled_value(a: np.ndarray, b: np.ndarray, w: np.ndarray, name: str) -> float:
    d = np.repeat(np.arange(len(a)), w[0].astype(int))
    return float(ORACLES[name](a[d], b[d]).statistic)


def test_intervals_hold_what_is_true_as_often_as_they_say() -> None:
    rho, hits = 0.6, 0
    true = 2 / math.pi * math.asin(rho)
    rng = np.random.default_rng(1)
    for _ in range(400):
        x = rng.normal(size=25)
        y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=25)
        found = agreements(x, y, ("kendall",))["kendall"].interval()
        hits += found.low <= true <= found.high
    assert 0.93 < hits / 400 < 0.985


def test_ndcg_is_that_of_scikit_learn_also_with_ties() -> None:
    relevance = (TRUTH - TRUTH.min()) / np.ptp(TRUTH)
    assert trial(TRUTH, SCORES).ndcg_at_k == pytest.approx(ndcg_score([relevance], [SCORES], k=10))
    coarse = np.floor(SCORES)
    assert ndcg(TRUTH, coarse, 10) == pytest.approx(ndcg_score([relevance], [coarse], k=10))


@pytest.mark.parametrize("resamples", [0, 200])
def test_shuffled_scores_are_worth_nothing(resamples: int) -> None:
    found = trial(TRUTH, RNG.permutation(SCORES), resamples=resamples)
    for one in (found.kendall, found.spearman, found.pearson, found.weighted_kendall):
        assert one.low < 0 < one.high
    assert abs(found.kendall.value) < 0.1


def test_a_perfect_judge_picks_the_best() -> None:
    found = trial(TRUTH, TRUTH**3)
    assert (found.kendall.value, found.kendall.low, found.kendall.high) == (1, 1, 1)
    assert (found.precision_at_k, found.ndcg_at_k, found.regret_at_k) == (1, 1, 0)
    assert found.best_rank_at_k == pytest.approx(1 / 300)
    assert found.worst_rank_at_k == pytest.approx(10 / 300)


def test_the_worst_judge_picks_the_worst() -> None:
    found = trial(TRUTH, -TRUTH, resamples=50)
    ordered = np.sort(TRUTH)
    assert found.kendall.value == -1
    assert found.precision_at_k == 0
    assert found.regret_at_k == pytest.approx(ordered[-1] - ordered[9])
    assert found.worst_rank_at_k == 1


def test_ties_at_the_border_count_by_their_chance() -> None:
    assert chances(np.array([3.0, 2, 2, 2, 1]), 2) == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0])


def test_the_best_of_k_is_the_mean_over_how_ties_may_break() -> None:
    scores, values = np.array([5.0, 4, 4, 4, 4, 1]), np.array([2.0, 9, 1, 4, 3, 20])
    ways = [max(2.0, values[list(c)].max()) for c in combinations(range(1, 5), 2)]
    assert expected_best(values, scores, 3) == pytest.approx(np.mean(ways))
    assert expected_best(values, scores, 5) == 9
    assert expected_best(values, scores, 6) == 20


def test_what_is_only_size_has_no_partial_correlation() -> None:
    size = RNG.normal(size=5_000)
    a, b = size + 0.5 * RNG.normal(size=5_000), size + 0.5 * RNG.normal(size=5_000)
    assert spearmanr(a, b).statistic > 0.7
    assert abs(partial_spearman(a, b, size)) < 0.05
    found = trial(b, a, size=size).partial_spearman
    assert found.low < 0 < found.high
    assert found.value == pytest.approx(partial_spearman(a, b, size))
    assert math.isnan(trial(b, size, size=size).partial_spearman.value)


def test_the_top_decile_is_judged_alone_where_it_is_ten_or_more() -> None:
    best = np.argsort(-TRUTH)[:30]
    found = trial(TRUTH, SCORES).kendall_top_decile
    assert (found.value, found.n) == (pytest.approx(kendalltau(SCORES[best], TRUTH[best]).statistic), 30)
    assert math.isnan(trial(TRUTH[:90], SCORES[:90]).kendall_top_decile.value)


@pytest.mark.parametrize("resamples", [0, 300])
def test_two_judges_are_told_apart_by_their_paired_difference(resamples: int) -> None:
    noise = RNG.normal(0, 2, 300)
    a, b = TRUTH + noise, TRUTH + 1.15 * noise + RNG.normal(0, 0.1, 300)
    one, two = (trial(TRUTH, s, resamples=resamples) for s in (a, b))
    assert one.kendall.low < two.kendall.high  # the whiskers overlap
    apart = difference(one, two, "kendall")
    assert 0 < apart.low < apart.value < apart.high
    assert difference(one, one, "kendall").low == 0
    with pytest.raises(BadInput, match="not the same"):
        difference(one, trial(TRUTH[:50], SCORES[:50]), "kendall")


def test_no_judge_can_beat_the_noise_of_seeds() -> None:
    true = RNG.normal(0, 1, 4_000)
    seeds = true[:, None] + RNG.normal(0, 1, (4_000, 3))
    again = (true[:, None] + RNG.normal(0, 1, (4_000, 3))).mean(1)
    found = ceiling(seeds)
    assert found is not None
    assert (found.seeds, found.n) == (3, 4_000)
    for name in ("kendall", "spearman", "pearson"):
        for judge, said in ((true, found.perfect), (again, found.again)):
            assert said[name] == pytest.approx(ORACLES[name](judge, seeds.mean(1)).statistic, abs=0.015)


def test_one_seed_or_few_archs_have_no_ceiling() -> None:
    assert ceiling(TRUTH[:, None]) is None
    assert ceiling(np.stack([TRUTH[:9], SCORES[:9]], 1)) is None


def test_missing_and_infinite_values_are_counted_and_left_out() -> None:
    scores = SCORES.copy()
    scores[:5], scores[5] = np.nan, np.inf
    found = trial(TRUTH, scores)
    assert (found.n, found.missing) == (294, 6)


def test_ties_are_told() -> None:
    found = trial(TRUTH, np.floor(SCORES))
    assert found.tied_truth == 0
    assert found.tied_scores > 0.9


def test_a_document_has_each_interval_as_three_numbers_and_none_for_no_value() -> None:
    said = trial(TRUTH, SCORES).document()
    assert said["kendall_low"] < said["kendall"] < said["kendall_high"]
    assert said["partial_spearman"] is None
    assert "parts" not in said


@pytest.mark.parametrize(
    ("truth", "scores", "said"),
    [
        (TRUTH[:9], SCORES[:9], "9 architectures have both"),
        (np.full(300, math.nan), SCORES, "0 architectures have both"),
        (TRUTH, np.ones(300), "the score is 1 for all 300"),
        (np.ones(300), SCORES, "the truth is 1 for all 300"),
    ],
)
def test_what_has_no_meaning_is_refused(truth: np.ndarray, scores: np.ndarray, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        trial(truth, scores)
