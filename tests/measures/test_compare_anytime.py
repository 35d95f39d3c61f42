from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nascore.errors import BadInput
from nascore.measures.anytime import POINTS, Run, best_so_far, curve, followed

NAN = float("nan")


def test_the_best_so_far_is_the_first_of_equals_and_skips_what_failed() -> None:
    assert best_so_far([NAN, 3, 3, NAN, 1, 2], "min").tolist() == [-1, 1, 1, 1, 4, 4]
    assert best_so_far([NAN, 3, 3, NAN, 1, 4], "max").tolist() == [-1, 1, 1, 1, 1, 5]
    assert best_so_far([], "min").tolist() == []
    with pytest.raises(BadInput, match="none of min, max"):
        best_so_far([1], "up")


def test_another_metric_follows_the_best() -> None:
    rows = best_so_far([NAN, 3, 1], "min")
    np.testing.assert_equal(followed([7, 8, 9], rows), [NAN, 8, 9])


def test_the_mean_of_step_functions_is_that_of_a_fine_grid() -> None:
    rng = np.random.default_rng(0)
    runs = [Run(np.cumsum(rng.random(30)), np.minimum.accumulate(rng.random(30))) for _ in range(6)]
    made = curve(runs, "interval")
    assert made is not None
    at = rng.uniform(made.cost[0], made.cost[-1], 50)
    y = np.array([[r.value[np.flatnonzero(r.cost <= x)[-1]] for r in runs] for x in at])
    here = np.searchsorted(made.cost, at, side="right") - 1
    np.testing.assert_allclose(made.mean[here], y.mean(1))
    low, high = stats.t.interval(0.95, 5, y.mean(1), stats.sem(y, axis=1))
    np.testing.assert_allclose(made.low[here], low)
    np.testing.assert_allclose(made.high[here], high)
    wide = curve(runs)
    assert wide is not None
    np.testing.assert_allclose(wide.low[here], y.min(1))
    np.testing.assert_allclose(wide.high[here], y.max(1))


def test_a_single_run_has_no_band_and_its_own_steps() -> None:
    made = curve([Run(np.arange(1.0, 6), np.array([NAN, 5, 5, 3, 3]))])
    assert made is not None
    assert (made.n, made.cost.tolist(), made.mean.tolist()) == (1, [2, 4, 5], [5, 3, 3])
    assert np.isnan(made.low).all()


def test_an_ended_run_keeps_what_it_found_and_a_live_one_ends_the_curve() -> None:
    short, long = np.array([1.0, 2]), np.array([1.0, 2, 3, 4])
    runs = [Run(short, np.array([4.0, 2])), Run(long, np.array([8.0, 8, 8, 0]))]
    made = curve(runs)
    assert made is not None
    assert (made.cost.tolist(), made.mean.tolist()) == ([1, 2, 4], [6, 5, 1])
    live = curve([Run(short, np.array([4.0, 2]), ended=False), runs[1]])
    assert live is not None
    assert live.cost.tolist() == [1, 2]


def test_a_run_that_found_nothing_is_left_out_and_counted() -> None:
    nothing = Run(np.arange(1.0, 4), np.full(3, NAN))
    made = curve([nothing, Run(np.arange(1.0, 4), np.ones(3))])
    assert made is not None
    assert (made.n, made.without) == (1, 1)
    assert curve([nothing]) is None


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    n = 5 * POINTS
    made = curve([Run(np.arange(n, dtype=float), np.arange(n, dtype=float)[::-1])])
    assert made is not None
    assert len(made.cost) == POINTS
    assert made.mean[[0, -1]].tolist() == [n - 1, 0]
