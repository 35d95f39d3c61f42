"""A run as a benchmark table: saved as far as it has come, and again while it grows."""

from __future__ import annotations

import streamlit as st

from nascore.benchmarks import from_run
from nascore.benchmarks.table import check_name
from nascore.errors import AppError
from nascore.runs import launch
from nascore.runs.state import Follow, Summary
from pages.parts import errors, links, show


def start_name(summary: Summary) -> str:
    """What a run's table is called where nobody says otherwise."""
    return f"made-{summary.run}"


def save(run: str, name: str) -> int:
    """Writes what a run has judged so far; returns the table's rows.

    Raises:
        BadInput: no possible or a taken name, or nothing was judged yet.
    """
    live = Follow(run)
    live.read()
    if live.spec is None:
        raise AppError(live.trouble)
    tried = [row.tried for row in live.tally.rows.values()]
    made = from_run.made_of(live.spec, run)
    return from_run.table_of(made, tried, check_name(name), launch.home(), whole=not live.summary().live).rows


def menu(summary: Summary) -> None:
    """A name, and the button; then the way to the table."""
    with st.popover("Save as table", icon=":material/table_chart:", key="as_table"):
        st.markdown(
            ":small[:gray[Browse, rank and search on what this run has judged. Save again to take in what "
            "came since.]]"
        )
        name = st.text_input("Name of the table", start_name(summary), key=f"table_name_{summary.run}")
        if st.button("Save", icon=":material/save:", key="save_table", type="primary"):
            try:
                with st.spinner("Writing the table..."):
                    rows = save(summary.run, name)
            except AppError as error:
                errors.refused(error)
                return
            st.session_state["saved_table"] = (summary.run, name, rows)
        run, saved, rows = st.session_state.get("saved_table", ("", "", 0))
        if run == summary.run:
            st.markdown(f":small[{rows:,} rows are in {show.plain(saved)}.]")
            links.link(links.BENCHMARKS, "Browse it", "scatter_plot", table=saved)
