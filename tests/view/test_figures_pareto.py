from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from nascore import pareto
from nascore.benchmarks.table import Column
from nascore.view import axes, figures_pareto
from nascore.view.figures_pareto import Points
from nascore.view.tokens import DARK, LIGHT

ERROR = np.array([9.0, 8.0, 7.0, 6.0, 50.0, np.nan])
PARAMS = np.array([1e3, 2e3, 3e3, 4e3, 5e3, 6e3])
SPEED = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.5])
DIRECTIONS = ("min", "min", "max")


def points(n: int = 2, *, fits: list[bool] | None = None, truth: np.ndarray | None = None) -> Points:
    columns = [
        Column("error", "Validation error", "%", "min"),
        Column("params", "Parameters", "", "min"),
        Column("speed", "Images a <b>second</b>", "", "max"),
        Column("loss", "Loss", "", "min"),
    ][:n]
    values = [ERROR, PARAMS, SPEED, ERROR / 10][:n]
    ok = np.array(fits or [True] * 6)
    rows = np.flatnonzero(ok)
    costs = pareto.costs(np.stack(values, 1), [c.direction for c in columns])
    front = rows[pareto.front(costs[rows])]
    names = [f"cell {i}" for i in range(6)]
    return Points(
        [axes.axis(c, v) for c, v in zip(columns, values, strict=True)], names, ok, front, truth, {0: "knee"}
    )


def named(fig: go.Figure, start: str) -> go.Scatter:
    return next(trace for trace in fig.data if (trace.name or "").startswith(start))


def test_the_front_is_on_top_and_its_dots_know_their_rows() -> None:
    fig = figures_pareto.plane(points(), LIGHT)
    front = named(fig, "front")
    assert front.name == "front, 4"
    assert list(front.customdata) == [3, 2, 1, 0]
    assert fig.data[-2].name == front.name  # the ring comes last
    assert "Validation error: 9.00" in front.hovertext[3].replace(" (%)", "")


def test_axes_say_which_way_is_better_and_texts_are_no_markup() -> None:
    fig = figures_pareto.plane(points(), DARK)
    assert fig.layout.xaxis.title.text == "Validation error (%), lower is better"
    assert "&lt;b&gt;" in figures_pareto.better(points(3).axes[2])
    assert figures_pareto.better(points(3).axes[2]).endswith("higher is better")


def test_what_misses_a_limit_is_gray_and_stays() -> None:
    fig = figures_pareto.plane(points(fits=[False, True, True, True, True, True]), LIGHT)
    lost = named(fig, "over a limit")
    assert list(lost.customdata) == [0]
    assert lost.name == "over a limit (1)"
    assert lost.marker.color != named(fig, "front").marker.color


def test_the_true_front_is_dotted_in_the_color_of_picks_behind_the_found_one() -> None:
    truth = np.array([[5.0, 900.0], [4.0, 950.0]])
    fig = figures_pareto.plane(points(truth=truth), LIGHT)
    line = named(fig, "true front")
    assert (line.line.dash, line.line.color) == ("dot", LIGHT.pick)
    assert [t.name for t in fig.data].index(line.name) < [t.name for t in fig.data].index("front, 4")
    assert fig.layout.yaxis.range[0] < 900  # it is inside the picture


def test_a_front_of_three_objectives_has_no_steps_in_the_plane() -> None:
    modes = [t.mode for t in figures_pareto.plane(points(3), LIGHT).data]
    assert "lines" not in modes


def test_a_hundred_thousand_dots_become_a_sample() -> None:
    values = np.random.default_rng(0).random((100_000, 2))
    columns = [Column("a", "A", "", "min"), Column("b", "B", "", "min")]
    p = Points(
        [axes.axis(c, v) for c, v in zip(columns, values.T, strict=True)],
        np.arange(100_000).astype(str),
        np.ones(100_000, bool),
        pareto.front(values),
    )
    fig = figures_pareto.plane(p, LIGHT)
    assert sum(len(t.x) for t in fig.data) < 5_000
    assert len(named(fig, "front").x) == len(p.front)


def test_space_shows_three_objectives_and_colors_by_a_fourth() -> None:
    three, four = figures_pareto.room(points(3), LIGHT), figures_pareto.room(points(4), LIGHT)
    assert {t.type for t in three.data} == {"scatter3d"}
    assert list(named(three, "front").customdata) == list(points(3).front)
    assert isinstance(named(four, "front").marker.color, tuple | list | np.ndarray)


def test_parallel_lines_have_the_better_end_up() -> None:
    fig = figures_pareto.parallel(points(3), LIGHT)
    lines = {trace.customdata[0]: trace for trace in fig.data}
    assert lines[3].y[0] == 1.0  # least error of all on the front
    assert lines[3].y[1] == 0.0  # and most parameters
    assert lines[1].y[2] == pytest.approx(2 / 3)  # 4 on a front from 2 to 5 images a second
    assert lines[0].y[2] == 1.0  # most images a second
    assert list(lines[3].x) == [0, 1, 2]
    assert fig.data[-1].name == "knee"


def test_growth_ends_with_the_whole_and_starts_with_the_first() -> None:
    p = points()
    fronts, _ = pareto.front_over_time(np.stack([ERROR, PARAMS], 1))
    fig = figures_pareto.growth(p, fronts, LIGHT)
    assert [f.name for f in fig.frames] == ["1", "2", "3", "4", "5", "6"]
    assert list(fig.frames[0].data[2].customdata) == [0]
    assert list(fig.frames[-1].data[2].customdata) == list(p.front)
    assert len(fig.layout.sliders[0].steps) == 6
    many = [np.arange(1)] * 1000
    assert len(figures_pareto.growth(p, many, LIGHT).frames) == figures_pareto.FRAMES


def test_nothing_to_draw_is_an_empty_figure() -> None:
    none = points(fits=[False] * 6)
    for draw in (figures_pareto.plane, figures_pareto.parallel):
        assert isinstance(draw(none, LIGHT), go.Figure)
    assert not figures_pareto.growth(none, [], LIGHT).frames
