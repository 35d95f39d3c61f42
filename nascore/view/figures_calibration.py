"""Calibration drawn: reliability with counts, measures over numbers of bins, many networks, agreement.

Numbers come ready; nothing is computed here but places. "Before" is petrol, "after scaling" violet, the gap
to the confidence orange-red of the series, never the color of the picked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.stats import Interval
from nascore.view import words
from nascore.view.figures import TIP, spread_out
from nascore.view.template import CLEAR, figure
from nascore.view.tokens import Tokens, alpha, scale

Floats = NDArray[np.float64]
THIN = 0.004  # a bin is drawn at least this wide
CLOUD = 4000  # more dots than this go to WebGL


class Bins(Protocol):
    """What `reliability` draws: arrays of one length, NaN where a bin is empty."""

    @property
    def low(self) -> Floats:
        """Where each begins."""
        ...

    @property
    def high(self) -> Floats:
        """Where it ends."""
        ...

    @property
    def count(self) -> NDArray[np.int64]:
        """How many predictions it holds."""
        ...

    @property
    def accuracy(self) -> Floats:
        """Share that is right."""
        ...

    @property
    def confidence(self) -> Floats:
        """Mean confidence."""
        ...

    def bounds(self) -> tuple[Floats, Floats]:
        """95 % interval of the accuracy."""
        ...


def reliability(
    found: Bins, t: Tokens, *, scaled: Bins | None = None, of: str = "the predicted class", height: int = 430
) -> go.Figure:
    """Bars of accuracy with the gap to the mean confidence, counts below; empty bins stay empty.

    Args:
        found: bins before scaling.
        t: the page's mode.
        scaled: bins after scaling, drawn as a line.
        of: whose confidence it is.
        height: in pixels.
    """
    fig = figure(t, height=height, x=f"Confidence of {of}", y="Accuracy")
    fig.update_layout(
        barmode="overlay",
        bargap=0,
        xaxis={"range": [-0.005, 1.005], "anchor": "y2"},
        yaxis={"range": [0, 1.02], "domain": [0.29, 1]},
        yaxis2={"domain": [0, 0.2], "anchor": "x", "type": "log", "title": {"text": "Samples"}},
    )
    full = found.count > 0
    low, high = found.low[full], found.high[full]
    middle, wide = (low + high) / 2, np.maximum(high - low, THIN) * 0.94
    right, said = found.accuracy[full], found.confidence[full]
    tips = _bin_tips(found)
    over = said > right
    gap = {
        "color": np.where(over, alpha(t.series[1], 0.28), alpha(t.accent, 0.3)).tolist(),
        "line": {"color": t.series[1], "width": 1},
    }
    bars: dict[str, Any] = {"x": middle, "width": wide, "hovertext": tips, "hovertemplate": TIP}
    solid = {"color": alpha(t.accent, 0.8), "line": {"width": 0}}
    least = np.minimum(right, said)
    fig.add_bar(**bars, y=least, name="accuracy", marker=solid)
    fig.add_bar(**bars, base=least, y=np.abs(said - right), name="gap to confidence", marker=gap)
    if scaled is not None:
        there = scaled.count > 0
        look = {"color": t.series[2], "width": 2}
        fig.add_scatter(
            x=scaled.confidence[there],
            y=scaled.accuracy[there],
            mode="lines+markers",
            name="after scaling",
            line=look,
            marker={"size": 7, "color": t.series[2]},
            hovertext=_bin_tips(scaled),
            hovertemplate=TIP,
        )
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": t.muted, "width": 1.5, "dash": "dot"},
        name="perfect",
        hoverinfo="skip",
    )
    counts = found.count[full]
    gray = {"color": alpha(t.muted, 0.55), "line": {"width": 0}}
    fig.add_bar(**bars, y=counts - 0.5, base=0.5, yaxis="y2", marker=gray, showlegend=False)
    top = max(int(counts.max(initial=1)), 2)
    ticks = [v for v in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000) if v <= top * 1.2]
    ticks = ticks if len(ticks) < 4 else ticks[::2]
    fig.update_layout(
        yaxis2={
            "range": [np.log10(0.5), np.log10(top * 1.3)],
            "tickvals": ticks,
            "ticktext": [f"{v:,}" for v in ticks],
        }
    )
    return fig


def _bin_tips(found: Bins) -> list[str]:
    low, high = found.bounds()
    return [
        f"confidence {found.low[i]:.3g} to {found.high[i]:.3g}: {found.count[i]:,} samples<br>"
        f"accuracy {found.accuracy[i]:.3f} [{low[i]:.3f}, {high[i]:.3f}]<br>"
        f"mean confidence {found.confidence[i]:.3f}"
        for i in np.flatnonzero(found.count > 0)
    ]


def sweep(
    lines: Mapping[str, tuple[Sequence[int], Sequence[float], str, str]],
    t: Tokens,
    *,
    y: str,
    cursor: int | None = None,
    height: int = 250,
) -> go.Figure:
    """A measure over numbers of bins.

    Args:
        lines: name -> numbers of bins, values, color, dash.
        t: the page's mode.
        y: axis title.
        cursor: the number of bins that the page shows.
        height: in pixels.
    """
    fig = figure(t, height=height, x="Number of bins", y=y)
    every = sorted({b for bins, *_ in lines.values() for b in bins})
    ends: list[tuple[float, str, str]] = []
    for name, (bins, values, color, dash) in lines.items():
        fig.add_scatter(
            x=list(bins),
            y=list(values),
            mode="lines+markers" if dash == "solid" else "lines",
            line={"color": color, "width": 2.2 if dash == "solid" else 1.6, "dash": dash},
            marker={"size": 5},
            name=name,
            showlegend=False,
            hovertemplate=f"{name}, %{{x}} bins: %{{y:.4f}}<extra></extra>",
        )
        known = [v for v in values if np.isfinite(v)]
        if known:
            ends.append((known[-1], name, color))
    if cursor:
        fig.add_vline(x=cursor, line={"color": t.pick, "width": 1.6})
    top = max(
        (max([v for v in values if np.isfinite(v)], default=0) for _, values, *_ in lines.values()), default=1
    )
    _name_ends(fig, ends, every[-1] if every else 1, top, height)
    ticks = [b for b in (1, 2, 5, 10, 15, 25, 50, 100, 200, 500) if every and every[0] <= b <= every[-1]]
    low, high = np.log10(every[0]), np.log10(every[-1])
    wide = high - low or 1
    fig.update_xaxes(type="log", tickvals=ticks, ticktext=[str(v) for v in ticks])
    fig.update_xaxes(range=[low - 0.04 * wide, high + 0.42 * wide])
    return fig.update_layout(margin_t=6)


def _name_ends(
    fig: go.Figure, ends: Sequence[tuple[float, str, str]], at: float, top: float, height: int
) -> None:
    """Names beside the ends of lines that start at zero, pushed apart."""
    top = top or 1.0
    spots = spread_out([e[0] for e in ends], top * 1.1 * 18 / max(height - 60, 60))
    fig.update_yaxes(range=[0, max([top, *spots]) * 1.08])
    for (_, name, color), spot in zip(ends, spots, strict=True):
        fig.add_annotation(
            x=np.log10(at), y=spot, text=f" {name}", xanchor="left", font={"color": color, "size": 13}
        )


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
