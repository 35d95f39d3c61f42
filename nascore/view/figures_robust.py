"""Robustness and sharpness drawn: accuracy by disturbance and severity, the loss on a line and a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.view.template import figure
from nascore.view.tokens import Tokens, alpha, scale

Floats = NDArray[np.float64]
LEVELS = ("clean", "1", "2", "3")
ROW, FRAME = 44, 60  # pixels of a row, and around the rows


def severities(found: Mapping[str, Sequence[float]], names: Mapping[str, str], t: Tokens) -> go.Figure:
    """Accuracy in percent: a row a kind, a column a severity, each with its number on a color it is read on.

    Args:
        found: kind -> four shares, severity 0 to 3.
        names: kind -> what it is called.
        t: the page's mode.
    """
    kinds = [k for k in names if k in found]
    z = 100 * np.array([found[k] for k in kinds], float)
    fig = figure(t, height=FRAME + ROW * len(kinds), x="Severity", y="")
    fig.add_heatmap(
        x=list(LEVELS),
        y=[names[k] for k in kinds],
        z=z,
        zmin=0,
        zmax=100,
        colorscale=[[0, alpha(t.accent, 0.04)], [1, alpha(t.accent, 0.45)]],
        showscale=False,
        texttemplate="%{z:.1f}",
        textfont={"color": t.ink},
        xgap=2,
        ygap=2,
        hovertemplate="%{y}, severity %{x}: %{z:.2f} %<extra></extra>",
    )
    fig.update_yaxes(autorange="reversed", showgrid=False, type="category", ticks="")
    fig.update_xaxes(showgrid=False, type="category", ticks="")
    return fig.update_layout(margin_t=6)


def line(found: Mapping[str, Any], t: Tokens, *, height: int = 260) -> go.Figure:
    """The loss along one direction; the network itself is in the middle. A loss without a value is a gap.

    Args:
        found: `at` (points,) and `losses` (points,).
        t: the page's mode.
        height: in pixels.
    """
    fig = figure(t, height=height, x="Distance, in lengths of each filter", y="Loss")
    at, losses = numbers(found["at"]), numbers(found["losses"])
    fig.add_scatter(
        x=at,
        y=losses,
        mode="lines+markers",
        line={"color": t.accent, "width": 2.2},
        marker={"size": 5},
        hovertemplate="%{x:.2f} away: loss %{y:.4g}<extra></extra>",
        showlegend=False,
    )
    fig.add_vline(x=0, line={"color": t.pick, "width": 1.6})
    fig.update_yaxes(rangemode="tozero")
    return fig.update_layout(margin_t=6)


def plane(found: Mapping[str, Any], t: Tokens, *, height: int = 380) -> go.Figure:
    """The loss over two directions, colored by its logarithm, with contours; the network is the cross.

    Args:
        found: `at` (points,) and `losses` (points, points).
        t: the page's mode.
        height: in pixels.
    """
    at = numbers(found["at"])
    losses = np.array([numbers(row) for row in found["losses"]])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.log10(np.where(losses > 0, losses, np.nan))
    fig = figure(t, height=height, x="First direction", y="Second direction")
    ticks = ticked(z)
    fig.add_contour(
        x=at,
        y=at,
        z=z,
        customdata=losses,
        colorscale=scale(t.sequential),
        ncontours=14,
        line={"width": 0.8, "color": t.paper},
        colorbar={
            "title": {"text": "Loss", "side": "top"},
            "tickvals": ticks,
            "ticktext": [f"{10**v:.2g}" for v in ticks],
            "thickness": 10,
            "outlinewidth": 0,
        },
        hovertemplate="%{x:.2f}, %{y:.2f}: loss %{customdata:.4g}<extra></extra>",
    )
    fig.add_scatter(
        x=[0],
        y=[0],
        mode="markers",
        marker={"symbol": "x", "size": 11, "color": t.pick, "line": {"width": 1, "color": t.paper}},
        hoverinfo="skip",
        showlegend=False,
    )
    fig.update_yaxes(scaleanchor="x", constrain="domain", showgrid=False)
    fig.update_xaxes(constrain="domain", showgrid=False)
    return fig.update_layout(margin_t=6)


def ticked(z: Floats) -> list[float]:
    """Up to five places on a logarithmic color bar, from its low to its high end."""
    known = z[np.isfinite(z)]
    if not len(known):
        return []
    low, high = float(known.min()), float(known.max())
    return np.linspace(low, high, 5).tolist() if high > low else [low]


def numbers(values: Sequence[float | None]) -> Floats:
    """(n,) floats; what is missing is NaN."""
    return np.array([np.nan if v is None else float(v) for v in values], float)
