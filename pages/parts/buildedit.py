"""Edits of a cell in the making: each is a function from document to document, none knows the browser.

While it is edited, a document may be no space yet: an edge without operations, a node on no path.
`faults` says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from nascore.codec import from_json, to_json
from nascore.errors import BadInput
from nascore.kinds import knobs
from nascore.tables import table
from pages.parts import builddoc
from pages.parts.builddoc import Document

Pair = tuple[int, int]


@dataclass(frozen=True)
class Fault:
    """What keeps a document from being a space: a sentence, and the part of the drawing that it is about."""

    text: str
    part: str = ""


def blank() -> Document:
    """A cell of an input and an output, and nothing between them."""
    knobs = to_json(table("space")["cell"]())["knobs"]
    return {"name": "cell", "knobs": {**knobs, "nodes": 2, "edges": [], "ops": []}}


def edges(document: Document) -> list[Pair]:
    """(source, target) of each edge of the cell."""
    return [(int(s), int(t)) for s, t in builddoc.core(document)["knobs"]["edges"]]


def nodes(document: Document) -> int:
    """How many nodes the cell has."""
    return int(builddoc.core(document)["knobs"]["nodes"])


def inputs(document: Document) -> int:
    """How many of the first nodes are inputs."""
    return int(builddoc.core(document)["knobs"].get("inputs", 1))


def on_nodes(document: Document) -> bool:
    """Whether operations sit on nodes."""
    return builddoc.core(document)["knobs"].get("ops_on", "edges") == "nodes"


def places(document: Document) -> list[Any]:
    """What has operations: edges as pairs, or inner nodes as numbers."""
    if on_nodes(document):
        return list(range(inputs(document), nodes(document) - 1))
    return list(edges(document))


def operations(document: Document) -> dict[Any, tuple[str, ...]]:
    """Place -> its candidate operations."""
    found, at = builddoc.core(document)["knobs"]["ops"], places(document)
    lists = [found[0]] * len(at) if len(found) == 1 else found
    return {p: tuple(lists[i]) if i < len(lists) else () for i, p in enumerate(at)}


def implied(document: Document) -> list[Pair]:
    """Edges that a concatenation means where none is drawn into the output: from all that nothing uses."""
    links, last = edges(document), nodes(document) - 1
    if builddoc.core(document)["knobs"].get("combine") != "concat" or any(t == last for _, t in links):
        return []
    used = {s for s, _ in links}
    return [(n, last) for n in range(inputs(document), last) if n not in used]


def is_taken(document: Document, edge: Any) -> bool:
    """Whether an edge leads into an output that concatenates: it has no operation."""
    joins = builddoc.core(document)["knobs"].get("combine") == "concat"
    return joins and isinstance(edge, tuple) and edge[1] == nodes(document) - 1


def part_of(document: Document, part: str | None) -> Any:
    """The place of a picked part: a pair for `edge-0-1`, a number for `node-2`; None where it is gone."""
    words = (part or "").split("-")
    if not all(w.isdecimal() for w in words[1:]):
        return None
    numbers = tuple(int(w) for w in words[1:])
    if words[0] == "edge" and numbers in edges(document):
        return numbers
    if words[0] == "node" and len(numbers) == 1 and numbers[0] < nodes(document):
        return numbers[0]
    return None


def label(document: Document, node: int) -> str:
    """How a node is called: input, output or its number."""
    if node == nodes(document) - 1:
        return "output"
    if node < inputs(document):
        return "input" if inputs(document) == 1 else f"input {node + 1}"
    return str(node)


def spoken(document: Document, place: Any) -> str:
    """How a place is called: `input to 1`, or `node 2`."""
    if isinstance(place, tuple):
        return f"{label(document, place[0])} to {label(document, place[1])}"
    name = label(document, place)
    return f"node {name}" if name.isdecimal() else name


def _cell(
    document: Document, count: int, ops: Mapping[Any, Sequence[str]], links: Iterable[Pair]
) -> Document:
    """The document with these nodes, edges in the order of targets and sources, and operations."""
    inner = builddoc.core(document)
    links = sorted(links, key=lambda e: (e[1], e[0]))
    new = {**inner["knobs"], "nodes": count, "edges": [list(e) for e in links]}
    out = {"name": "cell", "knobs": new}
    usual = list(_usual(ops))
    lists = [list(ops.get(p, usual)) for p in places(out)]
    same = lists and all(x == lists[0] for x in lists)
    new["ops"] = [lists[0]] if same else lists
    return builddoc.with_core(document, out)


def _usual(ops: Mapping[Any, Sequence[str]]) -> tuple[str, ...]:
    """The candidates that a new place gets: those of most others."""
    lists = [tuple(o) for o in ops.values() if o]
    return max(lists, key=lists.count) if lists else candidates()


def candidates() -> tuple[str, ...]:
    """Every operation that a cell knows, in the order in which they are offered."""
    from nascore.cost import OPS

    return tuple(OPS)


def first_candidates() -> tuple[str, ...]:
    """What the first edge of an empty cell starts with."""
    return tuple(table("space")["cell"]().ops[0])


def graph_of(count: int, links: Iterable[Pair]) -> nx.DiGraph:
    """The cell as a directed graph."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(links)
    return graph


def _renumbered(document: Document, links: list[Pair], ops: Mapping[Any, Sequence[str]]) -> Document:
    """The cell with nodes numbered along its edges: inputs first, the output last, else the old order."""
    count, first = nodes(document), inputs(document)
    sort = nx.lexicographical_topological_sort(
        graph_of(count, links), key=lambda n: (n >= first, n == count - 1, n)
    )
    order = [*range(first), *(n for n in sort if first <= n < count - 1), count - 1]
    return _permuted(document, order, links, ops)


def _permuted(
    document: Document, order: Sequence[int], links: Iterable[Pair], ops: Mapping[Any, Sequence[str]]
) -> Document:
    new = {old: i for i, old in enumerate(order)}
    moved = {
        (new[p[0]], new[p[1]]) if isinstance(p, tuple) else new[p]: o
        for p, o in ops.items()
        if isinstance(p, tuple) or p in new
    }
    return _cell(document, len(order), moved, [(new[s], new[t]) for s, t in links])


def add_node(document: Document) -> Document:
    """One more node before the output, with no edges yet.

    Raises:
        BadInput: the cell is full.
    """
    count, most = nodes(document), limit("nodes")
    if count >= most:
        raise BadInput(f"nodes: a cell has at most {most}, with input and output")
    new = {n: n if n < count - 1 else count for n in range(count)}
    links = [(new[s], new[t]) for s, t in edges(document)]
    ops = {(new[p[0]], new[p[1]]) if isinstance(p, tuple) else p: o for p, o in operations(document).items()}
    return _cell(document, count + 1, ops, links)


def join(document: Document, source: int, target: int) -> Document:
    """One more edge, with the candidates of most others; nodes are numbered anew where it leads backward.

    Raises:
        BadInput: it would lead into an input, out of the output, to itself, in a circle, or it is there.
    """
    links, ops, last = edges(document), operations(document), nodes(document) - 1
    names = [label(document, n) if 0 <= n <= last else "?" for n in (source, target)]
    if not (0 <= source <= last and 0 <= target <= last):
        raise BadInput(f"edge: there is no node {max(source, target)}; the drawing had changed, try again")
    if source == target:
        raise BadInput("edge: a node cannot lead to itself; end on another one")
    if target < inputs(document) or source == last:
        raise BadInput(f"edge: {names[0]} to {names[1]} leads into an input or out of the output")
    if (source, target) in links:
        raise BadInput(f"edge: {names[0]} to {names[1]} is there already; click it to choose operations")
    if nx.has_path(graph_of(last + 1, links), target, source):
        raise BadInput(
            f"edge: {names[0]} to {names[1]} would close a circle, since {names[1]} leads to {names[0]}"
        )
    if not on_nodes(document):
        ops = {**ops, (source, target): _usual(ops) if ops else first_candidates()}
    return _renumbered(document, [*links, (source, target)], ops)


def remove(document: Document, part: str) -> Document:
    """Without an edge, or without a node and its edges.

    Raises:
        BadInput: it is an input or the output, or not there.
    """
    place, links, ops = part_of(document, part), edges(document), operations(document)
    if isinstance(place, tuple):
        ops.pop(place, None)
        return _cell(document, nodes(document), ops, [e for e in links if e != place])
    if place is None:
        raise BadInput("nothing is picked; click an edge or a node first")
    if place < inputs(document) or place == nodes(document) - 1:
        raise BadInput(f"{label(document, place)}: every cell keeps its input and output")
    order = [n for n in range(nodes(document)) if n != place]
    kept = {p: o for p, o in ops.items() if place not in (p if isinstance(p, tuple) else (p,))}
    return _permuted(document, order, [e for e in links if place not in e], kept)


def move(document: Document, node: int, place: int) -> Document:
    """A node at another place of the line.

    Args:
        document: with a cell.
        node: which; inputs and the output stay.
        place: its new number, counted without the node itself.

    Raises:
        BadInput: an edge would lead backward.
    """
    count, first = nodes(document), inputs(document)
    if not first <= node < count - 1:
        raise BadInput(f"{label(document, min(node, count - 1))}: inputs and the output stay where they are")
    others = [n for n in range(count) if n != node]
    place = min(max(place, first), count - 2)
    order = [*others[:place], node, *others[place:]]
    at = {n: i for i, n in enumerate(order)}
    for s, t in edges(document):
        if at[s] >= at[t]:
            raise BadInput(
                f"node {node}: {label(document, s)} leads to {label(document, t)}, so it stays left of it"
            )
    return _permuted(document, order, edges(document), operations(document))


def tick(document: Document, place: Any, ops: Sequence[str]) -> Document:
    """Another set of candidates at one place, in the order in which they are offered."""
    every = {**operations(document), place: _ordered(document, ops)}
    return _cell(document, nodes(document), every, edges(document))


def tick_all(document: Document, ops: Sequence[str]) -> Document:
    """The same candidates everywhere."""
    every = {p: _ordered(document, ops) for p in places(document)}
    return _cell(document, nodes(document), every, edges(document))


def _ordered(document: Document, ops: Sequence[str]) -> list[str]:
    """Operations in the order that the cell has them in already, new ones behind."""
    known = [o for ops in operations(document).values() for o in ops]
    ranks = {o: i for i, o in enumerate(dict.fromkeys([*known, *candidates()]))}
    return sorted(dict.fromkeys(ops), key=lambda o: ranks.get(o, len(ranks)))


def limit(name: str) -> int:
    """The largest value of a knob of cells."""
    return int(next(f.metadata["high"] for f in knobs(table("space")["cell"]) if f.name == name))


def set_knob(document: Document, name: str, value: Any) -> Document:
    """The drawing with one knob changed; what it asks of edges and operations follows.

    A ready space that has this knob stays what it is.

    Raises:
        BadInput: a value that a ready space cannot have, or a cell that is full.
    """
    if (kept := builddoc.with_ready_knob(document, name, value)) is not None:
        return kept
    inner = builddoc.core(document)
    new = {"name": inner["name"], "knobs": {**inner["knobs"], name: value}}
    if name == "inputs":
        return _with_inputs(document, new)
    if name == "ops_on":
        usual = _usual(operations(document))
        return builddoc.with_core(
            document, _cell(new, nodes(document), dict.fromkeys(places(new), usual), edges(new))
        )
    return builddoc.with_core(document, new)


def _with_inputs(document: Document, new: Document) -> Document:
    """A cell with one more or less input: a new one is the last of them, a lost one takes its edges along."""
    before, now = inputs(document), inputs(new)
    ops, count = operations(document), nodes(document)
    if now > before:
        if count >= limit("nodes"):
            raise BadInput(f"nodes: a cell has at most {limit('nodes')}, with inputs and output")
        ops = {_up(p, before): o for p, o in ops.items()}
        links = [(_up(s, before), _up(t, before)) for s, t in edges(document)]
        return builddoc.with_core(document, _cell(new, count + 1, ops, links))
    gone = before - 1
    kept = {_down(p, gone): o for p, o in ops.items() if gone not in (p if isinstance(p, tuple) else (p,))}
    links = [(_down(s, gone), _down(t, gone)) for s, t in edges(document) if gone not in (s, t)]
    return builddoc.with_core(document, _cell(new, count - 1, kept, links))


def _up(place: Any, at: int) -> Any:
    """A place after a node came in at a number."""
    return tuple(_up(n, at) for n in place) if isinstance(place, tuple) else place + (place >= at)


def _down(place: Any, at: int) -> Any:
    """A place after the node of a number went."""
    return tuple(_down(n, at) for n in place) if isinstance(place, tuple) else place - (place > at)


def faults(document: Document) -> list[Fault]:
    """All that keeps the document from being a space that can be searched; empty where nothing does."""
    found = _faults_of_cell(document) if builddoc.is_cell(document) else []
    if not found:
        try:
            from_json("space", document)
        except BadInput as error:
            found = [Fault(str(error))]
    return found


def _faults_of_cell(document: Document) -> list[Fault]:
    count, links = nodes(document), edges(document)
    if not links:
        return [Fault("The cell has no edge. Drag from one box to another.")]
    graph, first = graph_of(count, [*links, *implied(document)]), inputs(document)
    ahead = set(range(first)).union(*(nx.descendants(graph, n) for n in range(first)))
    back = {count - 1} | nx.ancestors(graph, count - 1)
    out = []
    for n in range(count):
        name, part = spoken(document, n), f"node-{n}"
        name = name[:1].upper() + name[1:]
        if n not in ahead:
            out.append(Fault(f"{name} is reached by nothing. Lead an edge into it or remove it.", part))
        elif n not in back:
            out.append(Fault(f"{name} leads nowhere. Lead an edge out of it or remove it.", part))
    for place, ops in operations(document).items():
        if not ops:
            part = f"edge-{place[0]}-{place[1]}" if isinstance(place, tuple) else f"node-{place}"
            out.append(Fault(f"{spoken(document, place)} has no operation. Tick at least one.", part))
    return out
