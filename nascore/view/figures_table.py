"""What a benchmark table holds: data -> plotly figure, from axes and arrays only.

A dot's `customdata` starts with its row in the table. The cloud of all archs is in `figures_cloud`.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (pandas' and plotly's own types do not know what a selection of rows or a figure's traces are)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.benchmarks.explore import Effects
from nascore.view import axes, words
from nascore.view.axes import Axis
from nascore.view.figures import COLORED, safe, spread_out
from nascore.view.template import CLEAR, figure
from nascore.view.tokens import Tokens, alpha, op_label, scale

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
MANY = 20_000  # dots from which a histogram and a sample stand for the crowd
SAMPLE = 4_000
FEW = 20  # different values from which a color scale is cut at its ends
BINS = 60


def tint(color: Axis, t: Tokens) -> dict[str, Any]:
    """A marker's color scale by a third metric, with its bar inside the plot, but no colors yet."""
    places = color.places
    known = places[np.isfinite(places)]
    low, high = np.percentile(known, [1, 99]) if len(known) else (0.0, 1.0)
    if len(known) and len(np.unique(known[:: max(1, len(known) // 2000)])) < FEW:
        low, high = known.min(), known.max()
    bar: dict[str, Any] = {
        "title": {"text": safe(color.title), "font": {"color": t.muted, "size": 12}},
        "thickness": 8,
        "len": 0.5,
        "y": 0.03,
        "yanchor": "bottom",
        "x": 0.985,
        "xanchor": "right",
        "outlinewidth": 0,
        "bgcolor": alpha(t.paper, 0.75),
        "tickfont": {"color": t.muted, "size": 11},
        "nticks": 5,
    }
    if found := color.ticks():
        bar |= {"tickvals": found[0], "ticktext": found[1]}
    return {
        "colorscale": scale(t.points),
        "cmin": float(low),
        "cmax": float(high) if high > low else float(low) + 1,
        "opacity": 0.8,
        "colorbar": bar,
        "showscale": True,
    }


def faded(t: Tokens) -> str:
    """What is not chosen: muted on paper, opaque, since see-through dots of a crowd add up."""
    pairs = [[int(c[i : i + 2], 16) for c in (t.muted, t.paper)] for i in (1, 3, 5)]
    return "#" + "".join(f"{round(0.26 * a + 0.74 * b):02X}" for a, b in pairs)


def pale(x: NDArray[Any], y: NDArray[Any], t: Tokens) -> go.Scattergl:
    """Dots at (n,) places that are not chosen; the mouse passes them by."""
    return go.Scattergl(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        mode="markers",
        marker={"size": 3, "color": faded(t)},
        hoverinfo="skip",
        showlegend=False,
    )


def sample(rows: Rows) -> Rows:
    """At most 4,000 of some rows, the same ones each time."""
    if len(rows) <= SAMPLE:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, SAMPLE, replace=False))


def ring(fig: go.Figure, t: Tokens, at: tuple[float, float], name: str, *, right: bool = True) -> None:
    """A picked arch: an open ring and what it is called."""
    marker = {"size": 15, "color": CLEAR, "line": {"color": t.pick, "width": 2.5}}
    fig.add_scatter(x=[at[0]], y=[at[1]], mode="markers", marker=marker, hoverinfo="skip", showlegend=False)
    fig.add_annotation(
        x=at[0],
        y=at[1],
        text=f"<b>{safe(name)}</b>",
        font={"color": t.pick, "size": 13},
        bgcolor=alpha(t.paper, 0.9),
        borderpad=2,
        showarrow=True,
        arrowhead=0,
        arrowwidth=1.2,
        arrowcolor=t.pick,
        standoff=8,
        ax=56 if right else -56,
        ay=52,
    )


def scaled(fig: go.Figure, a: Axis, which: str, places: NDArray[Any]) -> None:
    """Range with a little air, and the ticks of the axis."""
    layout: dict[str, Any] = {}
    if len(places):
        low, high = float(places.min()), float(places.max())
        air = 0.03 * (high - low) or 0.5
        layout["range"] = [low - air, high + air]
    if found := a.ticks():
        layout |= {"tickvals": found[0], "ticktext": found[1]}
    fig.update_layout({which: layout})


def solid(
    trio: tuple[Axis, Axis, Axis],
    t: Tokens,
    *,
    numbers: NDArray[Any],
    chosen: Mask,
    color: Axis | None = None,
    height: int = 520,
) -> go.Figure:
    """Three metrics at once, the chosen archs only (a sample of them above 20,000)."""
    fig = figure(t, height=height, x="", y="")
    places = [a.places for a in trio]
    rows = np.flatnonzero(chosen & np.isfinite(np.stack(places)).all(0))
    rows = rows if len(rows) <= MANY else sample(rows)
    marker: dict[str, Any] = {"size": 2.4, "color": t.dot, "opacity": 0.7}
    if color is not None:
        marker |= tint(color, t) | {"color": color.places[rows].astype(np.float32)}
    tip = "cell %{customdata[1]:.0f}" + "".join(
        f"<br>{safe(a.title)}: %{{customdata[{i}]:.6~g}}" for i, a in enumerate(trio, 2)
    )
    fig.add_scatter3d(
        x=places[0][rows].astype(np.float32),
        y=places[1][rows].astype(np.float32),
        z=places[2][rows].astype(np.float32),
        mode="markers",
        marker=marker,
        customdata=np.stack([rows, numbers[rows], *(a.values[rows] for a in trio)], 1),
        hovertemplate=tip + "<extra></extra>",
        showlegend=False,
    )
    scene: dict[str, Any] = {}
    for name, a in zip(("xaxis", "yaxis", "zaxis"), trio, strict=True):
        found = a.ticks()
        scene[name] = {
            "title": {"text": safe(a.title), "font": {"color": t.muted, "size": 12}},
            "tickfont": {"color": t.muted, "size": 11},
            "gridcolor": t.line,
            "backgroundcolor": CLEAR,
            "showbackground": False,
            **({"tickvals": found[0], "ticktext": found[1]} if found else {}),
        }
    scene |= {"aspectmode": "cube", "camera": {"eye": {"x": 1.25, "y": -1.45, "z": 0.75}}}
    return fig.update_layout(scene=scene, margin={"l": 0, "r": 0, "t": 0, "b": 0})


def effects(found: Effects, a: Axis, t: Tokens, *, height: int = 232) -> go.Figure:
    """Choice by option: difference from the mean of all chosen, its interval and count in the hover text."""
    fig = figure(t, height=height, x="", y="")
    top = float(np.nanmax(np.abs(found.difference))) if np.isfinite(found.difference).any() else 1.0
    show = [[_short(v, top) for v in line] for line in found.difference]
    tips = [
        [_effect_tip(found, a, i, j) for j in range(len(found.options))] for i in range(len(found.choices))
    ]
    fig.add_heatmap(
        z=found.difference,
        x=[safe(op_label(o)) for o in found.options],
        y=[safe(place(c)) for c in found.choices],
        colorscale=scale(t.diverging),
        zmin=-(top or 1.0),
        zmax=top or 1.0,
        text=show,
        texttemplate="%{text}",
        textfont={"size": 12},
        hovertext=tips,
        hovertemplate="%{hovertext}<extra></extra>",
        hoverongaps=False,
        xgap=2,
        ygap=2,
        showscale=False,
    )
    fig.update_yaxes(autorange="reversed", showgrid=False, showline=False, ticks="")
    fig.update_xaxes(showgrid=False, showline=False, ticks="", side="bottom")
    return fig.update_layout(margin_t=6)


def _short(value: float, top: float) -> str:
    if not np.isfinite(value):
        return ""
    digits = 1 if top >= 1 else 2 if top >= 0.1 else 3
    text = f"{value:+.{digits}f}" if top < 1e4 else f"{value:+.2g}"
    return text.lstrip("+-") if float(text) == 0 else text


def _effect_tip(found: Effects, a: Axis, i: int, j: int) -> str:
    head = f"{safe(place(found.choices[i]))}: <b>{safe(op_label(found.options[j]))}</b>"
    if not found.count[i, j]:
        return f"{head}<br>no chosen cell has it"
    c = a.column
    low, high = (axes.difference(c, float(v[i, j])) for v in (found.low, found.high))
    gap = axes.difference(c, float(found.difference[i, j]))
    between = f"<br>95 % interval {low} to {high}" if np.isfinite(found.low[i, j]) else ""
    mean, n = a.write(float(found.mean[i, j])), f"{found.count[i, j]:,}"
    return f"{head}<br>{gap} against all chosen{between}<br>mean {mean}, n = {n}"


def place(choice: str) -> str:
    """Where a choice sits, as people say it: `0 to 2` for `edge_2_0`."""
    parts = choice.split("_")
    if len(parts) == 3 and parts[0] == "edge" and parts[1].isdigit() and parts[2].isdigit():
        return f"{parts[2]} to {parts[1]}"
    return choice.replace("_", " ").replace(".", " ")


def histogram(a: Axis, chosen: Mask, t: Tokens, *, height: int = 168) -> go.Figure:
    """How a metric is distributed: all archs gray, the chosen ones in front."""
    fig = figure(t, height=height, x=a.title, y="Cells")
    places = a.places
    fine = np.isfinite(places)
    if not fine.any():
        return fig
    low, high = float(places[fine].min()), float(places[fine].max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    for name, mask, color in (
        ("all", fine, alpha(t.muted, 0.28)),
        ("chosen", fine & chosen, t.accent),
    ):
        count = np.histogram(places[mask], edges)[0]
        tips = [f"{a.write(_back(a, m))}: {n:,} {name}" for m, n in zip(middle, count, strict=True)]
        fig.add_bar(
            x=middle,
            y=count,
            width=width,
            name=name,
            marker={"color": color, "line": {"width": 0}},
            hovertext=tips,
            hovertemplate="%{hovertext}<extra></extra>",
        )
    scaled(fig, a, "xaxis", places[fine])
    return fig.update_layout(barmode="overlay", bargap=0, showlegend=False, margin_t=6)


def _back(a: Axis, at: float) -> float:
    """The value at a place."""
    if a.form == "error":
        return float(100 - 10**-at)
    return float(10**at) if a.form == "log" else at


def seeds(noise: pd.DataFrame, a: Axis, chosen: Mask, t: Tokens, *, height: int = 340) -> go.Figure:
    """Standard deviation between the trainings of each arch against their mean, with its running median."""
    unit = "points" if a.column.unit == "%" else a.column.unit
    fig = figure(
        t, height=height, x=f"Mean over seeds: {a.title}", y=f"Deviation over seeds ({unit or 'its unit'})"
    )
    noise = noise[noise["n"] > 1]
    if noise.empty:
        return fig
    x, mask = a.at(noise["mean"]), chosen[noise["row"].to_numpy()]
    sd = noise["sd"].to_numpy(float)
    fig.add_trace(pale(x[~mask], sd[~mask], t))
    data = np.stack([noise[c].to_numpy(float) for c in ("row", "mean", "low", "high", "n")], 1)[mask]
    fig.add_scattergl(
        x=x[mask].astype(np.float32),
        y=sd[mask].astype(np.float32),
        mode="markers",
        marker={"size": 4, "color": t.dot, "opacity": 0.6},
        customdata=data,
        hovertemplate="cell %{customdata[0]:.0f}<br>mean %{customdata[1]:.4~g}, %{customdata[2]:.4~g} to "
        "%{customdata[3]:.4~g} over %{customdata[4]} seeds<br>deviation %{y:.3~g}<extra></extra>",
        showlegend=False,
    )
    order = np.argsort(x, kind="stable")
    groups = [g for g in np.array_split(order, min(24, max(1, len(order) // 20))) if len(g)]
    fig.add_scattergl(
        x=[float(np.median(x[g])) for g in groups],
        y=[float(np.median(sd[g])) for g in groups],
        mode="lines",
        line={"color": t.accent, "width": 2.4},
        name="median",
        hovertemplate="median deviation %{y:.3~g}<extra></extra>",
        showlegend=False,
    )
    scaled(fig, a, "xaxis", x[np.isfinite(x)])
    return fig.update_layout(margin_t=8).update_yaxes(rangemode="tozero")


def curves(
    groups: Mapping[str, Sequence[Sequence[float]]],
    t: Tokens,
    *,
    title: str,
    unit: str = "",
    height: int = 340,
) -> go.Figure:
    """Learning curves of a few archs: the mean over seeds as a line, the band from worst to best seed.

    Args:
        groups: name -> seeds, each (epochs,) values.
        t: the page's mode.
        title: of the vertical axis.
        unit: written behind the last value.
        height: in pixels.
    """
    fig = figure(t, height=height, x="Epoch", y=title)
    ends, longest, values = [], 1, []
    for i, (name, runs) in enumerate(groups.items()):
        color = t.series[i] if i < COLORED else t.muted
        shortest = min(map(len, runs), default=0)
        if not shortest:
            continue
        y = np.stack([np.asarray(r, float)[:shortest] for r in runs])
        x = np.arange(1, shortest + 1)
        _seed_band(fig, x, y, (safe(name), color))
        longest = max(longest, shortest)
        values.append(y.ravel())
        ends.append((float(y.mean(0)[-1]), safe(name), color))
    _labels(fig, ends, longest, np.concatenate(values) if values else np.zeros(0), (unit, height))
    every = max(1, round(longest / 8)) if longest < 40 else 10 * max(1, round(longest / 80))
    at = sorted({1, *range(every, longest + 1, every)})
    fig.update_xaxes(range=[0.5, longest * 1.3 + 0.5], tickvals=at)
    return fig.update_layout(showlegend=False, margin_t=8)


def _seed_band(fig: go.Figure, x: NDArray[Any], y: NDArray[Any], look: tuple[str, str]) -> None:
    name, color = look
    if len(y) > 1:
        for edge, fill in ((y.max(0), None), (y.min(0), "tonexty")):
            fig.add_scatter(
                x=x,
                y=edge,
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=alpha(color, 0.16),
                hoverinfo="skip",
            )
    tips = [
        f"{name}, epoch {k}: {m:.4g}<br>{len(y)} seed{'s' * (len(y) != 1)}: {lo:.4g} to {hi:.4g}"
        for k, m, lo, hi in zip(x, y.mean(0), y.min(0), y.max(0), strict=True)
    ]
    fig.add_scatter(
        x=x,
        y=y.mean(0),
        mode="lines" if len(x) > 1 else "markers",
        line={"color": color, "width": 2.2},
        marker={"color": color, "size": 8},
        name=name,
        hovertext=tips,
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _labels(
    fig: go.Figure,
    ends: list[tuple[float, str, str]],
    at: int,
    values: NDArray[Any],
    look: tuple[str, int],
) -> None:
    """Names beside the lines' ends, pushed apart."""
    values = values[np.isfinite(values)]
    ends = [e for e in ends if np.isfinite(e[0])]
    if not ends or not len(values):
        return
    unit, height = look
    span = float(np.ptp(values)) or 1.0
    spots = spread_out([e[0] for e in ends], span * 1.2 * 18 / max(height - 60, 60))
    for (value, name, color), spot in zip(ends, spots, strict=True):
        said = words.percent(value) if unit == "%" else f"{value:.4g}{words.GAP + unit if unit else ''}"
        text = f" {name} <b>{said}</b>"
        fig.add_annotation(x=at, y=spot, text=text, xanchor="left", font={"color": color, "size": 13})
    low, high = min(values.min(), *spots), max(values.max(), *spots)
    fig.update_yaxes(range=[low - 0.06 * span, high + 0.06 * span])


def standing(rows: Sequence[tuple[str, float, str, str]], t: Tokens, *, row_height: int = 34) -> go.Figure:
    """Where one arch stands on several metrics, each a strip from the worst (0) to the best (100).

    Args:
        rows: (what, share of the others that are not better in percent, value, rank in words).
        t: the page's mode.
        row_height: pixels a strip.
    """
    fig = figure(t, height=44 + row_height * max(len(rows), 1), x="Cells that are not better (%)", y="")
    for name, share, value, rank in rows:
        at = f"{safe(name)}   <b>{safe(value)}</b>"
        for end, color in ((100.0, t.line), (share, alpha(t.accent, 0.55))):
            fig.add_scatter(
                x=[0, end],
                y=[at, at],
                mode="lines",
                line={"color": color, "width": 8},
                hoverinfo="skip",
            )
        fig.add_scatter(
            x=[share],
            y=[at],
            mode="markers",
            cliponaxis=False,
            marker={"size": 13, "color": t.paper, "line": {"color": t.pick, "width": 3}},
            hovertext=[f"{safe(name)}: {safe(value)}<br>rank {safe(rank)}"],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    fig.update_xaxes(range=[-5, 104], tickvals=[0, 25, 50, 75, 100], showgrid=False)
    fig.update_yaxes(showgrid=False, showline=False, ticks="", autorange="reversed", tickfont_color=t.ink)
    return fig.update_layout(showlegend=False, margin_t=6)


def steps(near: pd.DataFrame, a: Axis, here: float, t: Tokens, *, height: int = 330) -> go.Figure:
    """What one edit does to a metric of a table: a row a choice, a dot a neighbor, its option as the color.

    Args:
        near: `edge`, `op`, `key` and `value`.
        a: the metric.
        here: its value in the middle.
        t: the page's mode.
        height: in pixels.
    """
    from nascore.view.figures_arch import SYMBOLS
    from nascore.view.tokens import op_key

    fig = figure(t, height=height, x=a.title, y="Changed")
    fine = near[np.isfinite(near["value"])]
    for op, part in fine.groupby("op", sort=False):
        gaps = [axes.difference(a.column, float(v) - here) for v in part["value"]]
        fig.add_scatter(
            x=a.at(part["value"]),
            y=[safe(e) for e in part["edge"]],
            mode="markers",
            name=safe(op_label(str(op))),
            marker={
                "size": 11,
                "color": t.op(str(op)),
                "symbol": SYMBOLS.get(op_key(str(op)), "circle"),
                "line": {"color": t.paper, "width": 1},
            },
            customdata=part["key"].astype(str).tolist(),
            hovertext=[
                f"{safe(e)}: {safe(op_label(str(op)))}<br>{a.write(float(v))} ({g})"
                for e, v, g in zip(part["edge"], part["value"], gaps, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    if np.isfinite(here):
        fig.add_vline(x=float(a.at(here)), line={"color": t.pick, "width": 1.6})
    if found := a.ticks():
        fig.update_xaxes(tickvals=found[0], ticktext=found[1])
    places = a.at(np.append(fine["value"].to_numpy(float), here))
    places = places[np.isfinite(places)]
    if len(places):
        air = 0.05 * float(np.ptp(places)) or 0.05
        fig.update_xaxes(range=[float(places.min()) - air, float(places.max()) + air])
    fig.update_yaxes(categoryorder="array", categoryarray=[safe(e) for e in near["edge"].unique()][::-1])
    return fig.update_layout(showlegend=True, margin_t=30)
