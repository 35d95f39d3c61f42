from __future__ import annotations

import re
from itertools import combinations, pairwise

import networkx as nx
import pytest

from nascore.view import layout, scene
from nascore.view.tokens import LIGHT
from tests.view.graphs import random_tracks

Box = tuple[float, float, float, float]


def box(item: dict) -> Box:
    return item["x"], item["y"], item["x"] + item["width"], item["y"] + item["height"]


def meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def segments(d: str) -> list[Box]:
    """Straight parts of a track as boxes without width or height."""
    x0, y0 = map(float, re.match(r"M([-\d.]+) ([-\d.]+)", d).groups())
    level = re.findall(r"H([-\d.]+)", d)
    rises = re.findall(r"V([-\d.]+)", d)
    if not rises:
        return [(x0, y0, float(level[0]), y0)]
    bends = re.findall(r"Q[-\d.]+ ([-\d.]+) ([-\d.]+) ([-\d.]+)", d)
    y, x1 = float(bends[0][0]), float(bends[1][1])
    return [(x0, min(y, y0), x0, max(y, y0)), (x0, y, x1, y), (x1, min(y, y0), x1, max(y, y0))]


@pytest.mark.parametrize("first", range(0, 300, 60))
def test_no_label_meets_a_label_a_node_or_a_foreign_line(first: int) -> None:
    for seed in range(first, first + 60):
        items = scene.cell(random_tracks(seed), LIGHT)["items"]
        rects = [item for item in items if item["t"] == "rect"]
        nodes = [box(item) for item in rects if item["cls"].startswith("node")]
        labels = [(item["id"], box(item)) for item in rects if item["cls"] in ("pill", "mask")]
        lines = [(item["id"], s) for item in items if item["cls"] == "edge" for s in segments(item["d"])]
        assert not any(meet(a, b) for (_, a), (_, b) in combinations(labels, 2)), f"two labels, seed {seed}"
        assert not any(meet(a, node) for _, a in labels for node in nodes), f"label on a node, seed {seed}"
        foreign = [(i, j) for i, a in labels for j, b in lines if i != j and meet(a, b)]
        assert not foreign, f"label over a line, seed {seed}: {foreign}"


def test_the_check_above_sees_a_line_behind_a_label() -> None:
    assert meet(
        (0, 0, 10, 10), segments("M5.0 20.0V-16.0Q5.0 -20.0 9.0 -20.0H30.0Q34.0 -20.0 34.0 -16.0V14.0")[0]
    )
    assert not meet(
        (6, 0, 10, 10), segments("M5.0 20.0V-16.0Q5.0 -20.0 9.0 -20.0H30.0Q34.0 -20.0 34.0 -16.0V14.0")[0]
    )


def test_edges_on_one_lane_never_overlap() -> None:
    for seed in range(100):
        graph = random_tracks(seed)
        spans = [(int(edge.source), int(edge.target)) for edge in graph.edges]
        lanes = layout.lanes(spans)
        for i, j in combinations(range(len(spans)), 2):
            (a, b), (c, d) = spans[i], spans[j]
            assert lanes[i] != lanes[j] or b <= c or d <= a, f"seed {seed}: {spans[i]} and {spans[j]}"


def test_parallel_edges_get_lanes_of_their_own() -> None:
    assert sorted(layout.lanes([(0, 1), (0, 1), (0, 1)])) == [-1, 0, 1]


def test_order_follows_links_and_then_the_given_order() -> None:
    assert layout.order(["c", "b", "a"], [("a", "b")]) == ["c", "a", "b"]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(nx.NetworkXUnfeasible):
        layout.order(["a", "b"], [("a", "b"), ("b", "a")])


def test_live_nodes_lie_between_input_and_output() -> None:
    links = [("i", "a"), ("a", "o"), ("i", "dead_end"), ("orphan", "o")]
    assert layout.live(links, {"i"}, {"o"}) == {"i", "a", "o"}


def test_long_edges_pass_through_slots_of_their_own() -> None:
    placed, route = layout.columns(
        ["i", "a", "b", "o"], [("i", "a"), ("a", "b"), ("b", "o"), ("i", "o")], {"o"}
    )
    assert route["i", "o"] == ["i", "~i~o~1", "~i~o~2", "o"]
    assert [len(column) for column in placed] == [1, 2, 2, 1]


def test_sweeps_remove_a_crossing_that_can_go() -> None:
    ids, links = (
        ["i", "a", "b", "c", "d", "o"],
        [("i", "a"), ("i", "b"), ("a", "d"), ("b", "c"), ("c", "o"), ("d", "o")],
    )
    placed, _ = layout.columns(ids, links, {"o"})
    assert layout.crossings([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")]) == 1
    assert layout.crossings(placed, links) == 0


def test_heights_keep_order_and_distance() -> None:
    placed, route = layout.columns(
        ["i", "a", "b", "c", "o"], [("i", v) for v in "abc"] + [(v, "o") for v in "abc"], {"o"}
    )
    y = layout.heights(placed, route, dict.fromkeys("iabco", 52.0))
    middle = [y[v] for v in placed[1]]
    assert all(below - above >= 52 - 1e-6 for above, below in pairwise(middle))
