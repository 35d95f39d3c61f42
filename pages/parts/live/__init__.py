"""A chart that changes where it stands: Streamlit takes a changed figure for another and builds it anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from pages.parts.zoom import Part, part_of


def _nothing() -> None:
    """Without a wish nothing is done."""


# A text without a line break would be taken for a file name, hence the comment line in front.
_follower = st.components.v2.component(  # pyright: ignore[reportAttributeAccessIssue] (loaded on first use)
    "live",
    html="<span></span>",
    js="// live\n" + Path(__file__).with_name("live.js").read_text(encoding="utf-8"),
)


def follow(
    figure: str, key: str, change: dict[str, Any], *, on_box: Callable[[Part], None] | None = None
) -> None:
    """Brings a chart up to date without building it anew; the figure that was given for it stays the same.

    Args:
        figure: the key of the chart.
        key: of the follower.
        change: what differs, for JSON: `figures_cloud.chosen_of`, or all `data` and a `layout`. With
            `ranges`, least and largest x and least and largest y, the chart shows that part of the plane,
            and after that, with null, all again. `label` is said of the chart, `count` are its dots.
        on_box: takes a box that was drawn: least and largest x, least and largest y.
    """

    def boxed() -> None:
        if on_box and (box := part_of(getattr(st.session_state.get(key), "box", None) or [])):
            on_box(box)

    data = {"figure": figure, "boxes": on_box is not None, **change}
    _follower(key=key, data=data, on_box_change=boxed if on_box else _nothing, height=1)
