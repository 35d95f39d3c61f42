"""Which architecture the Architecture page opens: what the address, a person or chance says."""

from __future__ import annotations

import streamlit as st

from nascore import space as spaces
from nascore.errors import BadInput
from pages.parts import arch, links, stores
from pages.parts.arch import Look


def opened() -> Look | None:
    """The arch that the address names; None where it names none.

    Raises:
        BadInput: the address names something that is not there.
    """
    query = st.query_params
    spec = stores.spec(query["run"]) if "run" in query else None
    if "run" in query and spec is None:
        raise BadInput(f"run: there is no readable run called {query['run'][:60]!r}")
    if spec is not None:
        space, shape, data = spec.space, spec.task.shape, spec.task.data
    else:
        space = arch.from_address(dict(query.items()))
        shape, data = arch.shape_of(query.get("task", ""))
    space, name = arch.unwrapped(space)
    if not query.get("arch"):
        return None
    space, found = arch.read(space, query["arch"])
    space, name = arch.unwrapped(space)
    look = Look(space, name, shape, data, found)
    if why := space.invalid(found):
        raise BadInput(f"architecture: {why}")
    links.settle(arch=look.key if spaces.size(space) <= spaces.ENUMERABLE else query["arch"])
    return look


def typed() -> None:
    """A person wrote an arch: the address takes it."""
    if text := st.session_state.get("arch_text", "").strip():
        st.query_params["arch"] = text
    st.session_state["arch_text"] = ""


def random() -> None:
    """Another arch of the same space, from the whole of it."""
    query = dict(st.query_params.items())
    spec = stores.spec(query["run"]) if "run" in query else None
    space, _ = arch.unwrapped(spec.space if spec is not None else arch.from_address(query))
    st.query_params["arch"] = spaces.key(space, arch.drawn(space))


def chooser() -> None:
    """Which arch: a text, a random one, or the best of the latest run."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="chooser"):
        if "run" not in st.query_params and "arch" not in st.query_params:
            st.selectbox(
                "Space",
                arch.space_names(),
                key="space",
                bind="query-params",
                width=200,
                format_func=arch.named,
            )
        st.text_input(
            "Open another",
            key="arch_text",
            on_change=typed,
            placeholder="a key, an official string such as |none~0|+..., or JSON of its choices",
        )
        st.button("Random", icon=":material/casino:", key="random", on_click=random)
        best = stores.run(stores.latest() or "")
        if best is not None and best.best:
            links.link(
                links.ARCHITECTURE, "Best of the latest run", "trophy", run=best.run, arch=best.best["key"]
            )
