"""What stands above the tabs of the Architecture page: numbers, cell, network."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from nascore.errors import AppError
from nascore.graph import Edge, Graph
from nascore.runs.state import Summary
from nascore.view import rows, scene, words
from nascore.view.tokens import LIVE, Tokens, op_label
from pages.parts import arch, bencharch, links, show, stores, tables
from pages.parts.arch import Look
from pages.parts.graph import graph

Hit = tuple[Summary, dict[str, Any]]
FEW, FEWER = 9, 4  # rows of the table of edges that are seen at once, and beside a picked one


def numbers(look: Look, tries: list[Hit], cell: Graph, known: bencharch.Known) -> None:
    """Four numbers, each with what it stands for."""
    cards = st.columns(4, gap="small")
    with cards[0]:
        if tries or not bencharch.best_number(known):
            _judged(tries)
    with cards[1]:
        timed = [(s, h) for s, h in tries if "latency_ms" in h["metrics"] and not h["failed"]]
        if timed:
            summary, hit = timed[0]
            machine = str(summary.about.get("machine", "")) or "this machine"
            show.number(
                "Latency", words.ms(hit["metrics"]["latency_ms"]), f"measured on {machine}, batch of one"
            )
        elif not bencharch.latency_number(known):
            show.number(
                "Latency", "not measured", "A search with latency as an objective or a limit measures it."
            )
    with cards[2]:
        show.number("Parameters", words.compact(cell.params), look.counted)
    with cards[3]:
        show.number("Multiply-adds", words.compact(cell.flops), look.counted)


def _judged(tries: list[Hit]) -> None:
    """The error of the newest run that tried it; says so where none did."""
    if not tries:
        show.number("Validation error", "not tried", "No run has tried this architecture.")
        return
    summary, hit = tries[0]
    label = "Validation error"
    if hit["failed"]:
        show.number(label, "failed", hit["failed"])
        return
    metric = summary.objectives[0][0] if summary.objectives else "error"
    metric = "error" if "error" in hit["metrics"] else metric
    label = label if metric == "error" else words.metric_title(metric).partition(" (")[0]
    value = words.metric(metric, hit["metrics"].get(metric))
    show.number(
        label, value, stores.protocol(summary), help=f"From run {summary.run}, evaluation {hit['index']}."
    )


def cell(look: Look, graph_: Graph, near: pd.DataFrame, query: dict[str, str]) -> None:
    """The cell, and beside it (below where it is wide) what each edge costs or what was picked."""
    large = len(rows.pieces(graph_)) > 1
    picked = _picked()
    edge = next((e for e in graph_.edges if scene.edge_id(e.source, e.target) == picked), None)
    if large:
        _drawing(graph_, picked)
        if edge is None:
            _edges(graph_, show.theme(), FEWER)
            return
        left, right = st.columns([1, 1.3], gap="medium")
        with left:
            _edge(look, edge, near, query)
        with right:
            _edges(graph_, show.theme(), FEW)
        return
    left, right = st.columns([1.75, 1], gap="medium")
    with left:
        _drawing(graph_, picked)
    with right:
        if edge is not None:
            _edge(look, edge, near, query)
        _edges(graph_, show.theme(), FEWER if edge is not None else FEW)


def _drawing(graph_: Graph, picked: str | None) -> None:
    with st.container(border=True, gap="xsmall", key="cell-card"):
        mode = st.segmented_control(
            "Drawing",
            ["Operations", "Cost"],
            default="Operations",
            key="drawing",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
        said = ", ".join(f"{e.source} to {e.target} {op_label(e.op)}" for e in graph_.edges)
        drawing = rows.cell(
            graph_,
            LIVE,
            mode=str(mode or "Operations").lower(),
            picked=picked,
            label=f"Cell: {said}",
        )
        graph(drawing, key="cell", height=max(320, drawing["h"]), pick=True)
        whole = words.compact(graph_.flops)
        note = {
            "Operations": "Click a line for its operation and the architectures that differ only there.",
            "Cost": f"Multiply-adds over all cells, of {whole} in all; line width follows them.",
        }
        st.markdown(f":small[:gray[{note[str(mode or 'Operations')]}]]")


def _picked() -> str | None:
    """The picked part of the cell."""
    return (st.session_state.get("cell") or {}).get("picked")


def _edge(look: Look, edge: Edge, near: pd.DataFrame, query: dict[str, str]) -> None:
    """A picked edge: its operation, its cost, and what could stand there instead."""
    with st.container(border=True, gap="xsmall", key="picked-edge"):
        st.markdown(
            f"**{show.plain(edge.source)} to {show.plain(edge.target)}: {show.plain(op_label(edge.op))}**"
        )
        st.markdown(f":small[:gray[{show.plain(arch.cost_line(edge.params, edge.flops))}, over all cells]]")
        if edge.dead:
            st.markdown(":orange-badge[:material/link_off: carries nothing to the output]")
        others = near[near["choice"] == edge.choice] if len(near) else near
        if len(others):
            st.markdown(":small[Instead:]")
        for row in others.to_dict("records"):
            error = row.get("error")
            tail = f" · {words.percent(error)} error" if error is not None and error == error else ""
            label = f"{op_label(row['op'])} · {words.compact(row['params'])} params{tail}"
            links.link(
                links.ARCHITECTURE, show.plain(label), "arrow_forward", **{**query, "arch": row["address"]}
            )


def _edges(graph_: Graph, t: Tokens, most: int) -> None:
    """What each edge costs, as a table that shows `most` rows at once."""
    with st.container(gap="xsmall"):
        show.over(
            "Cost of each edge",
            "Parameters and multiply-adds of an edge, summed over all cells.",
            key="edges",
        )
        edges = arch.worked(graph_)
        labels = {e.op: op_label(e.op) for e in edges}
        frame = arch.edge_table(graph_, labels)
        wide = 60 if not len(frame) or frame["edge"].str.len().max() < 9 else 150
        st.dataframe(
            frame,
            hide_index=True,
            key="edge_costs",
            height=tables.height(min(len(frame), most)),
            alt="Operation, parameters and multiply-adds of each edge",
            column_config={
                "edge": st.column_config.TextColumn("Edge", width=wide),
                "op": tables.op_column("Operation", [e.op for e in edges], t),
                "params": st.column_config.NumberColumn("Params", format="compact", width=70),
                "flops": st.column_config.NumberColumn("Multiply-adds", format="compact", width=90),
            },
        )


def run_values(run_id: str | None) -> dict[str, dict[str, float]]:
    """Key -> metrics of everything that a run tried."""
    if not run_id:
        return {}
    frame = stores.tried(run_id)
    names = stores.metrics_of(frame)
    if frame.empty or not names:
        return {}
    good = frame[frame["failed"].fillna("").eq("")].drop_duplicates("key", keep="last")
    return good.set_index("key")[names].to_dict("index")  # type: ignore[return-value]


def safe_tries(look: Look) -> list[Hit]:
    """Runs that tried it; none where the store cannot be asked."""
    try:
        return stores.tries(look.name, look.key)
    except AppError:
        return []
