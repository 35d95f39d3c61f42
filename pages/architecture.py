"""What is this network, what does it cost, and is it any good? One architecture of one space."""

from __future__ import annotations

import streamlit as st

from nascore.errors import AppError
from nascore.kinds import knobs
from pages.parts import (
    arch,
    archadded,
    archdiff,
    archfiles,
    archgraph,
    archrobust,
    archtabs,
    archview,
    bencharch,
    errors,
    opening,
    show,
    stores,
)
from pages.parts.arch import Look
from pages.parts.setup import page_setup

HOW = (
    "Lines are operations, boxes are sums of what arrives. A color means the same operation everywhere. "
    "Dashed lines pass their input on unchanged, dotted ones carry nothing. A red cross marks a line that "
    "cannot matter: no path to the output runs through it."
)
TABS = (
    ":material/scatter_plot: Benchmarks",
    ":material/hub: Neighbors",
    ":material/show_chart: Seeds and epochs",
    ":material/shield: Robustness and sharpness",
    ":material/science: Runs that tried it",
    ":material/family_history: Family",
    ":material/equal: Equal networks",
    ":material/code: Text and file",
    ":material/download: Export",
)


def body(look: Look) -> None:
    """Everything about one arch."""
    kept = ("space", "run", "task", *(f.name for f in knobs(type(look.space))))
    query = {name: st.query_params[name] for name in kept if name in st.query_params}
    graph, tries = look.graph, archview.safe_tries(look)
    mine = [h for h in tries if h[0].run == st.query_params.get("run")] or tries[:1]
    source = mine[0][0] if mine else stores.run(st.query_params.get("run", ""))
    ordered = [*mine, *(h for h in tries if h[0].run != (mine[0][0].run if mine else ""))]
    near = arch.around(look, archview.run_values(source.run if source else None))
    here = {
        "params": float(graph.params),
        "flops": float(graph.flops),
        **(mine[0][1]["metrics"] if mine else {}),
    }
    known = bencharch.known(look)
    archview.numbers(look, ordered, graph, known)
    archview.cell(look, graph, near, query)
    archadded.panel(look, here)
    archgraph.network(look, graph)
    archdiff.panel(look, graph, near)
    tabs = st.tabs(list(TABS), key="arch_tab")
    with tabs[0]:
        bencharch.panel(known)
    with tabs[1]:
        if known:
            bencharch.neighbors(look, known, query)
        archtabs.neighbors(look, near, here, source, query)
    with tabs[2]:
        bencharch.trainings(look, known)
    with tabs[3]:
        archrobust.panel(look, known)
    with tabs[4]:
        archtabs.judgments(ordered)
    with tabs[5]:
        archtabs.family(look, mine[0] if mine else None, query)
    with tabs[6]:
        archtabs.equal(look, query, known)
    with tabs[7]:
        archtabs.texts(look)
    with tabs[8]:
        archfiles.panel(look, graph)


page_setup("Architecture")
refusal, look = "", None
try:
    look = opening.opened()
except AppError as error:
    refusal = str(error)
show.head(
    f"Architecture {look.key}" if look else "Architecture",
    "What is this network, what does it cost, and is it any good?",
    HOW,
)
if refusal:
    errors.refused(refusal)
opening.chooser()
if look is not None:
    body(look)
elif not refusal:
    show.empty(
        "account_tree",
        "No architecture is open.",
        "Write one above, draw a random one, or click a dot in a run.",
    )
