"""Two architectures side by side: what differs in the cell, the network, the numbers and the source.

They may be of two spaces: `with_space` in the address names the other one's, or its file does.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import difflib
from typing import Any

import pandas as pd
import streamlit as st

from nascore.codec import arch_to_json, dumps
from nascore.errors import AppError, BadInput
from nascore.graph import Graph
from nascore.space import Space
from nascore.view import pieces, rows
from nascore.view.tokens import LIVE
from pages.parts import arch, archfiles, archgraph, archrows, errors, links, opening, show
from pages.parts.arch import Look
from pages.parts.graph import graph

HOW = (
    "The left side is the one you compare with, the right side this one. Orange with an arrow has changed, "
    "green with a plus is only here, red with a minus is only there; what is equal is pale. Differences are "
    "this one minus the other. Architectures of two spaces have no edges in common, so their cells are only "
    "drawn side by side."
)
FEW = 8  # edges of a drawing that needs no more than its height


def panel(look: Look, graph_: Graph, near: pd.DataFrame) -> None:
    """The card: with what to compare, and the comparison."""
    with st.container(border=True, gap="small", key="diff-card"):
        show.over("Compare with another", HOW, key="diff")
        _chooser(look, near)
        try:
            other = _other(look)
        except AppError as error:
            errors.refused(error)
            return
        if other is None:
            return
        _between(look, other)
        _cells(look, other, graph_)
        archrows.panel(look, other)
        _more(look, other)


def _other(look: Look) -> Look | None:
    """The arch that the address compares with, of the same space or another; costs are of the same input.

    Raises:
        BadInput: it is none.
    """
    asked = st.query_params.get("with", "").strip()
    if not asked:
        return None
    space, found = opening.read(_space(look), asked, st.query_params.get("run", ""))
    if why := space.invalid(found):
        raise BadInput(f"with: {why}")
    space, name = arch.unwrapped(space)
    return Look(space, name, look.shape, look.data, found)


def _space(look: Look) -> Space:
    """The space that a text to compare with is read in: this one, or that of the address as it comes.

    Raises:
        BadInput: no such space.
    """
    name = st.query_params.get("with_space", look.name)
    return look.space if name == look.name else arch.from_address({"space": name})


def _alike(look: Look, other: Look) -> bool:
    """Whether both have the same choices, so that edges of one can be found in the other."""
    return look.space.choices() == other.space.choices()


def _chooser(look: Look, near: pd.DataFrame) -> None:
    names = list(dict.fromkeys([look.name, *arch.space_names()]))
    said = st.query_params.get("with_space", look.name)
    st.session_state["with_space"] = said if said in names else look.name
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Compare with one of",
            names,
            key="with_space",
            format_func=arch.named,
            on_change=_moved,
            width=170,
        )
        st.text_input(
            "Architecture",
            key="with_text",
            on_change=_typed,
            placeholder="a key, an official string, JSON of its choices, or a saved file",
        )
        options = [str(k) for k in near["address"]] if len(near) else []
        if options and st.session_state["with_space"] == look.name:
            told = {
                str(r["address"]): f"{r['edge']}: {arch.option_label(r['op'])}"
                for r in near.to_dict("records")
            }
            st.selectbox(
                "or one change away",
                options,
                index=None,
                key="with_near",
                on_change=_taken,
                format_func=lambda k: told[k],
                placeholder=f"{len(options)} neighbors",
                width=200,
            )
        st.button("Random", icon=":material/casino:", key="with_random", on_click=_random, args=(look,))
        if "with" in st.query_params:
            st.button(
                "Stop comparing", icon=":material/close:", key="with_stop", on_click=_stop, type="tertiary"
            )


def _moved() -> None:
    """Another space: what was compared with is none of it."""
    st.query_params["with_space"] = st.session_state["with_space"]
    _stop()


def _typed() -> None:
    if text := st.session_state.get("with_text", "").strip():
        st.query_params["with"] = text
    st.session_state["with_text"] = ""


def _taken() -> None:
    if key := st.session_state.get("with_near"):
        st.query_params["with"] = key
    st.session_state["with_near"] = None


def _random(look: Look) -> None:
    space = _space(look)
    st.query_params["with"] = arch.address(space, arch.drawn(space))


def _stop() -> None:
    st.query_params.pop("with", None)


def _between(look: Look, other: Look) -> None:
    """What changed, in words, and the way to the other one."""
    alike = _alike(look, other)
    if look.space == other.space:
        kept = {n: st.query_params[n] for n in ("space", "run", "task") if n in st.query_params}
        back = arch.address(look.space, look.arch)
    else:
        task = {n: st.query_params[n] for n in ("task",) if n in st.query_params}
        kept = {**task, **arch.as_address(other.space, other.name)}
        back = dumps(arch_to_json(look.space, look.arch))
    said = arch.difference(look.space, other.arch, look.arch) if alike else ""
    if look.space != other.space:
        told = f"{arch.described(other.space, other.name)} against {arch.described(look.space, look.name)}"
        said = f"{told}: {said}" if said else told
    with st.container(horizontal=True, vertical_alignment="center"):
        way = {**kept, "arch": arch.address(other.space, other.arch), "with": back}
        links.link(links.ARCHITECTURE, f"{other.key}", "swap_horiz", **way)
        st.markdown(f":gray[{show.plain(said, 300)}]")
    same = look.space == other.space and look.space.canonical(look.arch) == look.space.canonical(other.arch)
    if same and look.arch != other.arch:
        st.markdown(":blue-badge[:material/equal: the same network, written in another way]")


def _cells(look: Look, other: Look, now: Graph) -> None:
    """Both cells; what differs is marked where edges of one can be found in the other."""
    was = other.graph
    if not (now.nodes and was.nodes):
        return
    alike = _alike(look, other)
    sides = ((other, was, now, "was", "other"), (look, now, was, "now", "this"))
    for column, (one, mine, theirs, key, which) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            of = "" if look.space == other.space else f" · {show.plain(arch.named(one.name))}"
            st.markdown(f"**The other one**{of}" if which == "other" else f"**This one**{of}")
            label = f"Cell of {which} one" + (
                ", against the other" if alike else f", {len(mine.edges)} edges"
            )
            drawing = rows.cell(mine, LIVE, across=3, compare=theirs if alike else None, label=label)
            graph(drawing, key=f"diff-{key}", height=max(280, drawing["h"] if len(mine.edges) > FEW else 0))


def _more(look: Look, other: Look) -> None:
    """Networks and source, which have to be made first."""
    with st.container(horizontal=True):
        st.toggle(
            "Whole networks", key="both", bind="query-params", help="Builds both; some ten seconds once."
        )
        st.toggle("Source", key="lines", bind="query-params", help="Writes both; some twenty seconds once.")
    if st.session_state.get("both"):
        _networks(look, other)
    if st.session_state.get("lines") and (files := archfiles.wait([other, look], "torch", "Writing source")):
        _source(other, look, [f.decode() for f in files])


def _networks(look: Look, other: Look) -> None:
    found = archgraph.outlines([other, look])
    if found is None:
        return
    (was, _), (now, _) = found
    marks: list[dict[str, str]] = [pieces.compared(was, now), pieces.compared(now, was)]
    marks[0] = {id: "removed" if state == "added" else state for id, state in marks[0].items()}
    sides: list[tuple[Any, Any, str]] = [(was, marks[0], "was"), (now, marks[1], "now")]
    for column, (whole, states, key) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column, st.container(height=460, border=False, key=f"both-{key}"):
            drawing = pieces.draw(
                whole, archgraph.opened(whole), LIVE, states=states, label=f"Network, {key}"
            )
            graph(drawing, key=f"both-{key}-graph", height=drawing["h"])


def _source(was: Look, now: Look, texts: list[str]) -> None:
    """A unified diff of both files."""
    lines = difflib.unified_diff(
        *(text.splitlines() for text in texts), f"{was.key}.py", f"{now.key}.py", lineterm="", n=3
    )
    text = "\n".join(lines)
    if not text:
        st.markdown(":gray[Their source is the same.]")
        return
    st.code(text, language="diff", height=420)
