"""The study's seven questions on the Calibration page, and the words of all measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore.benchmarks.table import Table
from nascore.errors import AppError
from nascore.measures.calibration import BINS, FAMILIES
from nascore.measures.calibration_questions import PAPER, QUESTIONS, Answer
from nascore.measures.calibration_scaling import METHODS
from nascore.measures.calibration_table import COARSE, DIVISORS
from nascore.view import axes, figures_calibration, figures_networks
from pages.parts import benchdata, calibask, calibdata, caliblogits, errors, show

WITH_ECE = "ECE-15 and "
SHORT = {
    "data": "Data sets",
    "robustness": "Robustness",
    "measures": "Measures",
    "scaling": "Scaling",
    "accuracy": "Accuracy",
    "bins": "Bins",
    "designs": "Designs",
}
TITLES = {
    "data": "The same networks on two data sets",
    "robustness": "ECE and robustness",
    "measures": "Kendall's tau between measures",
    "scaling": "Before and after scaling",
    "accuracy": "Accuracy and ECE",
}


def view(found: Table, every: list[Table]) -> None:
    """One question: what our table says, what the study found, figure and numbers."""
    given = st.query_params.get("q", "data")
    key = calibask.follow("calib_q", given if given in QUESTIONS else "data")
    st.segmented_control(
        "Question",
        list(QUESTIONS),
        key=key,
        required=True,
        format_func=SHORT.__getitem__,
        label_visibility="collapsed",
        **calibask.taking("q", key, "data"),
    )
    asked = str(st.session_state[key])
    held = calibdata.logits(found)
    others = [t for t in every if t.name != found.name and alike(t, found)]
    try:
        answer = caliblogits.answered(asked, found, held, others) if held else None
    except AppError as error:
        errors.refused(error)
        return
    st.markdown(f"#### {show.plain(QUESTIONS[asked])}")
    if held is None or answer is None:
        _by_histograms(asked, found, others)
        return
    _words(answer, found)
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        draw(answer)
        st.markdown(show.chip(held.protocol.replace(held.data, axes.named(held.data), 1)))
    with right:
        caliblogits.beside(asked, found)
        _numbers(answer)


def _by_histograms(asked: str, found: Table, others: list[Table]) -> None:
    """The answer of all networks of the table; `others` are tables of the same space."""
    if asked == "data" and not others:
        show.empty(
            "equalizer",
            "Only one data set is known for this space.",
            "The question needs the same networks on two: choose another table, or make a second one.",
        )
        return
    try:
        answer = calibdata.answer(asked, tuple(benchdata.stamp(t) for t in (found, *others[:1])))
    except AppError as error:
        errors.refused(error)
        return
    _words(answer, found)
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        draw(answer)
    with right:
        _numbers(answer)


def alike(a: Table, b: Table) -> bool:
    """Whether two tables have the same choices, so that their keys mean the same."""
    return [c.name for c in a.choices] == [c.name for c in b.choices]


def _words(a: Answer, found: Table) -> None:
    st.markdown(f"**{show.plain(benchdata.title(found))}**: {show.plain(a.says, 500)}")
    st.markdown(
        ":gray[**The study**, on NATS-Bench, with numbers of its released notebooks and figures: "
        f"{show.plain(PAPER[a.key], 300)}]"
    )
    if a.missing:
        st.markdown(
            f":gray[:material/block: **Not measurable from what is shipped**: {show.plain(a.missing, 300)}]"
        )


def _numbers(a: Answer) -> None:
    """What was measured, with intervals."""
    among = WITH_ECE in "".join(a.numbers)
    what = f"Kendall's tau-b{' with ECE-15' if among else ''} unless said; 95 % over architectures."
    show.over("Numbers", what, key="calib-numbers")
    rows = [
        {"what": _named(k, a), "value": v.value, "low": v.low, "high": v.high, "n": v.n}
        for k, v in a.numbers.items()
    ]
    frame = pd.DataFrame(rows)
    frame["range"] = [
        f"{low:.2f} to {high:.2f}" for low, high in zip(frame["low"], frame["high"], strict=True)
    ]
    number = st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "what": st.column_config.TextColumn("Of", width=240),
        "value": number("Value", format="%.2f", width=50),
        "range": st.column_config.TextColumn("95 %", width=90),
        "n": number("n", format="localized", width=50),
    }
    st.dataframe(
        frame, key="calib-answer", column_config=columns, hide_index=True, column_order=list(columns)
    )


def _named(what: str, a: Answer) -> str:
    """What a number is of, with data sets by their titles."""
    for data in a.figure.get("data", ()):
        what = what.replace(data, axes.named(data))
    what = what.removeprefix(WITH_ECE)
    return what[:1].upper() + what[1:]


def draw(a: Answer) -> None:
    """The figure of a question."""
    t, f = show.theme(), a.figure
    match a.key:
        case "data" if "taus" in f:
            caliblogits.carried(a)
            return
        case "data":
            x, y = (f"ECE, 15 bins, {axes.named(name)}" for name in f["data"])
            fig = figures_networks.cloud(f["x"], f["y"], f["keys"].tolist(), t, titles=(x, y), equal=True)
        case "scaling":
            titles = ("ECE, 15 bins, before scaling", "ECE, 15 bins, after scaling")
            fig = figures_networks.cloud(f["x"], f["y"], f["keys"].tolist(), t, titles=titles, equal=True)
        case "measures" if "square" in f:
            caliblogits.square(a)
            return
        case "measures":
            fig = figures_networks.heat(f["names"], f["names"], f["matrix"], t, height=440)
        case "robustness" | "accuracy":
            fig = figures_networks.growing(f["sizes"], f["lines"], t, height=360)
        case "bins":
            _bins(a)
            return
        case _:
            _designs(a)
            return
    show.panel(TITLES[a.key], a.says, fig, f"calib-figure-{a.key}", a.says)
    if a.key == "accuracy":
        keys = f["keys"].tolist()
        titles = ("Test accuracy (%)", "ECE, 15 bins")
        dots = figures_networks.cloud(100 * f["x"], f["y"], keys, t, titles=titles, height=300)
        show.panel("Each network", "One dot a class of equal networks.", dots, "calib-figure-dots", a.says)


def _bins(a: Answer) -> None:
    t, f = show.theme(), a.figure
    lines: dict[str, Any] = {}
    for i, (name, color) in enumerate((("before", t.series[0]), ("after", t.series[2]))):
        lines[name] = (f["bins"], f["median"][i], color, "solid")
        lines[f"floor, {name}"] = (f["floor_bins"], f["floor"][i], color, "dash")
    fig = figures_calibration.sweep(lines, t, y="Median ECE", height=290)
    how = "Dashed: what perfectly calibrated networks with these confidences would get."
    show.panel("Median ECE and its floor", how, fig, "calib-figure-median", a.says)
    taus = {"before scaling": f["tau"][0], "after scaling": f["tau"][1]}
    fig = figures_networks.growing(f["bins"], taus, t, x="Number of bins", y="Tau with ECE-15", height=250)
    show.panel("Agreement with ECE of 15 bins", "Kendall's tau-b, 95 %.", fig, "calib-figure-bins", a.says)


def _designs(a: Answer) -> None:
    t, f = show.theme(), a.figure
    titles = (f["title"].capitalize(), "ECE, 15 bins")
    fig = figures_networks.groups(f["x"], f["ece"], t, titles=titles)
    how = "Mean of the networks of each size, 95 %. A 3x3 convolution counts 9, a 1x1 counts 1."
    show.panel(f"By {f['title']}", how, fig, "calib-figure-size", a.says)
    choices = [c.replace("edge_", "edge ").replace("_", " ") for c in f["choices"]]
    options = [o.replace("nor_", "").replace("_", " ") for o in f["options"]]
    most = float(np.nanmax(np.abs(f["effect"])))
    fig = figures_networks.heat(
        choices, options, f["effect"], t, most=most, form="+.3f", name="ECE", height=270
    )
    how = "Mean ECE of the networks with an option, minus that of all: below zero is better calibrated."
    show.panel("By option", how, fig, "calib-figure-effect", a.says)
    share = f["top"] / 20
    fig = figures_networks.heat(choices, options, share, t, least=0.0, form=".0%", name="share", height=270)
    how = "How often each option is in the 20 best by HCS, the harmonic mean of accuracy and 1 - ECE."
    show.panel("In the 20 best by HCS", how, fig, "calib-figure-top", a.says)


def words() -> None:
    """All measures with their definitions, and the ways to mend."""
    listed = ", ".join(map(str, BINS))
    frame = pd.DataFrame(
        [
            {
                "measure": f.title,
                "name": f"{n}_B" if f.binned else n,
                "says": f.says,
                "source": f.source,
                "table": _from_tables(n),
            }
            for n, f in FAMILIES.items()
        ]
    )
    show.over("Fifty measures", f"Five families for {listed} bins, and five measures without bins.")
    wide = st.column_config.TextColumn
    columns: dict[str, Any] = {
        "measure": wide("Measure", width="small"),
        "name": wide("Name", width="small"),
        "says": wide("Definition", width="large"),
        "source": wide("Source", width="medium"),
        "table": wide("From tables", width="medium"),
    }
    st.dataframe(frame, key="calib-words", column_config=columns, hide_index=True, row_height=64, height=680)
    st.markdown(
        "Bins are (low, high]; a probability of 0 goes to the first. Equal mass cuts ranks into runs, so "
        "equal values may be parted. With a validation file all fifty come a second time after scaling, with "
        "`post_` before the name; with an out-of-distribution file there is the AUROC of the entropy of the "
        "probabilities, where 0.5 is chance."
    )
    show.over("Ways to mend", "Fitted on validation predictions only.")
    for name, says in METHODS.items():
        st.markdown(f"- **{name.capitalize()}**: {says}")


def _from_tables(family: str) -> str:
    if family in ("ece", "mce"):
        more = ", and 15" if family == "ece" else ""
        return f"{', '.join(map(str, DIVISORS))} bins{more}"
    near = next((f"as {n}: {says}" for n, says in COARSE.items() if n.startswith(family)), "")
    return near or ("yes" if family in ("nll", "brier") else "no: needs probabilities")
