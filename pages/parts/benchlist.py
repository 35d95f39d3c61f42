"""The chosen architectures of the Benchmarks page as a table, to sort, pick and take along."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore.benchmarks.table import Column, Table
from nascore.space import tuples
from nascore.view import axes, words
from pages.parts import benchask, benchdata, links, show, tables
from pages.parts.benchask import Asked

SHOWN = 100
COLUMNS = 7


def listed(asked: Asked) -> None:
    """How many are chosen, by what they are sorted, and the best hundred."""
    table = asked.table
    sort = st.query_params.get("sort", "")
    sort = sort if sort in table.columns else asked.y
    order = benchdata.order(table, sort)
    rows = order[asked.chosen[order]]
    _head(asked, sort, rows)
    top = rows[:SHOWN]
    frame, columns = rendered(asked, top, sort)
    event: Any = st.dataframe(
        frame,
        hide_index=True,
        height=330,
        row_height=36,
        key=_grid(table, sort, top),
        on_select="rerun",
        selection_mode="multi-row",
        column_config=columns,
        alt=f"The best {len(top)} of {len(rows):,} chosen cells by {sort}",
    )
    _pick(asked, [int(top[i]) for i in event["selection"]["rows"] if i < len(top)])


def _grid(table: Table, sort: str, top: NDArray[np.int64]) -> str:
    """The key of the list. A new list is slow: the key changes only if ticks would lie on other rows."""
    state, name = st.session_state, f"bench_grid_{table.name}"
    shown = (sort, top.tobytes())
    turn, before = state.get(name, (0, shown))
    ticked = (state.get(f"bench_rows_{table.name}_{turn}") or {}).get("selection", {}).get("rows")
    turn += bool(before != shown and ticked)
    state[name] = (turn, shown)
    return f"bench_rows_{table.name}_{turn}"


def _head(asked: Asked, sort: str, rows: NDArray[np.int64]) -> None:
    table = asked.table
    with st.container(horizontal=True, vertical_alignment="center", key="bench-count"):
        n = int(asked.chosen.sum())
        st.markdown(f"**{words.count(n)}** of {words.count(table.rows)} cells chosen", width="content")
        if asked.box:
            st.button(
                "Choose all",
                icon=":material/close:",
                type="tertiary",
                key="bench_all",
                on_click=benchask.put,
                kwargs={"box": ""},
            )
        benchask.choose(
            "Best first by",
            table.metrics,
            "sort",
            sort,
            table=table,
            names=lambda m: f"Best {benchask.named(table, m)} first",
            default=asked.y,
            width=330,
            visible=False,
        )
        st.markdown(show.chip(axes.protocol(table.columns[sort]) or "protocol not given"), width="content")
        st.download_button(
            "CSV",
            lambda: as_csv(table, rows),
            f"{table.name}-{len(rows)}.csv",
            "text/csv",
            key="bench_csv",
            icon=":material/download:",
            on_click="ignore",
            help="All chosen cells with all metrics, in this order",
        )


def as_csv(table: Table, rows: NDArray[np.int64]) -> str:
    """The chosen archs with all that the table knows; the protocol of each metric stands in its head."""
    frame = table.frame.iloc[rows]
    said = {c.name: f"{c.name} [{axes.protocol(c)}]" for c in table.columns.values() if axes.protocol(c)}
    return frame.rename(columns=said).to_csv(index=False)


def rendered(asked: Asked, rows: NDArray[np.int64], sort: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows as a table: number, drawing, the metrics that are looked at with bars, then others."""
    table = asked.table
    frame = pd.DataFrame({"no": benchdata.numbers(table)[rows]})
    columns: dict[str, Any] = {"no": st.column_config.NumberColumn("No.", format="%d", width=70, pinned=True)}
    if drawn := drawings(table, rows):
        frame["cell"] = drawn
        columns["cell"] = st.column_config.ImageColumn("Cell", width=100)
    looked = [asked.y, asked.x, *([asked.color] if asked.color in table.columns else []), sort]
    few = [c.name for c in benchdata.headline(table, COLUMNS)]
    for i, metric in enumerate(list(dict.fromkeys([*looked, *few]))[:COLUMNS]):
        frame[metric] = table.frame[metric].iloc[rows].to_numpy()
        columns[metric] = column_of(table.columns[metric], table.values(metric), bar=i < 2)
    front = benchdata.front(table, asked.x, asked.y)
    frame["front"] = np.isin(rows, front)
    columns["front"] = st.column_config.CheckboxColumn("On the front", width=85)
    frame["text"] = table.frame["text"].iloc[rows].to_numpy()
    columns["text"] = st.column_config.TextColumn("Written as", width=300)
    return frame, columns


def column_of(column: Column, values: NDArray[np.float64], *, bar: bool = False) -> Any:
    """A metric's column in a list: a bar for the few that matter, a number for the others."""
    known = values[np.isfinite(values)]
    title = axes.label(column)
    tip = axes.protocol(column) or None
    form = (
        "%.2f"
        if column.unit in ("%", "share")
        else "compact"
        if len(known) and known.max() >= 1e4
        else "%.4g"
    )
    if bar and len(known) and known.min() < known.max():
        low = float(np.quantile(known, 0.3)) if column.unit == "%" and column.direction == "max" else 0.0
        low = min(low, float(known.min())) if known.min() < 0 else low
        return st.column_config.ProgressColumn(
            title, format=form, min_value=low, max_value=float(known.max()), help=tip
        )
    return st.column_config.NumberColumn(title, format=form, help=tip)


def drawings(table: Table, rows: NDArray[np.int64]) -> list[str]:
    """Small pictures of cells; none where the space is not known or draws nothing."""
    space = benchdata.space_of(table)
    if space is None or len(rows) > tables.THUMBNAILS or not len(rows):
        return []
    shape = benchdata.shape_of(table)[0]
    archs = tuples(table.archs[rows])
    if not space.graph(archs[0], shape).edges:
        return []
    return tables.drawings(archs, space, shape, show.theme().mode)


def _pick(asked: Asked, rows: list[int]) -> None:
    """Ticked rows wear a ring in every picture; the address keeps them."""
    keys = [str(k) for k in asked.table.frame["key"].iloc[rows[: benchask.MOST_PICKED]]]
    if rows and ",".join(keys) != st.query_params.get("pick", ""):
        benchask.put(pick=",".join(keys))
        st.rerun()
    if not asked.picked:
        st.markdown(":small[:gray[Tick rows to ring them in the pictures and to see their curves.]]")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="bench-picked"):
        st.markdown("**Picked**", width="content")
        for row in asked.picked:
            name = f"cell {benchdata.numbers(asked.table)[row]}"
            if where := benchdata.query(asked.table, row):
                links.link(links.ARCHITECTURE, f"Open {name}", "account_tree", **where)
            else:
                st.markdown(show.plain(name), width="content")
        st.button(
            "Pick none",
            icon=":material/close:",
            type="tertiary",
            key="bench_none",
            on_click=_drop,
            args=(asked.table.name,),
        )


def _drop(name: str) -> None:
    benchask.put(pick="")
    turn, shown = st.session_state.get(f"bench_grid_{name}", (0, None))
    st.session_state[f"bench_grid_{name}"] = (turn + 1, shown)  # a list without ticks
