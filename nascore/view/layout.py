"""Where things go: order, lanes, columns and heights, without any drawing.

Two layouts. Tracks: all nodes on one line, every edge on a lane of its own, like a metro map.
Columns: nodes by longest path, long edges through slots that are kept free for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import networkx as nx
import numpy as np

Link = tuple[str, str]


def order(ids: Sequence[str], links: Sequence[Link]) -> list[str]:
    """Topological order; ties go by the given order.

    Raises:
        networkx.NetworkXUnfeasible: the links form a cycle.
    """
    rank = {node: i for i, node in enumerate(ids)}
    if len(rank) == len(ids) and all(rank.get(a, -1) < rank.get(b, -1) for a, b in links):
        return list(ids)  # most cells are written in order; a list of a hundred drawings shall not wait
    graph = nx.DiGraph()
    graph.add_nodes_from(ids)
    graph.add_edges_from(links)
    return list(nx.lexicographical_topological_sort(graph, key=lambda node: rank[node]))


def live(links: Sequence[Link], inputs: set[str], outputs: set[str]) -> set[str]:
    """Nodes on some path from an input to an output, over the given links only."""
    return _reached(links, inputs) & _reached([(b, a) for a, b in links], outputs)


def _reached(links: Sequence[Link], starts: set[str]) -> set[str]:
    """Nodes to which some path leads, the starts included."""
    after: dict[str, list[str]] = {}
    for a, b in links:
        after.setdefault(a, []).append(b)
    found, todo = set(starts), list(starts)
    while todo:
        new = [node for node in after.get(todo.pop(), ()) if node not in found]
        found.update(new)
        todo += new
    return found


def lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """A signed lane for every edge: 0 on the line, 1, 2, ... above it, -1, -2, ... below it.

    Short edges choose first. An edge takes the side where its lane is nearer to the line, then the one
    where it crosses fewer edges, then the upper one. One step to the next node stays on the line.

    Args:
        spans: places (from, to) of each edge's ends in topological order, from < to.
    """
    lane = [0] * len(spans)
    done: list[int] = []
    on_line: set[tuple[int, int]] = set()
    for i in sorted(range(len(spans)), key=lambda i: (spans[i][1] - spans[i][0], spans[i][0])):
        start, end = spans[i]
        if end - start == 1 and (start, end) not in on_line:
            on_line.add((start, end))
            continue
        costs = {side: _lane_cost(side, spans[i], [(spans[j], lane[j]) for j in done]) for side in (1, -1)}
        side = min((1, -1), key=lambda side: costs[side])
        lane[i] = side * costs[side][0]
        done.append(i)
    return lane


def _lane_cost(side: int, span: tuple[int, int], taken: list[tuple[tuple[int, int], int]]) -> tuple[int, int]:
    """First free lane on a side, and how many edges there overlap the span without nesting."""
    start, end = span
    over = [(other, lane) for other, lane in taken if lane * side > 0 and other[0] < end and start < other[1]]
    crossed = sum(
        (other[0] < start) != (end < other[1]) and start != other[0] and end != other[1] for other, _ in over
    )
    return 1 + max((abs(lane) for _, lane in over), default=0), crossed


def columns(
    ids: Sequence[str], links: Sequence[Link], ends: set[str]
) -> tuple[list[list[str]], dict[Link, list[str]]]:
    """Nodes in columns, and what every edge passes: its ends and the slots between, which start with "~".

    Args:
        ids: all nodes.
        links: edges as (from, to).
        ends: nodes that stand in the last column, whatever their path.
    """
    depth: dict[str, int] = {}
    for node in order(ids, links):
        depth[node] = max((depth[a] + 1 for a, b in links if b == node), default=0)
    last = max(depth.values(), default=0)
    depth |= dict.fromkeys(ends & set(ids), last)
    placed: list[list[str]] = [[node for node in depth if depth[node] == k] for k in range(last + 1)]
    route: dict[Link, list[str]] = {}
    for a, b in links:
        slots = [f"~{a}~{b}~{k}" for k in range(depth[a] + 1, depth[b])]
        for k, slot in enumerate(slots, depth[a] + 1):
            placed[k].append(slot)
        route[a, b] = [a, *slots, b]
    return _uncross(placed, [step for path in route.values() for step in pairwise(path)]), route


def _uncross(placed: list[list[str]], steps: list[Link]) -> list[list[str]]:
    """Barycenter sweeps, forward and back; the order with the fewest crossings wins."""
    placed = [list(column) for column in placed]
    best, fewest = [list(column) for column in placed], crossings(placed, steps)
    for sweep in range(8):
        forward = sweep % 2 == 0
        for k in range(1, len(placed)) if forward else range(len(placed) - 2, -1, -1):
            placed[k].sort(key=_barycenter(placed[k - 1 if forward else k + 1], steps, forward))
        if (now := crossings(placed, steps)) < fewest:
            best, fewest = [list(column) for column in placed], now
    return best


def _barycenter(other: list[str], steps: list[Link], forward: bool) -> Callable[[str], float]:
    """Sorting key: the mean place of a node's neighbors in the column beside it."""
    at = {node: (i + 0.5) / len(other) for i, node in enumerate(other)}
    near: dict[str, list[float]] = {}
    for a, b in steps:
        mine, theirs = (b, a) if forward else (a, b)
        if theirs in at:
            near.setdefault(mine, []).append(at[theirs])
    return lambda node: sum(near[node]) / len(near[node]) if node in near else 0.5


def crossings(placed: Sequence[Sequence[str]], steps: Sequence[Link]) -> int:
    """How many pairs of steps between the same two columns cross."""
    at = {node: (k, i) for k, column in enumerate(placed) for i, node in enumerate(column)}
    total = 0
    for k in range(len(placed)):
        ends = np.array([(at[a][1], at[b][1]) for a, b in steps if at[a][0] == k]).reshape(-1, 2)
        left, right = (ends[:, i, None] - ends[None, :, i] for i in (0, 1))
        total += int(np.count_nonzero(left * right < 0)) // 2
    return total


def heights(
    placed: Sequence[Sequence[str]], route: dict[Link, list[str]], room: dict[str, float]
) -> dict[str, float]:
    """A vertical center for every node and slot, near its neighbors' mean; the order in a column is kept.

    Args:
        placed: columns from `columns`.
        route: paths from `columns`.
        room: height that a node or slot needs, in pixels.
    """
    y = {node: 0.0 for column in placed for node in column}
    near: dict[str, list[str]] = {node: [] for node in y}
    for path in route.values():
        for a, b in pairwise(path):
            near[a].append(b)
            near[b].append(a)
    for step in range(40):
        for column in placed if step % 2 == 0 else reversed(placed):
            want = [sum(y[n] for n in near[v]) / len(near[v]) if near[v] else y[v] for v in column]
            y |= dict(zip(column, _apart(want, [room[v] for v in column]), strict=True))
    return y


def _apart(want: list[float], room: list[float]) -> list[float]:
    """Centers near the wanted ones and far enough apart: the mean of pushing all down and pushing all up."""
    down, up = list(want), list(want)
    for i in range(1, len(want)):
        down[i] = max(down[i], down[i - 1] + (room[i - 1] + room[i]) / 2)
    for i in range(len(want) - 2, -1, -1):
        up[i] = min(up[i], up[i + 1] - (room[i + 1] + room[i]) / 2)
    return [(a + b) / 2 for a, b in zip(down, up, strict=True)]
