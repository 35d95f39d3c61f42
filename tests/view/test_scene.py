from __future__ import annotations

import pytest

from nascore.graph import Edge, Graph, Node
from nascore.view import scene
from nascore.view.tokens import DARK, LIGHT, OPS
from tests.view.graphs import CONV, cell101, cell201, network

SKIP = "skip_connect"


def parts(drawing: dict, id_: str, shape: str = "path") -> list[dict]:
    return [item for item in drawing["items"] if item.get("id") == id_ and item["t"] == shape]


def words(drawing: dict) -> list[str]:
    return [item["s"] for item in drawing["items"] if item["t"] == "text"]


def crosses(drawing: dict) -> int:
    return sum(item["cls"] == "cross" for item in drawing["items"])


def test_every_edge_and_node_can_be_found_by_its_id() -> None:
    drawing = scene.cell(cell201(*[CONV] * 6), LIGHT)
    ids = {item["id"] for item in drawing["items"] if "id" in item}
    assert ids == {f"edge-{a}-{b}" for a, b in ("01", "02", "12", "03", "13", "23")} | {
        f"node-{i}" for i in range(4)
    }


def test_edges_that_no_path_uses_are_crossed() -> None:
    drawing = scene.cell(cell201("none", CONV, CONV, SKIP, CONV, "none"), LIGHT)
    assert crosses(drawing) == 3
    assert "dead" in parts(drawing, "edge-1-2")[0]["tip"]
    assert "dead" not in parts(drawing, "edge-0-3")[0]["tip"]
    assert "dead" in parts(drawing, "node-1", "rect")[0]["cls"]


def test_a_cell_without_dead_edges_has_no_cross() -> None:
    assert crosses(scene.cell(cell201(*[CONV] * 6), LIGHT)) == 0


def test_a_none_edge_is_dotted_and_never_crossed() -> None:
    drawing = scene.cell(cell201("none", CONV, CONV, CONV, CONV, CONV), LIGHT)
    line = parts(drawing, "edge-0-1")[0]
    assert (line["stroke-dasharray"], line["opacity"]) == (OPS["none"]["dash"], 0.55)
    assert "dead" not in line["tip"]


def test_dead_nodes_of_a_cell_with_operations_on_nodes_are_crossed() -> None:
    drawing = scene.cell(cell101(["01", "19", "21"], _1="conv3x3-bn-relu", _2="maxpool3x3"), LIGHT)
    assert "dead" in parts(drawing, "node-2", "rect")[0]["cls"]
    assert "dead" not in parts(drawing, "node-1", "rect")[0]["cls"]
    assert crosses(drawing) == 1


def test_width_follows_the_share_of_the_cost() -> None:
    graph = cell201(*[CONV] * 6, flops=(30_000_000, 10_000_000, 0, 0, 0, 0))
    drawing = scene.cell(graph, LIGHT, mode="cost")
    widths = [parts(drawing, f"edge-{pair}")[0]["stroke-width"] for pair in ("0-1", "0-2", "1-2")]
    assert widths == pytest.approx([1.6 + 16 * 0.75, 1.6 + 16 * 0.25, 1.6])
    assert "conv 3x3 · 30.0\u00a0M" in words(drawing)


def test_a_difference_names_what_changed_and_fades_the_rest() -> None:
    new, old = cell201(*[CONV] * 5, SKIP), cell201(*[CONV] * 6)
    drawing = scene.cell(new, LIGHT, compare=old)
    assert "conv 3x3 → skip" in words(drawing)
    assert parts(drawing, "edge-2-3", "rect")[0]["stroke"] == LIGHT.pick
    assert [parts(drawing, f"edge-{p}")[0]["opacity"] for p in ("0-1", "2-3")] == [0.3, 1.0]


def test_added_and_removed_edges_are_marked() -> None:
    new = Graph(cell201(*[CONV] * 6).nodes, cell201(*[CONV] * 6).edges[:5])
    gone = scene.cell(new, LIGHT, compare=cell201(*[CONV] * 6))
    come = scene.cell(cell201(*[CONV] * 6), LIGHT, compare=new)
    assert "- conv 3x3" in words(gone)
    assert "+ conv 3x3" in words(come)


def test_an_old_edge_against_the_new_order_does_not_close_a_cycle() -> None:
    nodes = tuple(Node(v, v) for v in "iabo")
    new = Graph(nodes, tuple(Edge(a, b, CONV) for a, b in ("ia", "ab", "bo")))
    old = Graph(nodes, tuple(Edge(a, b, CONV) for a, b in ("ib", "ba", "ao")))
    ids = {item.get("id") for item in scene.cell(new, LIGHT, compare=old)["items"]}
    assert "edge-a-b" in ids
    assert "edge-b-a" not in ids


def test_the_picked_part_is_ringed() -> None:
    drawing = scene.cell(cell201(*[CONV] * 6), LIGHT, picked="edge-1-3")
    assert {item["id"] for item in drawing["items"] if "pick" in item["cls"].split()} == {"edge-1-3"}


def test_parallel_edges_have_ids_of_their_own() -> None:
    graph = Graph((Node("a", "a"), Node("b", "b")), (Edge("a", "b", CONV), Edge("a", "b", SKIP)))
    drawing = scene.cell(graph, LIGHT)
    assert "skip" in parts(drawing, "edge-a-b-2")[0]["tip"]


def test_an_unknown_operation_is_drawn_with_its_own_name() -> None:
    drawing = scene.cell(cell201("my_op", *[CONV] * 5), DARK)
    assert "my op" in words(drawing)
    assert parts(drawing, "edge-0-1")[0]["stroke"] == DARK.muted


def test_a_bare_cell_has_no_words() -> None:
    assert words(scene.cell(cell201(*[CONV] * 6), LIGHT, bare=True)) == []
    assert words(scene.cell(cell101(["01", "19"], _1="maxpool3x3"), LIGHT, bare=True)) == []


def test_the_strip_says_cells_maps_and_costs() -> None:
    strip = scene.macro(network(), LIGHT)
    assert {"5 cells", "16 ch, 32 x 32", "10 classes", "48.5\u00a0M"} <= set(words(strip))
    assert (
        parts(strip, "node-block-1", "rect")[0]["tip"] == "5 cells, 16 ch, 32 x 32, 48.5\u00a0M multiply-adds"
    )


def test_the_strip_wraps_long_networks_inside_its_width() -> None:
    short, long = network(), Graph((), (), network().blocks * 6)
    one, many = scene.macro(short, LIGHT), scene.macro(long, LIGHT)
    assert many["h"] > 2 * one["h"]
    assert max(item["x"] + item["width"] for item in many["items"] if item["t"] == "rect") <= many["w"]


def test_graphs_without_parts_are_said_to_be_empty() -> None:
    assert words(scene.cell(Graph((), ()), LIGHT)) == ["no nodes"]
    assert words(scene.macro(Graph((), ()), LIGHT)) == ["no blocks"]


def test_the_legend_names_each_option_once() -> None:
    graph = cell201(CONV, CONV, SKIP, "none", CONV, "my_op")
    assert words(scene.legend(scene.options_of(graph), LIGHT)) == ["conv 3x3", "skip", "none", "my op"]
