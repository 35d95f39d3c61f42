"""The left side of Build: the drawing that is edited, and architectures drawn from it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import streamlit as st

from nascore.codec import arch_to_json, dumps
from nascore.graph import Graph
from nascore.overview import Overview
from nascore.product import Product, whole
from nascore.runs import drafts
from nascore.runs.drafts import Draft
from nascore.space import Arch, Space, key
from nascore.task import Shape
from nascore.view import scene, skyline, words
from nascore.view.tokens import LIVE, OPS, op_key
from pages.parts import builddoc, buildedit, buildscene, buildstate, links
from pages.parts.builddoc import Document
from pages.parts.buildedit import Fault
from pages.parts.graph import graph
from pages.parts.show import badge, plain

VALID = {"valid": ("green", "check"), "not yet": ("red", "block")}
MAX_TEXT = 3000  # of an architecture in an address
BARS = (
    "A bar is a layer: as high as it has channels, as wide as its map; red is a convolution, blue a "
    "separable one or an inverted residual, pink attention; the stronger the color, the larger the kernel."
)


def _edited() -> None:
    """What was done in the drawing."""
    said: dict[str, Any] = st.session_state.get("build_graph") or {}
    if given := said.get("join"):
        ends = int(given["source"]), int(given["target"])
        buildstate.change(lambda d: buildedit.join(d, *ends), since=int(given["rev"]))
    if given := said.get("move"):
        node, place = int(given["node"]), int(given["place"])
        buildstate.change(lambda d: buildedit.move(d, node, place), since=int(given["rev"]))
    if given := said.get("remove"):
        part = str(given["part"])
        buildstate.change(lambda d: buildedit.remove(d, part), since=int(given["rev"]))


def _remove() -> None:
    if part := buildstate.picked(buildstate.current().document):
        buildstate.change(lambda d: buildedit.remove(d, part))


def tools(draft: Draft, part: str | None) -> None:
    """Buttons over the drawing: add, remove, connect by clicks, undo, redo."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="build-tools"):
        if builddoc.is_cell(draft.document):
            st.button(
                "Add node",
                icon=":material/add_circle:",
                key="build_add",
                shortcut="N",
                on_click=lambda: buildstate.change(buildedit.add_node),
            )
            st.button(
                "Remove",
                icon=":material/delete:",
                key="build_remove",
                disabled=part is None,
                on_click=_remove,
                help="The picked line or box; in the drawing, the Delete key.",
            )
        for label, icon, by, short, last in (
            ("Undo", "undo", -1, "Mod+Z", draft.at == 0),
            ("Redo", "redo", 1, "Mod+Shift+Z", draft.at == len(draft.steps) - 1),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"build_{label.lower()}",
                shortcut=short,
                disabled=last,
                on_click=functools.partial(_step, by),
            )


def _step(by: int) -> None:
    buildstate.run(lambda id, revision: drafts.step(id, revision, by), "drawing")


def drawing(draft: Draft, part: str | None, faults: list[Fault]) -> None:
    """The cell to edit, and in words whether it is one."""
    document = draft.document
    with st.container(border=True, gap="xsmall", key="build-drawing"):
        graph(
            buildscene.cell(document, part, "The cell that you draw"),
            key="build_graph",
            height=340,
            pick=True,
            edit=True,
            connect=bool(st.session_state.get("build_connect")),
            rev=draft.revision,
            on_edit=_edited,
        )
        with st.container(horizontal=True, vertical_alignment="top", gap="small"):
            with st.container(width="stretch", gap="xsmall"):
                state(document, faults)
            st.toggle(
                "Click to connect", key="build_connect", help="Click one box, then another.", width="content"
            )
        refused("drawing")


def state(document: Document, faults: list[Fault]) -> None:
    """Valid, or what is missing."""
    if faults:
        lines = [f"{badge(VALID, 'not yet', 'not a space yet')} {plain(faults[0].text, 300)}"]
        lines += [plain(f.text, 300) for f in faults[1:4]]
        st.markdown("  \n".join(lines))
        return
    count, links_ = buildedit.nodes(document), len(buildedit.edges(document))
    told = f"{count} nodes, {links_} edges; every node lies on a path from input to output."
    st.markdown(f"{badge(VALID, 'valid')} :small[:gray[{plain(told)}]]")


def refused(place: str) -> None:
    """The refusal of what was tried last, at its place."""
    if said := buildstate.refusal(place):
        st.markdown(f":red-badge[:material/block: not done] {plain(said, 300)}")


def samples(space: Space, shape: Shape, found: Overview, seed: int) -> None:
    """Three architectures drawn at random, and what drawing is uniform over."""
    graphs = [space.graph(a, shape) for a in found.samples]
    bars = [g for g in graphs if skyline.layers(g)]
    with st.container(gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{words.count(len(found.samples))} drawn from it**", width="stretch")
            st.button(
                "Draw again",
                icon=":material/casino:",
                type="tertiary",
                key="build_again",
                on_click=lambda: st.session_state.update(build_seed=seed + 1),
            )
        st.markdown(f":small[:gray[{plain(space.sampling(), 400)}]]")
    drawn = pictures(graphs, [key(space, a) for a in found.samples])
    sides = st.columns(max(len(found.samples), 1), gap="small")
    for i, (side, arch, network) in enumerate(zip(sides, found.samples, graphs, strict=False)):
        with side, st.container(border=True, gap="xsmall", height="stretch", key=f"build-sample-{i}"):
            graph(drawn[i], key=f"build_sample_{i}", height=110)
            sample(space, arch, network)
    legend(graphs, bool(bars))


def sample(space: Space, arch: Arch, network: Graph) -> None:
    """Of one architecture its costs, what is added to it, and the way to its page."""
    told = [f"{words.compact(network.params)} params", words.compact(network.flops, "multiply-adds")]
    st.markdown("  \n".join(f":small[:gray[{plain(c, 200)}]]" for c in (*told, *besides(space, arch))))
    if len(text := dumps(arch_to_json(space, arch))) <= MAX_TEXT:
        links.link(links.ARCHITECTURE, "Open", "account_tree", arch=text)


def besides(space: Space, arch: Arch) -> list[str]:
    """What the parts that are added to a network say of an architecture."""
    inside = whole(space)
    if not isinstance(inside, Product):
        return []
    rows = list(zip(inside.names, inside.parts, inside.split(arch), strict=True))[1:]
    return [f"{name}: {part.text(own) or 'nothing to choose'}" for name, part, own in rows]


def pictures(graphs: Sequence[Graph], names: Sequence[str]) -> list[dict[str, Any]]:
    """Small drawings side by side: bars of one scale for chains, cells without words, or strips of blocks."""
    most, out = skyline.widest(graphs), []
    for network, name in zip(graphs, names, strict=True):
        label = f"architecture {name}"
        if skyline.layers(network):
            out.append(skyline.draw(network, LIVE, label=label, most=most))
        elif network.edges:
            out.append(scene.cell(network, LIVE, bare=True, label=label))
        else:
            out.append(scene.macro(network, LIVE, label=label))
    if all(skyline.layers(g) for g in graphs):
        wide = max(s["w"] for s in out)
        out = [{**s, "w": wide} for s in out]
    return out


def legend(graphs: Sequence[Graph], bars: bool) -> None:
    """What colors, heights and widths of the small drawings mean."""
    if bars:
        st.markdown(f":small[:gray[{plain(BARS, 300)}]]")
        return
    found = dict.fromkeys(o for g in graphs for o in scene.options_of(g))
    if options := [o for o in found if op_key(o) in OPS]:
        graph(scene.legend(options, LIVE), key="build_legend", height=66)
