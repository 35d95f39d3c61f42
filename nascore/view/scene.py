"""Graph -> scene: a flat list of SVG primitives; page, file, thumbnail and test show the same drawing.

Three views of a cell: its operations, what each costs, and how it differs from another one. Whether an edge
is dead is computed: no path from input to output runs through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import TypeVar

import networkx as nx

from nascore.graph import Block, Edge, Graph, Node
from nascore.view import cards, layout, tracks
from nascore.view.marks import Box, Item, Line, Scene, arrow, finish, look, path, rect, short, text
from nascore.view.tokens import Tokens, op_key, op_label
from nascore.view.words import compact

ENDS = ("input", "output")
Part = TypeVar("Part", Box, Line)
ROW = 9  # blocks side by side before the strip wraps
COST = {"flops": "multiply-adds", "params": "parameters"}


def edge_id(source: str, target: str) -> str:
    """What a picked edge reports, and its test id."""
    return f"edge-{source}-{target}"


def node_id(name: str) -> str:
    """What a picked node reports, and its test id."""
    return f"node-{name}"


def cell(
    graph: Graph,
    t: Tokens,
    *,
    mode: str = "operations",
    metric: str = "flops",
    compare: Graph | None = None,
    picked: str | None = None,
    label: str = "cell",
    bare: bool = False,
    whole: int = 0,
) -> Scene:
    """Scene of one cell: tracks if its edges carry operations, cards in columns if its nodes do.

    Args:
        graph: the cell.
        t: LIVE inside a page, LIGHT or DARK for a file.
        mode: "operations" or "cost".
        metric: "flops" or "params", what the cost view counts.
        compare: an older cell; the drawing then shows what became of it and `mode` does not matter.
        picked: id of the picked edge or node, see `edge_id` and `node_id`.
        label: spoken name of the drawing.
        bare: no words, for small drawings side by side.
        whole: in the cost view, the cost of which each part has its share; 0 for that of the cell.
    """
    if not graph.nodes:
        return finish([text(90, 20, "no nodes", "label faint")], 180, 40, label)
    boxes, lines = _parts(graph)
    if compare is not None:
        boxes, lines = _difference(boxes, lines, *_parts(compare))
    elif mode == "cost":
        boxes, lines = _costs(graph, boxes, lines, metric, whole)
    boxes = [replace(box, picked=box.id == picked) for box in boxes]
    lines = [replace(line, picked=line.id == picked) for line in lines]
    on_nodes = any(box.op for box in boxes) and all(line.op in ("", "concat") for line in lines)
    return (cards if on_nodes else tracks).draw(boxes, lines, t, label=label, bare=bare)


def _parts(graph: Graph) -> tuple[list[Box], list[Line]]:
    """Boxes and lines of a graph, dead ones marked. Of parallel edges the first keeps the plain id."""
    starts, stops = _ends(graph)
    carrying = [
        (edge.source, edge.target) for edge in graph.edges if op_key(edge.op) not in ("none", "dropped")
    ]
    on = layout.live(carrying, starts, stops)
    boxes = [_box(node, node.id in starts | stops, node.dead or node.id not in on) for node in graph.nodes]
    seen: dict[str, int] = {}
    lines = []
    for edge in graph.edges:
        name = edge_id(edge.source, edge.target)
        seen[name] = seen.get(name, 0) + 1
        passes = op_key(edge.op) not in ("none", "dropped")
        dead = passes and (edge.dead or not {edge.source, edge.target} <= on)
        lines.append(
            Line(
                name if seen[name] == 1 else f"{name}-{seen[name]}",
                edge.source,
                edge.target,
                edge.op,
                dead=dead,
            )
        )
    return boxes, lines


def _ends(graph: Graph) -> tuple[set[str], set[str]]:
    """Inputs and outputs: nodes that say so, else the first and the last one in order."""
    ids = layout.order(
        [node.id for node in graph.nodes], [(edge.source, edge.target) for edge in graph.edges]
    )
    said = [{node.id for node in graph.nodes if end in (node.op, node.label)} for end in ENDS]
    return said[0] or {ids[0]}, said[1] or {ids[-1]}


def _box(node: Node, end: bool, dead: bool) -> Box:
    op = "" if node.op in ENDS else node.op
    return Box(node_id(node.id), node.id, short(node.label or node.id), op, end=end, dead=dead)


def _difference(
    boxes: list[Box], lines: list[Line], old_boxes: list[Box], old_lines: list[Line]
) -> tuple[list[Box], list[Line]]:
    """Both cells in one: equal parts fade, others say what became of them.

    An old edge that would close a cycle is left out.
    """
    before = {box.id: box for box in old_boxes}
    now = [_changed(box, before.get(box.id)) for box in boxes]
    now += [
        replace(box, was=box.op, state="removed") for box in old_boxes if box.id not in {b.id for b in boxes}
    ]
    past = {line.id: line for line in old_lines}
    drawn = [_changed(line, past.get(line.id)) for line in lines]
    graph = nx.DiGraph([(line.source, line.target) for line in drawn])
    for line in old_lines:
        if line.id in {kept.id for kept in lines} or (
            line.target in graph and line.source in graph and nx.has_path(graph, line.target, line.source)
        ):
            continue
        graph.add_edge(line.source, line.target)
        drawn.append(replace(line, op="", was=line.op, state="removed", dead=False))
    return now, drawn


def _changed(part: Part, before: Part | None) -> Part:
    if before is None:
        return replace(part, state="added")
    same = op_key(part.op) == op_key(before.op)
    return replace(part, was=before.op, state="same" if same else "changed")


def _costs(
    graph: Graph, boxes: list[Box], lines: list[Line], metric: str, whole: int
) -> tuple[list[Box], list[Line]]:
    """Each part's share of the whole cost."""
    nodes, edges = ([getattr(part, metric) for part in parts] for parts in (graph.nodes, graph.edges))
    whole = whole or max(sum(nodes) + sum(edges), 1)
    boxes = [
        replace(box, share=cost / whole, cost=compact(cost) if cost and box.op else "")
        for box, cost in zip(boxes, nodes, strict=True)
    ]
    lines = [
        replace(line, share=cost / whole, cost=compact(cost) if cost else "")
        for line, cost in zip(lines, edges, strict=True)
    ]
    return boxes, lines


def legend(options: Iterable[str], t: Tokens, *, columns: int = 4) -> Scene:
    """Line, dash and name of every option, in the given order."""
    items: list[Item] = []
    names = list(dict.fromkeys(options))
    for i, option in enumerate(names):
        x, y = 10 + 158 * (i % columns), 18 + 30 * (i // columns)
        style = look(Line("", "", "", option), t) | {
            "stroke-width": 2 if op_key(option) == "none" else 4,
            "opacity": 1,
        }
        items += [
            path(f"M{x} {y}h36", "edge", **style),
            text(x + 46, y, short(op_label(option)), "label start"),
        ]
    wide = min(columns, max(len(names), 1))
    return finish(
        items, 158 * wide + 10, 30 * max(1, -(-len(names) // columns)) + 6, "operations and their lines"
    )


def macro(graph: Graph, t: Tokens, *, label: str = "whole network", metric: str = "flops") -> Scene:
    """A strip of blocks: height follows the map, a stack is repeated cells, the bar is the share of the cost.

    Args:
        graph: its `blocks` are drawn, ROW in a line.
        t: as in `cell`.
        label: spoken name of the drawing.
        metric: "flops" or "params".
    """
    if not graph.blocks:
        return finish([text(90, 20, "no blocks", "label faint")], 180, 40, label)
    whole = max(sum(getattr(block, metric) for block in graph.blocks), 1)
    tallest = max(_side(block) for block in graph.blocks)
    items: list[Item] = []
    right = 0.0
    for i, block in enumerate(graph.blocks):
        row, last = divmod(i, ROW)[0], i == len(graph.blocks) - 1
        x = 10.0 if i % ROW == 0 else right + 30
        cost = getattr(block, metric)
        drawn, right = _block(
            i, block, (x, row * 168.0), t, (tallest, cost / whole, f"{compact(cost)} {COST[metric]}")
        )
        items += drawn
        if not last:
            y = row * 168 + 63
            items += [
                path(f"M{right + 4:.1f} {y}H{right + 21:.1f}", "edge plain", stroke=t.muted),
                arrow(right + 26, y, 1, 0, t.muted),
            ]
    width = max(item["x"] + item["width"] for item in items if item["t"] == "rect") + (
        36 if len(graph.blocks) > ROW else 10
    )
    return finish(items, width, 168 * -(-len(graph.blocks) // ROW) - 4, label)


def _side(block: Block) -> int:
    """Height of a block's map; a vector counts as one."""
    return block.shape[1] if len(block.shape) > 1 else 1


def _words(block: Block) -> tuple[str, str]:
    """Title and note of a block."""
    channels = block.shape[0] if block.shape else 0
    if block.kind == "head":
        return "head", f"{channels} classes"
    title = f"{block.repeats} cells" if block.kind == "cell" and block.repeats > 1 else short(block.name)
    return title, f"{channels} ch, {' x '.join(map(str, block.shape[1:]))}" if len(
        block.shape
    ) > 1 else f"{channels} ch"


def _block(
    i: int, block: Block, corner: tuple[float, float], t: Tokens, cost: tuple[int, float, str]
) -> tuple[list[Item], float]:
    """One block, its bar and its cost; the second value is its right end."""
    (x, top), (tallest, share, words) = corner, cost
    title, note = _words(block)
    stack = min(block.repeats, 6) if block.kind == "cell" else 1
    width = max(72.0, 6.4 * len(note) + 22, 7.4 * len(title) + 22) + (24 if block.kind == "cell" else 0)
    height = 40 + 52 * sqrt(_side(block) / tallest)
    y, full = top + 63 - height / 2, width + (stack - 1) * 5
    this = {"id": node_id(f"block-{i}"), "tip": f"{title}, {note}, {words}"}
    cls = "stage cell" if block.kind == "cell" else "stage"
    items = [rect(x + k * 5, y - k * 4, (width, height), cls, 6, **this) for k in range(stack - 1, -1, -1)]
    items += [text(x + width / 2, y + height / 2 - 8, title, "label strong", **this)]
    items += [text(x + width / 2, y + height / 2 + 9, note, "label small", **this)]
    items.append(rect(x, top + 130, (full, 7), "track", 3.5))
    if share > 0.001:
        items.append(rect(x, top + 130, (max(3, full * share), 7), "bar", 3.5, fill=t.accent))
    items.append(text(x + full / 2, top + 150, words.split(" ")[0], "label small"))
    return items, x + full


def options_of(graph: Graph) -> Sequence[str]:
    """The options that a graph uses, each once, as `legend` wants them."""
    found: Mapping[str, Edge | Node] = {part.op: part for part in (*graph.edges, *graph.nodes)}
    return [op for op in found if op and op not in (*ENDS, "concat", "dropped")]
