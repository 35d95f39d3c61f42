from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from nascore.measures.calibration_curves import merged
from nascore.view import figures, figures_arch, figures_calibration, figures_front
from nascore.view.tokens import DARK, LIGHT
from tests.view.graphs import CONV, cell201

NONE = pd.DataFrame(columns=["index", "key", "error", "params", "failed", "parent", "value", "edge", "op"])


def tried(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"index": range(1, n + 1), "key": [f"k{i}" for i in range(n)], "failed": ""})
    frame["error"], frame["params"] = 5 + 10 * rng.random(n), 1e6 * rng.random(n)
    frame["parent"] = ["" if i < 3 else f"k{i - 3}" for i in range(n)]
    frame["value"], frame["edge"], frame["op"] = frame["error"], "0 to 1", CONV
    return frame


def draw_all(frame: pd.DataFrame) -> dict:
    values = frame["error"].to_numpy(float)
    return {
        "anytime": figures.anytime({"evolution": [values]}, LIGHT),
        "tried": figures.tried_scatter(frame, LIGHT, picked="k0"),
        "costs": figures.tried_scatter(frame, LIGHT, x="params", front=["k0"], infeasible=["k1"]),
        "front": figures_front.front(frame, LIGHT, x="params", y="error", picked="k0"),
        "hypervolume": figures_front.hypervolume(values, DARK, reference={"error": 20, "params": 1e6}),
        "learning": figures_arch.learning({"a": values}, DARK, chosen=["a"]),
        "lineage": figures_arch.lineage(frame, DARK),
        "neighbors": figures_arch.neighbors(frame, LIGHT, here={"error": 6.0}),
    }


TITLES = {
    "anytime": ("Architectures evaluated", "Best so far: Validation error (%)"),
    "tried": ("Evaluation", "Validation error (%)"),
    "costs": ("Parameters", "Validation error (%)"),
    "front": ("Parameters", "Validation error (%)"),
    "hypervolume": (
        "Architectures evaluated · reference point 20.00\u00a0%, 1.00\u00a0M",
        "Hypervolume (product of units)",
    ),
    "learning": ("Epoch", "Validation error (%)"),
    "lineage": ("Evaluation", "Validation error (%)"),
    "neighbors": ("Validation error (%)", "Edge changed"),
}


@pytest.mark.parametrize("rows", [1, 2, 40])
@pytest.mark.parametrize("name", TITLES)
def test_axes_carry_units_and_something_is_drawn(name: str, rows: int) -> None:
    fig = draw_all(tried(rows))[name]
    assert (fig.layout.xaxis.title.text, fig.layout.yaxis.title.text) == TITLES[name]
    assert any(trace.y is not None and len(trace.y) for trace in fig.data)
    assert fig.to_json()


@pytest.mark.parametrize("name", [name for name in TITLES if name != "neighbors"])
@pytest.mark.parametrize(
    "frame", [NONE, NONE.assign(key=[]).astype({"error": float})], ids=["objects", "numbers"]
)
def test_an_empty_frame_gives_a_titled_empty_figure(name: str, frame: pd.DataFrame) -> None:
    fig = draw_all(frame)[name]
    assert (fig.layout.xaxis.title.text, fig.layout.yaxis.title.text) == TITLES[name]
    assert all(trace.y is None or len(trace.y) == 0 for trace in fig.data)


def test_the_incumbent_is_drawn_and_not_what_was_tried() -> None:
    fig = figures.anytime({"a": [[9.0, 12.0, np.nan, 7.0]]}, LIGHT)
    assert list(fig.data[0].y) == [9, 9, 9, 7]


def test_the_incumbent_can_be_the_largest() -> None:
    fig = figures.anytime({"a": [[1.0, 3.0, 2.0]]}, LIGHT, metric="accuracy", direction="max")
    assert list(fig.data[0].y) == [1, 3, 3]


def test_a_band_runs_from_the_worst_to_the_best_run_as_far_as_all_reach() -> None:
    fig = figures.anytime({"a": [[9.0, 5.0, 4.0], [7.0, 6.0]]}, LIGHT)
    assert [list(trace.y) for trace in fig.data] == [[9, 6], [7, 5], [8, 5.5]]


def test_a_wide_range_is_drawn_on_a_log_axis_with_plain_ticks() -> None:
    axis = figures.anytime({"a": [[90.0, 30.0, 6.0]]}, LIGHT).layout.yaxis
    assert axis.type == "log"
    assert "10" in axis.ticktext


def test_end_labels_do_not_touch() -> None:
    spots = figures.spread_out([5.0, 5.01, 5.02, 9.0], gap=0.5)
    assert all(b - a >= 0.5 - 1e-9 for a, b in pairwise(spots))
    assert figures.spread_out([1.0, 2.0], gap=0.5) == [1.0, 2.0]


def test_failed_ones_are_crosses_at_the_worst_end() -> None:
    frame = tried(4)
    frame.loc[1, ["error", "failed"]] = [np.nan, "diverged at step 37"]
    fig = figures.tried_scatter(frame, LIGHT)
    lost = next(trace for trace in fig.data if trace.name == "failed (1)")
    assert (list(lost.x), list(lost.y)) == ([2], [frame["error"].max()])
    assert lost.marker.symbol == "x-thin"
    assert "diverged at step 37" in lost.hovertext[0]


def test_infeasible_ones_are_rings_of_their_own() -> None:
    fig = figures.tried_scatter(tried(4), LIGHT, infeasible=["k2"])
    assert next(trace for trace in fig.data if trace.name == "over a limit (1)").customdata == ("k2",)


def test_a_dot_carries_its_key() -> None:
    assert figures.tried_scatter(tried(3), LIGHT).data[0].customdata == ("k0", "k1", "k2")


def test_the_picked_one_is_ringed_in_the_color_kept_for_it() -> None:
    fig = figures.tried_scatter(tried(3), LIGHT, picked="k1")
    assert fig.data[-1].marker.line.color == LIGHT.pick
    assert fig.layout.annotations[0].text == "<b>evaluation 2</b>"


def test_the_best_ones_ancestors_stand_in_front() -> None:
    frame = tried(4).assign(parent=["", "k0", "", "k1"], value=[9.0, 8.0, 7.0, 1.0])
    assert list(figures_arch.lineage(frame, LIGHT).data[-1].x) == [1, 2, 4]
    assert list(figures_arch.lineage(frame, LIGHT, direction="max").data[-1].x) == [1]


def test_a_child_that_names_itself_or_a_later_one_as_parent_does_no_harm() -> None:
    frame = tried(2).assign(parent=["k1", "k1"], value=[2.0, 1.0])
    assert list(figures_arch.lineage(frame, LIGHT).data[-1].x) == [2]


def test_five_hundred_curves_are_one_gray_trace() -> None:
    curves = {f"c{i}": np.linspace(90, 5, 12) + i for i in range(500)}
    fig = figures_arch.learning(curves, LIGHT, chosen=["c7"])
    assert [trace.name for trace in fig.data] == ["all", "c7"]
    assert np.isnan(np.asarray(fig.data[0].y)).sum() == 499


def test_untrained_neighbors_are_placed_by_their_parameters() -> None:
    frame = tried(3).assign(error=np.nan)
    fig = figures_arch.neighbors(frame, LIGHT, here={"params": 5e5})
    assert fig.layout.xaxis.title.text == "Parameters"
    assert fig.layout.shapes[0].x0 == 5e5


def test_bars_say_operation_and_cost() -> None:
    fig = figures_arch.bars_per_edge(cell201(*[CONV] * 5, "none", flops=(35_400_000, 0, 0, 0, 0, 0)), LIGHT)
    assert fig.data[0].text[0] == "conv 3x3 · 35.4\u00a0M"
    assert fig.layout.xaxis.title.text == "Multiply-adds"


def test_texts_of_people_are_no_markup() -> None:
    fig = figures.anytime({"<a href='x'>%{y}</a>": [[1.0, 2.0]]}, LIGHT)
    label = fig.layout.annotations[0].text
    assert "<a" not in label
    assert "%{" not in label


@pytest.mark.parametrize("most", [3, 120_000])
def test_a_reliability_diagram_has_room_for_its_counts_without_measuring_them(most: int) -> None:
    count = np.array([1, 0, most])
    fig = figures_calibration.reliability(merged(count, count * 0.8, count * 0.9, 3), LIGHT)
    told = [len(t) for t in fig.layout.yaxis2.ticktext]
    assert not any(a.automargin for a in (fig.layout.xaxis, fig.layout.yaxis, fig.layout.yaxis2))
    assert fig.layout.margin.l >= 22 + 6.8 * max(told)
