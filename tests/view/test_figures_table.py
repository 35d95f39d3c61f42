"""Figures of tables: places and ticks of axes, what fades, what is drawn of large tables, safe texts."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from nascore.benchmarks.explore import Effects
from nascore.benchmarks.table import Column
from nascore.kinds import EvaluationProtocol
from nascore.view import axes, figures_cloud, figures_table
from nascore.view.axes import Axis
from nascore.view.tokens import DARK, LIGHT

ACCURACY = Column("acc", "Test accuracy", "%", "max", EvaluationProtocol("cifar10", "test", 200, "", "x"))
PARAMS = Column("params", "Parameters", "", "min")


def pair(n: int = 100) -> tuple[Axis, Axis]:
    rng = np.random.default_rng(0)
    return axes.axis(PARAMS, rng.uniform(1e3, 1e6, n)), axes.axis(ACCURACY, rng.uniform(10, 95, n))


def dots(fig: go.Figure) -> list[Any]:
    return [t for t in fig.data if t.type == "scattergl" and t.mode == "markers"]


def test_accuracies_lie_as_minus_log_of_the_error_and_ticks_say_values() -> None:
    found = axes.axis(ACCURACY, [10, 50, 90, 99])
    assert found.form == "error"
    np.testing.assert_allclose(found.places, -np.log10([90, 50, 10, 1]))
    places, texts = found.ticks() or ([], [])
    np.testing.assert_allclose(places, found.at([float(t) for t in texts]))
    assert texts[-1] == "99"
    assert np.all(np.diff(places) > 0)


def test_an_accuracy_of_a_hundred_has_a_place_above_the_next() -> None:
    found = axes.axis(ACCURACY, [50, 99, 99.7, 100])
    assert np.isfinite(found.places).all()
    assert np.all(np.diff(found.places) > 0)


def test_values_over_several_sizes_lie_as_log_others_as_they_are() -> None:
    assert axes.axis(PARAMS, [1e3, 1e6]).form == "log"
    assert axes.axis(PARAMS, [1e3, 2e3]).form == "linear"
    assert axes.axis(PARAMS, [0, 1e6]).form == "linear"
    assert axes.axis(PARAMS, [np.nan, np.nan]).ticks() is None
    texts = (axes.axis(PARAMS, [1e3, 1e6]).ticks() or ([], []))[1]
    assert texts[-1] == "1\u00a0M"


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [("%", 94.371, "94.37 %"), ("", 1_073_466, "1.07 M"), ("ms", 68.4, "68.4 ms"), ("s", 112, "1 min 52 s")],
)
def test_values_are_written_with_their_unit(unit: str, value: float, said: str) -> None:
    assert axes.amount(Column("a", "A", unit), value).replace("\u00a0", " ") == said


def test_protocols_differ_only_in_what_both_say() -> None:
    other = Column("b", "B", "%", "max", EvaluationProtocol("cifar100", "", 200, "", "x"))
    assert axes.differ([ACCURACY, other]) == ["data"]
    assert axes.differ([ACCURACY, PARAMS]) == []


def test_what_is_not_chosen_fades_and_a_dot_carries_its_row() -> None:
    x, y = pair()
    chosen = np.arange(100) < 30
    faded, shown = dots(figures_cloud.cloud(x, y, LIGHT, chosen=chosen))
    assert len(faded.x) == 70
    assert faded.marker.color == figures_table.faded(LIGHT)
    assert np.asarray(shown.customdata)[:, 0].astype(int).tolist() == list(range(30))
    np.testing.assert_allclose(shown.y, y.places[:30], rtol=1e-6)


def test_archs_without_a_value_are_not_drawn() -> None:
    x, y = pair(5)
    lacking = Axis(y.column, np.where(np.arange(5) == 2, np.nan, y.values), y.form, y.floor)
    assert np.asarray(dots(figures_cloud.cloud(x, lacking, LIGHT))[0].customdata)[:, 0].tolist() == [
        0,
        1,
        3,
        4,
    ]


def test_the_front_is_a_stepped_line_and_the_picked_one_has_a_ring() -> None:
    x, y = pair()
    fig = figures_cloud.cloud(x, y, DARK, front=np.array([5, 3]), ringed={7: "cell <b>7"})
    line = next(t for t in fig.data if t.mode == "lines")
    assert line.line.shape == "hv"
    assert list(line.x) == sorted(x.places[[3, 5]])
    assert fig.layout.annotations[0].text == "<b>cell &lt;b&gt;7</b>"
    assert fig.layout.annotations[0].font.color == DARK.pick


def test_a_large_table_is_a_histogram_with_a_sample_of_the_chosen() -> None:
    x, y = pair(50_000)
    chosen = np.arange(50_000) < 10_000
    fig = figures_cloud.cloud(x, y, LIGHT, chosen=chosen, front=np.array([1, 2]))
    assert [t.type for t in fig.data] == ["heatmap", "scattergl", "scattergl"]
    rows = np.asarray(fig.data[1].customdata)[:, 0]
    assert len(rows) == figures_table.SAMPLE
    assert rows.max() < 10_000
    assert len(fig.to_json()) < 1_500_000


def test_all_cells_of_nas_bench_201_are_dots_in_less_than_two_megabytes() -> None:
    x, y = pair(15_625)
    fig = figures_cloud.cloud(x, y, LIGHT, color=y)
    assert sum(len(t.x) for t in dots(fig)) == 15_625
    assert len(fig.to_json()) < 2_000_000


def test_a_color_is_a_trace_and_few_values_have_a_color_each() -> None:
    x, y = pair(1_000)
    count = Axis(Column("n", "Convolutions"), np.arange(1_000) % 3.0)
    found = dots(figures_cloud.cloud(x, y, LIGHT, color=count))
    assert [len(t.x) for t in found] == [334, 333, 333]
    assert [np.unique(t.customdata[:, 4]).tolist() for t in found] == [[0], [1], [2]]
    assert (found[0].marker.color, found[2].marker.color) == ("rgb(163, 196, 191)", "rgb(6, 44, 54)")
    found = dots(figures_cloud.cloud(x, y, LIGHT, color=y))
    assert len(found) == figures_cloud.LEVELS
    ends = [(t.customdata[:, 4].min(), t.customdata[:, 4].max()) for t in found]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ends))


def test_an_arch_whose_color_is_not_known_is_a_muted_dot() -> None:
    x, y = pair(10)
    some = Axis(Column("n", "N"), np.where(np.arange(10) == 4, np.nan, 1.0))
    first, second = dots(figures_cloud.cloud(x, y, LIGHT, color=some))
    assert first.customdata[:, 0].tolist() == [4]
    assert (first.marker.color, len(second.x)) == (LIGHT.muted, 9)


def test_what_is_chosen_travels_as_a_bit_a_row() -> None:
    x, y = pair(100)
    chosen = np.arange(100) % 7 == 0
    change = figures_cloud.chosen_of(x, y, LIGHT, chosen=chosen, ringed={3: "cell 3"})
    bits = np.unpackbits(np.frombuffer(base64.b64decode(change["chosen"]), np.uint8))[:100]
    assert np.flatnonzero(bits).tolist() == np.flatnonzero(chosen).tolist()
    assert change["faded"]["marker"]["color"] == figures_table.faded(LIGHT)
    assert [a["text"] for a in change["layout"]["annotations"]] == ["<b>cell 3</b>"]
    assert len(json.dumps(change)) < 2_000
    assert figures_cloud.chosen_of(x, y, LIGHT, chosen=np.ones(100, bool))["chosen"] is None


def test_a_part_of_a_crowd_has_a_histogram_of_its_own_or_all_its_dots() -> None:
    x, y = pair(50_000)
    chosen = np.arange(50_000) % 2 == 0
    low, high = np.quantile(x.places, [0.2, 0.9])
    wide = figures_cloud.cloud(x, y, LIGHT, chosen=chosen, part=(low, high, -5, 5))
    assert wide.data[0].type == "heatmap"
    assert (wide.data[0].x.min() > low, wide.data[0].x.max() < high) == (True, True)
    assert wide.layout.xaxis.range == (low, high)
    part = (low, float(np.quantile(x.places, 0.3)), -5.0, 5.0)
    change = figures_cloud.anew(figures_cloud.cloud(x, y, LIGHT, chosen=chosen, part=part))
    assert [t["type"] for t in change["data"]] == ["scattergl", "scattergl"]
    assert change["data"][1]["meta"] == figures_cloud.DOTS


def effects() -> Effects:
    gap = np.array([[-1.5, np.nan, 0.02]])
    count = np.array([[4, 0, 5]])
    return Effects(
        ("edge_2_0",), ("none", "<i>", "nor_conv_3x3"), gap, gap - 1, gap + 1, gap + 90, count, 90.0
    )


def test_effects_show_signed_points_and_leave_gaps_blank() -> None:
    trace = figures_table.effects(effects(), axes.axis(ACCURACY, [10, 90]), LIGHT).data[0]
    assert [list(line) for line in trace.text] == [["-1.5", "", "0.0"]]
    assert list(trace.y) == ["0 to 2"]
    assert list(trace.x) == ["none", "&lt;i&gt;", "conv 3x3"]
    assert trace.zmin == -trace.zmax
    assert "95 % interval -2.50" in trace.hovertext[0][0].replace("\u00a0", " ")
    assert "n = 4" in trace.hovertext[0][0]


def test_the_histogram_counts_every_cell_once() -> None:
    _, y = pair()
    chosen = np.arange(100) < 30
    every, some = figures_table.histogram(y, chosen, LIGHT).data
    assert (sum(every.y), sum(some.y)) == (100, 30)
    assert all(a >= b for a, b in zip(every.y, some.y, strict=True))


def test_curves_have_a_band_from_worst_to_best_seed_and_a_label() -> None:
    fig = figures_table.curves(
        {"cell 1": [[3, 2, 1], [5, 4, 3]], "cell 2": [[9, 9, 9]]}, LIGHT, title="E", unit="%"
    )
    top, bottom, mean, lone = fig.data
    assert (list(top.y), list(bottom.y), list(mean.y)) == ([5, 4, 3], [3, 2, 1], [4, 3, 2])
    assert bottom.fill == "tonexty"
    assert list(lone.y) == [9, 9, 9]
    assert "cell 1 <b>2.00\u00a0%</b>" in fig.layout.annotations[0].text


def test_a_strip_ends_where_the_cell_stands() -> None:
    fig = figures_table.standing([("Test <accuracy>", 99.0, "94 %", "3 of 15,625")], LIGHT)
    back, bar, mark = fig.data
    assert (list(back.x), list(bar.x), list(mark.x)) == ([0, 100], [0, 99], [99])
    assert "<accuracy>" not in mark.y[0]
    assert "rank 3 of 15,625" in mark.hovertext[0]
