"""A document as a drawing: what is not chosen yet is written on lines and boxes as the number of choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nascore.graph import Edge, Graph, Node, live_edges
from nascore.view import scene
from nascore.view.marks import Scene
from nascore.view.tokens import LIVE, OPS, op_key, op_label
from nascore.view.words import GAP
from pages.parts import buildedit
from pages.parts.builddoc import Document

OFFICIAL = ("nor_conv_1x1", "nor_conv_3x3", "max_pool_3x3")  # keep the short name
DIGITS = 15  # a count with more digits is written as a power of ten
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def big(n: int) -> str:
    """A count of any size: `15,625`, or `2.5 × 10³¹`."""
    text = str(n) if n < 10**4000 else ""
    if text and len(text) <= DIGITS:
        return f"{n:,}"
    power = len(text) - 1 if text else int(n.bit_length() * 0.30103) - 1
    while n >= 10 ** (power + 1):
        power += 1
    head = (n // 10 ** (power - 3) + 5) // 10
    head, power = (head // 10, power + 1) if head == 1000 else (head, power)
    return f"{head // 100}.{head % 100:02d}{GAP}×{GAP}10{str(power).translate(RAISED)}"


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
    last, implied = count - 1, buildedit.implied(document)
    ends = {*range(buildedit.inputs(document)), last}
    every = (*ids, *((str(s), str(t)) for s, t in implied))
    passes = (*carries, *(True for _ in implied))
    alive = [live_edges(every, passes, first, str(last)) for first in firsts]
    live = [any(a) for a in zip(*alive, strict=True)][: len(links)] if links else []
    boxes = tuple(
        Node(str(n), buildedit.label(document, n), said(ops, n) if n not in ends else "input" * (n != last))
        for n in range(count)
    )
    drawn = tuple(
        Edge(s, t, "" if on_nodes else written(document, e, ops[e]), "", 0, 0, not on)
        for (s, t), e, on in zip(ids, links, live, strict=True)
    )
    more = tuple(Edge(str(s), str(t), "concat") for s, t in implied)
    return Graph(boxes, (*drawn, *more))


def written(document: Document, edge: tuple[int, int], ops: tuple[str, ...]) -> str:
    """What a line says: its candidates, or that the output takes it as it is."""
    return "concat" if buildedit.is_taken(document, edge) else candidates(ops)


def said(ops: dict[Any, tuple[str, ...]], node: int) -> str:
    """What a box says of its operations, where they sit on boxes."""
    return candidates(ops[node]) if node in ops else ""


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


def looks(ops: Iterable[str]) -> Callable[[str], str]:
    """Names of these operations; two that people call the same are told apart by their full names."""
    names = {o: look(o) for o in ops}
    said = list(names.values())
    return lambda o: f"{look(o)} ({o})" if said.count(look(o)) > 1 and o not in OFFICIAL else look(o)
