"""The primitives of a scene and the visual grammar of an edge.

A primitive is a plain dict: `t` (rect, path, circle or text), SVG attributes, `cls` (its look), and for what
can be picked `id` (reported and used as test id) and `tip` (its spoken name).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nascore.view.tokens import Tokens, op_dash, op_key, op_label

Item = dict[str, Any]
Scene = dict[str, Any]

PILL = 24
LETTER = 6.9  # mean width of a 13 px letter
LONGEST = 28


@dataclass(frozen=True)
class Line:
    """One edge as it is drawn; `share` (0 to 1) is its part of the whole cost, None outside the cost view."""

    id: str
    source: str
    target: str
    op: str = ""
    was: str = ""
    state: str = ""
    dead: bool = False
    picked: bool = False
    share: float | None = None
    cost: str = ""


@dataclass(frozen=True)
class Box:
    """One node as it is to be drawn; fields as in `Line`, `end` for inputs and outputs."""

    id: str
    name: str
    label: str
    op: str = ""
    was: str = ""
    state: str = ""
    end: bool = False
    dead: bool = False
    picked: bool = False
    share: float | None = None
    cost: str = ""


def short(label: str) -> str:
    """A label that fits its pill; the whole one is in the tip."""
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def wide(label: str) -> float:
    """Width of a pill or node around a label, in pixels; empty labels have none."""
    return LETTER * len(label) + 20 if label else 0.0


def text(x: float, y: float, label: str, cls: str = "label", **more: Any) -> Item:
    """A line of text centered at (x, y)."""
    return {"t": "text", "x": round(x, 1), "y": round(y, 1), "s": label, "cls": cls, **more}


def rect(x: float, y: float, size: tuple[float, float], cls: str, radius: float = 6, **more: Any) -> Item:
    """A rounded rectangle with its upper left corner at (x, y)."""
    place = {"x": round(x, 1), "y": round(y, 1), "width": round(size[0], 1), "height": round(size[1], 1)}
    return {"t": "rect", **place, "rx": radius, "cls": cls, **more}


def path(d: str, cls: str, **more: Any) -> Item:
    """A path."""
    return {"t": "path", "d": d, "cls": cls, **more}


def arrow(x: float, y: float, dx: int, dy: int, color: str, opacity: float = 1.0) -> Item:
    """A small solid head with its tip at (x, y) that points along (dx, dy)."""
    back_x, back_y = x - 8 * dx, y - 8 * dy
    sides = "".join(f"L{back_x + s * 4 * dy:.1f} {back_y + s * 4 * dx:.1f}" for s in (1, -1))
    return path(f"M{x:.1f} {y:.1f}{sides}z", "head", fill=color, opacity=opacity)


def cross(x: float, y: float) -> Item:
    """The mark of a dead edge."""
    return path(f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10", "cross")


def finish(items: list[Item], width: float, height: float, label: str) -> Scene:
    """The scene: size in pixels, primitives from back to front, and its spoken name."""
    return {"w": round(width), "h": round(height), "items": items, "label": label}


def is_none(line: Line) -> bool:
    """An edge that passes nothing."""
    return op_key(line.op) == "none"


def is_plain(line: Line) -> bool:
    """An edge without a choice of its own, such as the concatenation at a cell's end."""
    return line.op in ("", "concat", "dropped") and line.state in ("", "same")


def look(line: Line, t: Tokens) -> Item:
    """Stroke, dash, width and opacity of an edge."""
    if line.op == "dropped" or (is_none(line) and line.state in ("", "same")):
        width, opacity = 1.4, 0.3 if line.state == "same" else 0.55
        return {
            "stroke": t.op("none"),
            "stroke-dasharray": op_dash("none"),
            "stroke-width": width,
            "opacity": opacity,
        }
    if is_plain(line):
        return {"stroke": t.muted, "stroke-width": 1.3, "opacity": 0.3 if line.state == "same" else 0.6}
    if line.state == "removed":
        return {"stroke": t.bad, "stroke-dasharray": "2 4", "stroke-width": 1.8, "opacity": 0.8}
    width = 2.4 if line.share is None else round(1.6 + 16 * line.share, 2)
    opacity = 0.4 if line.dead else 0.3 if line.state == "same" else 1.0
    return {
        "stroke": t.op(line.op),
        "stroke-dasharray": op_dash(line.op),
        "stroke-width": width,
        "opacity": opacity,
    }


def change(now: str, was: str, state: str) -> str:
    """The words of an option or of its change."""
    match state:
        case "changed":
            return f"{short(op_label(was))} → {short(op_label(now))}"
        case "added":
            return f"+ {short(op_label(now))}"
        case "removed":
            return f"- {short(op_label(was))}"
        case _:
            return short(op_label(now))


def caption(line: Line) -> str:
    """What an edge's pill says; empty for an edge without a choice."""
    if is_plain(line):
        return ""
    words = change(line.op, line.was, line.state)
    return f"{words} · {line.cost}" if line.cost else words


def mark(state: str, t: Tokens) -> str | None:
    """Color of a difference; None for no difference."""
    return {"added": t.good, "removed": t.bad, "changed": t.pick}.get(state)


def pill(x: float, y: float, line: Line, t: Tokens, tip: str) -> list[Item]:
    """A label on its edge. Its fill is opaque, so no line runs behind words."""
    words = caption(line)
    if not words:
        return []
    this: Item = {"id": line.id, "tip": tip}
    if is_none(line) and line.state in ("", "same"):
        return [rect(x - 22, y - 9, (44, 18), "mask", **this), text(x, y, words, "label faint", **this)]
    width, style, color = wide(words), look(line, t), mark(line.state, t)
    faded: Item = {} if color or style["opacity"] == 1 else {"stroke-opacity": max(style["opacity"], 0.5)}
    dim = {"fill-opacity": faded["stroke-opacity"] + 0.2} if faded else {}
    cls = "pill pick" if line.picked else "pill"
    edge = rect(
        x - width / 2,
        y - PILL / 2,
        (width, PILL),
        cls,
        PILL / 2,
        stroke=color or style["stroke"],
        **faded,
        **this,
    )
    items = [edge, text(x, y, words, "label", **({"fill": color} if color else {}), **dim, **this)]
    if line.dead:
        items.append(path(f"M{x - width / 2 + 7:.1f} {y:.1f}h{width - 14:.1f}", "strike"))
    return items
