"""Chains wrap, cells stand one below the other, and nothing is lost by it."""

from __future__ import annotations

from dataclasses import replace

from nascore.graph import Edge, Graph, Node
from nascore.spaces.darts import Darts
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.task import CIFAR
from nascore.view import rows, scene, svg
from nascore.view.tokens import LIGHT

NETWORK = PrunedResnet().graph(
    PrunedResnet().read("3-3-1|12:4:14:9:11:12:8:9:16:19:22:19:12:19:19") or (), CIFAR
)


def chain(n: int) -> Graph:
    nodes = tuple(Node(str(i), str(i)) for i in range(n + 1))
    return Graph(nodes, tuple(Edge(str(i), str(i + 1), "conv 3x3", "", 1, 10 * (i + 1)) for i in range(n)))


def ids(drawing: scene.Scene) -> list[str]:
    return list(dict.fromkeys(i["id"] for i in drawing["items"] if i.get("id")))


def test_a_long_chain_is_cut_and_each_row_starts_where_the_last_one_ended() -> None:
    parts = rows.pieces(chain(12), across=5)
    assert [[e.source for e in p.edges] for p in parts] == [[*"01234"], [*"56789"], ["10", "11"]]
    assert [p.nodes[0].id for p in parts] == ["0", "5", "10"]
    assert rows.pieces(chain(5), across=5) == [chain(5)]


def test_both_cells_of_darts_are_rows_and_a_cell_of_nasbench201_is_one() -> None:
    space = Darts()
    arch = tuple(c.open[-1] for c in space.choices())
    parts = rows.pieces(space.graph(arch, CIFAR))
    assert len(parts) == 2
    assert sum(len(p.edges) for p in parts) == len(space.graph(arch, CIFAR).edges)
    assert len(rows.pieces(Nasbench201().graph((3,) * 6, CIFAR))) == 1


def test_every_part_is_drawn_and_rows_do_not_overlap() -> None:
    assert rows.is_chain(NETWORK)
    drawing, flat = rows.cell(NETWORK, LIGHT), scene.cell(NETWORK, LIGHT)
    assert sorted(ids(drawing)) == sorted(ids(flat))
    assert drawing["w"] < 0.8 * flat["w"]
    tops = sorted({int(i["transform"].split()[1].rstrip(")")) for i in drawing["items"]})
    for top, following in zip(tops, [*tops[1:], drawing["h"]], strict=True):
        row = [i for i in drawing["items"] if i["transform"] == f"translate(0 {top})" and i["t"] == "rect"]
        assert max(top + i["y"] + i["height"] for i in row) <= following
    assert "translate(0 " in svg.write(drawing, LIGHT)


def test_shares_of_the_cost_are_of_the_whole_chain() -> None:
    drawn = rows.cell(chain(6), LIGHT, across=3, mode="cost")
    flat = scene.cell(chain(6), LIGHT, mode="cost")
    width = {i["id"]: i.get("stroke-width") for i in flat["items"] if i.get("id") and "stroke-width" in i}
    assert width
    for item in drawn["items"]:
        if item.get("id") in width and "stroke-width" in item:
            assert item["stroke-width"] == width[item["id"]]


def test_a_chain_compared_with_a_shorter_one_says_what_is_only_there() -> None:
    long, short = chain(7), chain(3)
    for now, was in ((long, short), (short, long)):
        drawing = rows.cell(now, LIGHT, across=3, compare=was)
        assert {f"edge-{i}-{i + 1}" for i in range(7)} <= set(ids(drawing))
    changed = replace(long, edges=(*long.edges[:5], replace(long.edges[5], op="conv 5x5"), *long.edges[6:]))
    told = [i["s"] for i in rows.cell(changed, LIGHT, across=3, compare=long)["items"] if i["t"] == "text"]
    assert any("5x5" in s for s in told)
