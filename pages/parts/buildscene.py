"""A document as a drawing: what is not chosen yet is written on lines and boxes as the number of choices."""

from __future__ import annotations

from typing import Any

from nascore.graph import Edge, Graph, Node, live_edges
from nascore.view import scene, words
from nascore.view.marks import Scene
from nascore.view.tokens import LIVE, OPS, op_key, op_label
from pages.parts import buildedit
from pages.parts.buildedit import Document

DIGITS = 15  # a count with more digits is written as a power of ten


def big(n: int) -> str:
    """A count of any size: `15,625`, or `2.5 x 10^31`."""
    text = str(n) if n < 10**4000 else ""
    if text and len(text) <= DIGITS:
        return f"{n:,}"
    power = len(text) - 1 if text else int(n.bit_length() * 0.30103)
    head = n // 10 ** max(power - 2, 0)
    if head >= 1000:
        power, head = power + 1, head // 10
    if head < 100:
        power, head = power - 1, n // 10 ** max(power - 3, 0)
    return f"{head // 100}.{head % 100:02d} x 10^{power}"


def cell(document: Document, picked: str | None, label: str) -> Scene:
    """The cell that is drawn, with its candidates."""
    return scene.cell(graph(document), LIVE, picked=picked, label=label)


def graph(document: Document) -> Graph:
    """The cell as a graph whose operations are words on candidates."""
    count, links = buildedit.nodes(document), buildedit.edges(document)
    on_nodes = buildedit.on_nodes(document)
    ops: dict[Any, tuple[str, ...]] = buildedit.operations(document)
    ids = tuple((str(s), str(t)) for s, t in links)
    carries = tuple(on_nodes or any(o != "none" for o in ops.get(e, ())) for e in links)
    firsts = [str(i) for i in range(buildedit.inputs(document))]
    alive = [live_edges(ids, carries, first, str(count - 1)) for first in firsts]
    live = [any(a) for a in zip(*alive, strict=True)] if links else []
    boxes = tuple(
        Node(str(n), buildedit.label(document, n), candidates(ops[n]) if on_nodes and n in ops else "")
        for n in range(count)
    )
    lines = tuple(
        Edge(s, t, "" if on_nodes else candidates(ops[e]), "", 0, 0, not on)
        for (s, t), e, on in zip(ids, links, live, strict=True)
    )
    return Graph(boxes, lines)


def candidates(ops: tuple[str, ...]) -> str:
    """What a line or box says: its one operation, `skip?` for that or nothing, `5 ops`, or `no ops`."""
    real = [o for o in ops if op_key(o) != "none"]
    if len(ops) == 1:
        return ops[0]
    if len(real) == 1:
        return f"{op_label(real[0])}?"
    return f"{len(ops)} ops" if ops else "no ops"


def look(op: str) -> str:
    """Markdown of an operation's name."""
    return OPS[op_key(op)]["label"] if op_key(op) in OPS else op.replace("_", " ")


def cost(metric: str, low: float, high: float) -> str:
    """A range of a cost with its unit: `73.3 k to 1.53 M`."""
    unit = "multiply-adds" if metric == "flops" else ""
    if low == high:
        return words.compact(low, unit)
    return f"{words.compact(low)} to {words.compact(high, unit)}"
