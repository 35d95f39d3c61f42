"""The one graph component: cells, whole networks, the editor. Python lays out, the browser draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from nascore.view.tokens import LIVE

HERE = Path(__file__).parent


def _nothing() -> None:
    """Ask for a rerun and do no more."""


# A text without a line break would be taken for a file name, hence the comment line in front.
_graph = st.components.v2.component(  # pyright: ignore[reportAttributeAccessIssue] (loaded on first use)
    "graph",
    html="<svg tabindex='0' role='group'></svg>",
    css=f":host {{ --pick: {LIVE.pick}; }}\n" + (HERE / "graph.css").read_text(encoding="utf-8"),
    js="// graph\n" + (HERE / "graph.js").read_text(encoding="utf-8"),
)


def graph(
    scene: dict[str, Any],
    *,
    key: str,
    height: int = 340,
    pick: bool = False,
    edit: bool = False,
    connect: bool = False,
    rev: int = 0,
    on_pick: Callable[[], None] = _nothing,
    on_edit: Callable[[], None] = _nothing,
) -> Any:
    """Show a scene of `nascore.view.scene`, made with the LIVE tokens.

    Args:
        scene: what to draw.
        key: name in the session state; keep it, and picks survive a new scene.
        height: the most it may take, in pixels.
        pick: whether a click or Enter picks a part.
        edit: whether parts can be changed: a drag from node to node joins them, a drag to an empty place
            moves a node, Delete removes a part; with the keyboard, `c` and Enter join, Alt and an arrow move.
        connect: whether a click on a node and one on another join them, as a drag does.
        rev: of what is drawn; edits come back with it.
        on_pick: called before the rerun after a pick.
        on_edit: called before the rerun after a join, a move or a removal.

    Returns:
        `.picked`, an id such as `edge-1-3` or `node-2`, or None. With `edit`, and for one run only, a dict
        with `rev` and more: `.join` with `source` and `target`, `.move` with `node` and `place` (its number
        in the line), `.remove` with `part`, an id.
    """
    data = {"scene": scene, "height": height, "pick": pick, "edit": edit, "connect": connect, "rev": rev}
    return _graph(
        key=key,
        data=data,
        default={"picked": None},
        on_picked_change=on_pick,
        on_join_change=on_edit,
        on_move_change=on_edit,
        on_remove_change=on_edit,
    )
