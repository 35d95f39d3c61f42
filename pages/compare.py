"""Which search is better, and can we be sure? Several runs side by side, with their seeds."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from nascore.measures import checklist
from pages.parts import (
    benchdata,
    beside,
    compareask,
    comparecalc,
    comparedata,
    comparenets,
    compareranks,
    comparetables,
    compareview,
    links,
    show,
    stores,
)
from pages.parts.comparecalc import Asked
from pages.parts.setup import page_setup

HOW = (
    "Choose runs. Those that differ in their seed alone are one method; methods are named by what sets them "
    "apart, and can be renamed. Curves are means over seeds with a band. What search adds is told against "
    "the average of random architectures, and whether a difference is real by a test. Everything you choose "
    "stands in the address."
)
TABLE = "nasbench_digits"


def ready(strategy: str) -> dict[str, Any]:
    """A search on the shipped table, as a document."""
    table = next(t for t in benchdata.every() if t.name == TABLE)
    return {
        "v": 1,
        "space": table.space,
        "evaluator": {"name": "tabular", "knobs": {"table": TABLE}},
        "strategy": strategy,
        "objectives": [["error", "min"]],
        "budget": {"evaluations": 300},
    }


def start_links() -> None:
    """Ways to runs that can be compared; each opens a form that is filled in and starts nothing."""
    with st.container(horizontal=True, horizontal_alignment="center", gap="medium"):
        if any(t.name == TABLE for t in benchdata.every()):
            for name in ("random_search", "regularized_evolution"):
                label = f"New search: {name.replace('_', ' ')} on a table"
                links.link(links.SEARCH, label, "travel_explore", spec=json.dumps(ready(name)))
        else:
            links.link(links.SEARCH, "New search", "travel_explore")


def body(a: Asked, left_out: int) -> None:
    """The answer."""
    found = comparecalc.finals(a)
    means = comparecalc.means(found)
    trials = comparecalc.tests(a, found)
    told = comparetables.facts(a)
    apart = checklist.apart(told)
    compareview.lead(a, means, trials, apart)
    compareview.warn(apart)
    compareview.progress(a, apart)
    comparenets.show_all(a, compareview.looks(a))
    left, right = st.columns(2, gap="medium")
    with left:
        compareview.finals(a, found, means, apart)
    with right:
        compareview.chance(a, found, apart)
    comparetables.methods(a, found, means)
    if a.pair:
        compareview.surfaces(a, apart)
    comparetables.significant(a, trials)
    comparetables.practice(comparetables.entries(a, told, left_out))


page_setup("Compare")
show.head("Compare", "Which search is better, and can we be sure?", HOW)
frame = comparedata.judged(stores.runs())
if frame.empty:
    show.empty(
        "stacked_line_chart",
        "No run with results yet.",
        "Start two searches with a few seeds each, then come back; on a table each takes seconds.",
    )
    start_links()
else:
    ids, missing = compareask.chosen(frame)
    runs = [r for i in ids if (r := comparedata.run(i))]
    methods = comparedata.methods(runs, compareask.renamed())
    rest = comparedata.others(frame, methods)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="compare-runs"):
        compareask.choose_runs(frame, ids)
        compareask.choose_more(frame, ids, rest)
        compareask.rename(methods)
        beside.ask(methods, [*ids, *missing])
    compareask.absent(beside.waiting(missing), ids, runs)
    asked = compareask.asked(methods) if methods else None
    if asked is None:
        show.empty(
            "stacked_line_chart",
            "These runs share no objective." if methods else "None of these runs can be read.",
            "Choose runs that search for the same metric in the same direction.",
        )
    else:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="compare-controls"):
            compareask.controls(asked)
        body(asked, len(rest))
compareranks.show_all()
