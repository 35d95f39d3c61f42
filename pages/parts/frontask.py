"""The controls of the Pareto page: they write the address and show what stands there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from nascore.problem import Constraint
from nascore.view import axes
from pages.parts import fronts
from pages.parts.fronts import MOST, Asked, Source

VIEWS = {"plane": "2-D", "room": "3-D", "lines": "Parallel"}
OF_A_SOURCE = ("obj", "limit", "ref", "view", "zoom")


def _follow(key: str, value: Any) -> str:
    """A widget's key, whose value is that of the address."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def choose_source(marks: dict[str, str], mark: str) -> None:
    """Which table or run."""

    def take() -> None:
        fronts.put(**dict.fromkeys(OF_A_SOURCE, ""), source=st.session_state["front_source"])

    key = _follow("front_source", mark)
    st.selectbox(
        "Table or run",
        list(marks),
        key=key,
        on_change=take,
        format_func=lambda m: str(marks.get(m, m)),
        width=280,
    )


def choose_objectives(a: Asked) -> None:
    """Two to four metrics, and which way each is better."""
    s = a.source
    key = _follow(f"front_obj_{s.mark}", list(a.ways))

    def take() -> None:
        taken = st.session_state[key]
        ways = {m: a.ways.get(m) or s.columns[m].direction or "min" for m in taken}
        if len(ways) > 1:
            _put_ways(s, ways)

    st.multiselect(
        "Objectives, two to four",
        list(s.columns),
        key=key,
        max_selections=MOST,
        on_change=take,
        format_func=lambda m: axes.label(s.columns[m]),
        width="stretch",
    )


def _put_ways(s: Source, ways: dict[str, str]) -> None:
    said = ",".join(f"{m}:{d}" for m, d in ways.items())
    start = ",".join(f"{m}:{d}" for m, d in s.start.items())
    fronts.put(obj="" if said == start else said, ref="", zoom="")


def directions(a: Asked) -> None:
    """One switch an objective."""
    for i, (metric, way) in enumerate(a.ways.items()):
        key = _follow(f"front_way_{a.source.mark}_{metric}", way)
        st.segmented_control(
            axes.label(a.source.columns[metric]),
            ["min", "max"],
            key=key,
            required=True,
            format_func=lambda d: ":material/south: lower" if d == "min" else ":material/north: higher",
            on_change=_turn(a, metric, key),
            help="Which way is better." if not i else None,
        )


def _turn(a: Asked, metric: str, key: str) -> Callable[[], None]:
    def take() -> None:
        _put_ways(a.source, {**a.ways, metric: st.session_state[key]})

    return take


def limits(a: Asked) -> None:
    """Limits in a popover; their number stands on its button."""
    s, n = a.source, len(a.limits)
    with st.popover(f"Limits ({n})" if n else "Limits", icon=":material/filter_alt:", width=120):
        st.markdown(":small[:gray[What misses a limit is gray and never on the front.]]")
        key = _follow(f"front_limited_{s.mark}", [c.metric for c in a.limits])
        known = {c.metric: c for c in a.limits}

        def take() -> None:
            _put_limits(s, [known.get(m) or _start(a, m) for m in st.session_state[key]])

        st.multiselect(
            "Metrics to limit",
            list(s.columns),
            key=key,
            on_change=take,
            format_func=lambda m: axes.label(s.columns[m]),
            label_visibility="collapsed",
            placeholder="Choose metrics to limit",
        )
        for c in a.limits:
            _limit(a, c)


def _start(a: Asked, metric: str) -> Constraint:
    """A limit to begin with: what half of all meet."""
    import numpy as np

    way = a.ways.get(metric) or a.source.columns[metric].direction
    middle = float(f"{np.nanmedian(a.source.values(metric)):.4g}")
    return Constraint(metric, ">=" if way == "max" else "<=", middle)


def _put_limits(s: Source, found: list[Constraint]) -> None:
    said, start = fronts.line(found), fronts.line(s.limits)
    fronts.put(limit="" if said == start else said)


def _limit(a: Asked, c: Constraint) -> None:
    name = f"front_limit_{a.source.mark}_{c.metric}"

    def take() -> None:
        sign, value = st.session_state[f"{name}_sign"], st.session_state[f"{name}_value"]
        new = Constraint(c.metric, sign, c.limit if value is None else float(value))
        _put_limits(a.source, [new if o.metric == c.metric else o for o in a.limits])

    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        st.segmented_control(
            axes.label(a.source.columns[c.metric]),
            ["<=", ">="],
            key=_follow(f"{name}_sign", c.sign),
            required=True,
            on_change=take,
            format_func=lambda s: "at most" if s == "<=" else "at least",
        )
        st.number_input(
            "Limit",
            key=_follow(f"{name}_value", float(c.limit)),
            on_change=take,
            format="%.6g",
            label_visibility="collapsed",
        )


def reference(a: Asked) -> None:
    """The reference point, settable."""
    with st.popover("Reference", icon=":material/flag:", width=130):
        st.markdown(
            ":small[:gray[Hypervolume is measured up to this point. By default it lies a tenth of the range "
            "beyond the worst of all, so that the ends of the front count.]]"
        )

        def take() -> None:
            values = [st.session_state[f"front_ref_{a.source.mark}_{m}"] for m in a.ways]
            if None not in values:
                fronts.put(ref=",".join(f"{v:.10g}" for v in values))

        for metric, value in zip(a.ways, a.reference, strict=True):
            st.number_input(
                axes.label(a.source.columns[metric]),
                key=_follow(f"front_ref_{a.source.mark}_{metric}", float(value)),
                on_change=take,
                format="%.6g",
            )
        st.button("Default", icon=":material/restart_alt:", on_click=fronts.put, kwargs={"ref": ""})


def view(a: Asked) -> str:
    """2-D, 3-D or parallel coordinates."""
    options = [v for v in VIEWS if v != "room" or len(a.ways) > 2]
    given = st.query_params.get("view", "")
    start = given if given in options else "plane"
    key = _follow("front_view", start)

    def take() -> None:
        fronts.put(view="" if st.session_state[key] == "plane" else st.session_state[key])

    st.segmented_control(
        "View",
        options,
        key=key,
        required=True,
        on_change=take,
        format_func=VIEWS.__getitem__,
        label_visibility="collapsed",
    )
    return start
