from __future__ import annotations

import math

import numpy as np
import pytest

from nascore.benchmarks.table import Column
from nascore.view import axes, figures_ranking
from nascore.view.figures_ranking import Line
from nascore.view.tokens import LIGHT

LINES = [
    Line("a", "a", 0.8, 0.75, 0.85, 50, tied=True, seconds=2.0),
    Line("b<b>", "b<b>", 0.5, math.nan, math.nan, 50, shares=True, seconds=0.5),
    Line("c", "c", 0.4, 0.3, 0.5, 50, seconds=1.0),
    Line("d", "d", 0.9, 0.8, 0.95, 40),
]


def test_the_court_keeps_its_order_and_names_are_no_markup() -> None:
    fig = figures_ranking.court(LINES, LIGHT, title="tau", band=(0.9, 0.95), picked="a")
    dots = fig.data[0]
    assert list(dots.customdata) == ["a", "b<b>", "c", "d"]
    assert dots.error_x.array[0] == pytest.approx(0.05)
    assert dots.error_x.array[1] == 0  # no interval, no whisker
    assert "b&lt;b&gt;" in fig.layout.yaxis.ticktext[1]
    assert "same trainings" in dots.hovertext[1]
    assert dots.marker.color[0] == LIGHT.accent != dots.marker.color[2]


def test_only_who_was_timed_is_on_the_front_of_cost() -> None:
    fig = figures_ranking.cost(LINES, LIGHT, title="tau")
    line, dots = fig.data
    assert list(line.x) == [0.5, 2.0]  # c is dearer than b and worse
    assert list(dots.customdata) == ["b<b>", "c", "a"]
    assert figures_ranking.seconds_unknown(LINES) == ["d"]


def test_scores_over_many_sizes_lie_on_a_symmetric_log_that_keeps_zero_and_order() -> None:
    values = np.concatenate([-(10.0 ** np.arange(6)), [0.0], 10.0 ** np.arange(9)])
    found = figures_ranking.score(axes.axis(Column("s", "S", "", "max"), values))
    places = found.at(np.sort(values))
    assert found.size > 0
    assert (np.diff(places) > 0).all()
    assert found.at(0.0) == 0
    assert found.at(-7.0) == -found.at(7.0)
    ticks = found.ticks()
    assert ticks is not None
    assert "0" in ticks[1]
    narrow = figures_ranking.score(axes.axis(Column("s", "S", "", "max"), np.linspace(-1, 1, 50)))
    assert (narrow.size, narrow.ticks()) == (0, None)


def test_names_at_the_ends_of_a_bump_chart_stay_apart_and_inside() -> None:
    ranks = {f"cell {i}": [1.0, math.nan, float(10 * i + 1)] for i in range(10)}
    fig = figures_ranking.bump(
        ranks, ["truth", "x", "nasbench: some_long_name"], LIGHT, marked=list(ranks), log=True
    )
    left = sorted(a.y for a in fig.layout.annotations if a.x == 0)
    assert len(left) == 10
    assert left[0] >= fig.layout.yaxis.range[1]
    assert min(np.diff(left)) > 0.05
    assert "<br>" in fig.layout.xaxis.ticktext[2]


def test_margins_are_given_and_have_room_for_the_longest_name() -> None:
    lines = [Line("a", "a", 0.5, 0.4, 0.6, 99), Line("b", "a_name_of_21_letters_x", 0.1, 0.0, 0.2, 99)]
    layout = figures_ranking.court(lines, LIGHT, title="tau").to_dict()["layout"]
    assert layout["xaxis"]["automargin"] is layout["yaxis"]["automargin"] is False
    assert layout["margin"]["l"] >= 6.5 * 21
    assert layout["margin"]["b"] > 40


def test_labels_of_cost_that_would_lie_on_each_other_are_left_out() -> None:
    far = [Line("far", "far", 0.9, 0.8, 1.0, 99, seconds=10.0)]
    near = [Line(n, n, v, v, v, 99, seconds=0.1) for n, v in (("one", 0.5), ("two", 0.501))]
    text = figures_ranking.cost([*far, *near], LIGHT, title="tau").to_dict()["data"][1]["text"]
    assert sorted(text) == ["", "far", "one"]
