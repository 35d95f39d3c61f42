"""Files of an architecture: source, ONNX, JSON, SVG, PNG. What needs torch is made in another process."""

from __future__ import annotations

import streamlit as st

from nascore.codec import arch_to_json, dumps
from nascore.graph import Graph
from nascore.runs import exporting
from nascore.runs.exporting import Made
from nascore.view import scene, svg, words
from nascore.view.tokens import LIGHT
from pages.parts import errors, show
from pages.parts.arch import Look

SHOWN = 60_000  # characters of source on the page; the file has all
NAMES = {"torch": "PyTorch source", "onnx": "ONNX", "outline": "the network's parts and their times"}


def made(look: Look, form: str, *, start: bool = True) -> Made:
    """How far a file of the arch is; begins to make it."""
    return exporting.made(look.space, look.arch, look.shape, form, start=start)


def wait(looks: list[Look], form: str, say: str) -> list[bytes] | None:
    """The files where all are there; else says how far they are, and the page looks again by itself."""
    found = [made(look, form) for look in looks]
    if failed := next((f for f in found if f.state == "failed"), None):
        errors.refused(f"{NAMES[form]}: {failed.why}")
        return None
    if all(f.state == "ready" for f in found):
        return [f.data for f in found]
    _watch(looks, form, say)
    return None


@st.fragment(run_every=1.0)
def _watch(looks: list[Look], form: str, say: str) -> None:
    """One line about what is being made; the whole page runs again when it is there."""
    found = [made(look, form) for look in looks]
    if all(f.state in ("ready", "failed") for f in found):
        st.rerun()
    done = sum(f.state == "ready" for f in found)
    spent = max(f.seconds for f in found)
    told = f"{done} of {len(found)} · " if len(found) > 1 else ""
    held = " · others are being made first" if any(f.state == "waiting" for f in found) and not spent else ""
    line = f"{say} {told}{words.duration(spent) if spent >= 1 else 'starting'}{held}"
    st.markdown(f":material/hourglass_top: :gray[{show.plain(line)}]")


def panel(look: Look, graph: Graph) -> None:
    """The tab: what can be taken along."""
    left, right = st.columns([1, 2.2], gap="medium")
    with left:
        st.markdown("**At once**")
        with st.container(horizontal=True, gap="small"):
            _button(
                look, "JSON", "json", "application/json", dumps(arch_to_json(look.space, look.arch), indent=1)
            )
            text = svg.sheet(drawings(graph), LIGHT)
            _button(look, "SVG", "svg", "image/svg+xml", text)
            _button(look, "PNG", "png", "image/png", lambda: svg.png(text))
        st.markdown("**Made from the built network**")
        st.markdown(
            ":small[:gray[The source needs torch alone. It is kept only if it gives the same output as ours, "
            "to one millionth, in training and in use; ONNX to one ten-thousandth.]]"
        )
        st.toggle("PyTorch source", key="source", bind="query-params", help="Takes some ten seconds once.")
        st.toggle("ONNX", key="onnx", bind="query-params", help="Takes some twenty seconds once.")
        if st.session_state.get("onnx") and (files := wait([look], "onnx", "Writing ONNX")):
            _button(
                look,
                f"ONNX, {words.compact(len(files[0]), 'bytes')}",
                "onnx",
                "application/octet-stream",
                files[0],
            )
        st.code(f"python -m nascore arch {look.name} {look.key} --export torch net.py", language="bash")
    with right:
        if st.session_state.get("source") and (
            files := wait([look], "torch", "Writing and comparing source")
        ):
            text = files[0].decode()
            _button(look, "PyTorch source", "py", "text/x-python", text)
            st.code(text[:SHOWN], language="python", height=520)
        elif not st.session_state.get("source"):
            show.empty(
                "code", "The source is not written yet.", "Switch on PyTorch source to see and take it."
            )


def drawings(graph: Graph) -> list[scene.Scene]:
    """The cell where there is one, its operations, and the network, for a file."""
    found = [scene.cell(graph, LIGHT), scene.legend(scene.options_of(graph), LIGHT)] if graph.nodes else []
    return [*found, scene.macro(graph, LIGHT)] if graph.blocks else found


def _button(look: Look, label: str, ending: str, mime: str, data: object) -> None:
    st.download_button(
        label,
        data,  # pyright: ignore[reportArgumentType] (text, bytes, or what makes them when asked)
        f"{look.key}.{ending}",
        mime,
        icon=":material/download:",
        key=f"take_{ending}",
        on_click="ignore",
    )
