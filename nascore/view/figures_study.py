"""The picture of a study: what its result file says -> plotly figure. `kind` says which.

whiskers  names, values, low, high: a dot with its interval a row; `marked` names the paper's own,
          `log` asks for a log scale
dots      xs, ys: a crowd, with the points at the places `marked` told apart
lines     series of name, x, y, low, high: a line with its band each
"""

# pyright: reportAttributeAccessIssue=false
# (plotly's own types do not know what a figure's traces are)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from nascore.view.figures import COLORED, TIP, label_ends, safe
from nascore.view.template import figure
from nascore.view.tokens import Tokens, alpha
from nascore.view.words import three

ROW, FRAME, LEAST = 30, 70, 160  # pixels of a row, around the rows, of the smallest figure


def study(picture: Mapping[str, Any], t: Tokens) -> go.Figure | None:
    """The figure; None for a kind that is not known, or one whose numbers are missing.

    Args:
        picture: of a result file.
        t: the page's mode.
    """
    draw = {"whiskers": whiskers, "dots": dots, "lines": lines}.get(str(picture.get("kind")))
    try:
        return draw(picture, t) if draw else None
    except (KeyError, TypeError, ValueError):
        return None


def whiskers(picture: Mapping[str, Any], t: Tokens) -> go.Figure:
    """A row a name, the first at the bottom; zero is drawn where it is what matters."""
    names = [safe(n) for n in picture["names"]]
    values, low, high = (numbers(picture[k]) for k in ("values", "low", "high"))
    fig = figure(t, height=max(LEAST, FRAME + ROW * len(names)), x=safe(picture["x"]), y="")
    marked = safe(picture.get("marked", ""))
    colors = [t.accent if not marked or n == marked else t.muted for n in names]
    said = [
        f"{n}: {three(v)} [{three(a)}, {three(b)}]"
        for n, v, a, b in zip(names, values, low, high, strict=True)
    ]
    for name, value, a, b, color, tip in zip(names, values, low, high, colors, said, strict=True):
        fig.add_scatter(
            x=[value],
            y=[name],
            mode="markers",
            marker={"size": 10, "color": color},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [b - value],
                "arrayminus": [value - a],
                "color": color,
                "thickness": 2,
                "width": 5,
            },
            hovertext=[tip],
            hovertemplate=TIP,
        )
    if picture.get("log"):
        fig.update_xaxes(type="log")
    elif picture.get("zero") or (np.nanmin(low) < 0 < np.nanmax(high)):
        fig.add_vline(x=0, line={"color": t.muted, "width": 1.2, "dash": "dot"})
    fig.update_yaxes(ticks="", showgrid=False)
    return fig.update_layout(showlegend=False, margin_t=8)


def dots(picture: Mapping[str, Any], t: Tokens) -> go.Figure:
    """A crowd and those that are marked, with a legend, since a dot has no end to be labeled at."""
    x, y = numbers(picture["xs"]), numbers(picture["ys"])
    fig = figure(t, height=380, x=safe(picture["x"]), y=safe(picture["y"]))
    chosen = np.zeros(len(x), bool)
    chosen[[i for i in picture.get("marked", []) if 0 <= i < len(x)]] = True
    groups = (
        (~chosen, safe(picture.get("crowd", "all")), t.dot, 5, 0.55),
        (chosen, safe(picture.get("mark", "marked")), t.accent, 10, 1.0),
    )
    for mask, name, color, size, opacity in groups:
        if mask.any():
            fig.add_scatter(
                x=x[mask],
                y=y[mask],
                mode="markers",
                name=name,
                marker={"size": size, "color": color, "opacity": opacity},
                hovertext=[f"{three(a)}, {three(b)}" for a, b in zip(x[mask], y[mask], strict=True)],
                hovertemplate=TIP,
            )
    return fig


def lines(picture: Mapping[str, Any], t: Tokens) -> go.Figure:
    """A line each, labeled at its end, with a band where there is one."""
    height = 340
    fig = figure(t, height=height, x=safe(picture["x"]), y=safe(picture["y"]))
    ends: list[tuple[float, str, str]] = []
    last = 0.0
    for i, one in enumerate(picture["series"]):
        x, y, color = numbers(one["x"]), numbers(one["y"]), t.series[i] if i < COLORED else t.muted
        if "low" in one:
            _band(fig, x, numbers(one["low"]), numbers(one["high"]), color)
        tips = [f"{safe(one['name'])}, {three(a)}: {three(b)}" for a, b in zip(x, y, strict=True)]
        line = {"color": color, "width": 2.2}
        fig.add_scatter(x=x, y=y, mode="lines", line=line, hovertext=tips, hovertemplate=TIP)
        ends.append((float(y[-1]), safe(one["name"]), color))
        last = max(last, float(x[-1]))
    label_ends(fig, ends, at=last, metric=str(picture.get("metric", "value")), height=height)
    fig.update_xaxes(range=[0, last * 1.35])
    return fig.update_layout(showlegend=False, margin_t=8)


def _band(fig: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, color: str) -> None:
    for edge, fill in ((high, None), (low, "tonexty")):
        fig.add_scatter(
            x=x,
            y=edge,
            mode="lines",
            line={"width": 0},
            fill=fill,
            fillcolor=alpha(color, 0.14),
            hoverinfo="skip",
        )


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """(n,) floats; what is missing is NaN."""
    return np.array([np.nan if v is None else float(v) for v in values], float)
