"""Which architecture the Architecture page opens: what the address, a person or chance says."""

from __future__ import annotations

import re

import streamlit as st

from nascore import space as spaces
from nascore.errors import BadInput
from nascore.space import Arch, Space
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
    space, found = read(space, query["arch"], query.get("run", ""))
    space, name = arch.unwrapped(space)
    look = Look(space, name, shape, data, found)
    if why := space.invalid(found):
        raise BadInput(f"architecture: {why}")
    links.settle(arch=look.key if spaces.size(space) <= spaces.ENUMERABLE else query["arch"])
    return look


def read(space: Space, text: str, run: str = "") -> tuple[Space, Arch]:
    """As `arch.read`; a key of a space that is too large to list is looked up in runs that tried it.

    Args:
        space: of the arch, unless the text names another.
        text: what the address or a person says.
        run: that is looked into first.

    Raises:
        BadInput: as `arch.read`.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9a-f]{16}", text) and spaces.size(space) > spaces.ENUMERABLE:
        _, name = arch.unwrapped(space)
        hits = [stores.owner().architecture(run, text)] if run else []
        for hit in [*hits, *(h for _, h in stores.tries(name, text))]:
            found = tuple(hit["arch"]) if hit else ()
            if len(found) == len(space.choices()) and spaces.key(space, found) == text:
                return space, found
    return arch.read(space, text)


def chosen() -> None:
    """A person chose a space: the address takes its name, not its title."""
    st.query_params["space"] = st.session_state["space"]


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
    st.query_params["arch"] = arch.address(space, arch.drawn(space))


def chooser() -> None:
    """Which arch: a text, a random one, or the best of the latest run."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="chooser"):
        if "run" not in st.query_params and "arch" not in st.query_params:
            names, asked = arch.space_names(), st.query_params.get("space", arch.FIRST)
            st.session_state["space"] = asked if asked in names else arch.FIRST
            st.selectbox("Space", names, key="space", on_change=chosen, width=200, format_func=arch.named)
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
