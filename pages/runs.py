"""How is it going, and what has it found? All runs, or one of them live."""

from __future__ import annotations

from typing import Any

import streamlit as st

from nascore.runs import subnets as kept_subnets
from nascore.runs.state import Summary
from pages.parts import (
    comparedata,
    links,
    runacts,
    runtable,
    runview,
    runwatch,
    selection,
    show,
    stores,
    subnets,
    tables,
)
from pages.parts.setup import page_setup

HOW = (
    "Everything here is read from the run's journal and refreshes every two seconds while the run lives. "
    "You may close the page or restart the app: the search goes on, and this link opens the same view."
)


def everything() -> None:
    """All runs; a selected row opens its run."""
    show.head("Runs", "What was searched, and what came of it?")
    frame = stores.runs()
    if frame.empty:
        show.empty("monitoring", "No run yet.", "Start one: a quick search takes about a minute.")
        links.link(links.SEARCH, "New search", "travel_explore")
        return
    live = bool(frame["state"].isin(stores.LIVE).any())

    @st.fragment(run_every=stores.pace() if live else None)
    def listed() -> None:
        now = stores.runs()
        if live and not bool(now["state"].isin(stores.LIVE).any()):
            st.rerun()
        table, columns = tables.runs(now)
        event: Any = st.dataframe(
            table,
            hide_index=True,
            key="runs",
            height=min((len(table) + 1) * tables.ROW + 3, 620),
            column_config=columns,
            on_select="rerun",
            selection_mode="single-row",
            alt=f"{len(table)} runs with state, progress and best value",
        )
        if rows := event["selection"]["rows"]:
            links.go(links.RUNS, run=str(now["run"].iloc[rows[0]]))

    listed()
    st.markdown(":small[:gray[Select a row to open the run.]]")
    links.link(links.COMPARE, "Compare runs", "stacked_line_chart")


def gone(run_id: str) -> None:
    """There is no such run, or no longer."""
    show.head("Runs", "How is it going, and what has it found?")
    show.empty(
        "delete", f"There is no run {run_id[:60]}.", "It was deleted, or the link is not from this machine."
    )
    links.link(links.RUNS, "All runs", "monitoring")


def live_part(run_id: str, was_live: bool) -> None:
    """Everything about a run that changes while it lives."""
    summary = stores.run(run_id)
    if summary is None or summary.live != was_live:
        st.rerun()  # the page's timer begins or ends
        return
    t, spec, frame = show.theme(), stores.spec(run_id), stores.tried(run_id)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        runview.badges(summary)
        runacts.buttons(summary)
    runview.state_box(summary)
    if summary.state == "unreadable":
        return
    shared = runwatch.has(summary, spec)
    runview.progress(summary, runwatch.progress(summary, spec))
    runview.numbers(summary, frame)
    if not shared:
        runview.figures_of(summary, frame, t)
    kept = spec is not None and not summary.live and kept_subnets.can(run_id)
    tabs = st.tabs([runwatch.TAB] * shared + [subnets.TAB] * kept + list(runview.TABS), key="run_tab")
    if shared:
        with tabs[0]:
            runwatch.tab(summary, spec, t)
    if kept and spec is not None:
        with tabs[-5]:
            subnets.tab(summary, spec)
            selection.part(summary, spec)
    with tabs[-4]:
        runview.tried_tab(summary, frame, spec, t)
    with tabs[-3]:
        runview.front_tab(summary, frame, t)
    with tabs[-2]:
        runview.curves_tab(summary, t)
    with tabs[-1]:
        runview.log_tab(summary)


def one(summary: Summary) -> None:
    """One run, followed while it lives."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width="stretch"):
            show.head(summary.title or f"Run {summary.run}", "How is it going, and what has it found?", HOW)
        runacts.menus(summary)
    st.fragment(live_part, run_every=stores.pace() if summary.live else None)(summary.run, summary.live)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        links.link(links.RUNS, "All runs", "arrow_back")
        links.link(links.PARETO, "Its fronts", "line_axis", source=f"run:{summary.run}")
        near = ",".join(comparedata.alike(stores.runs(), summary.run)[:30])
        links.link(links.COMPARE, "Compare with its like", "stacked_line_chart", runs=near)
        runtable.menu(summary)


page_setup("Runs")
if run_id := st.query_params.get("run"):
    found = stores.run(run_id)
    links.settle(run=run_id)
    if found is not None:
        one(found)
    else:
        gone(run_id)
else:
    links.settle(run="")
    everything()
