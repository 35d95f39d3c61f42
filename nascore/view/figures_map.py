"""A map of the archs of a table: places -> plotly figure. Where archs coincide, a dot says how many."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (plotly's own types do not know what a figure's traces are)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.benchmarks.paths import Stacks
from nascore.view.axes import Axis
from nascore.view.figures import safe
from nascore.view.figures_table import ring
from nascore.view.template import figure
from nascore.view.tokens import Tokens, alpha, scale

Mask = NDArray[np.bool_]
SMALLEST, LARGEST = 4.0, 34.0  # diameters in pixels of one arch, and of the fullest place
LEAST = 3.5  # what can still be seen and clicked


def chart(
    found: Stacks,
    color: Axis,
    t: Tokens,
    *,
    numbers: NDArray[Any],
    chosen: Mask,
    ringed: Mapping[int, str] | None = None,
    height: int = 460,
) -> go.Figure:
    """One dot a place; its area is the number of chosen archs there (the least are drawn a little larger).

    Args:
        found: which archs stand where.
        color: the metric of all n archs.
        t: the page's mode.
        numbers: (n,) what an arch is called in its hover text.
        chosen: (n,) which count; places without one fade.
        ringed: row -> name of the picked ones.
        height: in pixels.

    A dot's `customdata` starts with the row of the best chosen arch there, so a click can open it.
    """
    fig = figure(t, height=height, x="Direction 1", y="Direction 2")
    count = np.bincount(found.of[chosen], minlength=len(found.count))
    empty = found.places[count == 0]
    fig.add_scattergl(
        x=empty[:, 0].astype(np.float32),
        y=empty[:, 1].astype(np.float32),
        mode="markers",
        marker={"size": 3, "color": alpha(t.muted, 0.3)},
        hoverinfo="skip",
        showlegend=False,
    )
    _dots(fig, found, count, color, numbers, chosen, t)
    for row, name in (ringed or {}).items():
        x, y = found.places[found.of[row]]
        ring(fig, t, (float(x), float(y)), name, right=x < 0)
    return fig.update_layout(margin_t=8, showlegend=False)


def _dots(
    fig: go.Figure,
    found: Stacks,
    count: NDArray[np.int64],
    color: Axis,
    numbers: NDArray[Any],
    chosen: Mask,
    t: Tokens,
) -> None:
    mean, best = of_stacks(found, color, chosen)
    at = np.flatnonzero(count)
    at = at[np.argsort(-count[at], kind="stable")]  # small dots above large ones
    if not len(at):
        return
    rows, largest = best[at], int(count[at].max())
    size = min(SMALLEST, LARGEST / largest**0.5) * np.sqrt(count[at])
    places = color.at(mean[at])
    known = places[np.isfinite(places)]
    low, high = np.percentile(known, [1, 99]) if len(known) else (0.0, 1.0)
    tip = "<b>%{customdata[1]:,} %{text}</b><br>best: cell %{customdata[2]:.0f}, %{customdata[4]:.4~g}"
    tip += "<br>mean: %{customdata[3]:.4~g}" if largest > 1 else ""
    fig.add_scattergl(
        x=found.places[at, 0].astype(np.float32),
        y=found.places[at, 1].astype(np.float32),
        mode="markers",
        marker={
            "size": np.maximum(size, LEAST).astype(np.float32),
            "color": places.astype(np.float32),
            "colorscale": scale(t.points),
            "cmin": float(low),
            "cmax": float(high) if high > low else float(low) + 1,
            "opacity": 0.8,
            "line": {"width": 0},
            "showscale": True,
            "colorbar": _bar(color, t),
        },
        customdata=np.stack([rows, count[at], numbers[rows], mean[at], color.values[rows]], 1),
        text=np.where(count[at] == 1, "cell", "cells at this place"),
        hovertemplate=tip + f"<br>{safe(color.title)}<extra></extra>",
        showlegend=False,
    )


def of_stacks(found: Stacks, color: Axis, chosen: Mask) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(stacks,) mean of the chosen archs at each place, and the row of the best of them.

    NaN where none has a value; the row is then that of the first chosen one, -1 where none is chosen.
    """
    n = len(found.count)
    use = chosen & np.isfinite(color.values)
    many = np.bincount(found.of[use], minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(found.of[use], color.values[use], n) / many
    sign = -1.0 if color.column.direction == "min" else 1.0
    rows = np.flatnonzero(chosen)
    keys = np.nan_to_num(sign * color.values[rows], nan=-np.inf)
    rows = rows[np.argsort(keys, kind="stable")]  # the best comes last and stays
    best = np.full(n, -1, np.int64)
    best[found.of[rows]] = rows
    return mean, best


def _bar(color: Axis, t: Tokens) -> dict[str, Any]:
    bar: dict[str, Any] = {
        "title": {"text": safe(color.title), "font": {"color": t.muted, "size": 12}},
        "thickness": 8,
        "len": 0.7,
        "outlinewidth": 0,
        "tickfont": {"color": t.muted, "size": 11},
    }
    if found := color.ticks():
        bar |= {"tickvals": found[0], "ticktext": found[1]}
    return bar
