"""All networks of a table on the Calibration page: ranked by a measure, and where bins turn the ranking."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore.benchmarks.table import Table
from nascore.measures.calibration import title
from nascore.measures.calibration_questions import TOP, by_accuracy
from nascore.measures.calibration_table import AVAILABLE, DIVISORS, Measured, hcs
from nascore.space import tuples
from nascore.stats import kendall
from nascore.view import axes, figures_networks
from pages.parts import benchdata, calibask, show, tables
from pages.parts.calibask import Asked

HCS = "hcs"
SHOWN, TRACED, FIRST = 100, 10, 20
HOW_CLOUD = (
    "One dot a class of equal networks, the mean over its seeds. Networks that guess have an ECE near 0, so "
    "accuracy always stands beside it. Click a dot to open its diagram."
)
HOW_FLIP = (
    "Kendall's tau between two rankings by ECE: 1 is the same order, 0 no relation. Two networks in "
    "(1 - tau) / 2 of all pairs change places when the number of bins changes."
)
HOW_BUMP = "The ten best by ECE of the chosen number of bins, and their ranks by others. Rank 1 is on top."


def view(a: Asked, found: Table, m: Measured) -> None:
    """Ranking, cloud, flips, table."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="calib-controls"):
        by = _by()
        after = _state()
        m = m.only(by_accuracy(m)[: _population(len(m.keys))])
        bins = calibask.kept_bins()
    bins = bins if bins in DIVISORS else 20
    prefix = "post_" if after else ""
    values = measure(m, by, prefix)
    order = np.argsort(-values if by == HCS else values, kind="stable")
    picked = st.query_params.get("arch", "")
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        _cloud(m, values, name_of(by) + (", after scaling" if after else ""), picked)
    with right:
        _flips(m, prefix, bins)
    _traces(m, prefix, bins, picked)
    st.markdown(show.chip(f"{axes.named(m.data)} · test · {m.n:,} samples · mean of {len(m.seeds)} seeds"))
    _table(found, m, order, (by, prefix))


def name_of(by: str) -> str:
    """What a way to rank is called."""
    return "HCS, accuracy and ECE-15" if by == HCS else title(by)


def measure(m: Measured, by: str, prefix: str) -> np.ndarray:
    """(archs,) what is ranked by."""
    if by == HCS:
        return hcs(m.mean("accuracy"), m.mean(f"{prefix}ece_15"))
    return m.mean(prefix + by)


def _by() -> str:
    options = [HCS, "ece_15", *(n for n in AVAILABLE if n != "ece_15")]
    given = st.query_params.get("by", "ece_15")
    key = calibask.follow("calib_by", given if given in options else "ece_15")
    st.selectbox(
        "Rank by",
        options,
        key=key,
        format_func=name_of,
        width=240,
        help="HCS is the harmonic mean of accuracy and 1 - ECE, the study's own objective; higher is better. "
        "All others are better low.",
        **calibask.taking("by", key, "ece_15"),
    )
    return str(st.session_state[key])


def _state() -> bool:
    given = st.query_params.get("state", "before")
    key = calibask.follow("calib_state", given if given in ("before", "after") else "before")
    st.segmented_control(
        "Temperature scaling",
        ["before", "after"],
        key=key,
        required=True,
        **calibask.taking("state", key, "before"),
    )
    return st.session_state[key] == "after"


def _population(n: int) -> int:
    """How many networks are looked at, the most accurate ones."""
    sizes = {"all": n, "half": n // 2, "best": min(TOP, n)}
    given = st.query_params.get("of", "all")
    key = calibask.follow("calib_of", given if given in sizes else "all")
    st.segmented_control(
        "Networks by accuracy",
        list(sizes),
        key=key,
        required=True,
        format_func={"all": "all", "half": "upper half", "best": f"best {sizes['best']}"}.__getitem__,
        **calibask.taking("of", key, "all"),
    )
    return sizes[str(st.session_state[key])]


def _open() -> None:
    if key := show.clicked(st.session_state.get("calib-cloud")):
        calibask.put(arch=key, view="")


def _cloud(m: Measured, values: np.ndarray, called: str, picked: str) -> None:
    right = 100 * m.mean("accuracy")
    tau = kendall(right, values)
    fig = figures_networks.cloud(
        right, values, m.keys.tolist(), show.theme(), titles=("Test accuracy (%)", called), picked=picked
    )
    alt = f"{called} against test accuracy of {len(right):,} networks; Kendall's tau {tau:.2f}."
    show.panel(f"{called} and accuracy", HOW_CLOUD, fig, "calib-cloud", alt, select=_open)


def _flips(m: Measured, prefix: str, bins: int) -> None:
    """Agreement of the rankings by ECE of different numbers of bins."""
    every = [m.mean(f"{prefix}ece_{b}") for b in DIVISORS]
    tau = np.array([[kendall(x, y) for y in every] for x in every])
    names = [str(b) for b in DIVISORS]
    fig = figures_networks.heat(names, names, tau, show.theme(), least=min(0.8, float(tau.min())), height=290)
    fig.update_layout(xaxis_title_text="Number of bins", yaxis_title_text="Number of bins")
    low = float(tau.min())
    show.panel(
        "Where bins turn the ranking",
        HOW_FLIP,
        fig,
        "calib-flips",
        f"Tau between rankings by ECE, least {low:.2f}.",
    )
    at, last = DIVISORS.index(bins), every[-1]
    best = set(np.argsort(every[at], kind="stable")[:FIRST].tolist())
    stay = len(best & set(np.argsort(last, kind="stable")[:FIRST].tolist()))
    share = 100 * (1 - tau[at, -1]) / 2
    st.markdown(
        f":small[From {bins} to 100 bins, {share:.1f} % of all pairs change places; {stay} of the {FIRST} "
        f"best are still among the {FIRST} best.]"
    )


def _traces(m: Measured, prefix: str, bins: int, picked: str) -> None:
    ranks = ranking(m, prefix)
    best = np.argsort(ranks[:, DIVISORS.index(bins)], kind="stable")[:TRACED]
    if picked in m.keys and (mine := int(np.flatnonzero(m.keys == picked)[0])) not in best:
        best = np.append(best, mine)
    fig = figures_networks.bump(
        DIVISORS, ranks[best], m.keys[best].tolist(), show.theme(), picked=picked, height=280
    )
    worst = int(ranks[best].max())
    alt = (
        f"Ranks of {len(best)} networks by ECE of {bins} bins; with other bins they fall as far as {worst:,}."
    )
    show.panel(f"The best by ECE of {bins} bins", HOW_BUMP, fig, "calib-bump", alt)


def ranking(m: Measured, prefix: str) -> np.ndarray:
    """(archs, bins) rank by ECE for each number of bins, 1 the best."""
    from scipy.stats import rankdata

    return np.stack([rankdata(m.mean(f"{prefix}ece_{b}"), "min") for b in DIVISORS], 1).astype(np.int64)


def _table(found: Table, m: Measured, order: np.ndarray, what: tuple[str, str]) -> None:
    """The best hundred; a selected row opens its diagram."""
    by, prefix = what
    top = order[:SHOWN]
    ranks = ranking(m, prefix)[top]
    frame = pd.DataFrame({"place": np.arange(1, len(top) + 1)})
    columns: dict[str, Any] = {"place": st.column_config.NumberColumn("No.", width=50)}
    space = benchdata.space_of(found)
    if space is not None and found.choices:
        shape = benchdata.shape_of(found)[0]
        frame["cell"] = tables.drawings(tuples(found.archs[m.rows[top]]), space, shape, show.theme().mode)
        columns["cell"] = st.column_config.ImageColumn("Cell", width="small")
    frame["accuracy"] = 100 * m.mean("accuracy")[top]
    frame[by] = measure(m, by, prefix)[top]
    if by != "ece_15":
        frame["ece_15"] = m.mean(f"{prefix}ece_15")[top]
    number = st.column_config.NumberColumn
    columns |= {"accuracy": number("Accuracy (%)", format="%.2f"), by: number(name_of(by), format="%.4f")}
    columns["ece_15"] = number(title("ece_15"), format="%.4f")
    for j, b in enumerate(DIVISORS):
        frame[f"rank_{b}"] = ranks[:, j]
        columns[f"rank_{b}"] = number(f"Rank, {b} bins", format="localized")
    frame["key"] = m.keys[top]

    def opened() -> None:
        row = tables.picked_row("calib-ranks")
        if row is not None:
            calibask.put(arch=str(m.keys[top[row]]), view="")

    show.over(f"The best {len(top)} of {len(order):,}", "Select a row to open its diagram.", key="calib-best")
    st.dataframe(
        frame,
        key="calib-ranks",
        column_config=columns,
        hide_index=True,
        height=tables.height(len(frame)),
        on_select=opened,
        selection_mode="single-row",
    )
