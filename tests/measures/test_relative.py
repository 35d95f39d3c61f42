"""Relative improvement against numbers worked by hand and scipy's own test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from nascore.errors import BadInput
from nascore.measures.relative import Relative, improvement, welch


def test_it_is_the_gain_over_the_random_mean_in_percent_of_it() -> None:
    assert improvement([97.0, 99.0], [96.0, 94.0, 98.0]) == pytest.approx(100 * 2 / 96)
    assert improvement([95.0], [96.0]) == pytest.approx(-100 / 96)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        found = Relative(resamples=200).measure(rng.normal(52, 1, 8), rng.normal(50, 1, 8))
        inside += found.percent.low < 4.0 < found.percent.high
    assert 0.85 <= inside / 200 <= 0.99  # a bootstrap of eight is a little too narrow


def test_the_test_is_welchs_and_says_who_is_better() -> None:
    rng = np.random.default_rng(1)
    found, random = rng.normal(60, 1, 8), rng.normal(50, 3, 8)
    out = Relative().measure(found, random)
    assert out.p == pytest.approx(ttest_ind(found, random, equal_var=False).pvalue)
    assert out.better
    assert not Relative().measure(random, found).better
    assert not Relative().measure(random, random).better


def test_sides_without_spread_are_equal_or_not() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]) == 1
    assert welch([2.0, 2.0], [1.0, 1.0]) == 0
    assert math.isnan(welch([1.0], [1.0, 2.0]))


def test_one_architecture_has_no_interval() -> None:
    assert math.isnan(Relative().measure([50.0], [40.0, 41.0]).percent.low)


@pytest.mark.parametrize(("found", "random"), [([], [1.0]), ([1.0], [math.nan]), ([1.0], [0.0])])
def test_what_has_no_meaning_is_refused(found: list[float], random: list[float]) -> None:
    with pytest.raises(BadInput):
        Relative().measure(found, random)
