"""What an arch of a drawn cell has: which edges are there, which of them matter, what the output joins.

The rules are written once and hold for one arch (plain numbers) and for a population (columns of an array).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.cost import OPS
from nascore.space import Arch, Archs, Choice, Value

if TYPE_CHECKING:
    from nascore.spaces.cell import Cell

USES = ("absent", "present")
Bools = Any  # one truth value, or (n,) of them: both know & and |
Pick = Callable[[Sequence[bool], str], Bools]  # truth of each option, name of the choice -> of what is taken


@dataclass(frozen=True)
class Place:
    """An edge of one kind of cell, as its choices say.

    Attributes:
        name: of the edge; modules are named by it.
        there: the choice that says whether it is there, or "".
        kept: indices of that choice's options under which it is.
        choice: the choice of its operation, or "" where it carries what comes as it is.
        ops: the options of that choice.
    """

    source: int
    target: int
    name: str
    there: str
    kept: tuple[int, ...]
    choice: str
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Spot:
    """An inner node with operations to choose from."""

    node: int
    name: str
    choice: str
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Scheme:
    """One kind of cell: its choices, and its edges sorted by target."""

    kind: str
    prefix: str
    choices: tuple[Choice, ...]
    places: tuple[Place, ...]
    spots: tuple[Spot, ...]

    def spot(self, node: int) -> Spot | None:
        """The operations of a node, if it has any."""
        return next((s for s in self.spots if s.node == node), None)


@dataclass(frozen=True)
class Flow:
    """Which parts of a cell matter; each truth is one value or a column.

    Attributes:
        places: in the scheme's order: the edge is there and on a path from an input to the output.
        nodes: the node gets something and leads to the output.
        joined: what the output concatenates; all false where it adds.
    """

    places: tuple[Bools, ...]
    nodes: tuple[Bools, ...]
    joined: tuple[Bools, ...]


@lru_cache(maxsize=64)
def scheme(cell: Cell, kind: str) -> Scheme:
    """The choices and places of one kind of cell."""
    prefix = "" if len(cell.kinds) == 1 else f"{kind}."
    choices: dict[str, Choice] = {}
    places = [_place(cell, prefix, j, choices) for j in range(len(cell.edges))]
    spots = []
    if cell.ops_on == "nodes":
        inner = range(cell.inputs, cell.nodes - 1)
        lists = cell.ops if len(cell.ops) == len(inner) else cell.ops * len(inner)
        for node, ops in zip(inner, lists, strict=True):
            spots.append(Spot(node, f"node_{node}", f"{prefix}node_{node}", ops))
            choices[spots[-1].choice] = Choice(spots[-1].choice, ops)
    places.sort(key=lambda p: (p.target, p.source))
    return Scheme(kind, prefix, tuple(choices.values()), tuple(places), tuple(spots))


def _place(cell: Cell, prefix: str, j: int, choices: dict[str, Choice]) -> Place:
    """The j-th edge; fills in its choices, first those that others wait for."""
    source, target = cell.edges[j]
    there, kept = _there(cell, prefix, j, choices)
    name = f"edge_{target}_{source}"
    if cell.ops_on == "nodes" or (cell.combine == "concat" and target == cell.nodes - 1):
        return Place(source, target, name, there, kept, "", ())
    ops = cell.ops[j] if len(cell.ops) == len(cell.edges) else cell.ops[0]
    when: tuple[str, tuple[Value, ...]] | None = None
    if there:
        when = there, tuple(choices[there].options[i] for i in kept)
    choices[prefix + name] = Choice(prefix + name, ops, when)
    return Place(source, target, name, there, kept, prefix + name, ops)


def _there(cell: Cell, prefix: str, j: int, choices: dict[str, Choice]) -> tuple[str, tuple[int, ...]]:
    source, target = cell.edges[j]
    if cell.optional:
        name = f"{prefix}use_{target}_{source}"
        choices[name] = Choice(name, USES)
        return name, (1,)
    sources = sorted(s for s, t in cell.edges if t == target)
    if not cell.keep or target == cell.nodes - 1 or len(sources) <= cell.keep:
        return "", ()
    name = f"{prefix}keep_{target}"
    sets = list(itertools.combinations(sources, cell.keep))
    choices.setdefault(name, Choice(name, tuple(",".join(map(str, s)) for s in sets)))
    return name, tuple(i for i, s in enumerate(sets) if source in s)


@lru_cache(maxsize=64)
def columns(cell: Cell) -> dict[str, int]:
    """Choice name -> its place in an arch."""
    return {c.name: j for j, c in enumerate(cell.choices())}


def of_arch(cell: Cell, arch: Arch) -> Pick:
    """Picks for one arch; an inactive choice takes nothing."""
    at = columns(cell)
    return lambda truths, name: arch[at[name]] >= 0 and truths[arch[at[name]]]


def of_archs(cell: Cell, archs: Archs) -> Pick:
    """Picks for (n, choices) archs."""
    at = columns(cell)
    return lambda truths, name: np.array([*truths, False])[archs[:, at[name]]]


def present(place: Place, options: int, pick: Pick) -> Bools:
    """Whether an edge is there and its operation lets something through."""
    on: Bools = True
    if place.there:
        on = on & pick([i in place.kept for i in range(options)], place.there)
    return on & pick(carrying(place.ops), place.choice) if place.choice else on


def carrying(ops: Sequence[str]) -> list[bool]:
    """Which operations let something through."""
    return [OPS[op].kind != "zero" for op in ops]


def flow(cell: Cell, kind: str, pick: Pick) -> Flow:
    """What matters in one kind of cell."""
    plan, last = scheme(cell, kind), cell.nodes - 1
    counts = {c.name: len(c.options) for c in plan.choices}
    works: list[Bools] = [True] * cell.nodes
    for s in plan.spots:
        works[s.node] = pick(carrying(s.ops), s.choice)
    reached: list[Bools] = [n < cell.inputs for n in range(cell.nodes)]
    used: list[Bools] = [False] * cell.nodes
    on: list[Bools] = []
    for p in plan.places:
        carries = present(p, counts.get(p.there, 0), pick) & works[p.target] & reached[p.source]
        on.append(carries)
        reached[p.target] = reached[p.target] | carries
        used[p.source] = used[p.source] | carries
    joined: list[Bools] = [False] * cell.nodes
    if cell.combine == "concat" and cell.joins_drawn:
        for p, carries in zip(plan.places, on, strict=True):
            if p.target == last:
                joined[p.source] = carries
    elif cell.combine == "concat":
        for n in range(cell.inputs, last):
            joined[n] = reached[n] & (used[n] ^ True)
    leads = [*joined[:last], True]
    for p, carries in reversed(list(zip(plan.places, on, strict=True))):
        leads[p.source] = leads[p.source] | (carries & leads[p.target])
    places = tuple(c & leads[p.target] for p, c in zip(plan.places, on, strict=True))
    nodes = tuple(a & b for a, b in zip(reached, leads, strict=True))
    return Flow(places, nodes, tuple(joined))


@lru_cache(maxsize=20_000)
def flow_of(cell: Cell, kind: str, arch: Arch) -> Flow:
    """`flow` of one arch."""
    return flow(cell, kind, of_arch(cell, arch))
