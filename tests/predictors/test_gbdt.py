"""SHAP values and interactions of trees are exact, and the released leaf size is what it is."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from nascore import stats
from nascore.predictors.gbdt import Gbdt, Trees, grades
from nascore.predictors.shapley import interactions
from tests import toys

SPACE = toys.problem()
ARCHS = list(toys.table())
TRUTH = np.array([-toys.table()[a] for a in ARCHS])


def fitted(n: int = 60, **knobs: Any) -> tuple[Trees, np.ndarray]:
    rows = np.random.default_rng(n).permutation(len(ARCHS))[:n]
    knobs = {"members": 1, "trees": 30, **knobs}
    return Gbdt(**knobs).fit(SPACE, [ARCHS[i] for i in rows], TRUTH[rows]), rows


def expected(node: dict[str, Any], x: np.ndarray, known: set[int]) -> float:
    """A tree's value where only some columns are known: else the mean of both ways by their pairs."""
    if "split_index" not in node:
        return float(node["leaf_value"])
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return expected(left if x[node["split_feature"]] <= node["threshold"] else right, x, known)
    count = [c.get("internal_count", c.get("leaf_count")) for c in (left, right)]
    return sum(c * expected(k, x, known) for c, k in zip(count, (left, right), strict=True)) / sum(count)


def brute(trees: list[dict[str, Any]], x: np.ndarray) -> np.ndarray:
    """Half the Shapley interaction index of each pair of columns, over all subsets."""
    d = len(x)
    worth = {
        s: sum(expected(t["tree_structure"], x, set(s)) for t in trees)
        for k in range(d + 1)
        for s in itertools.combinations(range(d), k)
    }
    out = np.zeros((d, d))
    for i, j in itertools.permutations(range(d), 2):
        rest = [k for k in range(d) if k not in (i, j)]
        for k in range(d - 1):
            weight = math.factorial(k) * math.factorial(d - k - 2) / math.factorial(d - 1) / 2
            for s in itertools.combinations(rest, k):
                both = [worth[tuple(sorted({*s, *more}))] for more in ((i, j), (i,), (j,), ())]
                out[i, j] += weight * (both[0] - both[1] - both[2] + both[3])
    return out


def test_shap_values_add_up_to_the_prediction() -> None:
    trees, rows = fitted()
    archs = [ARCHS[i] for i in rows[:20]]
    said = trees.boosters[0].predict(trees.encoder.rows(archs))
    assert np.abs(trees.shap(archs).sum(1) - said).max() < 1e-9


def test_interactions_are_those_of_all_subsets() -> None:
    import lightgbm

    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (80, 5)).astype(float)
    y = x[:, 0] * x[:, 1] - x[:, 2] + 0.5 * x[:, 3] * x[:, 2]
    settings = {"min_data_in_leaf": 2, "verbosity": -1, "num_threads": 1, "min_data_in_bin": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y, params=settings), 5)
    found = interactions(booster, x[:4])
    own = np.asarray(booster.predict(x[:4], pred_contrib=True))[:, :-1]
    np.testing.assert_allclose(found.sum(2), own, atol=1e-9)
    for one, row in zip(found, x[:4], strict=True):
        want = brute(booster.dump_model()["tree_info"], row)
        np.testing.assert_allclose(one - np.diag(np.diag(one)), want, atol=1e-9)
        np.testing.assert_allclose(one, one.T, atol=1e-12)


def test_rows_of_interactions_sum_to_the_boosters_own_shap_values() -> None:
    trees, rows = fitted()
    archs = [ARCHS[i] for i in rows[:10]]
    joint = interactions(trees.boosters[0], trees.encoder.rows(archs))
    np.testing.assert_allclose(joint.sum(2), trees.shap(archs)[:, :-1], atol=1e-9)


def test_the_released_leaf_size_says_nothing_below_forty_pairs_and_ours_does() -> None:
    released, _ = fitted(38, min_leaf=20)
    ours, rows = fitted(38)
    rest = [i for i in range(0, len(ARCHS), 7) if i not in rows]
    archs = [ARCHS[i] for i in rest]
    assert np.ptp(released.predict(archs)[0]) < 1e-12
    assert stats.kendall(ours.predict(archs)[0], TRUTH[rest]) > 0.4


@pytest.mark.parametrize(("n", "leaf"), [(10, 2), (250, 5), (1000, 20), (5000, 20)])
def test_leaves_grow_with_the_pairs(n: int, leaf: int) -> None:
    assert Gbdt().leaf(n) == leaf
    assert Gbdt(min_leaf=7).leaf(n) == 7


def test_grades_are_fifths_and_ties_share_one() -> None:
    assert grades(np.arange(10.0)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert grades(np.array([1.0, 1.0, 1.0, 2.0, 0.0])).tolist() == [1, 1, 1, 4, 0]


def test_trees_that_learn_the_order_answer_in_the_numbers_scale() -> None:
    trees, rows = fitted(100, loss="lambdarank", trees=60)
    rest = [i for i in range(0, len(ARCHS), 5) if i not in rows]
    mean, _ = trees.predict([ARCHS[i] for i in rest])
    assert stats.kendall(mean, TRUTH[rest]) > 0.4
    assert abs(mean.mean() - TRUTH[rest].mean()) < TRUTH[rest].std()
