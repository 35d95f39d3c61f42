"""Graphs as rows of numbers, for any space: which edges and operations there are, and which paths.

`space.encode` is the third way: one-hot by choices. Columns are what occurs in the graphs given, so rows that
are to be compared are encoded together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nascore.graph import Graph

Name = TypeVar("Name", bound=tuple[str, ...])
ENDS = ("input", "output")  # what the ends of a graph have in place of an operation, where they say so
Path = tuple[str, ...]  # label of the input, then the operations on the way
Part = tuple[str, str, str]  # source, operation, target; of a node: its id, operation, ""


def path_encoding(graphs: Sequence[Graph]) -> tuple[NDArray[np.float64], tuple[Path, ...]]:
    """How often each path of operations leads from an input to an output of a graph.

    Paths go over live edges; an edge or node without an operation adds nothing to their names.

    Returns:
        (n, paths) counts, and the paths in lexicographic order.

    Source: BANANAS (White et al., 2021), section 3.1, where the entries say whether and not how often.
    """
    return _table([paths(g) for g in graphs])


def adjacency_encoding(graphs: Sequence[Graph]) -> tuple[NDArray[np.float64], tuple[Part, ...]]:
    """Which edge with which operation, and which node with which operation, a graph has, dead ones too.

    Returns:
        (n, parts) counts, and the parts in lexicographic order.
    """
    return _table([parts(g) for g in graphs])


def paths(graph: Graph) -> Counter[Path]:
    """Path -> how often it leads from an input to an output; an empty counter where nothing does."""
    live = [e for e in graph.edges if not e.dead]
    after: dict[str, list[tuple[str, str]]] = {}
    for e in live:
        after.setdefault(e.source, []).append((e.op, e.target))
    targets = {e.target for e in live}
    ops = {n.id: "" if n.op in ENDS else n.op for n in graph.nodes}
    found: Counter[Path] = Counter()
    waiting: list[tuple[str, Path]] = [
        (n.id, (n.label,)) for n in graph.nodes if n.id in after and n.id not in targets
    ]
    while waiting:
        at, path = waiting.pop()
        path = (*path, ops[at]) if ops[at] else path
        if at not in after:
            found[path] += 1
        waiting += [(target, (*path, op) if op else path) for op, target in after.get(at, ())]
    return found


def parts(graph: Graph) -> Counter[Part]:
    """Edge or node with its operation -> how often the graph has it, dead ones too."""
    nodes = Counter((n.id, n.op, "") for n in graph.nodes if n.op and n.op not in ENDS)
    return nodes + Counter((e.source, e.op, e.target) for e in graph.edges)


def _table(rows: Sequence[Mapping[Name, int]]) -> tuple[NDArray[np.float64], tuple[Name, ...]]:
    names = tuple(sorted({name for row in rows for name in row}))
    column = {name: j for j, name in enumerate(names)}
    out = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        for name, count in row.items():
            out[i, column[name]] = count
    return out, names
