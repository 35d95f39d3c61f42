from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import ndcg_score

from nascore.errors import BadInput
from nascore.measures.ranking import chances, noise_ceiling, partial_spearman, trial

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(90, 2, 300)
SCORES = TRUTH + RNG.normal(0, 2, 300)


def test_correlations_and_ndcg_are_those_of_scipy_and_scikit_learn() -> None:
    found = trial(TRUTH, SCORES, resamples=200)
    assert found.kendall.value == pytest.approx(kendalltau(TRUTH, SCORES).statistic)
    assert found.spearman.value == pytest.approx(spearmanr(TRUTH, SCORES).statistic)
    assert found.pearson.value == pytest.approx(np.corrcoef(TRUTH, SCORES)[0, 1])
    relevance = (TRUTH - TRUTH.min()) / np.ptp(TRUTH)
    assert found.ndcg_at_k == pytest.approx(ndcg_score([relevance], [SCORES], k=10))
    assert found.kendall.low < found.kendall.value < found.kendall.high


def test_shuffled_scores_are_worth_nothing() -> None:
    found = trial(TRUTH, RNG.permutation(SCORES), resamples=200)
    assert found.kendall.low < 0 < found.kendall.high


def test_a_perfect_judge_picks_the_best() -> None:
    found = trial(TRUTH, TRUTH**3, resamples=50)
    assert (found.kendall.value, found.precision_at_k, found.ndcg_at_k, found.regret_at_k) == (1, 1, 1, 0)
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


def test_what_is_only_size_has_no_partial_correlation() -> None:
    size = RNG.normal(size=5_000)
    a, b = size + 0.5 * RNG.normal(size=5_000), size + 0.5 * RNG.normal(size=5_000)
    assert spearmanr(a, b).statistic > 0.7
    assert abs(partial_spearman(a, b, size)) < 0.05


def test_no_judge_can_beat_the_noise_of_seeds() -> None:
    true = RNG.normal(0, 1, 20_000)
    seeds = true[:, None] + RNG.normal(0, 1, (20_000, 3))
    assert noise_ceiling(seeds) == pytest.approx(np.corrcoef(true, seeds.mean(1))[0, 1], abs=0.01)


def test_missing_values_are_counted_and_left_out() -> None:
    scores = SCORES.copy()
    scores[:5] = np.nan
    found = trial(TRUTH, scores, resamples=20)
    assert (found.n, found.missing) == (295, 5)


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
