from __future__ import annotations

import math

import numpy as np
import pytest

from nascore.benchmarks.table import Column
from nascore.stats import Interval
from nascore.view import axes, figures_compare
from nascore.view.figures_compare import Attained, Finals, Look, Path, stairs
from nascore.view.tokens import LIGHT

NAN = math.nan
AT = np.array([1.0, 3, 9])


def path(name: str, at: int, n: int) -> Path:
    band = np.full(3, NAN) if n == 1 else np.array([0.5, 0.4, 0.3])
    return Path(Look(name, at), AT, np.array([5.0, 3, 1]), band, band + 6, n)


def test_a_single_seed_has_no_band_and_names_are_no_markup() -> None:
    paths = [path("a<b>", 0, 3), path("one", 1, 1)]
    fig = figures_compare.anytime(paths, LIGHT, x="Evaluations", y="Error (%)", metric="error", best=0.5)
    assert [bool(t.fill) for t in fig.data] == [False, True, False, False, False]
    texts = [a.text for a in fig.layout.annotations]
    assert any("a&lt;b&gt; (3)" in t for t in texts)
    assert any("best of the table" in t for t in texts)
    assert fig.layout.yaxis.type == "log"
    assert "at 9.00: 1.00" in fig.data[2].hovertext[-1]


def test_what_is_better_large_lies_on_a_straight_scale() -> None:
    fig = figures_compare.anytime([path("a", 0, 1)], LIGHT, x="", y="", metric="score", direction="max")
    assert fig.layout.yaxis.type != "log"


def test_more_methods_than_colors_differ_in_their_dash() -> None:
    n = len(LIGHT.series)
    first, again = Look("a", 0), Look("b", n)
    assert first.color(LIGHT) == again.color(LIGHT)
    assert first.dash(LIGHT) != again.dash(LIGHT)


def test_every_run_is_a_dot_that_knows_its_run_and_means_have_whiskers() -> None:
    rows = [
        Finals(
            Look("a", 0), np.array([1.0, 2.0]), ["r1", "r2"], ["x\ny<i>", "z"], Interval(1.5, 1.0, 2.2, 2)
        ),
        Finals(Look("b", 1), np.array([3.0]), ["r3"], ["w"], Interval(3.0, NAN, NAN, 1)),
    ]
    fig = figures_compare.finals(rows, LIGHT, x="Error (%)", best=0.5)
    assert [list(t.customdata) for t in fig.data[:2]] == [["r1", "r2"], ["r3"]]
    assert fig.data[0].hovertext[0] == "x<br>y&lt;i&gt;"
    assert fig.data[2].error_x.array[0] == pytest.approx(0.7)
    assert fig.data[2].error_x.arrayminus[0] == pytest.approx(0.5)
    assert fig.data[3].error_x.array is None
    assert fig.layout.yaxis.ticktext == ("a<br>2 seeds", "b<br>1 seed")


def test_improvement_keeps_zero_in_sight() -> None:
    fig = figures_compare.improvement([(Look("a", 0), Interval(30.0, 28, 31, 5))], LIGHT, x="RI (%)")
    low, high = fig.layout.xaxis.range
    assert low < 0 < 31 < high


def test_stairs_bound_what_is_attained() -> None:
    made = stairs(np.array([[1.0, 3], [2, 2]]), np.array([4.0, 5]))
    assert made.tolist() == [[1, 5], [1, 3], [2, 3], [2, 2], [4, 2]]


def test_attainment_turns_what_is_better_large() -> None:
    size = axes.axis(Column("params", "Parameters", "", "min"), [])
    score = axes.axis(Column("score", "Score", "", "max"), [])
    surface = np.array([[10.0, 5.0], [20.0, 9.0]])
    made = Attained(Look("a", 0), {"best": surface, "median": surface, "worst": surface[:1]}, 3)
    fig = figures_compare.attainment([made], (size, score), LIGHT)
    line = next(t for t in fig.data if t.name)
    assert line.name == "a (3 seeds)"
    assert list(line.x)[:4] == [10, 10, 20, 20]
    assert list(line.y)[1:4] == [5, 5, 9]
    assert line.y[0] < 5  # below what is attained, where more is better
    assert fig.data[0].fill == "toself"
    nothing = Attained(Look("a", 0), {"best": np.zeros((0, 2))}, 1)
    assert not figures_compare.attainment([nothing], (size, score), LIGHT).data
