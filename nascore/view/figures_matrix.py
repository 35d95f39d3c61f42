"""A hundred measures and how they agree, drawn as one square in blocks of families. Nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.view.template import figure
from nascore.view.tokens import Tokens, scale

Floats = NDArray[np.float64]


def square(
    names: Sequence[str],
    groups: Sequence[str],
    values: tuple[Floats, Floats, Floats],
    n: int,
    t: Tokens,
    *,
    height: int = 520,
) -> go.Figure:
    """A heat map of all pairs; a hover names both, with tau, its interval and how many networks.

    Args:
        names: of the measures, in the order of their groups.
        groups: (names,) the block that each belongs to; each block in one piece.
        values: (names, names) each: tau, and the ends of its interval; NaN stays empty.
        n: networks.
        t: the page's mode.
        height: in pixels.
    """
    tau, low, high = values
    fig = figure(t, height=height, x="", y="")
    fig.add_heatmap(
        x=list(names),
        y=list(names),
        z=np.round(tau, 3),
        customdata=np.round(np.stack([low, high], -1), 2),
        zmin=-1,
        zmax=1,
        colorscale=scale(t.diverging),
        colorbar={"title": {"text": "tau"}, "thickness": 10, "outlinewidth": 0, "len": 0.5},
        hoverongaps=False,
        hovertemplate="%{y}<br>%{x}<br>tau %{z:.2f} (%{customdata[0]:.2f} to %{customdata[1]:.2f}), "
        f"{n:,} networks<extra></extra>",
    )
    middles, titles = [], []
    for group in dict.fromkeys(groups):
        at = [i for i, g in enumerate(groups) if g == group]
        middles.append(names[(at[0] + at[-1]) // 2])
        titles.append(group)
        if at[0]:
            line = {"color": t.paper, "width": 1.5}
            fig.add_hline(y=at[0] - 0.5, line=line)
            fig.add_vline(x=at[0] - 0.5, line=line)
    ticks = {"tickvals": middles, "ticktext": titles, "type": "category", "showgrid": False, "title": None}
    fig.update_yaxes(**ticks, autorange="reversed", automargin=True)
    fig.update_xaxes(**ticks, showticklabels=False)  # the same as down
    return fig.update_layout(margin={"t": 6, "l": 10, "b": 10})
