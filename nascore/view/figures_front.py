"""The Pareto front of a run and how it grew. Frames as in `figures`."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (pandas' and plotly's own types do not know what a selection of rows or a figure's traces are)

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from nascore.pareto import costs, nondominated
from nascore.view import words
from nascore.view.figures import dots, failed, front_line, ring
from nascore.view.template import figure
from nascore.view.tokens import Tokens, scale


def front(
    frame: pd.DataFrame,
    t: Tokens,
    *,
    x: str,
    y: str,
    directions: tuple[str, str] = ("min", "min"),
    picked: str | None = None,
    height: int = 420,
) -> go.Figure:
    """How the Pareto front grew: dots by evaluation number, the front now, and after a quarter and a half.

    Args:
        frame: see the module.
        t: the page's mode.
        x: metric across.
        y: metric up.
        directions: "min" or "max" for x and y.
        picked: key of the architecture with a ring.
        height: in pixels.
    """
    fig = figure(t, height=height, x=words.metric_title(x), y=words.metric_title(y))
    if not {x, y, "key", "index"} <= set(frame.columns):
        return fig
    fine = frame[~failed(frame, x) & ~failed(frame, y)]
    if fine.empty:
        return fig
    marker = {"size": 7, "color": fine["index"], "colorscale": scale(t.points), "line": {"width": 0}}
    marker["colorbar"] = {
        "title": {"text": "evaluation", "font": {"color": t.muted, "size": 12}},
        "thickness": 8,
    }
    marker["colorbar"] |= {"outlinewidth": 0, "tickfont": {"color": t.muted, "size": 11}, "len": 0.8}
    dots(fig, fine, (x, y), {**marker, "showscale": len(fine) > 1}, "tried")
    total, shape = int(fine["index"].max()), "hv" if directions[0] == "min" else "vh"
    for share, dash in ((4, "dot"), (2, "dash"), (1, "solid")):
        part = fine[fine["index"] <= max(total // share, 1)]
        part = part[nondominated(costs(part[[x, y]].to_numpy(float), directions))]
        name = "front now" if share == 1 else f"after {total // share}"
        if share == 1 or total >= 8:
            color = t.accent if share == 1 else t.muted
            front_line(fig, part, (x, y), color, name, dash=dash, shape=shape)
    if picked is not None:
        ring(fig, fine[fine["key"] == picked], t, (x, y))
    return fig


def hypervolume(
    values: Sequence[float] | np.ndarray,
    t: Tokens,
    *,
    after: Sequence[int] | None = None,
    reference: Mapping[str, float] | None = None,
    height: int = 230,
) -> go.Figure:
    """Area that the front covers, over evaluations; the reference point stands in the axis title.

    Args:
        values: (n,), in the metrics' units multiplied.
        t: the page's mode.
        after: (n,) how many evaluations there had been; by default 1 to n.
        reference: metric -> value of the reference point.
        height: in pixels.
    """
    corner = ", ".join(words.metric(name, value) for name, value in (reference or {}).items())
    title = "Architectures evaluated" + (f" · reference point {corner}" if corner else "")
    fig = figure(t, height=height, x=title, y="Hypervolume (product of units)")
    y = np.asarray(values, float)
    x = np.arange(1, len(y) + 1) if after is None else np.asarray(after)
    fig.add_scatter(
        x=x,
        y=y,
        mode="lines" if len(y) > 1 else "markers",
        line={"color": t.accent, "width": 2.2, "shape": "hv"},
        marker={"color": t.accent, "size": 8},
        hovertemplate="after %{x:,}: %{y:.4g}<extra></extra>",
        showlegend=False,
    )
    return fig.update_yaxes(rangemode="tozero").update_layout(margin_t=8)
