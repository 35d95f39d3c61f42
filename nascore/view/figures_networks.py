"""Calibration of many networks drawn: clouds, agreement of measures, growing populations, groups, ranks.

Numbers come ready; nothing is computed here but places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.stats import Interval
from nascore.view import words
from nascore.view.figures import TIP, spread_out
from nascore.view.template import CLEAR, figure
from nascore.view.tokens import Tokens, alpha, scale

Floats = NDArray[np.float64]
CLOUD = 4000  # more dots than this go to WebGL


def cloud(
    x: Floats,
    y: Floats,
    keys: Sequence[str],
    t: Tokens,
    *,
    titles: tuple[str, str],
    picked: str = "",
    equal: bool = False,
    height: int = 360,
) -> go.Figure:
    """One dot a network, customdata its key.

    Args:
        x: (n,) values across.
        y: (n,) values up.
        keys: (n,).
        t: the page's mode.
        titles: of the axes.
        picked: key of the one with a ring.
        equal: draw the line where both are equal.
        height: in pixels.
    """
    fig = figure(t, height=height, x=titles[0], y=titles[1])
    add = fig.add_scattergl if len(x) > CLOUD else fig.add_scatter
    add(
        x=np.asarray(x, np.float32),
        y=np.asarray(y, np.float32),
        customdata=list(keys),
        mode="markers",
        marker={"size": 5, "color": alpha(t.dot, 0.5), "line": {"width": 0}},
        hovertemplate="%{customdata}<br>"
        + f"{titles[0]}: %{{x:.4g}}<br>{titles[1]}: %{{y:.4g}}<extra></extra>",
        showlegend=False,
    )
    if equal and len(x):
        low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
        line = {"color": t.muted, "width": 1.5, "dash": "dot"}
        fig.add_scatter(
            x=[low, high], y=[low, high], mode="lines", line=line, hoverinfo="skip", showlegend=False
        )
    here = np.flatnonzero(np.asarray(keys) == picked) if picked else []
    if len(here):
        marker = {"size": 15, "color": CLEAR, "line": {"color": t.pick, "width": 2.5}}
        i = int(here[0])
        fig.add_scatter(x=[x[i]], y=[y[i]], mode="markers", marker=marker, hoverinfo="skip", showlegend=False)
    return fig.update_layout(margin_t=6)


def heat(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Floats,
    t: Tokens,
    *,
    most: float = 1.0,
    least: float | None = None,
    form: str = ".2f",
    name: str = "tau",
    height: int = 300,
) -> go.Figure:
    """A heat map with its numbers.

    Args:
        rows: names down.
        columns: names across.
        values: (rows, columns); NaN stays empty.
        t: the page's mode.
        most: where the color ends.
        least: where a scale from low to high begins; without it the scale is symmetric about zero.
        form: of the numbers.
        name: of the values.
        height: in pixels.
    """
    fig = figure(t, height=height, x="", y="")
    text = [[f"{v:{form}}" if np.isfinite(v) else "" for v in row] for row in values]
    fig.add_heatmap(
        x=list(columns),
        y=list(rows),
        z=np.where(np.isfinite(values), values, np.nan),
        zmin=-most if least is None else least,
        zmax=most,
        colorscale=scale(t.diverging if least is None else t.sequential),
        showscale=False,
        text=text if len(columns) <= 10 else None,
        texttemplate="%{text}" if len(columns) <= 10 else None,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        hovertemplate=f"%{{y}}, %{{x}}: {name} %{{z:{form}}}<extra></extra>",
    )
    fig.update_yaxes(autorange="reversed", showgrid=False, type="category")
    fig.update_xaxes(showgrid=False, type="category")
    return fig.update_layout(margin_t=6)


def growing(
    sizes: Sequence[int],
    lines: Mapping[str, Sequence[Interval]],
    t: Tokens,
    *,
    x: str = "Networks, the most accurate first",
    y: str = "Kendall's tau",
    height: int = 300,
) -> go.Figure:
    """Intervals over growing populations, or over numbers of bins: a line with its band each.

    Args:
        sizes: across, on a log axis.
        lines: name -> one interval a size.
        t: the page's mode.
        x: axis title.
        y: axis title.
        height: in pixels.
    """
    fig = figure(t, height=height, x=x, y=y)
    ends: list[tuple[float, str, str]] = []
    edge: list[float] = [0.0]
    for (name, values), color in zip(lines.items(), t.series, strict=False):
        low, high = [v.low for v in values], [v.high for v in values]
        for side, fill in ((low, None), (high, "tonexty")):
            look = {"width": 0}
            fig.add_scatter(
                x=sizes, y=side, mode="lines", line=look, fill=fill, fillcolor=alpha(color, 0.12),
                hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        fig.add_scatter(
            x=sizes,
            y=[v.value for v in values],
            mode="lines+markers",
            line={"color": color, "width": 2.2},
            marker={"size": 5},
            name=name,
            showlegend=False,
            hovertext=[
                f"{name}, {s:,}: {words.interval(v.value, v.low, v.high)}"
                for s, v in zip(sizes, values, strict=True)
            ],
            hovertemplate=TIP,
        )
        edge += [v for v in (*low, *high) if np.isfinite(v)]
        ends.append((values[-1].value, name, color))
    span = (max(edge) - min(edge)) or 1.0
    spots = spread_out([e[0] for e in ends], span * 1.2 * 18 / max(height - 60, 60))
    for (_, name, color), spot in zip(ends, spots, strict=True):
        fig.add_annotation(
            x=np.log10(sizes[-1]), y=spot, text=f" {name}", xanchor="left", font={"color": color, "size": 13}
        )
    wide = np.log10(sizes[-1] / sizes[0]) or 1
    ticks = [s for i, s in enumerate(sizes) if not i or np.log10(s / sizes[i - 1]) > 0.06 * wide]
    fig.add_hline(y=0, line={"color": t.muted, "width": 1, "dash": "dot"})
    fig.update_xaxes(type="log", tickvals=ticks, ticktext=[words.count(s) for s in ticks])
    fig.update_xaxes(range=[np.log10(sizes[0]) - 0.03 * wide, np.log10(sizes[-1]) + 0.45 * wide])
    fig.update_yaxes(range=[min([*edge, *spots]) - 0.06 * span, max([*edge, *spots]) + 0.06 * span])
    return fig.update_layout(margin_t=6)


def groups(
    x: Sequence[float], means: Sequence[Interval], t: Tokens, *, titles: tuple[str, str], height: int = 300
) -> go.Figure:
    """Means with whiskers of 95 %, one a group.

    Args:
        x: where each group lies.
        means: one a group.
        t: the page's mode.
        titles: of the axes.
        height: in pixels.
    """
    fig = figure(t, height=height, x=titles[0], y=titles[1])
    up = [np.nan_to_num(m.high - m.value) for m in means]
    down = [np.nan_to_num(m.value - m.low) for m in means]
    fig.add_scatter(
        x=list(x),
        y=[m.value for m in means],
        mode="markers",
        marker={"size": 7, "color": t.accent},
        error_y={"array": up, "arrayminus": down, "color": t.accent, "thickness": 1.2, "width": 3},
        hovertext=[
            f"{titles[0]} {v:g}: {words.interval(m.value, m.low, m.high, 4)}, n = {m.n:,}"
            for v, m in zip(x, means, strict=True)
        ],
        hovertemplate=TIP,
        showlegend=False,
    )
    return fig.update_layout(margin_t=6)


def bump(
    bins: Sequence[int],
    ranks: NDArray[np.int64],
    names: Sequence[str],
    t: Tokens,
    *,
    picked: str = "",
    height: int = 330,
) -> go.Figure:
    """Ranks of a few networks over numbers of bins; 1 is on top, the axis is logarithmic.

    Args:
        bins: (b,) numbers of bins.
        ranks: (n, b), 1 is the best.
        names: (n,).
        t: the page's mode.
        picked: the name that is marked.
        height: in pixels.
    """
    fig = figure(t, height=height, x="Number of bins", y="Rank by ECE")
    for row, name in zip(ranks, names, strict=True):
        mine = name == picked
        color = t.pick if mine else alpha(t.accent, 0.65)
        fig.add_scatter(
            x=[str(b) for b in bins],
            y=row,
            mode="lines+markers",
            line={"color": color, "width": 3 if mine else 1.8},
            marker={"size": 7 if mine else 5},
            hovertemplate=f"{name}, %{{x}} bins: rank %{{y:,}}<extra></extra>",
            showlegend=False,
        )
    top = int(ranks.max(initial=1))
    ticks = [v for v in (1, 3, 10, 30, 100, 300, 1000, 3000) if v <= top * 1.5]
    fig.update_yaxes(
        type="log", tickvals=ticks, ticktext=[f"{v:,}" for v in ticks], range=[np.log10(top * 1.2), -0.06]
    )
    fig.update_xaxes(type="category")
    return fig.update_layout(margin_t=6)
