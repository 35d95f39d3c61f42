"""The whole network on the Architecture page: a strip of blocks, or a graph that folds and unfolds."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from nascore.graph import Graph, Piece, find, read_piece, unfold
from nascore.view import pieces, scene, words
from nascore.view.tokens import LIVE
from pages.parts import archfiles, show, tables
from pages.parts.arch import Look
from pages.parts.graph import graph

NAMES = {title: paint for paint, title in pieces.PAINTS.items()}
NOTHING = "-"  # in the address: all is folded
MOST = 200  # pieces that are drawn
HOW_STRIP = (
    "Blocks are stages, their height follows the size of the map. A stack is several cells in a row. "
    "The bar is the stage's share of all multiply-adds, its number below."
)
HOW_GRAPH = (
    "From the input down to the output. Click a card with a second sheet behind it to see what is inside, "
    "and a name under *Unfolded* to fold it again. Dashed lines pass others by; they stay however much is "
    "folded. The darker a card and the longer its bar, the larger its share of what you paint by. Costs are "
    "of what is built, so an edge that carries nothing costs nothing. Time was measured on the machine that "
    "is named, and the parts of a block need not add up to it."
)


def network(look: Look, graph_: Graph) -> None:
    """The card: strip or graph."""
    with st.container(border=True, gap="xsmall", key="macro-card"):
        with st.container(horizontal=True, vertical_alignment="center"):
            kind = st.segmented_control(
                "Network as",
                ["Strip", "Graph"],
                default="Strip",
                key="network",
                bind="query-params",
                required=True,
                label_visibility="collapsed",
            )
            by = paint() if kind == "Graph" else ""
            show.over("Whole network", HOW_GRAPH if kind == "Graph" else HOW_STRIP, key="macro")
        if kind == "Graph":
            _unfolding(look, by)
        else:
            drawing = scene.macro(graph_, LIVE, label="Whole network, multiply-adds of each block")
            graph(drawing, key="macro", height=190)


def outlines(looks: list[Look]) -> list[tuple[Piece, str]] | None:
    """The networks as pieces and how their times were measured; None while they are being made."""
    files = archfiles.wait(looks, "outline", "Building the network and measuring its parts")
    if files is None:
        return None
    found = [json.loads(f) for f in files]
    return [(read_piece(f["whole"]), str(f["told"])) for f in found]


def opened(whole: Piece) -> list[str]:
    """Ids of the pieces that the address unfolds; where it says nothing, those that hold all the rest."""
    said = st.query_params.get("open", "")
    if not said:
        return pieces.at_first(whole)
    known = [find(whole, id) for id in said.split(",")] if said != NOTHING else []
    return [p.id for p in known if p is not None and p.pieces and p.id]


def paint() -> str:
    """What the network is painted by."""
    said = st.segmented_control(
        "Paint by",
        list(NAMES),
        default=pieces.PAINTS["flops"],
        key="paint",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    return NAMES[str(said)]


def _unfolding(look: Look, by: str) -> None:
    found = outlines([look])
    if found is None:
        return
    whole, told = found[0]
    now = opened(whole)
    key = f"parts-{look.key}-{len(now)}-{abs(hash(tuple(now))) % 10**8}"
    left, right = st.columns([1.75, 1], gap="medium")
    with right:
        st.markdown(f":small[:gray[{show.plain(told if by == 'ms' else look.counted, 300)}]]")
        _folding(whole, now)
    with left, st.container(height=560, border=False, key="network-scroll"):
        _drawing(whole, now, by, key)
    with right:
        _table(whole, now)


def _drawing(whole: Piece, now: list[str], by: str, key: str) -> None:
    seen, _ = unfold(whole, now)
    if len(seen) > MOST:
        show.empty("unfold_less", f"{len(seen)} parts are too many to draw.", "Fold some of them again.")
        return
    said = f"Whole network, {len(seen)} parts, painted by {pieces.PAINTS[by].lower()}"
    drawing = pieces.draw(whole, now, LIVE, paint=by, label=said)
    graph(drawing, key=key, height=drawing["h"], pick=True, on_pick=lambda: _toggle(whole, now, key))


def _toggle(whole: Piece, now: list[str], key: str) -> None:
    """A click on a piece unfolds it."""
    id = pieces.picked_id((st.session_state.get(key) or {}).get("picked"))
    piece = find(whole, id) if id else None
    if piece is not None and piece.pieces:
        _say([*now, id])


def _say(ids: list[str]) -> None:
    st.query_params["open"] = ",".join(ids) or NOTHING


def _folding(whole: Piece, now: list[str]) -> None:
    """What is unfolded, to be folded again."""
    names = {id: (p.label if (p := find(whole, id)) else id) for id in now}
    st.markdown("**Unfolded**" if now else ":gray[All is folded. Click a card to see what is inside.]")
    with st.container(horizontal=True, gap="xsmall"):
        for id in now:
            kept = [o for o in now if o != id and not o.startswith(f"{id}/")]
            inside = find(whole, id)
            if inside is not None and inside.op == "":
                kept = [o for o in kept if not any(p.id == o for p in inside.pieces)]
            label, help = show.plain(names[id]), f"Fold {id}"
            st.button(label, icon=":material/unfold_less:", key=f"fold-{id}", help=show.plain(help),
                      on_click=_say, args=(kept,))  # fmt: skip
        stages = [p.id for p in whole.pieces if p.pieces]
        if set(stages) - set(now):
            st.button("Unfold all stages", icon=":material/unfold_more:", key="unfold_all", on_click=_say,
                      args=([*now, *(s for s in stages if s not in now)],), type="tertiary")  # fmt: skip


def _table(whole: Piece, now: list[str]) -> None:
    """The same parts as rows."""
    seen = [p for p in unfold(whole, now)[0] if p.id not in ("input", "output")]
    frame = pd.DataFrame(
        {
            "part": [p.label for p in seen],
            "flops": [p.flops for p in seen],
            "params": [p.params for p in seen],
            "ms": [p.ms for p in seen],
            "shape": [pieces.dims(p.shape) for p in seen],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=min(tables.height(len(frame)), 330),
        key="parts_table",
        alt="Every part that is seen, with shape, parameters, multiply-adds and measured time",
        column_config={
            "part": st.column_config.TextColumn("Part", width=85, pinned=True),
            "flops": st.column_config.NumberColumn("Multiply-adds", format="compact", width=90),
            "params": st.column_config.NumberColumn("Params", format="compact", width=60),
            "ms": st.column_config.NumberColumn("Time (ms)", format="%.3g", width=70),
            "shape": st.column_config.TextColumn("Output", width=90),
        },
    )
    whole_ms = f" · {words.ms(whole.ms)} in all" if whole.ms else ""
    line = f"{words.compact(whole.params)} params · {words.compact(whole.flops, 'multiply-adds')}{whole_ms}"
    st.markdown(f":small[:gray[{show.plain(line)}]]")
