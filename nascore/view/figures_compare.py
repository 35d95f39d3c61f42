"""Runs side by side: any-time curves, final values with their seeds, improvement over chance, attainment.

Names, curves and points in, plotly figures out. A method keeps its color and its name in every figure.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
# (plotly's own types do not know what a figure's traces are)

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.stats import Interval
from nascore.view import words
from nascore.view.axes import Axis
from nascore.view.figures import LOG_TICKS, TIP, label_ends, safe
from nascore.view.template import figure
from nascore.view.tokens import Tokens, alpha

Values = NDArray[np.float64]
Points = NDArray[np.float64]
ROW = 56  # pixels of a method
LETTER, PLOT = 6.4, 900.0  # pixels: mean width of a letter, and of a plot over the whole page
SPREAD = 0.16  # how far the seeds of a method stand apart, in rows
WIDE = 3.0  # largest over smallest from which positive values lie as log
DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class Look:
    """A method as it is drawn.

    Attributes:
        name: what people call it.
        at: its place among all methods, which decides color and dash.
    """

    name: str
    at: int

    def color(self, t: Tokens) -> str:
        """One of the palette of runs; beyond it they begin again with another dash."""
        return t.series[self.at % len(t.series)]

    def dash(self, t: Tokens) -> str:
        """Solid, unless the color stands for several methods."""
        return DASHES[self.at // len(t.series) % len(DASHES)]


@dataclass(frozen=True)
class Path:
    """A mean over cost with its band, all (k,); `n` runs stand behind it."""

    look: Look
    cost: Values
    mean: Values
    low: Values
    high: Values
    n: int


def runs_of(n: int) -> str:
    """`5 seeds`, `1 seed`."""
    return f"{n} seed{'' if n == 1 else 's'}"


def anytime(
    paths: Sequence[Path],
    t: Tokens,
    *,
    x: str,
    y: str,
    metric: str,
    direction: str = "min",
    best: float = math.nan,
    height: int = 380,
    width: float = PLOT,
) -> go.Figure:
    """The mean of each method over cost, with its band and its name at the end.

    Args:
        paths: one a method.
        t: the page's mode.
        x: title of the cost.
        y: title of the value.
        metric: for units.
        direction: min or max; only what is better small may lie on a log scale.
        best: a dotted line at the best that there is; NaN for none.
        height: in pixels.
        width: of the plot in pixels, about; names at the end take their part of it.
    """
    fig = figure(t, height=height, x=x, y=y)
    far = max((float(p.cost[-1]) for p in paths), default=1.0)
    for p in paths:
        _path(fig, p, t, metric)
    ends = [(float(p.mean[-1]), f"{safe(p.look.name)} ({p.n})", p.look.color(t)) for p in paths]
    if math.isfinite(best):
        line = {"color": t.muted, "width": 1.2, "dash": "dot"}
        fig.add_scatter(x=[0, far], y=[best] * 2, mode="lines", line=line, hoverinfo="skip")
        ends.append((best, "best of the table", t.muted))
    label_ends(fig, ends, at=far, metric=metric, height=height, log=direction == "min" and _wide(fig, "y"))
    room = LETTER * max((len(name) + 9 for _, name, _ in ends), default=0)
    fig.update_xaxes(range=[0, far / (1 - min(room / width, 0.6))])
    return fig.update_layout(showlegend=False, margin_t=8)


def _path(fig: go.Figure, p: Path, t: Tokens, metric: str) -> None:
    color = p.look.color(t)
    if p.n > 1:
        edge = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
        fig.add_scatter(x=p.cost, y=p.high, **edge)
        fig.add_scatter(x=p.cost, y=p.low, fill="tonexty", fillcolor=alpha(color, 0.14), **edge)
    said = [
        f"<b>{safe(p.look.name)}</b>, {runs_of(p.n)}<br>"
        f"at {words.three(float(c))}: {words.metric(metric, float(v))}"
        for c, v in zip(p.cost, p.mean, strict=True)
    ]
    fig.add_scatter(
        x=p.cost,
        y=p.mean,
        mode="lines" if len(p.cost) > 1 else "markers",
        line={"color": color, "width": 2.2, "shape": "hv", "dash": p.look.dash(t)},
        marker={"color": color, "size": 8},
        name=safe(p.look.name),
        hovertext=said,
        hovertemplate=TIP,
    )


def _wide(fig: go.Figure, axis: str) -> bool:
    """Whether all values of an axis are positive and spread over a factor."""
    given = [np.asarray(trace[axis], float) for trace in fig.data if trace[axis] is not None]
    all_ = np.concatenate(given or [np.zeros(0)])
    all_ = all_[np.isfinite(all_)]
    return bool(len(all_) and all_.min() > 0 and all_.max() > WIDE * all_.min())


@dataclass(frozen=True)
class Finals:
    """What the runs of a method came to.

    Attributes:
        look: the method.
        values: (n,) one a run.
        runs: (n,) their ids.
        said: (n,) what the mouse reads.
        mean: with its interval.
    """

    look: Look
    values: Values
    runs: Sequence[str]
    said: Sequence[str]
    mean: Interval


def finals(rows: Sequence[Finals], t: Tokens, *, x: str, best: float = math.nan) -> go.Figure:
    """A dot a run, and the mean of each method with its interval; `customdata` is the run."""
    fig = figure(t, height=max(230, 70 + ROW * len(rows)), x=x, y="")
    for at, row in enumerate(rows):
        color, n = row.look.color(t), len(row.values)
        rise = np.linspace(-SPREAD, SPREAD, n) if n > 1 else np.zeros(1)
        fig.add_scatter(
            x=row.values,
            y=at + 0.14 + rise,
            mode="markers",
            marker={"size": 7, "color": color, "opacity": 0.55, "line": {"width": 0}},
            customdata=list(row.runs),
            hovertext=[safe_lines(s) for s in row.said],
            hovertemplate=TIP,
            selected={"marker": {"opacity": 0.55}},
            unselected={"marker": {"opacity": 0.55}},
        )
    _means(fig, [(r.look, r.mean) for r in rows], t, lift=0.24)
    if math.isfinite(best):
        fig.add_vline(best, line={"color": t.muted, "width": 1.2, "dash": "dot"})
        fig.add_annotation(
            x=best, y=1, yref="paper", text="best of the table", xanchor="left", yanchor="bottom", xshift=2
        )
    return _methods(fig, [r.look for r in rows], [len(r.values) for r in rows]).update_layout(
        margin_t=24 if math.isfinite(best) else 8
    )


def safe_lines(text: str) -> str:
    """Several lines, each as plotly shows it literally."""
    return "<br>".join(safe(line) for line in text.split("\n"))


def _means(
    fig: go.Figure, rows: Sequence[tuple[Look, Interval]], t: Tokens, *, lift: float = 0.0, unit: str = ""
) -> None:
    """A diamond and a whisker a method."""
    for at, (look, mean) in enumerate(rows):
        if not math.isfinite(mean.value):
            continue
        whisker = {"array": [mean.high - mean.value], "arrayminus": [mean.value - mean.low]}
        known = math.isfinite(mean.low)
        said = words.interval(mean.value, mean.low, mean.high) if known else f"{mean.value:.2f}"
        fig.add_scatter(
            x=[mean.value],
            y=[at - lift],
            mode="markers",
            marker={"size": 11, "symbol": "diamond", "color": look.color(t), "line": {"width": 0}},
            error_x={**whisker, "symmetric": False, "color": look.color(t), "thickness": 2, "width": 5}
            if known
            else None,
            hovertext=[f"<b>{safe(look.name)}</b>, mean of {runs_of(mean.n)}: {said}{unit}"],
            hovertemplate=TIP,
        )


def _methods(fig: go.Figure, looks: Sequence[Look], counts: Sequence[int]) -> go.Figure:
    """One row a method, the first on top, with its name and the number of its seeds."""
    texts = [f"{_folded(look.name)}<br>{runs_of(n)}" for look, n in zip(looks, counts, strict=True)]
    fig.update_yaxes(
        tickvals=list(range(len(looks))),
        ticktext=texts,
        range=[len(looks) - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    return fig.update_layout(showlegend=False)


def _folded(name: str, width: int = 26) -> str:
    """A name on two lines at most."""
    head, sign, tail = name.partition(", ")
    if len(name) <= width or not sign:
        return safe(name)
    return f"{safe(head)}<br>{safe(tail if len(tail) <= width else tail[: width - 1] + '…')}"


def improvement(rows: Sequence[tuple[Look, Interval]], t: Tokens, *, x: str) -> go.Figure:
    """Relative improvement over random, with whiskers; right of the dotted line search helps."""
    fig = figure(t, height=max(230, 70 + ROW * len(rows)), x=x, y="")
    fig.add_vline(0, line={"color": t.muted, "width": 1.2, "dash": "dot"})
    _means(fig, rows, t, unit=f"{words.GAP}%")
    ends = [0.0, *(v for _, m in rows for v in (m.value, m.low, m.high) if math.isfinite(v))]
    pad = 0.08 * ((max(ends) - min(ends)) or 1.0)
    fig.update_xaxes(range=[min(ends) - pad, max(ends) + pad])
    return _methods(fig, [look for look, _ in rows], [m.n for _, m in rows]).update_layout(margin_t=8)


@dataclass(frozen=True)
class Attained:
    """A method's attainment surfaces, name -> (k, 2) corners in the metrics' own units; `n` runs."""

    look: Look
    surfaces: Mapping[str, Points]
    n: int


def attainment(
    made: Sequence[Attained], axes: tuple[Axis, Axis], t: Tokens, *, height: int = 400
) -> go.Figure:
    """What the best run, half of them and all of them attain: a line for the half, a band between the others.

    Args:
        made: one a method.
        axes: of both objectives, with their directions.
        t: the page's mode.
        height: in pixels.
    """
    fig = figure(t, height=height, x=axes[0].title, y=axes[1].title)
    signs = np.array([1.0 if a.column.direction == "min" else -1.0 for a in axes])
    corners = [s * signs for m in made for s in m.surfaces.values() if len(s)]
    if not corners:
        return fig
    every = np.concatenate(corners)
    edge = every.max(0) + 0.06 * np.where(np.ptp(every, 0) > 0, np.ptp(every, 0), 1.0)
    for m in made:
        _attained(fig, m, signs, edge, t)
    for axis, update in (("x", fig.update_xaxes), ("y", fig.update_yaxes)):
        if _wide(fig, axis):
            low, high = _ends(fig, axis)
            ticks = [v for v in LOG_TICKS if low <= v <= high]
            update(type="log", tickvals=ticks, ticktext=[words.compact(v) for v in ticks])
    return fig


def _ends(fig: go.Figure, axis: str) -> tuple[float, float]:
    given = np.concatenate([np.asarray(trace[axis], float) for trace in fig.data])
    return float(np.nanmin(given)), float(np.nanmax(given))


def _attained(fig: go.Figure, m: Attained, signs: Values, edge: Values, t: Tokens) -> None:
    steps = {name: stairs(s * signs, edge) * signs for name, s in m.surfaces.items() if len(s)}
    color, name = m.look.color(t), safe(m.look.name)
    if m.n > 1 and "best" in steps:
        worst = steps.get("worst", (edge * signs)[None, :])
        around = np.concatenate([steps["best"], worst[::-1]])
        fig.add_scatter(
            x=around[:, 0],
            y=around[:, 1],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=alpha(color, 0.14),
            hoverinfo="skip",
            showlegend=False,
        )
    if "median" in steps:
        half = "half of" if m.n > 1 else "of"
        fig.add_scatter(
            x=steps["median"][:, 0],
            y=steps["median"][:, 1],
            mode="lines",
            line={"color": color, "width": 2.2, "dash": m.look.dash(t)},
            name=f"{name} ({runs_of(m.n)})",
            hovertemplate=f"<b>{name}</b>, attained by {half} {runs_of(m.n)}<br>"
            "%{x:.4g}, %{y:.4g}<extra></extra>",
        )


def stairs(corners: Points, edge: Values) -> Points:
    """(2k + 1, 2) the boundary of what corners (k, 2) attain, up to an edge (2,).

    Lower is better in both; the corners are sorted by the first.
    """
    xs = np.append(np.repeat(corners[:, 0], 2), max(edge[0], corners[-1, 0]))
    ys = np.insert(np.repeat(corners[:, 1], 2), 0, max(edge[1], corners[0, 1]))
    return np.stack([xs, ys], 1)
