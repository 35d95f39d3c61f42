"""One network on the Calibration page: reliability, measures with floors, numbers of bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore.benchmarks.table import Table
from nascore.measures import calibration_table as kept
from nascore.measures.calibration import FAMILIES, family, title
from nascore.measures.calibration_curves import Reliability, merged
from nascore.measures.calibration_table import DIVISORS, Histograms, Measured
from nascore.view import axes, figures_calibration, words
from pages.parts import benchdata, calibask, calibdata, links, show
from pages.parts.calibask import Asked

HOW_RELIABILITY = (
    "A bar is how often the predictions in a bin were right; it should end at the dotted line. The framed "
    "part is the gap to their mean confidence: orange where the network promises too much, pale petrol "
    "where it is right more often than it says. Empty bins stay empty. Below: how many predictions each bin "
    "holds, so how far to trust its bar; hover a bar for its 95 % interval."
)
HOW_MEASURES = (
    "Lower is better in all rows. *Floor* is what a perfectly calibrated network with the same confidences "
    "would show on average: labels are drawn from the confidences themselves. A value near its floor says "
    "nothing against the network. Definitions stand to the right, and under Measures."
)
HOW_SWEEP = (
    "The same predictions, cut into more and more bins. The dashed lines are the noise floors: where a line "
    "runs along its floor, more bins only add noise. The upright line is the number chosen above."
)


def from_histogram(a: Asked, found: Table, m: Measured, row: int, at: tuple[int, int]) -> None:
    """What the table's own histogram of a training says."""
    place, s = at
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="calib-controls"):
        bins = calibask.kept_bins()
        calibask.scaled(a)
    seed, held = m.seeds[s], calibdata.histograms(found)
    training = held.at(str(m.keys[place]), seed)
    if training is None:
        show.empty("equalizer", f"Seed {seed} of this architecture has no histogram.", "Choose another seed.")
        return
    who(found, m, row, at, a.scaled)
    before, after = (_merged(held, training, scaled, bins) for scaled in (False, True))
    under = calibdata.floors(benchdata.stamp(found), training)
    values = {n: float(v[place, s]) for n, v in m.values.items()}
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        diagram(before, after if a.scaled else None)
        st.markdown(show.chip(f"{axes.named(m.data)} · test · {m.n:,} samples · seed {seed} · {m.table}"))
    with right:
        show.over("Measures", HOW_MEASURES)
        measures(rows(kept.AVAILABLE, values, under), a.scaled, "calib-measures")
        sweep(values, under, DIVISORS, bins, a.scaled)


def who(found: Table, m: Measured, row: int, at: tuple[int, int], scaled: bool, lead: str = "") -> None:
    """One line: which network, how accurate, how sure, what temperature."""
    value = {n: float(m.values[n][at]) for n in ("accuracy", "confidence", "post_confidence", "temperature")}
    gap = value["confidence"] - value["accuracy"]
    side = "overconfident" if gap > 0 else "underconfident"
    line = (
        f"{lead}{'a' if lead else 'A'}ccuracy **{words.percent(100 * value['accuracy'])}**, mean confidence "
        f"**{words.percent(100 * value['confidence'])}**: {side} by {abs(100 * gap):.2f} points."
    )
    if scaled:
        edge = " (the end of the search)" if not 0.019 < value["temperature"] < 54.5 else ""
        line += f" T = {value['temperature']:.2f}{edge} was fitted on validation images."
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="calib-who"):
        query = benchdata.query(found, row)
        name = f"cell {benchdata.numbers(found)[row]:,}"
        if query:
            links.link(links.ARCHITECTURE, f"**{name}**", "account_tree", **query)
        else:
            st.markdown(f"**{name}**", width="content")
        st.markdown(line, width="content")


def _merged(held: Histograms, training: int, scaled: bool, bins: int) -> Reliability:
    count, right, said = held.of(scaled, [training])
    return merged(count[0], right[0], said[0], bins)


def diagram(before: Reliability, after: Reliability | None, of: str = "the predicted class") -> None:
    """Reliability with counts."""
    empty = int((before.count == 0).sum())
    alt = (
        f"Reliability diagram of {len(before.count)} bins, {empty} of them empty. ECE {before.ece:.4f}, "
        f"largest gap {before.mce:.4f}."
    )
    fig = figures_calibration.reliability(before, show.theme(), scaled=after, of=of)
    show.panel("Reliability diagram", HOW_RELIABILITY, fig, "calib-diagram", alt)


def rows(
    names: Sequence[str], values: Mapping[str, Any], under: Mapping[str, tuple[float, float]]
) -> pd.DataFrame:
    """A row a measure: before, floor, after, floor after, and its definition."""
    out = []
    for n in names:
        before, after = values.get(n), values.get(f"post_{n}")
        low, low2 = under.get(n, (None, None))
        says = kept.COARSE.get(n) or FAMILIES[family(n)[0]].says
        out.append(
            {
                "measure": title(n),
                "before": before,
                "floor": low,
                "after": after,
                "floor2": low2,
                "says": says,
            }
        )
    frame = pd.DataFrame(out)
    for column in ("before", "floor", "after", "floor2"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    return frame


def measures(frame: pd.DataFrame, scaled: bool, key: str, height: int = 252) -> None:
    """The table, to be sorted by any column."""
    number = st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "measure": st.column_config.TextColumn("Measure", width=150),
        "before": number("Before" if scaled else "Value", format="%.4f", width=62),
        "floor": number("Floor", format="%.4f", width=62, help="Of a perfectly calibrated network"),
        "after": number("After", format="%.4f", width=62, help="After scaling"),
        "floor2": number("Floor after", format="%.4f", width=80, help="Of a perfectly calibrated network"),
        "says": st.column_config.TextColumn("Definition", width=700),
    }
    shown = frame if scaled else frame.drop(columns=["after", "floor2"])
    st.dataframe(shown, key=key, column_config=columns, hide_index=True, height=height)


def sweep(
    values: Mapping[str, Any],
    under: Mapping[str, tuple[float, float]],
    floor_bins: Sequence[int],
    cursor: int,
    scaled: bool,
    stem: str = "ece",
) -> None:
    """A measure over numbers of bins, with floors."""
    t = show.theme()
    bins = sorted(
        b for n in values if (f := family(n))[0] == stem and not n.startswith("post_") and (b := f[1])
    )
    told = [b for b in bins if _known(values.get(f"{stem}_{b}"))]
    lines = {"raw": (told, [values[f"{stem}_{b}"] for b in told], t.series[0], "solid")}
    low = [b for b in floor_bins if f"{stem}_{b}" in under and _known(under[f"{stem}_{b}"][0])]
    lines["floor"] = (low, [under[f"{stem}_{b}"][0] for b in low], t.series[0], "dash")
    after = [b for b in told if _known(values.get(f"post_{stem}_{b}"))]
    if scaled and after:
        lines["scaled"] = (after, [values[f"post_{stem}_{b}"] for b in after], t.series[2], "solid")
        lines["floor, scaled"] = (low, [under[f"{stem}_{b}"][1] for b in low], t.series[2], "dash")
    name = title(f"{stem}_15").removesuffix(", 15 bins")
    fig = figures_calibration.sweep(lines, t, y=name, cursor=cursor)
    ends = ", ".join(f"{k} {v[1][0]:.4f} to {v[1][-1]:.4f}" for k, v in lines.items() if v[1])
    show.panel(
        "How much is the bins' doing?",
        HOW_SWEEP,
        fig,
        f"calib-sweep-{stem}",
        f"{name}, few to many bins: {ends}",
    )


def _known(value: Any) -> bool:
    return value is not None and bool(np.isfinite(value))
