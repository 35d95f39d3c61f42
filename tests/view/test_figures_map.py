from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nascore.benchmarks.paths import stacks
from nascore.benchmarks.table import Column
from nascore.view import figures_map
from nascore.view.axes import Axis
from nascore.view.tokens import DARK, LIGHT, Tokens

PLACES = np.array([[0.0, 0], [0, 0], [0, 0], [0, 0], [1, 1], [2, 0]])
VALUES = np.array([10.0, 40, 30, np.nan, 50, 60])
COLOR = Axis(Column("acc", "Accuracy", "%", "max"), VALUES)
ALL = np.ones(6, bool)


def dots(chosen: np.ndarray, t: Tokens = LIGHT) -> Any:
    fig = figures_map.chart(stacks(PLACES), COLOR, t, numbers=np.arange(6) + 100, chosen=chosen)
    traces: Any = fig.data
    return traces


@pytest.mark.parametrize("t", [LIGHT, DARK])
def test_archs_that_coincide_are_one_dot_that_says_how_many(t: Tokens) -> None:
    _, trace = dots(ALL, t)
    first = trace.customdata[0]
    assert first.tolist() == [1, 4, 101, pytest.approx(80 / 3), 40]  # best row, how many, number, mean, best
    assert trace.text[0] == "cells at this place"
    assert set(trace.text[1:]) == {"cell"}


def test_areas_are_proportional_to_counts() -> None:
    _, trace = dots(ALL)
    area = np.square(trace.marker.size)
    assert area[0] / area[1] == pytest.approx(4.0)


def test_places_without_a_chosen_arch_fade_and_counts_are_of_the_chosen() -> None:
    empty, trace = dots(np.array([1, 0, 1, 0, 1, 0], bool))
    assert empty.x.tolist() == [2.0]
    assert trace.customdata[:, 1].tolist() == [2, 1]
    assert trace.customdata[0, 0] == 2  # row 1 is better, but not chosen


def test_the_best_is_the_least_where_less_is_better() -> None:
    color = Axis(Column("ms", "Latency", "ms", "min"), VALUES)
    mean, best = figures_map.of_stacks(stacks(PLACES), color, ALL)
    at = stacks(PLACES).of[0]
    assert (best[at], mean[at]) == (0, pytest.approx(80 / 3))


def test_nothing_chosen_draws_no_dot() -> None:
    assert len(dots(~ALL)) == 1
