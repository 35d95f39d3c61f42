"""What part of a figure is in sight: Streamlit tells selections only, so a small listener tells zooms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

Part = tuple[float, float, float, float]

# A text without a line break would be taken for a file name, hence the comment line in front.
_listener = st.components.v2.component(  # pyright: ignore[reportAttributeAccessIssue] (loaded on first use)
    "zoom",
    html="<span></span>",
    js="// zoom\n" + Path(__file__).with_name("zoom.js").read_text(encoding="utf-8"),
)


def listen(figure: str, key: str, part: Part | None, take: Callable[[Part | None], None]) -> None:
    """Tells what is in sight after each zoom.

    Args:
        figure: the key of the chart.
        key: of the listener.
        part: what the chart shows now: least and largest x, least and largest y; None for all.
        take: called with the new part, None after a reset.
    """

    def moved() -> None:
        take(part_of(getattr(st.session_state.get(key), "part", None) or []))

    data = {"figure": figure, "part": part}
    _listener(key=key, data=data, default={"part": None}, on_part_change=moved, height=1)


def part_of(numbers: Sequence[object]) -> Part | None:
    """Four numbers as a part of a plane, each pair in order; None where they are none."""
    try:
        x0, x1, y0, y1 = (float(str(n)) for n in numbers)
    except ValueError:
        return None
    if not all(map(math.isfinite, (x0, x1, y0, y1))) or x0 == x1 or y0 == y1:
        return None
    return min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
