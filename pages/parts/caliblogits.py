"""Questions on the Calibration page that kept logits answer: all 102 measures, every way to mend, AUROC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore.benchmarks.table import Table
from nascore.measures.calibration_kept import KeptLogits, called, group
from nascore.measures.calibration_logits import ANSWERED
from nascore.measures.calibration_questions import Answer
from nascore.measures.calibration_scaling import METHODS
from nascore.outside import SAYS
from nascore.view import axes, figures_matrix, figures_study
from pages.parts import benchdata, calibask, calibdata, show

WAYS = ("histograms", "logits")
HOW_SQUARE = (
    "Each of the 102 measures against each other, over networks; a block is a family with its nine numbers "
    "of bins from few to many. Hover a square for both names, tau and its 95 % interval. Higher AUROC is "
    "better, all other measures are better low, so agreement with an AUROC is below 0."
)
HOW_CARRIED = (
    "A row is a measure, its dot Kendall's tau between the values of the same networks on the two data sets, "
    "with a 95 % interval over networks. Accuracy, in color, is there to compare with."
)
HOW_WAYS = (
    "Histograms of confidence are kept of every network; they allow some measures, and temperature. Logits "
    "are kept of some networks, spread over accuracy and size; they allow all measures and every way to mend."
)


def answered(asked: str, found: Table, held: KeptLogits, others: list[Table]) -> Answer | None:
    """The answer by kept logits, where the address asks for it and they can answer; else None.

    Args:
        asked: the question.
        found: the table.
        held: its networks with logits.
        others: tables of the same space.

    Raises:
        BadInput: two tables have too few networks in common.
    """
    second = next((t for t in others if calibdata.logits(t)), None)
    if asked not in ANSWERED or (asked == "data" and second is None):
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="calib-from-row"):
        by_logits, method = _way(asked, len(held.keys)), ""
        if by_logits and asked == "scaling":
            method = calibask.method("Method")
    if not by_logits:
        return None
    other = benchdata.stamp(second) if second is not None else None
    return calibdata.from_logits(asked, benchdata.stamp(found), method, other)


def _way(asked: str, many: int) -> bool:
    """Whether some networks are asked by their logits; else all by their histograms."""
    usual = "logits" if asked == "measures" else "histograms"
    titles = {"histograms": "all, by histograms", "logits": f"{many}, by kept logits"}
    given = st.query_params.get("from", usual)
    key = calibask.follow(f"calib_from_{asked}", given if given in WAYS else usual)
    st.segmented_control(
        "Networks",
        list(WAYS),
        key=key,
        required=True,
        format_func=titles.__getitem__,
        help=HOW_WAYS,
        **calibask.taking("from", key, usual),
    )
    return st.session_state[key] == "logits"


def beside(asked: str, found: Table) -> None:
    """What stands above the numbers: all methods, or what the outside is."""
    if asked == "scaling":
        _methods(found)
    if asked in ("scaling", "bins"):
        return
    told = "; ".join(f"*{n}* are {s}" for n, s in SAYS.items())
    st.markdown(f":small[:gray[AUROC is how well entropy tells test images from others: {told}.]]")


def _methods(found: Table) -> None:
    """All post-hoc methods side by side."""
    show.over("Every method, all of them", "Fitted to each network's own validation images.")
    rows = []
    for m in METHODS:
        a = calibdata.from_logits("scaling", benchdata.stamp(found), m)
        if a is not None:
            row = {"method": m.capitalize(), "before": np.median(a.figure["x"])}
            row |= {"after": np.median(a.figure["y"]), "tau": a.numbers["ECE before and after"].value}
            row["worse"] = 100 * a.numbers["share that got worse"].value
            row["accuracy"] = a.numbers["change of accuracy, points"].value
            rows.append(row)
    number = st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "method": st.column_config.TextColumn("Method", width=92),
        "before": number("Median ECE", format="%.3f", width=86),
        "after": number("After", format="%.3f", width=58),
        "tau": number("Tau", format="%.2f", width=48, help="Of ECE before and after, over networks"),
        "worse": number("Worse (%)", format="%.0f", width=76, help="Networks whose ECE grew"),
        "accuracy": number("Accuracy", format="%+.2f", width=76, help="Mean change, in points"),
    }
    st.dataframe(pd.DataFrame(rows), key="calib-methods", column_config=columns, hide_index=True)


def carried(a: Answer) -> None:
    """Every kind of measure on two data sets."""
    taus = a.figure["taus"][::-1]
    picture = {
        "x": "Kendall's tau between " + " and ".join(axes.named(d) for d in a.figure["data"]),
        "names": a.figure["names"][::-1],
        "values": [v.value for v in taus],
        "low": [v.low for v in taus],
        "high": [v.high for v in taus],
        "marked": "accuracy",
        "zero": True,
    }
    fig = figures_study.whiskers(picture, show.theme())
    show.panel("Each measure on two data sets", HOW_CARRIED, fig, "calib-figure-carried", a.says)


def square(a: Answer) -> None:
    """All 102 measures against each other."""
    m = a.figure["square"]
    names, groups = [called(n) for n in m.names], [group(n) for n in m.names]
    fig = figures_matrix.square(names, groups, (m.tau, m.low, m.high), m.n, show.theme())
    show.panel("Kendall's tau between all 102 measures", HOW_SQUARE, fig, "calib-square", a.says)
