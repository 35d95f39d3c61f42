"""The answers of the Pareto page: the front, its numbers, how it grew, its members."""

# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore import pareto
from nascore.benchmarks.explore import visible
from nascore.view import axes, figures_front, figures_pareto, words
from nascore.view.figures_pareto import Points
from pages.parts import fronts, links, show, stores, tables, zoom
from pages.parts.fronts import Asked

MOST_ROWS = 200
MOMENTS = 1_000  # at most so many points on the curve of the hypervolume


def points(a: Asked) -> Points:
    """What is drawn, with the knee and a picked architecture ringed."""
    ringed = {} if (at := a.knee()) is None else {at: "knee"}
    if pick := st.query_params.get("arch", ""):
        rows = [i for i, key in enumerate(a.source.keys) if key == pick]
        ringed |= {i: a.source.names[i] for i in rows[:1]}
    return Points(
        [a.source.axis(m, d) for m, d in a.ways.items()], a.source.names, a.fits, a.front, a.truth, ringed
    )


def open_clicked(a: Asked, event: Any) -> None:
    """Opens the architecture of a clicked dot."""
    hit = show.clicked(event)
    if hit is not None and (query := a.source.query(int(float(hit)))):
        links.go(links.ARCHITECTURE, **query)


def picture(a: Asked, p: Points, view: str) -> None:
    """The front in the chosen view."""
    draw = {"plane": figures_pareto.plane, "room": figures_pareto.room, "lines": figures_pareto.parallel}
    what = {"plane": "The front", "room": "The front in space", "lines": "The front as lines"}[view]
    how = (
        "A dot is an architecture; click one to open it. Filled dots are on the front: no other is as good "
        "in all objectives and better in one. Gray ones miss a limit. The dotted line, or the open diamonds, "
        "are the true front of the whole table. The ring is the knee, where a little of one objective costs "
        "much of another."
    )
    if len(a.ways) > 2 and view == "plane":
        how += " With more than two objectives the plane shows a shadow, so the front has no steps."
    names = " and ".join(axes.label(a.source.columns[m]) for m in a.ways)
    alt = f"{len(a.front)} of {len(a.source.frame)} architectures on the front of {names}"
    part = fronts.part(a) if view == "plane" else None
    fig = figures_pareto.plane(p, show.theme(), part=part) if part else draw[view](p, show.theme())
    event = show.panel(what, how, fig, f"front-{view}", alt, select="rerun")
    open_clicked(a, event)
    if view == "plane" and (part or figures_pareto.crowded(p)):
        in_sight(a, p, part)
    protocols = dict.fromkeys(axes.protocol(a.source.columns[m]) for m in a.ways)
    st.markdown(" ".join(show.chip(t) for t in protocols if t) or show.chip("protocol not given"))
    if a.source.note and a.truth is not None:
        st.markdown(f":orange-badge[:material/warning: {show.plain(a.source.note)}]")
    elif differ := axes.differ([a.source.columns[m] for m in a.ways if a.source.columns[m].protocol.split]):
        st.markdown(
            f":orange-badge[:material/warning: the objectives differ in {show.plain(', '.join(differ))}]"
        )


def in_sight(a: Asked, p: Points, part: zoom.Part | None) -> None:
    """What stands for a crowd of points, made anew for what is in sight."""
    x, y = p.axes[:2]
    seen, many = int(visible(x.places, y.places, part).sum()), figures_pareto.crowded(p, part)
    said = f"{seen:,} in sight"
    if many:
        said += f", as a histogram, at most {figures_pareto.SAMPLE:,} of them as dots, and the whole front"
    with st.container(horizontal=True, vertical_alignment="center", key="front-in-sight"):
        st.markdown(f":small[:gray[{said}. A zoom (Zoom above the figure) counts again.]]", width="content")
        if part:
            more: dict[str, Any] = {"icon": ":material/zoom_out_map:", "type": "tertiary"}
            st.button("Whole", key="front_whole", on_click=fronts.put, kwargs={"zoom": ""}, **more)
        zoom.listen("front-plane", f"front-zoom-{a.source.mark}", part, lambda new: fronts.put_part(a, new))


def corner(a: Asked) -> str:
    """The reference point in words."""
    said = [axes.amount(a.source.columns[m], float(v)) for m, v in zip(a.ways, a.reference, strict=True)]
    return "up to " + ", ".join(said)


def numbers(a: Asked) -> None:
    """Size, hypervolume, IGD, knee."""
    n, fit = len(a.source.frame), int(a.fits.sum())
    show.number("On the front", f"{len(a.front):,}", f"of {fit:,} within limits" if a.limits else f"of {n:,}")
    area, whole = a.hypervolume(), a.true_hypervolume()
    share = f"{100 * area / whole:.1f}{words.GAP}% of the true front's" if whole > 0 else ""
    show.number(
        "Hypervolume",
        words.three(area) if area < 1000 else words.compact(area),
        corner(a),
        note=share,
        help="What the front covers up to the reference point, in the units of the objectives multiplied.",
    )
    igd = a.igd()
    if a.truth is None:
        none = "no table here knows this space and these objectives"
        if a.source.run:
            show.number("Distance to the true front", "-", none)
        knee(a)
        return
    behind = f"the whole of {a.source.table}" if a.source.table else "the front without limits"
    show.number(
        "Distance to the true front",
        words.three(igd),
        f"IGD to {behind}",
        help="Inverted generational distance: mean distance from a point of the true front to the nearest "
        "found one, each objective scaled to the true front's range. 0 is reached.",
    )
    knee(a)


def knee(a: Asked) -> None:
    """The knee with its objectives and a link."""
    at = a.knee()
    with st.container(border=True, gap=None, height="stretch"):
        st.markdown(":small[Knee]", help="With each objective scaled to the front's range, the least sum.")
        if at is None:
            st.markdown(":gray[nothing is within the limits]")
            return
        said = [axes.amount(a.source.columns[m], float(a.source.values(m)[at])) for m in a.ways]
        st.markdown(f"**{show.plain(', '.join(said))}**")
        if query := a.source.query(at):
            links.link(links.ARCHITECTURE, show.plain(a.source.names[at]), "account_tree", **query)


@st.cache_resource(max_entries=16, show_spinner="Following the front...")
def _grown(
    run: str, version: str, view: str, _costs: NDArray[np.float64], _ref: NDArray[np.float64]
) -> tuple[list[int], list[NDArray[np.int64]], NDArray[np.float64]]:
    """(moments, fronts, hypervolumes): those of the pictures, and as many more as the curve has."""
    n = len(_costs)
    moments = sorted({*figures_pareto.stops(n), *figures_pareto.stops(n, MOMENTS)})
    return moments, *pareto.front_over_time(_costs, _ref, moments)


def growth(a: Asked, p: Points) -> None:
    """How a run's front and its hypervolume grew."""
    n = len(a.costs)
    costs = np.where(a.fits[:, None], a.costs, np.nan)
    view = repr((a.ways, a.limits, a.reference.tolist()))
    version = stores.owner().version(a.source.run)
    moments, grown, area = _grown(a.source.run, version, view, costs, a.signs * a.reference)
    stops = figures_pareto.stops(n)
    left, right = st.columns([1.4, 1], gap="medium")
    with left:
        how = f"Play it, or drag the slider: what the search knew after so many architectures. {thinned(n)}"
        shown = [f for m, f in zip(moments, grown, strict=True) if m in set(stops)]
        fig = figures_pareto.growth(p, stops, shown, show.theme())
        alt = f"The front after {len(stops)} of {n:,} evaluations, as an animation"
        open_clicked(a, show.panel("How the front grew", how, fig, "front-growth", alt, select="rerun"))
        if n > len(stops):
            st.markdown(f":small[:gray[{thinned(n)}]]")
    with right:
        fig = figures_front.hypervolume(area, show.theme(), after=moments, height=300)
        how = f"What the front covered after {len(moments):,} of {n:,} evaluations, {corner(a)}."
        show.panel("Hypervolume over evaluations", how, fig, "front-area", "Hypervolume over evaluations")


def thinned(n: int) -> str:
    """Which of n moments the animation shows."""
    shown = len(figures_pareto.stops(n))
    if shown == n:
        return "A picture an architecture."
    crowd = f" and {figures_pareto.CROWD:,} of the dots" if n > figures_pareto.CROWD else ""
    return f"{shown} of {n:,} moments{crowd} are drawn, evenly spread, the last one always."


def members(a: Asked) -> None:
    """The front as a table; a selected row opens its architecture."""
    rows = a.front[:MOST_ROWS]
    frame = pd.DataFrame({"name": [a.source.names[r] for r in rows]})
    columns: dict[str, Any] = {"name": st.column_config.TextColumn("Architecture", width=130)}
    for metric in a.ways:
        frame[metric] = a.source.values(metric)[rows]
        columns[metric] = st.column_config.NumberColumn(axes.label(a.source.columns[metric]), format="%.6g")
    event: Any = st.dataframe(
        frame,
        hide_index=True,
        key=f"front-members-{a.source.mark}",
        height=tables.height(len(frame)),
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        alt=f"{len(rows)} architectures on the front",
    )
    if len(a.front) > MOST_ROWS:
        st.markdown(f":small[:gray[The first {MOST_ROWS} of {len(a.front):,}.]]")
    if (hit := event["selection"]["rows"]) and (query := a.source.query(int(rows[hit[0]]))):
        links.go(links.ARCHITECTURE, **query)
