"""Which cells are equal: two archs whose cells compute the same function, up to a renaming of weights.

For cells whose edges carry operations and whose nodes add. Dead edges are `none`; sums are flattened through
skips, and average pooling is distributed over sums.
"""

from __future__ import annotations

import itertools
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.cost import OPS
from nascore.graph import live_edges
from nascore.space import Arch

if TYPE_CHECKING:
    from nascore.spaces.cell import Cell

Pair = tuple[int, int]  # source, target
Wiring = tuple[int, tuple[Pair, ...], tuple[tuple[str, ...], ...]]  # nodes, edges, options of each edge
ENUMERATED = 20_000  # up to this many archs, and
RENAMED = 8  # up to this many edges, the classes of equal cells are listed, in a second or two


def options(wiring: Wiring, arch: Arch) -> tuple[str, ...]:
    """Name of the operation on each edge."""
    return tuple(o[i] for o, i in zip(wiring[2], arch, strict=True))


@lru_cache(maxsize=100_000)
def live(wiring: Wiring, arch: Arch) -> tuple[bool, ...]:
    """Which edges lie on a path from input to output that lets something through."""
    nodes, edges, _ = wiring
    carries = tuple(OPS[op].kind != "zero" for op in options(wiring, arch))
    return live_edges(tuple((str(s), str(t)) for s, t in edges), carries, "0", str(nodes - 1))


def pruned(wiring: Wiring, arch: Arch) -> Arch:
    """The arch with `none` on dead edges that have this option."""
    on_path = live(wiring, arch)
    return tuple(
        o.index("none") if not on and "none" in o else i
        for i, on, o in zip(arch, on_path, wiring[2], strict=True)
    )


@lru_cache(maxsize=4)
def representatives(wiring: Wiring) -> dict[Arch, Arch] | None:
    """Each arch without idle operations -> the first of its class; None where there are too many."""
    counts = [len(o) for o in wiring[2]]
    if np.prod(counts, dtype=object) > ENUMERATED or len(counts) > RENAMED:
        return None
    first: dict[str, Arch] = {}
    out: dict[Arch, Arch] = {}
    for arch in itertools.product(*(range(n) for n in counts)):
        if pruned(wiring, arch) == arch:
            out[arch] = first.setdefault(function(wiring, arch), arch)
    return out


# A cell's output is a sum of terms, kept as term -> how often. A term is "x" (the cell's input), ("pool",
# term), or (op, edge, sum): the layer of that edge applied to a sum. The edge is the layer's identity: two
# terms of one edge share their weights. A map without weights that is not linear has None for its edge.
Term = Any
Sum = frozenset[tuple[Term, int]]


def function(wiring: Wiring, arch: Arch) -> str:
    """What the cell computes, up to a renaming of its weights: equal texts, equal functions."""
    out = _output(wiring, arch)
    shapes: dict[int, str] = {}
    _layers(out, shapes)
    groups: dict[str, list[int]] = {}
    for edge, text in sorted(shapes.items()):
        groups.setdefault(text, []).append(edge)
    # Layers of unlike shape cannot be exchanged, so only those of one shape are renamed among themselves.
    orders = itertools.product(*(itertools.permutations(range(len(g))) for g in groups.values()))
    names = (
        {e: n for g, o in zip(groups.values(), order, strict=True) for e, n in zip(g, o, strict=True)}
        for order in orders
    )
    return min(_write(out, n) for n in names)


def _output(wiring: Wiring, arch: Arch) -> Sum:
    nodes, edges, _ = wiring
    sums: list[Counter[Term]] = [Counter() for _ in range(nodes)]
    sums[0]["x"] = 1
    ordered = sorted(zip(edges, options(wiring, arch), range(len(edges)), strict=True), key=lambda e: e[0][1])
    for (source, target), op, edge in ordered:
        given = sums[source]
        match OPS[op].kind:
            case "identity":
                sums[target].update(given)
            case "linear":
                sums[target].update({(op, term): n for term, n in given.items()})
            case "layer" if given:
                sums[target][(op, edge, frozenset(given.items()))] += 1
            case "fixed" if given:
                sums[target][(op, None, frozenset(given.items()))] += 1
    return frozenset(sums[-1].items())


def _layers(terms: Sum, found: dict[int, str]) -> None:
    """Fills edge -> its layer and all below it without names."""
    for term, _ in terms:
        while len(term) == 2:
            term = term[1]
        if len(term) == 3 and term[1] is None:
            _layers(term[2], found)
        elif len(term) == 3 and term[1] not in found:
            found[term[1]] = f"{term[0]}({_write(term[2], {})})"
            _layers(term[2], found)


def _write(terms: Sum, names: dict[int, int]) -> str:
    return "+".join(sorted(f"{n}{_term(t, names)}" for t, n in terms))


def _term(term: Term, names: dict[int, int]) -> str:
    if term == "x":
        return "x"
    if len(term) == 2:
        return f"{term[0]}({_term(term[1], names)})"
    return f"{term[0]}#{names.get(term[1], '')}({_write(term[2], names)})"


def published_string(cell: Cell, arch: Arch) -> str:
    """NAS-Bench-201's own canonical string, for comparison with the literature: 6,466 of them.

    It keeps zeros inside sums and does not tell one shared layer from two, so it parts and joins other cells
    than `canonical` does. Source: the paper's section 2.1 and the `unique string` of its code, with zero
    considered.
    """
    nodes, edges, _ = cell.wiring
    texts = ["0"] + ["#"] * (nodes - 1)
    for target in range(1, nodes):
        terms = [
            _published(op, texts[s])
            for (s, t), op in zip(edges, cell.options(arch), strict=True)
            if t == target
        ]
        texts[target] = "+".join(sorted(terms))
    return texts[-1]


def _published(op: str, given: str) -> str:
    if OPS[op].kind == "zero" or given == "#":
        return "#"
    return given if OPS[op].kind == "identity" else f"({given})@{op}"
