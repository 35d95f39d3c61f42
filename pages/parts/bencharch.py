"""What benchmark tables know of the arch on the Architecture page: ranks, seeds, curves, neighbors."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore import space as spaces
from nascore.benchmarks import explore
from nascore.benchmarks.table import Column, Table
from nascore.space import Arch
from nascore.view import axes, figures_table, words
from nascore.view.tokens import op_label
from pages.parts import arch, benchdata, benchmore, links, show, tables
from pages.parts.arch import Look

Known = list[tuple[Table, int]]
STRIPS = 8
FEW = 20  # rows of a table from which a percentile says something
LONGEST = 40  # characters of a strip's name


def known(look: Look) -> Known:
    """Tables that know the arch, with its row."""
    return benchdata.knowing(look.name, look.arch)


def best_number(found: Known) -> bool:
    """A card with what the first table says of its quality; False where none says anything."""
    for table, row in found:
        name = benchdata.quality(table)
        value = float(table.values(name)[row]) if name else float("nan")
        if np.isfinite(value):
            column = table.columns[name]
            rank, of = table.rank(str(table.frame["key"].iloc[row]), name)
            said = axes.protocol(column) or table.name
            note = f"rank {words.rank(rank, of)}" if column.direction else ""
            show.number(axes.label(column).partition(" (")[0], axes.amount(column, value), said, note=note)
            return True
    return False


def latency_number(found: Known) -> bool:
    """A card with the first latency that a table has; False where none has one."""
    for table, row in found:
        for column in filter(is_latency, table.columns.values()):
            value = float(table.values(column.name)[row])
            if np.isfinite(value):
                show.number("Latency", axes.amount(column, value), axes.protocol(column) or table.name)
                return True
    return False


def panel(found: Known) -> None:
    """Where it stands: a strip each for the metrics that say most, then all metrics with ranks."""
    if not found:
        show.empty(
            "scatter_plot",
            "No table knows this architecture.",
            "Import a benchmark of its space on Benchmarks.",
        )
        return
    rows = [(t, row, *r) for t, row in found for r in explore.ranks(t, row)]
    left, right = st.columns([1, 1.15], gap="medium")
    with left:
        strips(rows)
        latencies(found)
    with right:
        everything(rows, found)


def strips(rows: list[tuple[Any, ...]]) -> None:
    """A strip a metric, from the worst to the best arch of its table; the first of each table come first."""
    several = len({t.name for t, *_ in rows}) > 1
    order = {(t.name, c.name): i for t, *_ in rows for i, c in enumerate(benchdata.headline(t))}
    fine = [r for r in rows if (r[0].name, r[2]) in order and r[4] and r[0].rows >= FEW]
    fine.sort(key=lambda r: order[r[0].name, r[2]])
    drawn = []
    for t, _, name, value, rank, of, share in fine[:STRIPS]:
        what = axes.label(t.columns[name]).partition(" (")[0]
        what += f" · {benchdata.title(t)}" if several else ""
        what = what if len(what) <= LONGEST else what[: LONGEST - 1] + "…"
        drawn.append((what, share, axes.amount(t.columns[name], value), words.rank(rank, of)))
    show.panel(
        "Where it stands",
        "Each strip is one metric of one table, from its worst cell at 0 to its best at 100. The ring is "
        "this one; its value stands at the left. Costs count as better when lower.",
        figures_table.standing(drawn, show.theme()),
        "standing",
        "; ".join(f"{n}: {v}, rank {r}" for n, _, v, r in drawn),
    )


def everything(rows: list[tuple[Any, ...]], found: Known) -> None:
    """All metrics of all tables, each with its protocol."""
    frame = pd.DataFrame(
        [
            {
                "metric": axes.label(t.columns[name]),
                "value": axes.amount(t.columns[name], value),
                "rank": words.rank(rank, of) if rank else "",
                "share": share if rank else None,
                "protocol": axes.protocol(t.columns[name]) or "not given",
                "table": benchdata.title(t),
            }
            for t, _, name, value, rank, of, share in rows
        ]
    )
    names = ", ".join(benchdata.title(t) for t, _ in found)
    show.over(
        f"All {len(frame)} numbers of {len(found)} table{'s' * (len(found) != 1)}",
        f"Rank 1 is the best. The percentile is the share of the other cells that are not better. "
        f"Tables: {show.plain(names)}.",
        key="all-numbers",
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=tables.height(len(frame)),
        key="all_numbers",
        alt="Every metric with value, rank, percentile and protocol",
        column_config={
            "metric": st.column_config.TextColumn("Metric", width=190, pinned=True),
            "value": st.column_config.TextColumn("Value", width=85),
            "rank": st.column_config.TextColumn("Rank", width=105),
            "share": st.column_config.NumberColumn("Percentile", format="%.1f", width=75),
            "protocol": st.column_config.TextColumn("Protocol", width=260),
            "table": st.column_config.TextColumn("Table", width=110),
        },
    )


def is_latency(column: Column) -> bool:
    """Whether a metric is a latency of a device."""
    return "latency" in column.name.lower() or "latency" in column.title.lower()


def latencies(found: Known) -> None:
    """Latency on each device that some table measured."""
    rows = []
    for table, row in found:
        for column in filter(is_latency, table.columns.values()):
            value = float(table.values(column.name)[row])
            if np.isfinite(value):
                device = column.protocol.data or axes.label(column)
                rows.append(
                    {"device": device, "value": value, "unit": column.unit, "source": column.protocol.source}
                )
    if not rows:
        st.markdown(":small[:gray[No table has a latency of it. Import one on Benchmarks.]]")
        return
    frame = pd.DataFrame(rows).sort_values("value")
    show.over(
        f"Latency on {len(frame)} device{'' if len(frame) == 1 else 's'}",
        "As published; batch and precision are the source's.",
        key="latency",
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=min(tables.height(len(frame)), 230),
        key="latencies",
        alt="Latency of each device with its source",
        column_config={
            "device": "Device",
            "value": st.column_config.ProgressColumn(
                "Latency", format="%.3g", min_value=0.0, max_value=float(frame["value"].max()) or 1.0
            ),
            "unit": st.column_config.TextColumn("Unit", width=50),
            "source": "Source",
        },
    )


def trainings(look: Look, found: Known) -> None:
    """All seeds and epochs that tables know: curves with bands, and each training's numbers."""
    some = [(t, row) for t, row in found if t.has("runs") or t.has("curves")]
    if not some:
        show.empty(
            "show_chart",
            "No table has single trainings of this architecture.",
            "The embedded benchmark and imports with seeds have them.",
        )
        return
    names = {t.name: benchdata.title(t) for t, _ in some}
    name = some[0][0].name
    if len(some) > 1:
        name = st.segmented_control(
            "Table",
            list(names),
            default=name,
            format_func=lambda n: names[n],
            key="train_table",
            required=True,
        )
    table, row = next((t, r) for t, r in some if t.name == name)
    key = str(table.frame["key"].iloc[row])
    curves, runs = benchdata.curves(table, [key]), benchdata.runs(table, [key])
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        if curves.empty:
            st.markdown(":gray[No curve is known of it.]")
        else:
            benchmore.curve_panel(
                curves, {key: f"cell {benchdata.numbers(table)[row]}"}, f"arch_{table.name}"
            )
    with right:
        _runs(runs)
        if len(runs) and (trained := look.space.canonical(look.arch)) != look.arch:
            st.markdown(
                f":small[:gray[Equal networks were trained once, as {spaces.key(look.space, trained)}.]]"
                if not table.runs(key).shape[0]
                else ""
            )


def _runs(runs: pd.DataFrame) -> None:
    if runs.empty:
        st.markdown(":gray[No single training is known of it.]")
        return
    st.markdown(f"**{len(runs)} training{'s' * (len(runs) != 1)}**, a row each")
    shown = runs.drop(columns=[c for c in ("row", "key") if c in runs]).dropna(axis=1, how="all")
    numbers = [c for c in shown if c not in ("data", "split", "seed", "epochs") and _is_number(shown[c])]
    shown = shown[[c for c in ("data", "split", "seed", "epochs") if c in shown] + numbers]
    st.dataframe(
        shown,
        hide_index=True,
        height=min(tables.height(len(shown)), 330),
        key="single_runs",
        alt="Each training with its seed, epochs and values",
        column_config={
            c: st.column_config.NumberColumn(words.metric_title(c), format="%.4g") for c in numbers
        },
    )


def _is_number(column: pd.Series) -> bool:
    return column.dtype.kind in "iuf"


def around(look: Look) -> pd.DataFrame:
    """All neighbors: key, choice, edge, op, arch."""
    where = arch.edge_names(look.graph)
    rows = []
    for choice, other in spaces.neighbors(look.space, look.arch):
        op = str(spaces.describe(look.space, other)[choice])
        edge = where.get(choice, figures_table.place(choice))
        rows.append(
            {"key": spaces.key(look.space, other), "choice": choice, "edge": edge, "op": op, "arch": other}
        )
    return pd.DataFrame(rows)


def neighbors(look: Look, found: Known, query: dict[str, str]) -> None:
    """One edit away by a metric of a table: what is better, in a sentence, a figure and a list."""
    options = [(t.name, c.name) for t, _ in found for c in benchdata.headline(t)]
    names = {t.name: t for t, _ in found}
    with st.container(horizontal=True, vertical_alignment="center"):
        choice = st.selectbox(
            "By",
            options,
            format_func=lambda o: (
                axes.label(names[o[0]].columns[o[1]])
                + (f" · {benchdata.title(names[o[0]])}" if len(names) > 1 else "")
            ),
            key=f"near_by_{look.name}",
            width=360,
            label_visibility="collapsed",
        )
    table = names[choice[0]]
    axis = benchdata.axis(table, choice[1])
    near = around(look)
    if near.empty:
        return
    near["value"] = table.value(choice[1], [_arch(a) for a in near["arch"]])
    here = float(table.value(choice[1], [look.arch])[0])
    sign = 1 if axis.column.direction == "min" else -1
    near = near.sort_values("value", ascending=sign > 0, kind="stable", na_position="last").reset_index(
        drop=True
    )
    _said(near, axis, here, look, query)
    left, right = st.columns([1.4, 1], gap="medium")
    with left:
        event = show.panel(
            "What one edit does",
            "A row is an edge, a dot a cell that differs only there; its color and shape are the operation "
            "that would stand there. The line is this cell. Click a dot to open it.",
            figures_table.steps(near, axis, here, show.theme()),
            f"steps-{look.key}-{choice[0]}-{choice[1]}",
            f"{len(near)} neighbors by {axis.title}",
            select="rerun",
        )
        st.markdown(show.chip(axes.protocol(axis.column) or "protocol not given"))
        if hit := show.clicked(event):
            links.go(links.ARCHITECTURE, **{**query, "arch": hit})
    with right:
        _list(near, axis, here, look, query)


def _arch(given: Any) -> Arch:
    return tuple(int(i) for i in given)


def _said(near: pd.DataFrame, axis: axes.Axis, here: float, look: Look, query: dict[str, str]) -> None:
    """`One edit away is better: ...`, or that none is."""
    sign = -1 if axis.column.direction == "min" else 1
    fine = near[np.isfinite(near["value"])]
    better = fine[sign * (fine["value"] - here) > 0]
    if not np.isfinite(here):
        st.markdown(":gray[This table has no value of this cell.]")
    elif better.empty:
        st.markdown(f"No cell one edit away is better: a local best among {len(fine)} neighbors.")
    else:
        first = better.iloc[0]
        gap = axes.difference(axis.column, float(first["value"]) - here)
        was = str(spaces.describe(look.space, look.arch).get(first["choice"], ""))
        now = op_label(str(first["op"]))
        text = f"One edit away is better: {first['edge']} {now} instead of {op_label(was)}, {gap}"
        with st.container(horizontal=True, vertical_alignment="center"):
            links.link(
                links.ARCHITECTURE,
                f"**{show.plain(text, 200)}**",
                "trending_up",
                **{**query, "arch": str(first["key"])},
            )
            st.markdown(f":gray[{len(better)} of {len(fine)} neighbors are better.]", width="content")


def _list(near: pd.DataFrame, axis: axes.Axis, here: float, look: Look, query: dict[str, str]) -> None:
    frame = pd.DataFrame(
        {
            "edge": near["edge"],
            "op": [[op_label(str(o))] for o in near["op"]],
            "value": near["value"],
            "gap": near["value"] - here,
        }
    )
    event: Any = st.dataframe(
        frame,
        hide_index=True,
        height=345,
        key=f"near-known-{look.key}-{axis.column.name}",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
        alt="Neighbors, best first, with their difference to this cell",
        column_config={
            "edge": st.column_config.TextColumn("Edge", width=65),
            "op": tables.op_column("Now", [str(o) for o in near["op"]], show.theme()),
            "value": st.column_config.NumberColumn(axis.title, format="%.4g", width=110),
            "gap": st.column_config.NumberColumn("Difference", format="%+.3g", width=85),
        },
    )
    if rows := event["selection"]["rows"]:
        links.go(links.ARCHITECTURE, **{**query, "arch": str(near["key"].iloc[rows[0]])})


def equal_values(look: Look, found: Known, same: list[Arch]) -> None:
    """What tables say of the equal networks: one value where they were trained once, else its range."""
    for table, _ in found:
        name = benchdata.quality(table)
        column = table.columns[name]
        values = table.value(name, [look.arch, *same])
        fine = values[np.isfinite(values)]
        if len(fine) < 2:
            continue
        low, high = axes.amount(column, float(fine.min())), axes.amount(column, float(fine.max()))
        span = low if low == high else f"{low} to {high}"
        what = show.plain(axes.label(column).partition(" (")[0])
        st.markdown(
            f"{what} of {len(fine):,} equal ones: **{show.plain(span)}** "
            + show.chip(axes.protocol(column) or benchdata.title(table))
        )
