"""Cells whose edges carry operations, drawn like a metro map.

Nodes stand on one line and every longer edge has a lane of its own above or below. On a node's side incoming
lines come left, outgoing ones right, so that nested arcs never cross.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nascore.view import layout
from nascore.view.marks import (
    Box,
    Item,
    Line,
    Scene,
    arrow,
    caption,
    cross,
    finish,
    look,
    path,
    pill,
    rect,
    text,
    wide,
)
from nascore.view.tokens import Tokens, op_label

MARGIN = 10.0


@dataclass(frozen=True)
class Size:
    """Sizes in pixels: node height, distance of lanes, least gap between nodes, room outside; and words."""

    node: float = 40
    lane: float = 38
    gap: float = 72
    room: float = 14
    words: bool = True


FULL = Size()
BARE = Size(node=22, lane=26, gap=48, room=6, words=False)


class Tracks:
    """Positions of all nodes and edges of one cell, in pixels."""

    def __init__(self, boxes: Sequence[Box], lines: Sequence[Line], size: Size) -> None:
        links = [(line.source, line.target) for line in lines]
        self.size, self.lines = size, lines
        self.ids = layout.order([box.name for box in boxes], links)
        self.place = {name: i for i, name in enumerate(self.ids)}
        self.spans = [(self.place[a], self.place[b]) for a, b in links]
        self.lane = layout.lanes(self.spans)
        self.say = [caption(line) if size.words else "" for line in lines]
        self.ports = {(name, side): self._ports(name, side) for name in self.ids for side in (1, -1)}
        self._rows()
        self._columns({box.name: box.label if size.words else "" for box in boxes})

    def _ports(self, name: str, side: int) -> list[int]:
        """Edges at one side of a node, from left to right: incoming short to long, outgoing long to short."""
        here = [
            i
            for i, line in enumerate(self.lines)
            if self.lane[i] * side > 0 and name in (line.source, line.target)
        ]
        return sorted(
            here,
            key=lambda i: (0, abs(self.lane[i])) if self.lines[i].target == name else (1, -abs(self.lane[i])),
        )

    def _rows(self) -> None:
        size, up, down = self.size, max([0, *self.lane]), -min([0, *self.lane])
        self.base = size.room + (up * size.lane + 12 if up else 0) + size.node / 2
        self.height = self.base + size.node / 2 + (down * size.lane + 12 if down else 0) + size.room

    def _columns(self, labels: dict[str, str]) -> None:
        """Node widths by label and number of ports, gaps by the pills that must fit into them."""
        size, gaps = self.size, [self.size.gap] * len(self.ids)
        for words, lane, (start, end) in zip(self.say, self.lane, self.spans, strict=True):
            if words:
                at = start if lane == 0 else (start + end - 1) // 2
                gaps[at] = max(gaps[at], wide(words) + (44 if lane == 0 else 18))
        self.left, self.width, x = {}, {}, MARGIN
        for name, gap in zip(self.ids, gaps, strict=True):
            ports = max(len(self.ports[name, side]) for side in (1, -1))
            self.width[name] = max(size.node, wide(labels[name]), (15 if size.words else 9) * ports + 14)
            self.left[name], x = x, x + self.width[name] + gap
        self.gaps, self.right = gaps, x - gaps[-1] + MARGIN

    def port(self, i: int, name: str) -> float:
        """Where edge `i` meets a node, for edges with a lane."""
        here = self.ports[name, 1 if self.lane[i] > 0 else -1]
        return self.left[name] + self.width[name] * (here.index(i) + 1) / (len(here) + 1)

    def ends(self, i: int) -> tuple[float, float]:
        """Horizontal start and end of edge `i`."""
        line = self.lines[i]
        if self.lane[i] == 0:
            return self.left[line.source] + self.width[line.source], self.left[line.target]
        return self.port(i, line.source), self.port(i, line.target)

    def y(self, i: int) -> float:
        """Height of edge `i`'s horizontal part."""
        if self.lane[i] == 0:
            return self.base
        side = 1 if self.lane[i] > 0 else -1
        return self.base - side * self.size.node / 2 - self.lane[i] * self.size.lane

    def label_x(self, i: int) -> float:
        """The middle of edge `i`, or the nearest gap where no farther line runs through its pill."""
        x0, x1 = self.ends(i)
        if self.lane[i] == 0:
            return (x0 + x1) / 2 - 3
        half, middle = wide(self.say[i]) / 2 + 7, (x0 + x1) / 2
        farther = [
            j for j, lane in enumerate(self.lane) if lane * self.lane[i] > 0 and abs(lane) > abs(self.lane[i])
        ]
        walls = [x for j in farther for x in self.ends(j)]
        centers = [
            self.left[self.ids[k]] + self.width[self.ids[k]] + self.gaps[k] / 2 for k in range(*self.spans[i])
        ]
        centers.sort(key=lambda x: abs(x - middle))
        free = (
            x
            for x in (middle, *centers)
            if x0 + half < x < x1 - half and all(abs(x - wall) > half for wall in walls)
        )
        return next(free, centers[0])


def tip_of(line: Line, names: dict[str, str]) -> str:
    """An edge's spoken name: `0 to 2: conv 3x3`."""
    what = f"{op_label(line.was)} removed" if line.state == "removed" else op_label(line.op)
    if line.state == "changed":
        what = f"{op_label(line.was)} becomes {what}"
    said = f"{names[line.source]} to {names[line.target]}" + (f": {what}" if what else "")
    return (
        said + (f", {line.cost}" if line.cost else "") + (", dead: no path through it" if line.dead else "")
    )


def draw(boxes: Sequence[Box], lines: Sequence[Line], t: Tokens, *, label: str, bare: bool = False) -> Scene:
    """The scene of a cell. `bare` leaves out all words, for small drawings side by side."""
    at = Tracks(boxes, lines, BARE if bare else FULL)
    names = {box.name: box.label for box in boxes}
    strokes: list[Item] = []
    pills: list[Item] = []
    for i, line in enumerate(lines):
        tip = tip_of(line, names)
        strokes += _stroke(at, i, t, tip)
        if not bare:
            pills += pill(at.label_x(i), at.y(i), line, t, tip)
    nodes = [item for box in boxes for item in _node(at, box)]
    return finish(strokes + pills + nodes, at.right, at.height, label)


def _stroke(at: Tracks, i: int, t: Tokens, tip: str) -> list[Item]:
    line, style = at.lines[i], look(at.lines[i], t)
    if not at.size.words:
        style["stroke-width"] = 1.6 if style["opacity"] < 1 else 4.5
    d, head = _route(at, i, style)
    cls = "edge pick" if line.picked else "edge"
    items = [path(d, cls, **style, id=line.id, tip=tip)]
    if at.size.words:
        items.append(head)
    if line.dead:
        items.append(cross(at.ends(i)[0] + (13 if at.lane[i] == 0 else 29), at.y(i)))
    return items


def _route(at: Tracks, i: int, style: Item) -> tuple[str, Item]:
    """Path of an edge and its arrow head."""
    (x0, x1), y, color, opacity = at.ends(i), at.y(i), style["stroke"], style["opacity"]
    if at.lane[i] == 0:
        return f"M{x0:.1f} {y:.1f}H{x1 - 6:.1f}", arrow(x1 - 1, y, 1, 0, color, opacity)
    side = 1 if at.lane[i] > 0 else -1
    rim, bend = at.base - side * at.size.node / 2, min(16, (x1 - x0) / 2)
    d = (
        f"M{x0:.1f} {rim:.1f}V{y + side * bend:.1f}Q{x0:.1f} {y:.1f} {x0 + bend:.1f} {y:.1f}H{x1 - bend:.1f}"
        f"Q{x1:.1f} {y:.1f} {x1:.1f} {y + side * bend:.1f}V{rim - side * 6:.1f}"
    )
    return d, arrow(x1, rim - side, 0, side, color, opacity)


def _node(at: Tracks, box: Box) -> list[Item]:
    size, marks = at.size, (" end" * box.end, " dead" * box.dead, " pick" * box.picked)
    x, width, this = at.left[box.name], at.width[box.name], {"id": box.id, "tip": f"node {box.label}"}
    shape = rect(x, at.base - size.node / 2, (width, size.node), "node" + "".join(marks), 10, **this)
    if not size.words:
        return [shape]
    return [shape, text(x + width / 2, at.base, box.label, "label", **this)]
