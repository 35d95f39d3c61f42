"""Graph, costs and canonical form of drawn cells beyond the simple sort (cell.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.cost import Cost, Size, operation
from nascore.graph import Block, Edge, Graph, Node
from nascore.space import Arch, Archs, array, settle, tuples
from nascore.spaces.cell_stack import blocks, steps
from nascore.spaces.cell_wiring import Flow, Place, Spot, columns, flow, flow_of, of_archs, scheme

if TYPE_CHECKING:
    from nascore.spaces.cell import Cell
    from nascore.task import Shape


def joins(cell: Cell, found: Flow) -> Any:
    """How many nodes the output concatenates: a number, or one an arch."""
    return sum(1 * j for j in found.joined) if cell.combine == "concat" else 1


def network(cell: Cell, flows: dict[str, Flow], archs: Any, shape: Shape) -> tuple[Block, ...]:
    """The blocks of one arch (a tuple), or of many (an array): then with columns for costs."""
    if cell.plain_stack:
        return cell.blocks(shape, lambda size: _inside(cell, flows, archs, cell.kinds[0], size, 1))
    seen: dict[tuple[str, Size], Cost] = {}

    def ops(kind: str, size: Size, stride: int) -> Cost:
        if (kind, size) not in seen:
            seen[kind, size] = _inside(cell, flows, archs, kind, size, stride)
        return seen[kind, size]

    return blocks(cell, shape, lambda kind: joins(cell, flows[kind]), ops)


def _inside(cell: Cell, flows: dict[str, Flow], archs: Any, kind: str, size: Size, stride: int) -> Cost:
    """The operations of one cell, live ones only."""
    total, at = Cost(), columns(cell)
    for part, live in _parts(cell, kind, flows[kind]):
        own = stride if isinstance(part, Place) and part.source < cell.inputs else 1
        table = [operation(op, size, own) for op in part.ops]
        if isinstance(archs, tuple):
            total += table[archs[at[part.choice]]] if live else Cost()
        else:
            column = archs[:, at[part.choice]]
            params, flops = (np.array([*(getattr(c, m) for c in table), 0]) for m in ("params", "flops"))
            total += _columns(params[column] * live, flops[column] * live)
    return total


def _columns(params: Any, flops: Any) -> Cost:
    return Cost(params, flops)


def _parts(cell: Cell, kind: str, found: Flow) -> list[tuple[Place | Spot, Any]]:
    plan = scheme(cell, kind)
    edges = [(p, on) for p, on in zip(plan.places, found.places, strict=True) if p.choice]
    return [*edges, *((s, found.nodes[s.node]) for s in plan.spots)]


def costs_of(cell: Cell, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
    """Params and FLOPs of (n, choices) archs, from columns."""
    flows = {kind: flow(cell, kind, of_archs(cell, archs)) for kind in cell.kinds}
    made = network(cell, flows, archs, shape)
    zero = np.zeros(len(archs))
    return {
        "params": zero + sum(b.params for b in made),
        "flops": zero + sum(b.flops for b in made),
    }


def drawn_graph(cell: Cell, arch: Arch, shape: Shape) -> Graph:
    """What is there of each kind of cell; absent edges are left out, dead ones marked."""
    flows = {kind: flow_of(cell, kind, arch) for kind in cell.kinds}
    nodes: list[Node] = []
    edges: list[Edge] = []
    for kind in cell.kinds:
        nodes += _nodes(cell, kind, arch, flows[kind], shape)
        edges += _edges(cell, kind, arch, flows[kind], shape)
    return Graph(tuple(nodes), tuple(edges), network(cell, flows, arch, shape))


def _each(cell: Cell, kind: str, shape: Shape, op: str, of_input: bool) -> Cost:
    """An operation's cost in all cells of a kind."""
    if cell.plain_stack:
        sizes = [(size, 1) for size in cell.sizes(shape) for _ in range(cell.cells)]
    else:
        sizes = [(s.size, s.stride if of_input else 1) for s in steps(cell, shape) if s.kind == kind]
    return sum((operation(op, size, stride) for size, stride in sizes), start=Cost())


def _nodes(cell: Cell, kind: str, arch: Arch, found: Flow, shape: Shape) -> list[Node]:
    plan, at, last = scheme(cell, kind), columns(cell), cell.nodes - 1
    out = []
    for n in range(cell.nodes):
        label = str(n)
        if n < cell.inputs:
            label = "input" if cell.inputs == 1 else f"input {n + 1}"
        label = plan.prefix.replace(".", " ") + ("output" if n == last else label)
        spot, op, cost = plan.spot(n), "input" if n < cell.inputs else "output" * (n == last), Cost()
        dead = cell.inputs <= n < last and not found.nodes[n]
        if spot is not None:
            op = spot.ops[arch[at[spot.choice]]]
            cost = Cost() if dead else _each(cell, kind, shape, op, False)
        out.append(Node(f"{plan.prefix}{n}", label, op, cost.params, cost.flops, dead))
    return out


def _edges(cell: Cell, kind: str, arch: Arch, found: Flow, shape: Shape) -> list[Edge]:
    plan, at, last = scheme(cell, kind), columns(cell), cell.nodes - 1
    out = []
    for p, live in zip(plan.places, found.places, strict=True):
        if p.there and arch[at[p.there]] not in p.kept:
            continue
        op = p.ops[arch[at[p.choice]]] if p.choice else ""
        cost = _each(cell, kind, shape, op, p.source < cell.inputs) if op and live else Cost()
        ends = f"{plan.prefix}{p.source}", f"{plan.prefix}{p.target}"
        out.append(Edge(*ends, op, p.choice or p.there, cost.params, cost.flops, not live))
    if cell.combine == "concat" and not cell.joins_drawn:
        out += [
            Edge(f"{plan.prefix}{n}", f"{plan.prefix}{last}", "") for n, on in enumerate(found.joined) if on
        ]
    return out


def folded(cell: Cell, arch: Arch) -> Arch:
    """The arch with dead optional edges absent, and dead operations `none`, or else their first option."""
    at, row = columns(cell), list(arch)
    for kind in cell.kinds:
        found, plan = flow_of(cell, kind, arch), scheme(cell, kind)
        for p, live in zip(plan.places, found.places, strict=True):
            if not live and cell.optional:
                row[at[p.there]] = 0
            if not live and p.choice and row[at[p.choice]] >= 0:
                row[at[p.choice]] = p.ops.index("none") if "none" in p.ops else 0
        for s in plan.spots:
            if not found.nodes[s.node]:
                row[at[s.choice]] = s.ops.index("none") if "none" in s.ops else 0
    return tuples(settle(cell, array([tuple(row)], cell)))[0]
