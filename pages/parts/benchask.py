"""What a person asks of a table on the Benchmarks page. The address is the truth; widgets follow it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nascore.benchmarks import filters
from nascore.benchmarks.filters import Where
from nascore.benchmarks.table import Column, Table
from nascore.view import axes
from nascore.view.axes import Axis
from nascore.view.figures_table import place
from nascore.view.tokens import op_label
from pages.parts import benchdata

COUNT = "count:"
NONE = "none"
MOST_PICKED = 5
OF_A_TABLE = ("x", "y", "color", "where", "box", "zoom", "pick", "sort", "z", "view", "curve", "noise")


@dataclass(frozen=True)
class Asked:
    """One view of a table.

    Attributes:
        table: what is looked at.
        x, y: metrics across and up.
        color: a metric, `count:<option>`, or none.
        where: the filters.
        box: least and largest places across and up, drawn in the scatter; None without.
        fits: (rows,) what the filters leave.
        chosen: (rows,) what filters and box leave.
        picked: rows with a ring.
    """

    table: Table
    x: str
    y: str
    color: str
    where: Where
    box: tuple[float, float, float, float] | None
    fits: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    picked: list[int]

    @property
    def pair(self) -> tuple[Axis, Axis]:
        """The two axes."""
        return benchdata.axis(self.table, self.x), benchdata.axis(self.table, self.y)

    @property
    def tint(self) -> Axis | None:
        """What colors the dots."""
        return axis_of(self.table, self.color) if self.color != NONE else None


def axis_of(table: Table, name: str) -> Axis:
    """A metric's axis, or how often an option stands in each arch."""
    if not name.startswith(COUNT):
        return benchdata.axis(table, name)
    option = name.removeprefix(COUNT)
    found = np.zeros(table.rows)
    for i, choice in enumerate(table.choices):
        said = [str(o) for o in choice.options]
        if option in said:
            found += table.archs[:, i] == said.index(option)
    return Axis(Column(name, f"{op_label(option)}s"), found)


def counts(table: Table) -> list[str]:
    """Options that can color: those that stand in several choices."""
    options = [str(o) for c in table.choices for o in c.options]
    return [COUNT + o for o in dict.fromkeys(options) if options.count(o) > 1]


def named(table: Table, name: str) -> str:
    """What a metric or another color is called in a list."""
    if name == NONE:
        return "Nothing"
    if name.startswith(COUNT):
        return f"Number of {op_label(name.removeprefix(COUNT))}"
    return axes.label(table.columns[name])


def asked(table: Table) -> Asked:
    """What the address asks of a table; nonsense in it is as good as nothing."""
    query, metrics = st.query_params, table.metrics
    y = _known(query.get("y"), metrics, benchdata.quality(table))
    x = _known(query.get("x"), metrics, benchdata.cost(table))
    color = _known(query.get("color"), [NONE, *counts(table), *metrics], default_color(table))
    where = filters.read(query.get("where", ""), table)
    fits = filters.mask(where, table)
    box = box_of(query.get("box", ""), x, y)
    chosen = fits
    if box is not None:
        px, py = (benchdata.axis(table, m).places for m in (x, y))
        chosen = fits & (px >= box[0]) & (px <= box[1]) & (py >= box[2]) & (py <= box[3])
    return Asked(table, x, y, color, where, box, fits, chosen, picked(table))


def default_color(table: Table) -> str:
    """What colors the dots where nobody said: how many 3x3 convolutions there are, where there are such."""
    return next((c for c in counts(table) if "conv_3x3" in c), NONE)


def default_axis(table: Table) -> Axis | None:
    """The axis of the default color."""
    color = default_color(table)
    return axis_of(table, color) if color != NONE else None


def _known(given: str | None, options: Sequence[str], default: str) -> str:
    return given if given is not None and given in options else default


def box_of(text: str, x: str, y: str) -> tuple[float, float, float, float] | None:
    """The box of an address, if it belongs to these axes: `x,y,least x,largest x,least y,largest y`."""
    parts = text.split(",")
    if len(parts) != 6 or parts[:2] != [x, y]:
        return None
    try:
        x0, x1, y0, y1 = map(float, parts[2:])
    except ValueError:
        return None
    return (x0, x1, y0, y1) if all(map(math.isfinite, (x0, x1, y0, y1))) else None


def picked(table: Table) -> list[int]:
    """Rows of the archs that wear a ring, at most five."""
    keys = [k for k in st.query_params.get("pick", "").split(",") if k][:MOST_PICKED]
    if not keys:
        return []
    at = table.frame["key"]
    hits = [np.flatnonzero((at == k).to_numpy(dtype=bool)) for k in dict.fromkeys(keys)]
    return [int(h[0]) for h in hits if len(h)]


def put(**said: str) -> None:
    """Writes into the address; empty takes a name out."""
    for name, value in said.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def choose(
    label: str,
    options: Sequence[str],
    param: str,
    value: str,
    *,
    table: Table,
    names: Callable[[str], str],
    default: str = "",
    drop: tuple[str, ...] = (),
    width: Any = "stretch",
    visible: bool = True,
) -> None:
    """A select that writes the address and shows what stands there; `drop` names what a change takes out."""
    key = f"bench_{param}_{table.name}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value

    def take() -> None:
        chosen = str(st.session_state[key])
        put(**dict.fromkeys(drop, ""), **{param: "" if chosen == default else chosen})

    st.selectbox(
        label,
        list(options),
        key=key,
        on_change=take,
        format_func=names,
        width=width,
        label_visibility="visible" if visible else "collapsed",
    )


def open_filters(asked: Asked) -> None:
    """The filters, in a popover; their number stands on its button."""
    table, n = asked.table, len(asked.where)
    with (
        st.popover(f"Filters ({n})" if n else "Filters", icon=":material/filter_alt:", width=128),
        st.container(width=460),
    ):
        _follow(asked)
        st.text_input(
            "Key, official string or number",
            key=_key(asked, "text"),
            on_change=_take,
            args=(asked,),
            placeholder="for example nor_conv_3x3~2",
        )
        if table.choices:
            st.markdown("**Operations** that may stand there")
            columns = st.columns(2, gap="small")
            for i, choice in enumerate(table.choices):
                columns[i % 2].multiselect(
                    place(choice.name),
                    [str(o) for o in choice.options],
                    key=_key(asked, choice.name),
                    on_change=_take,
                    args=(asked,),
                    format_func=op_label,
                    placeholder="any",
                )
        st.markdown("**Ranges**")
        st.multiselect(
            "Metrics to limit",
            table.metrics,
            key=_key(asked, "limited"),
            format_func=lambda m: named(table, m),
            label_visibility="collapsed",
            placeholder="Choose metrics to limit",
            on_change=_take,
            args=(asked,),
        )
        for metric in st.session_state[_key(asked, "limited")]:
            _slider(asked, metric)
        if asked.where:
            st.button(
                "Take all filters away", icon=":material/filter_alt_off:", on_click=put, kwargs={"where": ""}
            )


def _key(asked: Asked, name: str) -> str:
    return f"bench_f_{asked.table.name}_{name}"


def _follow(asked: Asked) -> None:
    """Puts the address's filters into the widgets, unless they have just written them."""
    line, table, state = asked.where.line(), asked.table, st.session_state
    if state.get(_key(asked, "line")) == line and _key(asked, "limited") in state:
        return
    state[_key(asked, "line")] = line
    state[_key(asked, "text")] = asked.where.text
    for choice in table.choices:
        state[_key(asked, choice.name)] = list(asked.where.options.get(choice.name, ()))
    shown = [m for m in (asked.y, asked.x) if m not in asked.where.ranges]
    state[_key(asked, "limited")] = [*asked.where.ranges, *dict.fromkeys(shown)]
    for metric in state[_key(asked, "limited")]:
        if bounds := _bounds(asked, metric):
            low, high = asked.where.ranges.get(metric, bounds)
            low, high = max(low, bounds[0]), min(high, bounds[1])
            state[_key(asked, f"range_{metric}")] = (low, high) if low <= high else bounds


def _bounds(asked: Asked, metric: str) -> tuple[float, float] | None:
    values = benchdata.axis(asked.table, metric).values
    known = values[np.isfinite(values)]
    if not len(known) or known.min() == known.max():
        return None
    return float(known.min()), float(known.max())


def _slider(asked: Asked, metric: str) -> None:
    bounds = _bounds(asked, metric)
    if bounds is None:
        st.markdown(f":small[:gray[{named(asked.table, metric)}: all cells have the same value.]]")
        return
    key = _key(asked, f"range_{metric}")
    if key not in st.session_state:
        st.session_state[key] = bounds
    st.slider(
        named(asked.table, metric),
        *bounds,
        key=key,
        step=(bounds[1] - bounds[0]) / 500,
        format="compact" if bounds[1] >= 10_000 else "%.4g",
        on_change=_take,
        args=(asked,),
    )


def _take(asked: Asked) -> None:
    """Reads the widgets into the address; an end at its bound is no limit."""
    state, table = st.session_state, asked.table
    options = {c.name: tuple(state.get(_key(asked, c.name)) or ()) for c in table.choices}
    ranges = {}
    for metric in state.get(_key(asked, "limited"), []):
        given, bounds = state.get(_key(asked, f"range_{metric}")), _bounds(asked, metric)
        if given is None or bounds is None:
            continue
        tiny = (bounds[1] - bounds[0]) / 1e4
        low = given[0] if given[0] > bounds[0] + tiny else -math.inf
        high = given[1] if given[1] < bounds[1] - tiny else math.inf
        if math.isfinite(low) or math.isfinite(high):
            ranges[metric] = (low, high)
    text = str(state.get(_key(asked, "text")) or "").strip()
    where = Where({c: o for c, o in options.items() if o}, ranges, text)
    line = filters.read(where.line(), table).line()
    state[_key(asked, "line")] = line
    put(where=line)
