"""Scene -> SVG text, for files, thumbnails and tests. Everything that comes from people is escaped."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from importlib.util import find_spec
from pathlib import Path

from nascore.errors import NotSupported
from nascore.graph import Graph
from nascore.view import scene
from nascore.view.marks import Scene
from nascore.view.tokens import Tokens

FONT = "DejaVu Sans"
OWN = ("t", "s", "cls", "id", "tip")
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # by XML 1.0, section 2.2


@lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    return escape(FORBIDDEN.sub("\ufffd", text), quote=True)


def _safe(value: object) -> str:
    return _escaped(str(value))


@lru_cache(maxsize=4)
def style(t: Tokens) -> str:
    """Style sheet of the scene's classes in one mode."""
    rules = {
        "text": f"font:13px 'Source Sans 3','Source Sans Pro',Helvetica,Arial,sans-serif;fill:{t.ink};"
        "text-anchor:middle;dominant-baseline:central",
        ".small": f"font-size:11.5px;fill:{t.muted}",
        ".strong": "font-weight:600",
        ".start": "text-anchor:start",
        ".faint": f"font-size:12px;fill:{t.muted}",
        ".edge": "fill:none;stroke-linejoin:round",
        ".plain": "stroke-width:1.8",
        ".mask": f"fill:{t.paper}",
        ".pill": f"fill:{t.paper};stroke-width:1.4",
        ".node": f"fill:{t.raised};stroke-width:1.4",
        ".node.end": f"stroke:{t.ink};stroke-width:1.6",
        ".node.op": f"fill:{t.paper}",
        ".node.dead": "stroke-dasharray:3 3",
        ".stage": f"fill:{t.paper};stroke:{t.muted};stroke-width:1.2",
        ".stage.cell": f"stroke:{t.accent}",
        ".track": f"fill:{t.line}",
        ".cross": f"fill:none;stroke:{t.bad};stroke-width:2;stroke-linecap:round",
        ".strike": f"fill:none;stroke:{t.bad};stroke-width:1.4",
        ".pick": f"stroke:{t.pick};stroke-width:3",
    }
    return "".join(f"{name}{{{rule}}}" for name, rule in rules.items())


def write(drawing: Scene, t: Tokens, *, size: tuple[int, int] | None = None, paper: bool = False) -> str:
    """A standalone SVG.

    Args:
        drawing: made with the same tokens.
        t: LIGHT or DARK.
        size: width and height in pixels; by default the scene's own.
        paper: fill the background, for files that are looked at outside the app.
    """
    width, height = size or (drawing["w"], drawing["h"])
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing["w"]} {drawing["h"]}" '
        f'width="{width}" height="{height}" role="img">'
        f"<title>{_safe(drawing['label'])}</title><style>{style(t)}</style>"
    )
    sheet = f'<rect width="100%" height="100%" fill="{t.paper}"/>' if paper else ""
    return head + sheet + "".join(_element(i, t) for i in drawing["items"]) + "</svg>"


def sheet(drawings: Sequence[Scene], t: Tokens, *, gap: int = 28) -> str:
    """A standalone SVG of several drawings, one below the other, on paper.

    Args:
        drawings: made with the same tokens.
        t: LIGHT or DARK.
        gap: pixels between two of them and around all.
    """
    width = max((d["w"] for d in drawings), default=0) + 2 * gap
    y, parts = gap, []
    for d in drawings:
        place = f'x="{(width - d["w"]) / 2:g}" y="{y}" width="{d["w"]}" height="{d["h"]}"'
        inner = "".join(_element(i, t) for i in d["items"])
        parts.append(f"<svg {place}><title>{_safe(d['label'])}</title>{inner}</svg>")
        y += d["h"] + gap
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}">'
        f'<style>{style(t)}</style><rect width="100%" height="100%" fill="{t.paper}"/>{"".join(parts)}</svg>'
    )


def png(text: str, *, zoom: float = 2.0) -> bytes:
    """An SVG of ours as PNG, so many pixels to one of the drawing's.

    Raises:
        NotSupported: the package that draws it is not installed.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise NotSupported("PNG needs the package resvg_py; install requirements.txt") from error
    fonts = [str(f) for f in _fonts()]
    drawn = resvg_py.svg_to_bytes(
        svg_string=text, zoom=zoom, skip_system_fonts=bool(fonts), font_files=fonts, font_family=FONT,
        sans_serif_family=FONT,
    )  # fmt: skip
    return bytes(drawn)


def _fonts() -> list[Path]:
    """A font that is there on every machine: the one that matplotlib brings along."""
    found = find_spec("matplotlib")
    home = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" if found and found.origin else Path()
    return [f for n in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf") if (f := home / n).is_file()]


def _element(item: dict[str, object], t: Tokens) -> str:
    kept = {name: value for name, value in item.items() if name not in OWN and value not in (None, "")}
    if "node" in str(item["cls"]).split():
        kept.setdefault("stroke", t.muted)
    attributes = "".join(f' {name}="{_safe(value)}"' for name, value in kept.items())
    named = f' data-testid="{_safe(item["id"])}"' if item.get("id") else ""
    tag, words = item["t"], _safe(item.get("s", ""))
    return f'<{tag} class="{_safe(item["cls"])}"{named}{attributes}>{words}</{tag}>'


def thumbnail(graph: Graph, t: Tokens, *, width: int = 136, height: int = 60) -> str:
    """A cell without words as a data address, for an image column of at most some 200 rows."""
    text = write(scene.cell(graph, t, bare=True), t, size=(width, height))
    return "data:image/svg+xml;base64," + b64encode(text.encode()).decode()
