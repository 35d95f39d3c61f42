"""Splits are honest, and what has been learned from is never asked about."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.errors import BadInput
from nascore.predictors.ridge import Ridge
from nascore.predictors.trial import grouped, held_out, split, tried
from nascore.space import enumerate_archs, tuples
from nascore.spaces.nasbench201 import Nasbench201
from tests import toys

PROBLEM = toys.problem()
ARCHS = tuples(enumerate_archs(PROBLEM.space))
TRUTH = np.array([-toys.table()[a] for a in ARCHS])


def test_more_pairs_say_more_about_the_rest() -> None:
    found = list(tried(PROBLEM, Ridge(), ARCHS, TRUTH, (10, 100), range(3)))
    assert [(h.seed, h.size) for h in found] == [(s, n) for s in range(3) for n in (10, 100)]
    right = [np.corrcoef(h.scores, TRUTH[h.rows])[0, 1] for h in found]
    assert np.mean(right[1::2]) > np.mean(right[::2]) > 0.3
    for h in found:
        assert len(h.train) == h.size
        assert not set(h.train) & set(h.rows)
        assert len(h.rows) == len(h.scores) == len(h.std) == len(ARCHS) - h.size
    assert set(found[0].train) <= set(found[1].train)


def test_what_has_no_truth_is_neither_learned_from_nor_asked_about() -> None:
    truth = np.where(np.arange(len(ARCHS)) % 2, TRUTH, np.nan)
    (found,) = tried(PROBLEM, Ridge(), ARCHS, truth, (20,), most=50)
    assert np.isfinite(truth[[*found.train, *found.rows]]).all()
    assert len(found.rows) == 50


def test_a_predictor_is_not_tested_on_its_training_set() -> None:
    train, test = np.arange(20), np.arange(19, 60)
    with pytest.raises(BadInput, match="1 of 41 architectures are among those learned from"):
        held_out(PROBLEM, Ridge(), ARCHS, TRUTH, train, test)


def test_equal_networks_are_on_one_side() -> None:
    problem = toys.problem(space=Nasbench201(1, 8, 1, 2))
    archs = tuples(np.random.default_rng(0).permutation(enumerate_archs(problem.space))[:400])
    groups = grouped(problem, archs)
    train, test = split(groups, 100, 0)
    assert len(np.unique(groups[train])) == 100
    assert not set(groups[train]) & set(groups[test])
    dead, same = (0, 1, 3, 1, 0, 1), (0, 1, 4, 1, 0, 1)
    assert len(np.unique(groups)) < len(archs)
    with pytest.raises(BadInput, match="not tested"):
        held_out(problem, Ridge(), [dead, archs[5], same], np.arange(3.0), np.array([0, 1]), np.array([2]))


@pytest.mark.parametrize(
    ("size", "words"), [(1, "too few pairs"), (725, "at most 719"), (900, "at most 719")]
)
def test_sizes_that_leave_nothing_are_refused(size: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        list(tried(PROBLEM, Ridge(), ARCHS, TRUTH, (size,)))
