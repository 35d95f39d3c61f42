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


def test_no_dot_lies_under_one_of_the_front_to_take_its_click() -> None:
    values = np.array([[1.0, 5.0], [1.0001, 5.0001], [5.0, 1.0], [4.0, 4.0]])
    columns = [Column("a", "A", "", "min"), Column("b", "B", "", "min")]
    pair = [axes.axis(c, v) for c, v in zip(columns, values.T, strict=True)]
    fig = figures_pareto.plane(Points(pair, list("wxyz"), np.ones(4, bool), np.array([0, 2])), LIGHT)
    assert sorted(int(r) for t in fig.data if t.customdata is not None for r in t.customdata) == [0, 2, 3]


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


def crowd(n: int = 100_000) -> Points:
    values = 1 + np.random.default_rng(0).random((n, 2))  # so narrow that they lie as they are
    columns = [Column("a", "A", "", "min"), Column("b", "B", "", "min")]
    fits = values[:, 0] > 1.25
    rows = np.flatnonzero(fits)
    return Points(
        [axes.axis(c, v) for c, v in zip(columns, values.T, strict=True)],
        np.arange(n).astype(str),
        fits,
        rows[pareto.front(values[rows])],
    )


def test_a_hundred_thousand_dots_become_histograms_a_sample_and_the_whole_front() -> None:
    p = crowd()
    fig = figures_pareto.plane(p, LIGHT)
    gray, full = [t for t in fig.data if t.type == "heatmap"]
    dots = [t for t in fig.data if t.type.startswith("scatter") and t.customdata is not None]
    assert sum(len(t.x) for t in dots) <= 2 * figures_pareto.SAMPLE + len(p.front)
    assert len(named(fig, "front").x) == len(p.front)
    assert np.nansum(10**full.z) == p.fits.sum() - len(p.front)
    assert np.nansum(10**gray.z) == (~p.fits).sum()
    assert named(fig, "over a limit").name == f"over a limit ({(~p.fits).sum():,})"
    assert figures_pareto.crowded(p) == 100_000


def test_a_zoom_makes_the_histogram_anew_of_what_is_in_sight() -> None:
    p, part = crowd(), (1.5, 1.9, 1.1, 1.8)
    fig = figures_pareto.plane(p, LIGHT, part=part)
    (found,) = [t for t in fig.data if t.type == "heatmap"]
    x, y = (a.values for a in p.axes)
    seen = (x >= 1.5) & (x <= 1.9) & (y >= 1.1) & (y <= 1.8)
    assert np.nansum(10**found.z) == pytest.approx(seen.sum() - seen[p.front].sum())
    assert found.x[1] - found.x[0] == pytest.approx(0.4 / 120)
    assert list(fig.layout.xaxis.range) == [1.5, 1.9]
    assert list(fig.layout.yaxis.range) == [1.1, 1.8]
    assert figures_pareto.crowded(p, part) == seen.sum()


def test_a_part_with_few_enough_points_shows_each_of_them() -> None:
    p, part = crowd(), (1.5, 1.6, 1.4, 1.6)
    fig = figures_pareto.plane(p, LIGHT, part=part)
    assert not [t for t in fig.data if t.type == "heatmap"]
    x, y = (a.values for a in p.axes)
    seen = np.flatnonzero((x >= 1.5) & (x <= 1.6) & (y >= 1.4) & (y <= 1.6))
    inside = np.abs(p.axes[0].values[:, None] - p.axes[0].values[p.front]).min(1) > 0.01  # under no front dot
    assert set(seen[inside[seen]]) - set(p.front) <= {
        int(r) for t in fig.data for r in (() if t.customdata is None else t.customdata)
    }
    assert figures_pareto.crowded(p, part) == 0


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
    fig = figures_pareto.growth(p, figures_pareto.stops(6), fronts, LIGHT)
    assert [f.name for f in fig.frames] == ["1", "2", "3", "4", "5", "6"]
    assert list(fig.frames[0].data[2].customdata) == [0]
    assert list(fig.frames[-1].data[2].customdata) == list(p.front)
    assert len(fig.layout.sliders[0].steps) == 6


@pytest.mark.parametrize("n", [1, 59, 60, 61, 5_001, 123_457])
def test_any_number_of_evaluations_has_at_most_sixty_pictures_and_always_the_last(n: int) -> None:
    found = figures_pareto.stops(n)
    assert len(found) == min(n, 60)
    assert found[-1] == n
    assert found == sorted(set(found))
    gaps = np.diff([0, *found])
    assert gaps.max() - gaps.min() <= 1


def test_the_growth_of_a_hundred_thousand_is_thinned_and_ends_with_the_true_front() -> None:
    p = crowd()
    costs = np.where(p.fits[:, None], np.stack([a.values for a in p.axes], 1), np.nan)
    stops = figures_pareto.stops(len(costs))
    fronts, _ = pareto.front_over_time(costs, moments=stops)
    fig = figures_pareto.growth(p, stops, fronts, LIGHT)
    assert len(fig.frames) == 60
    assert set(fig.frames[-1].data[2].customdata) == set(p.front)
    sizes = [len(f.data[0].x) for f in fig.frames]
    assert sizes[-1] == figures_pareto.CROWD
    assert sizes == sorted(sizes)
    assert max(fig.frames[0].data[0].customdata) < stops[0]  # nothing from the future


def test_nothing_to_draw_is_an_empty_figure() -> None:
    none = points(fits=[False] * 6)
    for draw in (figures_pareto.plane, figures_pareto.parallel):
        assert isinstance(draw(none, LIGHT), go.Figure)
    assert not figures_pareto.growth(none, [], [], LIGHT).frames
