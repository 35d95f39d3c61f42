"""Cells whose nodes carry operations: cards in columns, curves between them.

Long edges run through slots that the layout keeps free, so none passes behind a card.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nascore.view import layout
from nascore.view.marks import (
    Box,
    Item,
    Line,
    Scene,
    arrow,
    change,
    cross,
    finish,
    mark,
    path,
    rect,
    short,
    text,
    wide,
)
from nascore.view.tokens import Tokens, op_label

CARD, GAP, MARGIN = 34.0, 58.0, 10.0
Point = tuple[float, float]


def words_of(box: Box) -> str:
    """What a card says."""
    if not box.op:
        return short(box.label)
    words = change(box.op, box.was, box.state)
    return f"{words} · {box.cost}" if box.cost else words


class Cards:
    """Centers and widths of all cards and slots, in pixels."""

    def __init__(self, boxes: Sequence[Box], lines: Sequence[Line], bare: bool) -> None:
        last = {box.name for box in boxes if box.end and not any(line.source == box.name for line in lines)}
        links = [(line.source, line.target) for line in lines]
        placed, self.route = layout.columns([box.name for box in boxes], links, last)
        gap, slot = (36.0, 26.0) if bare else (GAP, CARD)
        self.card = {box.name: 44.0 if bare else wide(words_of(box)) + 8 for box in boxes}
        y = layout.heights(placed, self.route, {v: 52 if v in self.card else slot for c in placed for v in c})
        top = min(y.values()) - 28
        self.height = max(y.values()) - top + 28
        self.width: dict[str, float] = {}
        self.at: dict[str, Point] = {}
        x = MARGIN
        for column in placed:
            widest = max([30, *(self.card[v] for v in column if v in self.card)])
            self.at |= {v: (x + widest / 2, y[v] - top) for v in column}
            self.width |= {v: self.card.get(v, widest) for v in column}
            x += widest + gap
        self.right = x - gap + MARGIN

    def rim(self, name: str, side: int) -> Point:
        """Middle of the left (-1) or right (1) rim of a card or slot."""
        x, y = self.at[name]
        return x + side * self.width[name] / 2, y

    def curve(self, stops: list[str]) -> str:
        """Path from the first stop to the last: level through slots, bent between columns."""
        d = "M{:.1f} {:.1f}".format(*self.rim(stops[0], 1))
        for a, b in pairwise(stops):
            (x0, y0), (x1, y1) = self.rim(a, 1), self.rim(b, -1)
            middle, end = (x0 + x1) / 2, x1 - (7 if b == stops[-1] else 0)
            d += f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {end:.1f} {y1:.1f}"
            if b != stops[-1]:
                d += f"H{self.rim(b, 1)[0]:.1f}"
        return d


def draw(boxes: Sequence[Box], lines: Sequence[Line], t: Tokens, *, label: str, bare: bool = False) -> Scene:
    """The scene of a cell. `bare` leaves out all words, for small drawings side by side."""
    at = Cards(boxes, lines, bare)
    names = {box.name: op_label(box.op) if box.op else box.label for box in boxes}
    items = [item for line in lines for item in _curve(at, line, t, names)]
    for box in boxes:
        items += _bare(at, box, t) if bare else _card(at, box, t)
    return finish(items, at.right, at.height, label)


def _curve(at: Cards, line: Line, t: Tokens, names: dict[str, str]) -> list[Item]:
    stops = at.route[line.source, line.target]
    color = mark(line.state, t) or t.muted
    opacity = 0.35 if line.dead else 0.3 if line.state == "same" else 0.85
    cls = "edge plain pick" if line.picked else "edge plain"
    dash = {"stroke-dasharray": "2 4"} if line.state == "removed" else {}
    notes = {"added": ": added", "removed": ": removed"}
    tip = f"{names[line.source]} to {names[line.target]}" + notes.get(line.state, "")
    tip += ": dead, no path through it" if line.dead else ""
    items = [path(at.curve(stops), cls, stroke=color, opacity=opacity, **dash, id=line.id, tip=tip)]
    items.append(arrow(at.rim(stops[-1], -1)[0] - 1, at.at[stops[-1]][1], 1, 0, color, opacity))
    if line.dead:
        (x0, y0), (x1, y1) = at.rim(stops[0], 1), at.rim(stops[1], -1)
        items.append(cross((x0 + x1) / 2, (y0 + y1) / 2))
    return items


def _card(at: Cards, box: Box, t: Tokens) -> list[Item]:
    (x, y), width, words = at.at[box.name], at.card[box.name], words_of(box)
    pale = 0.35 if box.state == "same" else 0.5 if box.dead else 1.0
    this = {"id": box.id, "tip": words + (", dead: no path through it" if box.dead else "")}
    kind = "node op" if box.op else "node end" if box.end else "node"
    cls = kind + " dead" * box.dead + " pick" * box.picked
    color = mark(box.state, t) or (t.op(box.op) if box.op else None)
    stroke = {"stroke": color} if color else {}
    shape = rect(
        x - width / 2,
        y - CARD / 2,
        (width, CARD),
        cls,
        10,
        **stroke,
        **({"opacity": pale} if pale < 1 else {}),
        **this,
    )
    items = [
        shape,
        text(x + (3 if box.op else 0), y, words, "label", **({"opacity": pale} if pale < 1 else {}), **this),
    ]
    if box.op:
        bar = 4 if box.share is None else 3 + 9 * box.share
        items.append(
            rect(x - width / 2 + 6, y - 9, (bar, 18), "tab", 2, fill=t.op(box.op), opacity=pale, **this)
        )
    if box.dead:
        items.append(path(f"M{x - width / 2 + 14:.1f} {y:.1f}h{width - 22:.1f}", "strike"))
    return items


def _bare(at: Cards, box: Box, t: Tokens) -> list[Item]:
    (x, y), width = at.at[box.name], at.card[box.name]
    fill = {"fill": t.op(box.op)} if box.op else {}
    cls = "tab" if box.op else "node end"
    return [
        rect(x - width / 2, y - 15, (width, 30), cls, 8, **fill, opacity=0.35 if box.dead else 1, id=box.id)
    ]
