"""Cells and chains too wide for a page, in rows: a chain wraps, unconnected cells stand one below the other.

The last node of a row is the first one of the next. Parts keep their ids, so picking and comparing work as in
a drawing in one piece.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import networkx as nx

from nascore.graph import Graph, Node
from nascore.view import scene
from nascore.view.marks import Item, Scene, finish
from nascore.view.tokens import Tokens

ACROSS = 5  # edges of a chain side by side
GAP = 14
Range = tuple[int, int]


def is_chain(graph: Graph) -> bool:
    """Whether its edges lead from each node to the next, in their order."""
    ids = [n.id for n in graph.nodes]
    return [(e.source, e.target) for e in graph.edges] == list(itertools.pairwise(ids))


def pieces(graph: Graph, across: int = ACROSS) -> list[Graph]:
    """The graphs of the rows: cuts of a long chain, else what is connected; one for most cells."""
    if is_chain(graph) and len(graph.edges) > across:
        return [_cut(graph, i, i + across) for i in range(0, len(graph.edges), across)]
    if not graph.nodes:
        return [graph]
    whole = nx.Graph()
    whole.add_nodes_from(n.id for n in graph.nodes)
    whole.add_edges_from((e.source, e.target) for e in graph.edges)
    parts: list[set[str]] = list(nx.connected_components(whole))
    if any(len(part) < 2 for part in parts):  # a node that nothing reaches is drawn among the others
        return [graph]
    return [_within(graph, part) for part in parts]


def _cut(graph: Graph, first: int, last: int) -> Graph:
    """Edges `first` to `last` of a chain with the nodes at their ends."""
    return Graph(graph.nodes[first : last + 1], graph.edges[first:last], ())


def _within(graph: Graph, ids: set[str]) -> Graph:
    edges = tuple(e for e in graph.edges if e.source in ids)
    return Graph(tuple(n for n in graph.nodes if n.id in ids), edges, ())


def cell(
    graph: Graph,
    t: Tokens,
    *,
    across: int = ACROSS,
    compare: Graph | None = None,
    label: str = "cell",
    **more: Any,
) -> Scene:
    """As `scene.cell`, in rows where it would be too wide.

    Args:
        graph: cells or a chain.
        t: LIVE inside a page, LIGHT or DARK for a file.
        across: most edges of a chain in a row.
        compare: an older one; rows stand for the same places in both.
        label: spoken name of the drawing.
        more: as `scene.cell` takes them.
    """
    now = pieces(graph, across)
    was = [None] * len(now) if compare is None else _matched(now, pieces(compare, across))
    if compare is not None and len(was) > len(now):
        now = [*now, *(_nothing(old) for old in was[len(now) :] if old is not None)]
    if len(now) == 1:
        return scene.cell(graph, t, compare=compare, label=label, **more)
    whole = sum(e.flops for e in graph.edges) if more.get("mode") == "cost" else 0
    drawn = [
        scene.cell(g, t, compare=old, whole=whole, label=label, **more)
        for g, old in zip(now, was, strict=True)
    ]
    return stacked(drawn, label)


def _matched(now: Sequence[Graph], was: Sequence[Graph]) -> list[Graph]:
    """The older row of each row; those that have none are compared with nothing."""
    rows = list(was[: len(now)])
    return [*rows, *(_nothing(g) for g in now[len(rows) :]), *was[len(now) :]]


def _nothing(row: Graph) -> Graph:
    """Its first node alone: where the row before ends."""
    first: Node = row.nodes[0]
    return Graph((first,), (), ())


def stacked(drawings: Sequence[Scene], label: str) -> Scene:
    """Drawings one below the other, left-aligned."""
    items: list[Item] = []
    top = 0
    for drawing in drawings:
        items += [{**item, "transform": f"translate(0 {top})"} for item in drawing["items"]]
        top += drawing["h"] + GAP
    return finish(items, max(d["w"] for d in drawings), top - GAP, label)
