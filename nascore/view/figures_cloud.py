"""All archs of a table at two metrics, as a plotly figure, and what changes in it when others are chosen.

A dot's `customdata` starts with its row. What is not chosen fades and stays as context. Each color is a trace
of its own: plotly reads a color a dot thirty times as slowly, which is a second for 15,625 of them.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (plotly's own types do not know what a figure's traces are)

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from nascore.benchmarks.explore import Density, density, visible
from nascore.view.axes import Axis
from nascore.view.figures import safe
from nascore.view.figures_table import FEW, MANY, SAMPLE, Mask, Rows, pale, ring, sample, scaled, tint
from nascore.view.template import figure
from nascore.view.tokens import Tokens, scale

Part = tuple[float, float, float, float]
LEVELS = 16  # colors that stand for a metric with more values than that
LARGE, SMALL = 6, 4  # pixels of a dot: of few, of many
DOTS = "dots"  # marks the traces of the chosen


def cloud(
    x: Axis,
    y: Axis,
    t: Tokens,
    *,
    numbers: NDArray[Any] | None = None,
    chosen: Mask | None = None,
    color: Axis | None = None,
    front: Rows | None = None,
    ringed: Mapping[int, str] | None = None,
    part: Part | None = None,
    bins: Density | None = None,
    height: int = 420,
) -> go.Figure:
    """All archs of a table at two metrics. Above 20,000 in sight a histogram and a sample stand for them.

    Args:
        x: metric across.
        y: metric up.
        t: the page's mode.
        numbers: (rows,) what an arch is called in its hover text; by default its row.
        chosen: (rows,) which stay; the others fade. None for all.
        color: a third metric.
        front: rows on the Pareto front, drawn as steps.
        ringed: row -> name of the picked ones.
        part: what is in sight: least and largest place across, least and largest up; None for all.
        bins: `density` of that part, where it is known already.
        height: in pixels.
    """
    fig = figure(t, height=height, x=x.title, y=y.title)
    px, py = x.places, y.places
    seen = visible(px, py, part)
    shown = seen if chosen is None else seen & chosen
    rows = np.flatnonzero(shown)
    if seen.sum() > MANY:
        _crowd(fig, density(px, py, part) if bins is None else bins, t)
        rows = sample(rows)
    elif chosen is not None:
        others = seen & ~chosen
        fig.add_trace(pale(px[others], py[others], t))
    for trace in _dots((x, y), rows, rows if numbers is None else numbers[rows], t, color):
        fig.add_trace(trace)
    if front is not None and len(front):
        _steps(fig, px[front], py[front], x.column.direction, t)
    _rings(fig, (px, py), seen, ringed or {}, t)
    _ranges(fig, (x, y), seen, part)
    return fig.update_layout(margin_t=30 if front is not None and len(front) else 8, showlegend=True)


def chosen_of(
    x: Axis, y: Axis, t: Tokens, *, chosen: Mask, ringed: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """What makes a cloud of up to 20,000 archs, drawn with all of them, one with these chosen.

    Args:
        x: metric across.
        y: metric up.
        t: the page's mode.
        chosen: (rows,) which stay.
        ringed: row -> name of the picked ones.

    Returns:
        For JSON: `chosen`, a bit a row as base64, the first row the highest bit, null for all; `size` of a
        chosen dot in pixels; `faded`, the trace that takes the others; `more` traces and the `layout`.
    """
    px, py = x.places, y.places
    seen = visible(px, py, None)
    fig = go.Figure()
    fig.add_trace(pale(np.empty(0), np.empty(0), t))
    _rings(fig, (px, py), seen, ringed or {}, t)
    faded, *more = plain(fig)["data"]
    bits = None if chosen[seen].all() else base64.b64encode(np.packbits(chosen)).decode()
    return {
        "chosen": bits,
        "size": _size(int((seen & chosen).sum())),
        "faded": faded,
        "more": more,
        "layout": following(fig),
    }


def anew(fig: go.Figure) -> dict[str, Any]:
    """What makes any cloud of these axes this one, for JSON: all `data`, and the `layout` with it."""
    found = plain(fig)
    return {"data": found["data"], "layout": following(fig)}


def plain(fig: go.Figure) -> dict[str, Any]:
    """A figure as JSON holds it, arrays as base64."""
    found: dict[str, Any] = json.loads(fig.to_json() or "{}")
    return found


def following(fig: go.Figure) -> dict[str, Any]:
    """The part of a figure's layout that follows what is picked and what is in sight: names and ticks."""
    layout = plain(fig)["layout"]
    ticks = {
        name: {k: v for k, v in layout[name].items() if k in ("tickvals", "ticktext")}
        for name in ("xaxis", "yaxis")
        if name in layout
    }
    return {"annotations": layout.get("annotations", []), **ticks}


def _crowd(fig: go.Figure, bins: Density, t: Tokens) -> None:
    """How many archs stand where, as log of their number; empty places stay empty."""
    z = np.where(bins.count > 0, np.log10(np.maximum(bins.count, 1)), np.nan).T
    fig.add_heatmap(
        x=bins.x,
        y=bins.y,
        z=z.astype(np.float32),
        colorscale=scale(t.sequential),
        opacity=0.55,
        showscale=False,
        hoverongaps=False,
        hoverinfo="skip",
    )


def _size(n: int) -> int:
    return SMALL if n > 500 else LARGE


def _dots(
    pair: tuple[Axis, Axis], rows: Rows, numbers: NDArray[Any], t: Tokens, color: Axis | None
) -> Iterator[go.Scattergl | go.Scatter]:
    """The chosen, a trace a color, and the bar of the colors."""
    x, y = pair
    places = [a.places[rows].astype(np.float32) for a in pair]
    tip = f"cell %{{customdata[1]:.0f}}<br>{safe(y.title)}: %{{customdata[2]:.6~g}}"
    tip += f"<br>{safe(x.title)}: %{{customdata[3]:.6~g}}"
    data = [rows, numbers, y.values[rows], x.values[rows]]
    groups, look = [(np.arange(len(rows)), t.dot)], {"size": _size(len(rows)), "opacity": 0.6}
    if color is not None:
        tip += f"<br>{safe(color.title)}: %{{customdata[4]:.6~g}}"
        data.append(color.values[rows])
        found = tint(color, t)
        look["opacity"] = found["opacity"]
        groups = _levels(color, rows, found, t)
        bar = {"color": [found["cmin"]], **found}
        yield go.Scatter(x=[None], y=[None], mode="markers", marker=bar, hoverinfo="skip", showlegend=False)
    said = np.stack(data, 1).astype(np.float64 if len(rows) <= SAMPLE else np.float32)
    for at, shade in groups:
        yield go.Scattergl(
            x=places[0][at],
            y=places[1][at],
            mode="markers",
            marker={**look, "color": shade},
            customdata=said[at],
            hovertemplate=tip + "<extra></extra>",
            showlegend=False,
            meta=DOTS,
        )


def _levels(color: Axis, rows: Rows, look: Mapping[str, Any], t: Tokens) -> list[tuple[Rows, str]]:
    """(which of the rows, their color) a level of a third metric, low ones first; unknown ones are muted."""
    low, high = look["cmin"], look["cmax"]
    places = color.places[rows]
    known = np.unique(places[np.isfinite(places)])
    if len(known) < FEW:
        level = np.searchsorted(known, places)
        middle = known
    else:
        share = np.nan_to_num((places - low) / (high - low))
        level = np.clip(share * LEVELS, 0, LEVELS - 1).astype(int)
        middle = low + (np.arange(LEVELS) + 0.5) / LEVELS * (high - low)
    shares = np.clip((middle - low) / (high - low), 0, 1)
    shades: list[str] = sample_colorscale(look["colorscale"], shares.tolist()) if len(shares) else []
    fine = np.isfinite(places)
    groups = [(np.flatnonzero(fine & (level == i)), shade) for i, shade in enumerate(shades)]
    return [(at, shade) for at, shade in [(np.flatnonzero(~fine), t.muted), *groups] if len(at)]


def _steps(fig: go.Figure, x: NDArray[Any], y: NDArray[Any], direction: str, t: Tokens) -> None:
    at = np.argsort(x, kind="stable")
    fig.add_scattergl(
        x=x[at],
        y=y[at],
        mode="lines" if len(at) > 1 else "lines+markers",
        line={"color": t.pick, "width": 1.6, "shape": "vh" if direction == "max" else "hv"},
        name=f"Pareto front, {len(at)} cell{'s' * (len(at) != 1)}",
        hoverinfo="skip",
        showlegend=True,
    )


def _rings(
    fig: go.Figure,
    places: tuple[NDArray[Any], NDArray[Any]],
    seen: Mask,
    ringed: Mapping[int, str],
    t: Tokens,
) -> None:
    """The picked ones in sight."""
    for row, name in ringed.items():
        if seen[row]:
            at = tuple(float(p[row]) for p in places)
            ring(fig, t, (at[0], at[1]), name, right=at[0] < np.mean(places[0][seen]))


def _ranges(fig: go.Figure, pair: tuple[Axis, Axis], seen: Mask, part: Part | None) -> None:
    """What is in sight, with ticks that fit it."""
    for i, (which, a) in enumerate(zip(("xaxis", "yaxis"), pair, strict=True)):
        if part is None:
            scaled(fig, a, which, a.places[seen])
        else:
            scaled(fig, replace(a, values=a.values[seen]), which, np.empty(0))
            fig.update_layout({which: {"range": list(part[2 * i : 2 * i + 2])}})
