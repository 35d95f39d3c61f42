"""Look into neural architectures: a first picture from real data, three ready searches, the latest runs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import before, benchdata, compose, first, links, show, stores, tables
from pages.parts.setup import page_setup

LATEST = 6
QUESTION = "Every dot is a network that was trained. Which one would you take?"
WITHOUT_TABLE = "NAScope trains and judges networks here: compose a search, watch it, open what it found."
ICONS = {"quick": "bolt", "pareto": "line_axis", "halving": "content_cut"}


def ready_searches(names: list[str]) -> None:
    """A card each, started by one click."""
    with st.grid("auto", min_column_width=270):
        for name in names:
            spec = compose.ready(name)
            with st.container(border=True, gap="xsmall", height="stretch", key=f"ready-{name}"):
                icon = ICONS.get(name, "travel_explore")
                st.markdown(
                    f":material/{icon}: **{show.plain(spec.title or compose.READY.get(name, name))}**"
                )
                st.markdown(f":small[:gray[{show.plain(compose.in_words(spec), 200)}]]")
                with st.container(horizontal=True, vertical_alignment="center"):
                    start = st.button("Start", icon=":material/play_arrow:", key=f"start_{name}")
                    links.link(links.SEARCH, ":small[Look first]", "tune", spec=name)
                if start and (run_id := before.start(spec)):
                    links.go(links.RUNS, run=run_id)


def what_next() -> None:
    """What can be done here, a line each."""
    st.markdown("**What you can do here**")
    for icon, page, label, say in (
        (
            "scatter_plot",
            links.BENCHMARKS,
            "Browse a benchmark",
            "Filter, brush and rank what is trained already.",
        ),
        ("travel_explore", links.SEARCH, "Start a search", "Space, task, strategy, budget; real trainings."),
        ("monitoring", links.RUNS, "Watch it run", "Progress, curves, front, family tree, log."),
        (
            "account_tree",
            links.ARCHITECTURE,
            "Look at one architecture",
            "Its cell, costs, neighbors, parents.",
        ),
    ):
        with st.container(gap=None):
            links.link(page, f"**{label}**", icon)
            st.markdown(f":small[:gray[{show.plain(say)}]]")


def latest(frame: pd.DataFrame) -> None:
    """The newest runs; a selected row opens its run."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Latest runs**", width="content")
        links.link(links.RUNS, "All runs", "arrow_forward")
    top = frame.head(LATEST)
    table, columns = tables.runs(top, spark=True)
    event: Any = st.dataframe(
        table,
        hide_index=True,
        key="latest",
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        alt=f"{len(top)} latest runs with state, progress and best value",
    )
    if rows := event["selection"]["rows"]:
        links.go(links.RUNS, run=str(top["run"].iloc[rows[0]]))


page_setup("Home")
runs, names, table = stores.runs(), compose.ready_names(), benchdata.embedded()
show.head("Look into neural architectures", QUESTION if table else WITHOUT_TABLE)
first_steps = runs.empty and bool(names)
if first_steps and not table:
    show.over("No run yet. Start one of these by one click", key="ready")
    ready_searches(names)
left, right = st.columns([2.35, 1], gap="medium")
with left:
    if table:
        first.of_table(table)
    elif newest := stores.latest(runs):
        first.of_run(newest)
    else:
        first.of_space()
with right:
    what_next()
if len(runs):
    latest(runs)
if len(runs) or (first_steps and table):
    say = "Ready searches" if len(runs) else "No run yet. Start one of these by one click"
    show.over(say, key="ready")
    ready_searches(names)
