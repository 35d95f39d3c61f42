"""What is in this table, and what makes a cell good? Filters, linked pictures, one list."""

from __future__ import annotations

import time

import streamlit as st

from nascore.benchmarks import filters
from nascore.benchmarks.table import Table
from nascore.errors import AppError
from nascore.view.figures_table import place
from pages.parts import (
    benchask,
    benchdata,
    benchimport,
    benchlist,
    benchmake,
    benchmore,
    benchplots,
    errors,
    show,
)
from pages.parts.benchask import Asked
from pages.parts.setup import page_setup

HOW = (
    "Set a filter or draw a box in the scatter: the chosen cells stay, the rest fades, in every picture and "
    "in the list. Tick rows to ring cells. The address holds the whole view; a reload shows the same."
)

HEAD_START = 0.12  # seconds in which a browser draws what has come; with less it draws all at the end


def controls(table: Table, every: list[Table], asked: Asked) -> None:
    """Which table, which axes, which color, filters, import."""
    names = {t.name: f"{benchdata.title(t)}, {t.rows:,}" for t in every}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="bench-controls"):
        benchask.choose(
            "Table",
            list(names),
            "table",
            table.name,
            table=every[0],
            names=lambda n: names[n],
            default=every[0].name,
            drop=benchask.OF_A_TABLE,
            width=190,
        )
        for label, param, value, default in (
            ("Up", "y", asked.y, benchdata.quality(table)),
            ("Across", "x", asked.x, benchdata.cost(table)),
        ):
            benchask.choose(
                label,
                table.metrics,
                param,
                value,
                table=table,
                names=lambda m: benchask.named(table, m),
                default=default,
                drop=("box", "zoom"),
                width=152,
            )
        benchask.choose(
            "Color",
            [benchask.NONE, *benchask.counts(table), *table.metrics],
            "color",
            asked.color,
            table=table,
            names=lambda m: benchask.named(table, m),
            default=benchask.default_color(table),
            width=150,
        )
        benchask.open_filters(asked)
        benchimport.button()
        benchmake.button()


def what_takes_all(asked: Asked) -> str:
    """A sentence on which filter to take away."""
    if asked.fits.any():
        return "Nothing lies in the box."
    guilty = filters.to_blame(asked.where, asked.table)
    if not guilty:
        return "Take a filter away."
    known = guilty in asked.table.columns
    what = benchask.named(asked.table, guilty) if known else place(guilty)
    return f"Without the filter on {what} some would."


def nothing_fits(asked: Asked) -> None:
    """Says which filter took the last one."""
    show.empty("filter_alt_off", "No cell fits.", what_takes_all(asked))
    with st.container(horizontal=True, horizontal_alignment="center"):
        if asked.box:
            st.button(
                "Choose all",
                icon=":material/close:",
                key="bench_all",
                on_click=benchask.put,
                kwargs={"box": ""},
            )
        if asked.where:
            st.button(
                "Take all filters away",
                icon=":material/filter_alt_off:",
                key="bench_no_filters",
                on_click=benchask.put,
                kwargs={"where": ""},
            )


def answer(asked: Asked) -> None:
    """Pictures, list and one view more. What a filter asks for is sent first: the marks, count and list.

    A browser draws all that comes at once before it shows any of it, and every changed figure but the scatter
    is built anew there. With a pause in between, the marks, the count and the list need not wait for them.
    Where no figure stands yet the scatter comes first: the browser fetches what draws figures meanwhile.
    """
    left, right = st.columns([1.25, 1], gap="medium")
    below, last = st.container(), st.container()
    fresh = benchplots.is_new(asked)
    if fresh:
        with left:
            benchplots.scatter(asked)
    with below:
        benchplots.follow(asked)
        benchlist.listed(asked)
    if not fresh:
        time.sleep(HEAD_START)
        with left:
            benchplots.scatter(asked)
        time.sleep(HEAD_START)
    with right:
        benchplots.effects(asked)
        benchplots.distribution(asked)
    with last:
        benchmore.more(asked)


def opened(every: list[Table]) -> Table | None:
    """The table of the address, or the first; says so where there is none of that name."""
    name = st.query_params.get("table", every[0].name)
    try:
        return benchdata.opened(name)
    except AppError as error:
        errors.refused(error)
        return None


page_setup("Benchmarks")
show.head("Benchmarks", "What is in this table, and what makes a cell good?", HOW)
tables = [t for t in benchdata.every() if t.metrics and t.rows]
benchimport.at_work()
benchmake.at_work()
table = opened(tables) if tables else None
if not tables:
    benchimport.button()
    benchmake.button()
    show.empty(
        "scatter_plot",
        "There is no table yet.",
        "Import one: a file of a published benchmark, a CSV or Parquet.",
    )
elif table is not None:
    view = benchask.asked(table)
    controls(table, tables, view)
    if view.chosen.any():
        answer(view)
    else:
        nothing_fits(view)
