"""The whole network as a graph from top to bottom: folded and unfolded pieces, painted by what they cost.

Rows are longest paths from the input; a way past other pieces runs through a place that is kept free for it,
so skips stay to be seen however much is folded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from math import prod

from nascore.graph import Piece, unfold
from nascore.view import layout, words
from nascore.view.marks import Item, Scene, arrow, finish, mark, path, rect, short, text, wide
from nascore.view.tokens import Tokens, op_label

PAINTS = {
    "flops": "Multiply-adds",
    "params": "Parameters",
    "size": "Output size",
    "ms": "Measured time",
}
HIGH, GAP, SLOT, MARGIN = 48.0, 34.0, 26.0, 14.0
STATES = {"added": "+ ", "removed": "- ", "changed": "≠ "}


def piece_id(id: str) -> str:
    """What a picked piece reports, and its test id."""
    return f"node-{id}"


def picked_id(reported: str | None) -> str:
    """The piece of what was picked; empty for nothing and for a line."""
    return reported.removeprefix("node-") if reported and reported.startswith("node-") else ""


def value(piece: Piece, paint: str) -> float | None:
    """What a piece costs; None where it was not measured."""
    if paint == "size":
        return float(prod(piece.shape)) if piece.shape else None
    found = getattr(piece, paint)
    return None if found is None else float(found)


def amount(number: float | None, paint: str) -> str:
    """A cost as people read it; empty where there is none."""
    if not number:
        return ""
    return words.ms(number) if paint == "ms" else words.compact(number)


def dims(shape: tuple[int, ...]) -> str:
    """`16 x 32 x 32`."""
    return " x ".join(map(str, shape))


def draw(
    whole: Piece,
    opened: Collection[str],
    t: Tokens,
    *,
    paint: str = "flops",
    states: Mapping[str, str] | None = None,
    picked: str | None = None,
    label: str = "whole network",
) -> Scene:
    """The scene of a network.

    Args:
        whole: the network.
        opened: ids of pieces to unfold.
        t: as in `scene.cell`.
        paint: one of PAINTS; the darker a piece, the larger its share of the largest one seen.
        states: id -> added, changed, removed or same, of `compared`; others fade.
        picked: id of the picked part.
        label: spoken name of the drawing.
    """
    seen, links = unfold(whole, opened)
    said = {p.id: _said(p, paint, (states or {}).get(p.id, "")) for p in seen}
    width = {p: max(wide(a) + 26, 6.2 * len(b) + 26, 70.0) for p, (a, b) in said.items()}
    rows, route = layout.columns([p.id for p in seen], list(links), {"output"})
    room = {v: width.get(v, SLOT) + 18 for row in rows for v in row}
    across = layout.heights(rows, route, room)
    left = min(across[v] - room[v] / 2 for v in across) - MARGIN
    at = {
        v: (across[v] - left, MARGIN + i * (HIGH + GAP) + HIGH / 2) for i, row in enumerate(rows) for v in row
    }
    most = max((value(p, paint) or 0.0 for p in seen), default=0.0) or 1.0
    items: list[Item] = []
    tips = {p.id: said[p.id][0] for p in seen}
    for stops in route.values():
        items += _way(stops, at, t, tips)
    for piece in seen:
        share = (value(piece, paint) or 0.0) / most
        state = (states or {}).get(piece.id, "")
        items += _card(piece, at[piece.id], width[piece.id], said[piece.id], share, state, t, picked)
    right = max(at[v][0] + room[v] / 2 for v in at) + MARGIN
    return finish(items, right, MARGIN * 2 + len(rows) * (HIGH + GAP) - GAP, label)


def _said(piece: Piece, paint: str, state: str) -> tuple[str, str]:
    """The two lines of a card."""
    name = piece.label
    if piece.op and op_label(piece.op) not in name and not piece.pieces:
        name = f"{name}: {op_label(piece.op)}" if name.casefold() != piece.op else op_label(piece.op)
    elif piece.op and piece.pieces:
        name = f"{name}: {op_label(piece.op)}"
    cost = amount(value(piece, paint), paint) if paint != "size" else ""
    return STATES.get(state, "") + short(name), " · ".join(filter(None, (dims(piece.shape), cost)))


def _way(
    stops: list[str], at: Mapping[str, tuple[float, float]], t: Tokens, tips: Mapping[str, str]
) -> list[Item]:
    """A line from a piece to another, past others where it has to."""
    skips = len(stops) > 2
    (x, y), end = at[stops[0]], stops[-1]
    d = f"M{x:.1f} {y + HIGH / 2:.1f}"
    for a, b in pairwise(stops):
        (x0, y0), (x1, y1) = at[a], at[b]
        top, bottom = y0 + HIGH / 2, y1 - HIGH / 2 - (7 if b == end else 0)
        middle = (top + bottom) / 2
        d += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {bottom:.1f}"
        if b != end:
            d += f"V{y1 + HIGH / 2:.1f}"
    dash: Item = {"stroke-dasharray": "7 4", "stroke-width": 2.2} if skips else {"stroke-width": 1.6}
    tip = f"{tips[stops[0]]} to {tips[end]}{', past others' if skips else ''}"
    color = t.accent if skips else t.muted
    line = path(d, "edge", stroke=color, **dash, id=f"edge-{stops[0]}-{end}", tip=tip)
    return [line, arrow(at[end][0], at[end][1] - HIGH / 2 - 1, 0, 1, color)]


def _card(
    piece: Piece,
    center: tuple[float, float],
    width: float,
    said: tuple[str, str],
    share: float,
    state: str,
    t: Tokens,
    picked: str | None,
) -> list[Item]:
    (x, y), (name, note) = center, said
    left, top = x - width / 2, y - HIGH / 2
    more = f", {len(piece.pieces)} parts inside" if piece.pieces else ""
    this: Item = {"id": piece_id(piece.id), "tip": f"{name}, {note}{more}".replace(", ,", ",")}
    pale: Item = {"opacity": 0.4} if state == "same" else {}
    color = mark(state, t)
    end = piece.id in ("input", "output")
    cls = ("node end" if end else "stage cell" if piece.pieces else "stage") + " pick" * (
        picked == this["id"]
    )
    items: list[Item] = []
    if piece.pieces:  # a second sheet behind what can be unfolded
        items.append(rect(left + 4, top - 4, (width, HIGH), cls, 8, **pale, **this))
    stroke: Item = {"stroke": color, "style": f"stroke:{color};stroke-width:2.6"} if color else {}
    items.append(rect(left, top, (width, HIGH), cls, 8, **stroke, **pale, **this))
    if share > 0:
        tint = {"fill": t.accent, "fill-opacity": round(0.05 + 0.25 * share, 3)}
        items.append(rect(left + 1, top + 1, (width - 2, HIGH - 2), "tint", 7, **tint, **pale, **this))
        items.append(
            rect(
                left + 8,
                top + HIGH - 6,
                (max(2.0, (width - 16) * share), 3),
                "bar",
                1.5,
                fill=t.accent,
                **pale,
            )
        )
    if piece.op:
        items.append(rect(left + 5, top + 8, (4, HIGH - 18), "tab", 2, fill=t.op(piece.op), **pale, **this))
    said_color: Item = {"fill": color, "style": f"fill:{color}"} if color else {}
    strong = "label strong" if piece.pieces or end else "label"
    items.append(text(x + 3, y - (9 if note else 0), name, strong, **said_color, **pale, **this))
    if note:
        items.append(text(x + 3, y + 9, note, "label small", **pale, **this))
    return items


def compared(now: Piece, was: Piece) -> dict[str, str]:
    """What became of each piece of a network against another: added, changed or same; of all levels."""
    before = dict(_all(was))
    found: dict[str, str] = {}
    for id, piece in _all(now):
        old = before.get(id)
        alike = old is not None and (old.label, old.op, old.shape, old.params, old.flops) == (
            piece.label,
            piece.op,
            piece.shape,
            piece.params,
            piece.flops,
        )
        same = alike and old is not None and [p.id for p in old.pieces] == [p.id for p in piece.pieces]
        found[id] = "added" if old is None else "same" if same and old.links == piece.links else "changed"
    for id, piece in reversed(list(_all(now))):  # what holds a change has changed
        if found[id] == "same" and any(found[p.id] != "same" for p in piece.pieces):
            found[id] = "changed"
    return found


def _all(piece: Piece) -> list[tuple[str, Piece]]:
    return [(piece.id, piece), *(pair for inner in piece.pieces for pair in _all(inner))]


def at_first(whole: Piece) -> list[str]:
    """What is unfolded where nobody said: pieces that hold nearly all of the network by themselves."""
    opened, piece = list[str](), whole
    while True:
        most = max(piece.pieces, key=lambda p: p.flops, default=None)
        if most is None or not most.pieces or most.flops < 0.9 * whole.flops or len(piece.pieces) > 4:
            return opened
        opened.append(most.id)
        piece = most
